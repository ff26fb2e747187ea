//! The phone book: entries found, shown, made, changed, shared and deleted, and files of
//! contacts taken in and given out. What the asker may not see is answered as what is not
//! there.

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{Bodies, Conflicts, Preconditions, Refusals};
use crate::{
    http::{
        Shared,
        ask::{ask, change, unexpected},
        body::{Asked, Body, File, Key, Keyed, Matched, Named, Seen},
        door::Caller,
        problem::{self, Problem},
        view::{
            DeletedEntry, EntryList, EntryView, ExportWanted, NewEntry, Search, Share, Taken,
            file_type, lost_header,
        },
    },
    requests::{
        Ask, AskBook, BookReply, Reply,
        book::{AskImport, Fields, FileFormat, Imported},
    },
};

/// What a file cannot hold.
const LOST: &str = "postfax-lost";

async fn told(shared: &Shared, caller: &Caller, asked: AskBook) -> Result<BookReply, Problem> {
    match ask(shared, caller, Ask::Book(asked)).await? {
        Reply::Book(told) => Ok(*told),
        _ => Err(unexpected()),
    }
}

/// The entries that the asker sees and that fit: their own before shared before public ones.
#[utoipa::path(get, operation_id = "book_find",
    path = "/v1/book", params(Search), tag = "book",
    responses((status = 200, description = "The entries.", body = EntryList), Refusals))]
pub(super) async fn find(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(Search { q, limit }): Asked<Search>,
) -> Result<Json<EntryList>, Problem> {
    match told(&shared, &caller, AskBook::Find { text: q, limit }).await? {
        BookReply::Entries { entries, more } => Ok(Json(EntryList { entries, more })),
        _ => Err(unexpected()),
    }
}

/// One entry, by its unique identifier, its alias, or its number where only one has it.
#[utoipa::path(get, operation_id = "book_show",
    path = "/v1/book/{entry}", tag = "book",
    params(("entry" = String, Path, description = "The entry.", example = "acme")),
    responses((status = 200, description = "The entry.", body = EntryView,
        headers(("ETag" = String, description = "The version, for `If-Match`."))),
        Refusals, Conflicts))]
pub(super) async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    Named(entry): Named,
) -> Result<Response, Problem> {
    let BookReply::Entry(sheet) = told(&shared, &caller, AskBook::Show { entry }).await? else {
        return Err(unexpected());
    };
    let view = EntryView::from(*sheet);
    let tag = problem::tag(view.version()).map(|tag| [(header::ETAG, tag)]);
    Ok((tag, Json(view)).into_response())
}

/// A new entry: a name, and a number or members.
#[utoipa::path(post, operation_id = "book_add",
    path = "/v1/book", params(Keyed), tag = "book",
    request_body = NewEntry,
    responses((status = 201, description = "It is in the book.", body = EntryView,
        headers(("Location" = String, description = "The entry."),
            ("ETag" = String, description = "The version."))),
        Refusals, Conflicts, Bodies))]
pub(super) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    key: Key,
    Body(NewEntry { fields, standing }): Body<NewEntry>,
) -> Response {
    let (fields, owner, label) = (Box::new(fields), standing.owner, standing.label);
    change(&shared, &caller, key, Ask::Book(AskBook::Add { fields, owner, label })).await
}

/// Changes what an entry says, and leaves everything else.
#[utoipa::path(patch, operation_id = "book_change",
    path = "/v1/book/{entry}", tag = "book",
    params(("entry" = String, Path, description = "The entry.", example = "acme"),
        Keyed, Matched),
    request_body = Fields,
    responses((status = 200, description = "It says this now.", body = EntryView,
        headers(("ETag" = String, description = "The new version."))),
        Refusals, Conflicts, Bodies, Preconditions))]
pub(super) async fn alter(
    State(shared): State<Shared>,
    caller: Caller,
    Named(entry): Named,
    key: Key,
    Seen(version): Seen,
    Body(fields): Body<Fields>,
) -> Response {
    let asked = AskBook::Change { entry, version, fields: Box::new(fields) };
    change(&shared, &caller, key, Ask::Book(asked)).await
}

/// Shares an entry, or shares it no more.
#[utoipa::path(post, operation_id = "book_share",
    path = "/v1/book/{entry}/share", tag = "book",
    params(("entry" = String, Path, description = "The entry.", example = "acme"),
        Keyed, Matched),
    request_body = Share,
    responses((status = 200, description = "It is shared so.", body = EntryView,
        headers(("ETag" = String, description = "The new version."))),
        Refusals, Conflicts, Bodies, Preconditions))]
pub(super) async fn share(
    State(shared): State<Shared>,
    caller: Caller,
    Named(entry): Named,
    key: Key,
    Seen(version): Seen,
    Body(Share { sharing }): Body<Share>,
) -> Response {
    let asked = AskBook::Share { entry, version, with: sharing };
    change(&shared, &caller, key, Ask::Book(asked)).await
}

/// Deletes an entry.
#[utoipa::path(delete, operation_id = "book_delete",
    path = "/v1/book/{entry}", tag = "book",
    params(("entry" = String, Path, description = "The entry.", example = "acme"),
        Keyed, Matched),
    responses((status = 200, description = "It is deleted.", body = DeletedEntry),
        Refusals, Conflicts, Preconditions))]
pub(super) async fn delete(
    State(shared): State<Shared>,
    caller: Caller,
    Named(entry): Named,
    key: Key,
    Seen(version): Seen,
) -> Response {
    change(&shared, &caller, key, Ask::Book(AskBook::Delete { entry, version })).await
}

/// Adds and changes what a file of contacts says: all of it, or nothing. The body is the
/// file itself.
#[utoipa::path(post, operation_id = "book_import",
    path = "/v1/book/import", params(Taken, Keyed), tag = "book",
    request_body(description = "The file. Its format is found out when it is sent as \
        `application/octet-stream`.", content(
            (String = "text/csv"), (String = "text/vcard"), (String = "text/x-ldif"),
            (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, description = "What became of it, or would.", body = Imported),
        Refusals, Conflicts, Bodies))]
pub(super) async fn import(
    State(shared): State<Shared>,
    caller: Caller,
    key: Key,
    Asked(taken): Asked<Taken>,
    File { format, octets }: File,
) -> Response {
    let asked = || {
        let (owner, label) = (taken.owner()?, taken.label()?);
        let file = BASE64_STANDARD.encode(&octets);
        let dry_run = taken.dry_run;
        Ok(AskImport { file, format, owner, label, dry_run })
    };
    match asked() {
        Ok(asked) => {
            change(&shared, &caller, key, Ask::Book(AskBook::Import(Box::new(asked)))).await
        }
        Err(problem) => Problem::into_response(problem),
    }
}

/// What the asker owns, or all that they see, as a file.
#[utoipa::path(get, operation_id = "book_export",
    path = "/v1/book/export", params(ExportWanted), tag = "book",
    responses((status = 200, description = "The file.", content(
            (String = "text/csv"), (String = "text/vcard"), (String = "text/x-ldif")),
        headers(("Content-Disposition" = String, description = "What to call it."),
            ("Postfax-Lost" = String, description = "What of the entries this format cannot \
                hold, where there is such: a list of strings (RFC 9651)."))),
        Refusals, Conflicts))]
pub(super) async fn export(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(ExportWanted { format, what }): Asked<ExportWanted>,
) -> Result<Response, Problem> {
    let format = format.unwrap_or(FileFormat::Csv);
    let BookReply::Exported { format, text, lost, .. } =
        told(&shared, &caller, AskBook::Export { format, what }).await?
    else {
        return Err(unexpected());
    };
    let (media, ending) = file_type(format);
    let name = format!("attachment; filename=\"phone-book.{ending}\"");
    let headers = [(header::CONTENT_TYPE, media.to_owned()), (header::CONTENT_DISPOSITION, name)];
    let lost = lost_header(&lost).map(|lost| [(LOST, lost)]);
    Ok((headers, lost, text).into_response())
}
