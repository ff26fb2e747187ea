//! `postfax book`: the question that each command becomes, and the files that go in and
//! come out.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use postfax_domain::book::{Label, Sharing};

use super::{
    Exit, Failure,
    args::{
        Output,
        book::{Book, Cover, Export, Format, Import, Keeping, Resolution, Says},
    },
    ask,
    client::Client,
};
use crate::requests::{
    Ask, AskBook, BookReply, Reply,
    book::{AskImport, CoverChoice, Exported, Fields, FileFormat, Keeper, ResolutionChoice},
};

/// Asks, and prints the answer; an export goes to its file.
///
/// # Errors
/// [`Failure`] when it could not be asked or has refused, or a file failed.
pub(super) fn run(socket: &Path, book: Book) -> Result<Exit, Failure> {
    let file = match &book {
        Book::Export(Export { file, output: Output { json: false }, .. }) => Some(file.clone()),
        _ => None,
    };
    let (ask, json) = question(book)?;
    let ended = Client::connect(socket).and_then(|mut client| {
        if matches!(&ask, Ask::Book(AskBook::Import(_))) {
            client.be_patient()?;
        }
        client.ask(&ask)
    });
    let ended = ended.and_then(|reply| match (&reply, file) {
        (Reply::Book(told), Some(file)) => write(&file, told),
        _ => ask::show(&reply, json),
    });
    ask::report(ended, json)
}

/// What is to be asked, and whether the answer is for programs.
///
/// # Errors
/// [`Failure`] when a file cannot be read.
pub(super) fn question(book: Book) -> Result<(Ask, bool), Failure> {
    let (ask, output) = match book {
        Book::Find { text, limit, output } => {
            (AskBook::Find { text: text.join(" "), limit }, output)
        }
        Book::Show(one) => (AskBook::Show { entry: one.entry }, one.output),
        Book::Add(add) => {
            let (owner, label) = kept_by(add.keeping);
            let fields = Fields { name: Some(add.name), number: add.number, ..fields(add.says) };
            (AskBook::Add { fields: Box::new(fields), owner, label }, add.output)
        }
        Book::Change(change) => {
            let says = fields(change.says);
            let fields = Fields { name: change.name, number: change.number, ..says };
            let (entry, version) = (change.entry, change.over.version);
            (AskBook::Change { entry, version, fields: Box::new(fields) }, change.output)
        }
        Book::Share { entry, with, over, output } => {
            let with = with.parties().map_or(Sharing::Everyone, Sharing::With);
            (AskBook::Share { entry, version: over.version, with }, output)
        }
        Book::Unshare { entry, with, over, output } => {
            let with = match with.is_empty() {
                true => Sharing::Nobody,
                false => Sharing::NotWith(with.into_iter().collect()),
            };
            (AskBook::Share { entry, version: over.version, with }, output)
        }
        Book::Delete { entry, over, output } => {
            (AskBook::Delete { entry, version: over.version }, output)
        }
        Book::Import(import) => {
            let output = import.output;
            (AskBook::Import(Box::new(imported(import)?)), output)
        }
        Book::Export(Export { file, format, all, output }) => {
            let format = format.map_or_else(|| by_ending(&file), format_of);
            let what = if all { Exported::Visible } else { Exported::Own };
            (AskBook::Export { format, what }, output)
        }
    };
    Ok((Ask::Book(ask), output.json))
}

fn imported(import: Import) -> Result<AskImport, Failure> {
    let Import { file, format, dry_run, keeping, output: _ } = import;
    let bytes = read(&file)?;
    let (owner, label) = kept_by(keeping);
    let file = BASE64_STANDARD.encode(bytes);
    Ok(AskImport { file, format: format.map(format_of), owner, label, dry_run })
}

/// The file, or the input; one byte more than may be is enough to be refused.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: &std::io::Error| Failure::file(file.display(), error);
    let most = postfax_cards::FILE_BYTES_MOST as u64 + 1;
    let mut bytes = Vec::new();
    let done = match file == Path::new("-") {
        true => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
        false => File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    done.map_err(|error| failed(&error))?;
    if bytes.len() as u64 == most {
        let words = format!("{}: at most {} bytes are read", file.display(), most - 1);
        return Err(Failure::new(Exit::Usage, words).advise("divide the file"));
    }
    Ok(bytes)
}

/// Puts what was exported into its file, and says what it is not able to hold.
fn write(file: &Path, told: &BookReply) -> Result<Exit, Failure> {
    let BookReply::Exported { text, count, lost, .. } = told else {
        let words = "Postfax answers another question: is it the same version as this command?";
        return Err(Failure::new(Exit::Bug, words));
    };
    if file == Path::new("-") {
        ask::print(text)?;
    } else {
        let failed = |error: std::io::Error| Failure::file(file.display(), &error);
        let mut out = File::create(file).map_err(failed)?;
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
    }
    eprintln!("{count} {} exported", if *count == 1 { "entry" } else { "entries" });
    for what in lost {
        eprintln!("not in this format: {what}");
    }
    Ok(Exit::Ok)
}

fn by_ending(file: &Path) -> FileFormat {
    let ending = file.extension().unwrap_or_default().to_ascii_lowercase();
    match ending.to_str() {
        Some("vcf" | "vcard") => FileFormat::Vcard3,
        Some("ldif") => FileFormat::Ldif,
        _ => FileFormat::Csv,
    }
}

fn format_of(format: Format) -> FileFormat {
    match format {
        Format::Csv => FileFormat::Csv,
        Format::Vcard3 => FileFormat::Vcard3,
        Format::Vcard4 => FileFormat::Vcard4,
        Format::Ldif => FileFormat::Ldif,
    }
}

fn kept_by(keeping: Keeping) -> (Option<Keeper>, Option<Label>) {
    let Keeping { owner, public, with, everyone } = keeping;
    let owner = owner.map(Keeper::Client).or(public.then_some(Keeper::Public));
    let label = match (everyone, with.is_empty()) {
        (true, _) => Some(Label::Everyone),
        (false, true) => None,
        (false, false) => Some(Label::Named(with.into_iter().collect())),
    };
    (owner, label)
}

fn fields(says: Says) -> Fields {
    let Says { company, alias, subaddress, note, tag, cover, resolution, member } = says;
    let cover = cover.map(|cover| match cover {
        Cover::Usual => CoverChoice::Usual,
        Cover::Yes => CoverChoice::Yes,
        Cover::No => CoverChoice::No,
    });
    let resolution = resolution.map(|resolution| match resolution {
        Resolution::Usual => ResolutionChoice::Usual,
        Resolution::Standard => ResolutionChoice::Standard,
        Resolution::Fine => ResolutionChoice::Fine,
        Resolution::Superfine => ResolutionChoice::Superfine,
        Resolution::Dots300 => ResolutionChoice::Dots300,
        Resolution::Dots400 => ResolutionChoice::Dots400,
    });
    Fields {
        name: None,
        company,
        number: None,
        subaddress,
        alias,
        note,
        tags: (!tag.is_empty()).then(|| tag.into_iter().collect()),
        cover,
        resolution,
        members: (!member.is_empty()).then_some(member),
    }
}
