//! Paths: what each is, and how it is written. A path that is somebody else's is none.

use postfax_domain::{
    book::{Entry, Owner, Rank},
    names::ClientName,
};

/// Where all of it is.
pub(super) const ROOT: &str = "/dav/";
/// How the names of cards end.
const ENDING: &str = ".vcf";
/// Begins the names of cards that are not the collection's own: `~OWNER~UID.vcf`. No name
/// of a client has one.
const FOREIGN: char = '~';

/// A collection of cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shelf {
    /// The client's own entries.
    Own,
    /// What others share with it.
    Shared,
    /// What everybody sees.
    Public,
}

impl Shelf {
    pub(super) const ALL: [Self; 3] = [Self::Own, Self::Shared, Self::Public];

    /// Its entries are those that are so near.
    pub(super) fn rank(self) -> Rank {
        match self {
            Self::Own => Rank::Own,
            Self::Shared => Rank::Shared,
            Self::Public => Rank::Public,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Shared => "shared",
            Self::Public => "public",
        }
    }

    /// Whose the entries are that it calls by their identifier alone, and that are made in
    /// it; nobody's where nothing is made.
    pub(super) fn keeper(self, client: &ClientName) -> Option<Owner> {
        match self {
            Self::Own => Some(Owner::Client(client.clone())),
            Self::Shared => None,
            Self::Public => Some(Owner::Supervisor),
        }
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// `/` and `/dav/`: where clients begin that know only the host.
    Root,
    /// `/dav/principals/`
    Principals,
    /// `/dav/principals/NAME/`
    Principal,
    /// `/dav/books/`
    Homes,
    /// `/dav/books/NAME/`
    Home,
    /// `/dav/books/NAME/own/`
    Book(Shelf),
    /// `/dav/books/NAME/own/UID.vcf`
    Card(Shelf, CardName),
}

/// What a card is called: its owner and its unique identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CardName {
    pub(super) owner: Owner,
    pub(super) uid: String,
}

impl Place {
    /// What a path leads `client` to; nothing where it is another client's, like where
    /// nothing is.
    pub(super) fn read(path: &str, client: &ClientName) -> Option<Self> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        if path == "/" {
            return Some(Self::Root);
        }
        let rest = path.strip_prefix('/')?;
        let mut parts = rest.split('/').map(decoded).collect::<Option<Vec<String>>>()?;
        if parts.last().is_some_and(String::is_empty) {
            parts.pop();
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let is_mine = |name: &str| name == client.as_str();
        let shelf = |name: &str| Shelf::ALL.into_iter().find(|shelf| shelf.name() == name);
        match parts[..] {
            ["dav"] => Some(Self::Root),
            ["dav", "principals"] => Some(Self::Principals),
            ["dav", "principals", name] if is_mine(name) => Some(Self::Principal),
            ["dav", "books"] => Some(Self::Homes),
            ["dav", "books", name] if is_mine(name) => Some(Self::Home),
            ["dav", "books", name, book] if is_mine(name) => shelf(book).map(Self::Book),
            ["dav", "books", name, book, card] if is_mine(name) && !path.ends_with('/') => {
                let shelf = shelf(book)?;
                CardName::read(card, shelf, client).map(|card| Self::Card(shelf, card))
            }
            _ => None,
        }
    }

    /// Its path.
    pub(super) fn path(&self, client: &ClientName) -> String {
        match self {
            Self::Root => ROOT.to_owned(),
            Self::Principals => "/dav/principals/".to_owned(),
            Self::Principal => format!("/dav/principals/{client}/"),
            Self::Homes => "/dav/books/".to_owned(),
            Self::Home => format!("/dav/books/{client}/"),
            Self::Book(shelf) => format!("/dav/books/{client}/{}/", shelf.name()),
            Self::Card(shelf, card) => {
                let name = card.written(*shelf, client);
                format!("/dav/books/{client}/{}/{}", shelf.name(), encoded(&name))
            }
        }
    }
}

impl CardName {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { owner: entry.owner.clone(), uid: entry.uid.clone() }
    }

    fn read(name: &str, shelf: Shelf, client: &ClientName) -> Option<Self> {
        let uid = name.strip_suffix(ENDING)?;
        if shelf == Shelf::Own {
            let owner = Owner::Client(client.clone());
            return Some(Self { owner, uid: uid.to_owned() });
        }
        let Some(foreign) = uid.strip_prefix(FOREIGN) else {
            return Some(Self { owner: shelf.keeper(client)?, uid: uid.to_owned() });
        };
        let (owner, uid) = foreign.split_once(FOREIGN)?;
        let owner = match owner {
            "" => Owner::Supervisor,
            name => Owner::Client(ClientName::new(name).ok()?),
        };
        let card = Self { owner, uid: uid.to_owned() };
        // Each card has one name.
        (card.written(shelf, client) == name).then_some(card)
    }

    fn written(&self, shelf: Shelf, client: &ClientName) -> String {
        let uid = &self.uid;
        let is_plain = shelf == Shelf::Own
            || shelf.keeper(client).as_ref() == Some(&self.owner) && !uid.starts_with(FOREIGN);
        match (&self.owner, is_plain) {
            (_, true) => format!("{uid}{ENDING}"),
            (Owner::Supervisor, false) => format!("{FOREIGN}{FOREIGN}{uid}{ENDING}"),
            (Owner::Client(owner), false) => format!("{FOREIGN}{owner}{FOREIGN}{uid}{ENDING}"),
        }
    }
}

/// The path of a reference, which may be a whole URL (RFC 4918 8.3).
pub(super) fn path_of(href: &str) -> &str {
    let href = href.trim();
    let rest = href.strip_prefix("https://").or_else(|| href.strip_prefix("http://"));
    match rest {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => href,
    }
}

/// A segment of a path (RFC 3986 3.3): whatever could be anything else is encoded.
fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'@' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decoded(segment: &str) -> Option<String> {
    let mut out = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> ClientName {
        ClientName::new("anna").unwrap()
    }

    fn card(owner: &str, uid: &str) -> CardName {
        let owner = match owner {
            "" => Owner::Supervisor,
            name => Owner::Client(ClientName::new(name).unwrap()),
        };
        CardName { owner, uid: uid.into() }
    }

    #[test]
    fn every_place_has_a_path() {
        for (place, path) in [
            (Place::Root, "/dav/"),
            (Place::Principal, "/dav/principals/anna/"),
            (Place::Home, "/dav/books/anna/"),
            (Place::Book(Shelf::Shared), "/dav/books/anna/shared/"),
            (Place::Card(Shelf::Own, card("anna", "a b/c")), "/dav/books/anna/own/a%20b%2Fc.vcf"),
            (Place::Card(Shelf::Own, card("anna", "~x")), "/dav/books/anna/own/~x.vcf"),
            (Place::Card(Shelf::Public, card("", "é")), "/dav/books/anna/public/%C3%A9.vcf"),
            (Place::Card(Shelf::Public, card("", "~x")), "/dav/books/anna/public/~~~x.vcf"),
            (Place::Card(Shelf::Public, card("bob", "x")), "/dav/books/anna/public/~bob~x.vcf"),
            (Place::Card(Shelf::Shared, card("", "x")), "/dav/books/anna/shared/~~x.vcf"),
            (Place::Card(Shelf::Shared, card("bob", "~x")), "/dav/books/anna/shared/~bob~~x.vcf"),
        ] {
            assert_eq!(place.path(&anna()), path);
            assert_eq!(Place::read(path, &anna()), Some(place), "{path}");
        }
        assert_eq!(Place::read("/dav/books/anna/own", &anna()), Some(Place::Book(Shelf::Own)));
    }

    #[test]
    fn what_is_not_theirs_is_not_there() {
        for path in [
            "/dav/books/bob/",
            "/dav/principals/bob/",
            "/dav/books/bob/own/x.vcf",
            "/dav/books/anna/other/",
            "/dav/books/anna/own/x",
            "/dav/books/anna/own/x.vcf/",
            "/dav/books/anna/own/%GG.vcf",
            "/dav/books/anna/own/%ff.vcf",
            "/dav/books/anna/own/x/y.vcf",
            "/dav/books/anna/shared/x.vcf",
            "/dav/books/anna/public/~~x.vcf",
            "dav/",
            "/other/",
            "",
        ] {
            assert_eq!(Place::read(path, &anna()), None, "{path}");
        }
        assert_eq!(path_of("https://host:8443/dav/x"), "/dav/x");
        assert_eq!(path_of(" /dav/x\n"), "/dav/x");
        assert_eq!(path_of("http://host"), "/");
    }
}
