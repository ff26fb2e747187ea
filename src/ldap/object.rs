//! What entries look like by LDAP: the entries of the phone book as people and groups
//! (RFC 2798, RFC 4519), and what they hang below. Decides nothing of who sees what.

use std::sync::Arc;

use postfax_domain::{
    authority::Who,
    book::{Book, Entry, Owner, Reach},
    setup::Setup,
};
use sha2::{Digest as _, Sha256};

use super::{
    dn,
    filter::Values,
    schema::{self, Attribute},
};

/// What somebody looks at: a copy of the phone book, and who they are.
pub(super) struct View {
    pub(super) book: Arc<Book>,
    pub(super) setup: Arc<Setup>,
    pub(super) who: Who,
    pub(super) place: Arc<Place>,
}

/// Where everything hangs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The name that is configured.
    pub(super) base: String,
    /// Its first type and value.
    first: (String, String),
    pub(super) base_name: dn::Name,
    /// That of the folder of the entries.
    pub(super) book: String,
    /// That of the folder of those who log in, of which nothing is shown.
    pub(super) clients: String,
}

impl Place {
    pub(super) fn new(base: &[(String, String)]) -> Self {
        let parts: Vec<String> =
            base.iter().map(|(kind, value)| format!("{kind}={}", dn::escaped(value))).collect();
        let name = parts.join(",");
        Self {
            base_name: dn::Name::read(&name).unwrap_or_default(),
            first: base.first().cloned().unwrap_or_default(),
            book: format!("ou=book,{name}"),
            clients: format!("ou=clients,{name}"),
            base: name,
        }
    }
}

/// Something that has a name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    /// The root of all names (RFC 4512 5.1).
    Root,
    /// The description of what there is.
    Subschema,
    Base,
    /// The folder of the entries.
    Book,
    Entry(Arc<Entry>),
}

/// An object as somebody sees it.
pub(super) struct Seen<'a> {
    pub(super) object: &'a Object,
    pub(super) view: &'a View,
}

/// Of two entries with one unique identifier that somebody sees, the nearer has it as its
/// name; the other is told from it by what is another one for each owner.
pub(super) fn entry_name(view: &View, entry: &Entry) -> String {
    let nearest = view.book.by_uid(&view.setup, &view.who, &entry.uid);
    let uid = dn::escaped(&entry.uid);
    if nearest.is_some_and(|nearest| nearest.entry.id == entry.id) {
        return format!("uid={uid},{}", view.place.book);
    }
    format!("entryUUID={}+uid={uid},{}", entry_uuid(entry), view.place.book)
}

/// RFC 4530: the same for an entry as long as it lives, whoever looks (RFC 9562 5.8).
pub(super) fn entry_uuid(entry: &Entry) -> String {
    let owner = match &entry.owner {
        Owner::Client(name) => name.as_str(),
        Owner::Supervisor => "",
    };
    let hash = Sha256::new().chain_update(owner).chain_update([0]).chain_update(&entry.uid);
    let mut octets = [0; 16];
    octets.copy_from_slice(&hash.finalize()[..16]);
    octets[6] = octets[6] & 0x0f | 0x80;
    octets[8] = octets[8] & 0x3f | 0x80;
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

/// What people are called by their family, and the rest: the last word, as most names of
/// the book are of companies anyway.
fn names(name: &str) -> (Option<&str>, &str) {
    let name = name.trim();
    match name.rsplit_once(char::is_whitespace) {
        Some((given, family)) => (Some(given.trim_end()), family),
        None => (None, name),
    }
}

/// A moment (RFC 4517 3.3.13).
fn moment(milliseconds: u64) -> String {
    let at = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    at.strftime("%Y%m%d%H%M%SZ").to_string()
}

impl Seen<'_> {
    /// Its name.
    pub(super) fn name(&self) -> String {
        let place = &self.view.place;
        match self.object {
            Object::Root => String::new(),
            Object::Subschema => schema::SUBSCHEMA.to_owned(),
            Object::Base => place.base.clone(),
            Object::Book => place.book.clone(),
            Object::Entry(entry) => entry_name(self.view, entry),
        }
    }

    /// The values of an attribute.
    pub(super) fn values(&self, attribute: Attribute) -> Vec<String> {
        let mut values = Vec::new();
        self.any(attribute, &mut |value| {
            values.push(value.to_owned());
            false
        });
        values
    }

    fn classes(&self) -> &'static [&'static str] {
        match self.object {
            Object::Root => &["top"],
            Object::Subschema => &["top", "subentry", "subschema", "extensibleObject"],
            Object::Book => &["top", "organizationalUnit"],
            Object::Base => match self.view.place.first.0.as_str() {
                "dc" => &["top", "domain"],
                "o" => &["top", "organization"],
                "ou" => &["top", "organizationalUnit"],
                "c" => &["top", "country"],
                "l" | "st" => &["top", "locality"],
                _ => &["top", "applicationProcess"],
            },
            Object::Entry(entry) => match entry.content.reach {
                Reach::Fax(_) => {
                    &["top", "person", "organizationalPerson", "inetOrgPerson", "mozillaOrgPerson"]
                }
                Reach::List(_) => &["top", "groupOfNames", "extensibleObject"],
            },
        }
    }

    fn structural(&self) -> &'static str {
        match self.object {
            Object::Root => "top",
            Object::Subschema => "subentry",
            Object::Entry(entry) if matches!(entry.content.reach, Reach::Fax(_)) => "inetOrgPerson",
            _ => self.classes()[1],
        }
    }

    /// Attributes that everything has.
    fn common(&self, attribute: Attribute) -> Option<Vec<String>> {
        Some(match attribute {
            Attribute::ObjectClass => self.classes().iter().map(|c| (*c).to_owned()).collect(),
            Attribute::StructuralClass => vec![self.structural().to_owned()],
            Attribute::EntryDn => vec![self.name()],
            Attribute::SubschemaSubentry => vec![schema::SUBSCHEMA.to_owned()],
            Attribute::HasSubordinates => {
                let has = !matches!(self.object, Object::Entry(_) | Object::Subschema);
                vec![if has { "TRUE" } else { "FALSE" }.to_owned()]
            }
            _ => return None,
        })
    }

    fn of_root(&self, attribute: Attribute) -> Vec<String> {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        match attribute {
            Attribute::NamingContexts => vec![self.view.place.base.clone()],
            Attribute::SupportedVersion => texts(&["3"]),
            Attribute::SupportedControl => texts(&[schema::PAGED_RESULTS, schema::MANAGE_DSA_IT]),
            Attribute::SupportedExtension => texts(&[schema::START_TLS, schema::WHO_AM_I]),
            // All operational attributes can be asked for (RFC 3673).
            Attribute::SupportedFeatures => texts(&["1.3.6.1.4.1.4203.1.5.1"]),
            Attribute::VendorName => texts(&["Postfax"]),
            _ => Vec::new(),
        }
    }

    fn of_schema(attribute: Attribute) -> Vec<String> {
        match attribute {
            Attribute::Cn => vec!["subschema".to_owned()],
            Attribute::Types => schema::attribute_types(),
            Attribute::ObjectClasses => schema::object_classes(),
            Attribute::MatchingRules => schema::matching_rules(),
            Attribute::Syntaxes => schema::syntaxes(),
            _ => Vec::new(),
        }
    }

    fn of_base(&self, attribute: Attribute) -> Vec<String> {
        let (kind, value) = &self.view.place.first;
        let is_it = attribute.kind().names[0].eq_ignore_ascii_case(kind);
        if is_it { vec![value.clone()] } else { Vec::new() }
    }

    fn members(&self, list: &Entry) -> Vec<String> {
        let (members, _) = self.view.book.members(&self.view.setup, &self.view.who, list);
        members.into_iter().map(|member| entry_name(self.view, member)).collect()
    }
}

impl Values for Seen<'_> {
    fn any(&self, attribute: Attribute, pass: &mut dyn FnMut(&str) -> bool) -> bool {
        // A plain text of an entry is not copied: this is done for each entry of a search.
        if let Object::Entry(entry) = self.object
            && let Some(found) = plain(entry, attribute, pass)
        {
            return found;
        }
        if let Some(values) = self.common(attribute) {
            return values.iter().any(|value| pass(value));
        }
        let values = match self.object {
            Object::Root => self.of_root(attribute),
            Object::Subschema => Self::of_schema(attribute),
            Object::Base => self.of_base(attribute),
            Object::Book if attribute == Attribute::Unit => vec!["book".to_owned()],
            Object::Book => Vec::new(),
            Object::Entry(entry) => match attribute {
                Attribute::Mail => {
                    entry.content.address(&self.view.setup.domain).into_iter().collect()
                }
                Attribute::EntryUuid => vec![entry_uuid(entry)],
                Attribute::ModifyTimestamp => vec![moment(entry.stamp.0)],
                Attribute::Member => self.members(entry),
                _ => Vec::new(),
            },
        };
        values.iter().any(|value| pass(value))
    }
}

/// The attributes of an entry that are its very texts; none for other attributes.
fn plain(entry: &Entry, attribute: Attribute, pass: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
    let content = &entry.content;
    let line = match &content.reach {
        Reach::Fax(line) => Some(line),
        Reach::List(_) => None,
    };
    let mut some = |text: &str| !text.is_empty() && pass(text);
    Some(match attribute {
        Attribute::Cn | Attribute::DisplayName => some(&content.name),
        Attribute::Sn => line.is_some() && some(names(&content.name).1),
        Attribute::GivenName => line.is_some() && names(&content.name).0.is_some_and(&mut some),
        Attribute::Organization => some(&content.company),
        Attribute::Description => some(&content.note),
        Attribute::Nickname => content.alias.as_deref().is_some_and(&mut some),
        Attribute::Category => content.tags.iter().any(|tag| some(tag)),
        Attribute::Uid => some(&entry.uid),
        // Many phones and printers read nothing but the telephone number.
        Attribute::Fax | Attribute::Telephone => {
            line.is_some_and(|line| some(line.number.as_str()))
        }
        _ => return None,
    })
}
