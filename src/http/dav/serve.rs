//! The methods of CardDAV: each request is one that is asked by somebody, about a place,
//! with a body of a bounded size.
//!
//! Why only what hands out cards or changes them is noted in the audit log: an address book
//! asks every few minutes, on every device, whether something is new. These questions are
//! answered with names and tags, thousands a day, and in a log that is never shortened they
//! would hide the rest.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use postfax_cards::vcard::Version;

use super::{
    super::{Shared, guard, problem::Problem},
    answer::{Failure, of_xml},
    cards, find, login,
    look::Look,
    place::{CardName, Place, ROOT, Shelf},
    principals,
    props::{etag, last_modified},
    report, write,
    xml::CARD,
};
use crate::{config::HttpLimits, requests};

/// What there is at a collection, and at a card.
const OF_COLLECTIONS: &str = "OPTIONS, PROPFIND, PROPPATCH, REPORT";
const OF_CARDS: &str = "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, REPORT";
/// RFC 6352 6.1, RFC 4918 18, RFC 3744 7.2.
const CLASSES: HeaderValue = HeaderValue::from_static("1, 3, access-control, addressbook");

/// The paths of CardDAV.
pub(in super::super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/.well-known/carddav", any(well_known))
        .route("/", any(root))
        .route("/dav", any(serve))
        .route("/dav/", any(serve))
        .route("/dav/{*rest}", any(serve))
}

/// The limits in force, where address books may come in at all.
fn limits(shared: &Shared) -> Option<HttpLimits> {
    let config = shared.context.config.load();
    config.http.as_ref().filter(|http| http.carddav).map(|http| http.limits.clone())
}

async fn nothing() -> Response {
    Problem::into_response(guard::not_found().await)
}

/// RFC 6764 5: whatever the method.
async fn well_known(State(shared): State<Shared>) -> Response {
    if limits(&shared).is_none() {
        return nothing().await;
    }
    let mut response = StatusCode::MOVED_PERMANENTLY.into_response();
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(ROOT));
    response
}

/// RFC 6764 6: where clients look when all else fails. It has no page for people.
async fn root(State(shared): State<Shared>, request: Request) -> Response {
    match request.method().as_str() {
        "PROPFIND" | "OPTIONS" | "REPORT" | "PROPPATCH" => serve(State(shared), request).await,
        _ => nothing().await,
    }
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let Some(limits) = limits(&shared) else { return nothing().await };
    let mut response = match answer(&shared, limits, request).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::HeaderName::from_static("dav"), CLASSES);
    // What is answered is this client's alone.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

async fn answer(
    shared: &Shared,
    limits: HttpLimits,
    request: Request,
) -> Result<Response, Failure> {
    let (head, body) = request.into_parts();
    let (path, method) = (head.uri.path(), head.method.as_str());
    if method == "OPTIONS" {
        return Ok(options(path));
    }
    let address = head.extensions.get::<IpAddr>().copied().unwrap_or(IpAddr::from([0; 4]));
    let visitor = login::let_in(shared, &head.headers, address).await?;
    let place = Place::read(path, &visitor.client).ok_or_else(Failure::not_found)?;
    let most = match method {
        "PUT" => limits.max_card_bytes,
        _ => limits.max_report_bytes,
    };
    let body = to_bytes(body, most).await.map_err(|_| too_large(method, most))?;
    let look = Arc::new(Look::new(shared, &visitor, limits));
    match (method, place) {
        ("GET" | "HEAD", Place::Card(shelf, name)) => {
            get(shared, &look, shelf, &name, &head.headers).await
        }
        ("PUT", Place::Card(shelf, name)) => {
            write::put(shared, &look, shelf, name, &head.headers, &body).await
        }
        ("DELETE", Place::Card(shelf, name)) => {
            write::delete(shared, &look, shelf, name, &head.headers).await
        }
        ("PROPFIND", place) => {
            beside(move || find::propfind(&look, place, &head.headers, &body)).await
        }
        ("PROPPATCH", place) => Ok(find::proppatch(&look, place, &body)?.into_response()),
        ("REPORT", _) if report::is_search_property_set(&body) => {
            Ok(of_xml(StatusCode::OK, principals::search_property_set()))
        }
        ("REPORT", place) => report(shared, look, place, head.headers, body).await,
        (_, Place::Card(..)) => Err(Failure::not_allowed(OF_CARDS)),
        (_, _) => Err(Failure::not_allowed(OF_COLLECTIONS)),
    }
}

fn too_large(method: &str, most: usize) -> Failure {
    match method {
        "PUT" => {
            let words = format!("a card has {most} bytes at most: leave out the picture");
            Failure::condition(CARD, "max-resource-size", words)
        }
        _ => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the question is too large"),
    }
}

/// RFC 9110 9.3.7; who asks is of no matter to it.
fn options(path: &str) -> Response {
    let allow = if path.ends_with('/') { OF_COLLECTIONS } else { OF_CARDS };
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// Does what may take long beside the threads that wait for others.
async fn beside<T: axum::response::IntoResponse + Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<Response, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    let done =
        done.map_err(|bug| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, bug.to_string()))?;
    Ok(done?.into_response())
}

async fn report(
    shared: &Shared,
    look: Arc<Look>,
    place: Place,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let asker = look.asker();
    let work = move || report::report(&look, &place, &headers, &body);
    let told = tokio::task::spawn_blocking(work).await;
    let told =
        told.map_err(|bug| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, bug.to_string()))??;
    if let Some(read) = &told.read {
        noted(shared, &asker, read).await?;
    }
    Ok(told.answer.into_response())
}

async fn noted(
    shared: &Shared,
    asker: &postfax_domain::audit::Asker,
    read: &str,
) -> Result<(), Failure> {
    let noted = requests::note_cards_read(&*shared.daemon, asker, read).await;
    noted.map_err(|why| Failure::new(StatusCode::SERVICE_UNAVAILABLE, why))
}

/// One card. It is of version 3 unless the client asks for 4.
async fn get(
    shared: &Shared,
    look: &Look,
    shelf: Shelf,
    name: &CardName,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let entry = look.entry(shelf, name).ok_or_else(Failure::not_found)?;
    let said = |name: header::HeaderName| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.map(str::to_owned).collect::<Vec<_>>().join(",")
    };
    let wants_new = said(header::ACCEPT).replace([' ', '"'], "").contains("version=4.0");
    let version = if wants_new { Version::V4 } else { Version::V3 };
    // The two versions are two representations (RFC 9110 8.8.3); reports know the tag of 3.
    let tag = match version {
        Version::V3 => etag(entry),
        Version::V4 => format!("\"{}-4\"", entry.etag()),
    };
    let known = said(header::IF_NONE_MATCH);
    let is_known = known.split(',').any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    });
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        noted(shared, &look.asker(), &format!("{} {}", shelf.name(), name.uid)).await?;
        Response::new(Body::from(cards::text(look, entry, version)))
    };
    let kind = match version {
        Version::V3 => "text/vcard; charset=utf-8",
        Version::V4 => "text/vcard; version=4.0; charset=utf-8",
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    let made = [(header::ETAG, tag), (header::LAST_MODIFIED, last_modified(entry))];
    for (name, value) in made {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}
