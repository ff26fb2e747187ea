//! Filters (RFC 4511 4.5.1.7): read once, with every value prepared, and then evaluated
//! on anything that has values. Three-valued: what cannot be decided matches nothing, and
//! neither does its opposite.

use ldap_parser::filter::{self as wire, Substring};

use super::{
    dn::Name,
    schema::{self, Attribute, Rule},
    text,
};

/// A filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// The attribute has any value.
    Present(Attribute),
    /// One of its values is like this.
    Value(Attribute, Test),
    /// A type that nobody here knows, a value that is none of its type, a comparison that
    /// its type does not have.
    Undefined,
}

/// What a value is to be like. All texts are prepared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Equal(String),
    Names(Name),
    Parts(Parts),
    AtLeast(String),
    AtMost(String),
}

/// Parts of a value, in this order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Parts {
    pub(super) initial: Option<String>,
    pub(super) any: Vec<String>,
    pub(super) last: Option<String>,
}

/// Whether a filter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    Undefined,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Something that has values.
pub(super) trait Values {
    /// Whether one of the values of an attribute passes.
    fn any(&self, attribute: Attribute, pass: &mut dyn FnMut(&str) -> bool) -> bool;
}

impl Filter {
    /// As it comes in; its depth is bounded by the parser.
    pub(super) fn read(filter: wire::Filter<'_>) -> Self {
        let all = |filters: Vec<wire::Filter<'_>>| filters.into_iter().map(Self::read).collect();
        match filter {
            wire::Filter::And(filters) => Self::And(all(filters)),
            wire::Filter::Or(filters) => Self::Or(all(filters)),
            wire::Filter::Not(filter) => Self::Not(Box::new(Self::read(*filter))),
            wire::Filter::Present(name) => {
                schema::kind(&name.0).map_or(Self::Undefined, |kind| Self::Present(kind.attribute))
            }
            // What sounds alike is what is equal (RFC 4511 4.5.1.7.6).
            wire::Filter::EqualityMatch(pair) | wire::Filter::ApproxMatch(pair) => {
                Self::equal(&pair.attribute_desc.0, &pair.assertion_value)
            }
            wire::Filter::GreaterOrEqual(pair) => {
                ordered(&pair.attribute_desc.0, &pair.assertion_value, Test::AtLeast)
            }
            wire::Filter::LessOrEqual(pair) => {
                ordered(&pair.attribute_desc.0, &pair.assertion_value, Test::AtMost)
            }
            wire::Filter::Substrings(parts) => substrings(&parts),
            // RFC 4511 4.5.1.7.7: rules that nobody here knows.
            wire::Filter::ExtensibleMatch(_) => Self::Undefined,
        }
    }

    /// One value is this.
    pub(super) fn equal(name: &str, value: &[u8]) -> Self {
        let Some((kind, value)) = known(name, value) else { return Self::Undefined };
        let test = match kind.rule {
            Rule::Text | Rule::Plain => Some(Test::Equal(text::folded(value))),
            Rule::Telephone => Some(Test::Equal(text::digits(value))),
            Rule::Name => Name::read(value).map(Test::Names),
            Rule::Time => text::moment(value).map(Test::Equal),
            Rule::Oid
                if kind.attribute == Attribute::SupportedControl
                    || kind.attribute == Attribute::SupportedExtension
                    || kind.attribute == Attribute::SupportedFeatures =>
            {
                Some(Test::Equal(value.to_owned()))
            }
            Rule::Oid => schema::class(value).map(|class| Test::Equal(class.to_owned())),
        };
        test.map_or(Self::Undefined, |test| Self::Value(kind.attribute, test))
    }

    /// Whether it holds for something.
    pub(super) fn holds(&self, of: &dyn Values) -> Truth {
        match self {
            Self::And(filters) => decided(filters, of, Truth::False, Truth::True),
            Self::Or(filters) => decided(filters, of, Truth::True, Truth::False),
            Self::Not(filter) => match filter.holds(of) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Undefined => Truth::Undefined,
            },
            Self::Present(attribute) => of.any(*attribute, &mut |_| true).into(),
            Self::Value(attribute, test) => {
                let rule = attribute.kind().rule;
                of.any(*attribute, &mut |value| test.passes(rule, value)).into()
            }
            Self::Undefined => Truth::Undefined,
        }
    }
}

/// The first that decides, whatever the others are; else whether all are known
/// (RFC 4511 4.5.1.7).
fn decided(filters: &[Filter], of: &dyn Values, decides: Truth, otherwise: Truth) -> Truth {
    let mut truth = otherwise;
    for filter in filters {
        match filter.holds(of) {
            found if found == decides => return decides,
            Truth::Undefined => truth = Truth::Undefined,
            _ => {}
        }
    }
    truth
}

fn known<'v>(name: &str, value: &'v [u8]) -> Option<(&'static schema::Kind, &'v str)> {
    schema::kind(name).zip(std::str::from_utf8(value).ok())
}

fn ordered(name: &str, value: &[u8], test: fn(String) -> Test) -> Filter {
    let Some((kind, value)) = known(name, value) else { return Filter::Undefined };
    let value = match kind.rule {
        Rule::Text => Some(text::folded(value)),
        Rule::Time => text::moment(value),
        Rule::Telephone | Rule::Name | Rule::Oid | Rule::Plain => None,
    };
    value.map_or(Filter::Undefined, |value| Filter::Value(kind.attribute, test(value)))
}

fn substrings(filter: &wire::SubstringFilter<'_>) -> Filter {
    let Some(kind) = schema::kind(&filter.filter_type.0) else { return Filter::Undefined };
    let prepare: fn(&str) -> String = match kind.rule {
        Rule::Text => text::folded_part,
        Rule::Telephone => text::digits,
        Rule::Name | Rule::Oid | Rule::Time | Rule::Plain => return Filter::Undefined,
    };
    let mut parts = Parts::default();
    for part in &filter.substrings {
        let (Substring::Initial(value) | Substring::Any(value) | Substring::Final(value)) = part;
        let Ok(value) = std::str::from_utf8(&value.0) else { return Filter::Undefined };
        let value = prepare(value);
        match part {
            // Values have no spaces at their ends.
            Substring::Initial(_) => parts.initial = Some(value.trim_start().to_owned()),
            Substring::Any(_) => parts.any.push(value),
            Substring::Final(_) => parts.last = Some(value.trim_end().to_owned()),
        }
    }
    Filter::Value(kind.attribute, Test::Parts(parts))
}

impl Test {
    fn passes(&self, rule: Rule, value: &str) -> bool {
        if let Self::Names(name) = self {
            return Name::read(value).as_ref() == Some(name);
        }
        let value = match rule {
            Rule::Text | Rule::Plain => text::folded(value),
            Rule::Telephone => text::digits(value),
            Rule::Name | Rule::Oid | Rule::Time => value.to_owned(),
        };
        match self {
            Self::Equal(wanted) => value == *wanted,
            Self::Parts(parts) => parts.are_in(&value),
            Self::AtLeast(least) => value >= *least,
            Self::AtMost(most) => value <= *most,
            Self::Names(_) => false,
        }
    }
}

impl Parts {
    fn are_in(&self, value: &str) -> bool {
        let initial = self.initial.as_deref().unwrap_or_default();
        let Some(mut rest) = value.strip_prefix(initial) else { return false };
        for part in &self.any {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(self.last.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use ldap_parser::{FromBer as _, ldap::LdapMessage};

    use super::*;

    /// A filter as its text is (RFC 4515), by way of what goes over the wire.
    pub(crate) fn filter(text: &str) -> Filter {
        let mut out = Vec::new();
        let rest = put(&mut out, text);
        assert_eq!(rest, "", "{text}");
        let message = super::super::tests::search_message(&out);
        let (_, read) = LdapMessage::from_ber(&message).unwrap();
        let ldap_parser::ldap::ProtocolOp::SearchRequest(search) = read.protocol_op else {
            panic!("{read:?}")
        };
        Filter::read(search.filter)
    }

    /// Writes the filter that a text begins with, and gives what follows it.
    pub(crate) fn put<'t>(out: &mut Vec<u8>, text: &'t str) -> &'t str {
        use super::super::ber::tagged;
        let inner = text.strip_prefix('(').unwrap();
        if let Some(mut rest) = inner.strip_prefix(['&', '|', '!']) {
            let tag = match inner.as_bytes()[0] {
                b'&' => 0xa0,
                b'|' => 0xa1,
                _ => 0xa2,
            };
            tagged(out, tag, |out| {
                while rest.starts_with('(') {
                    rest = put(out, rest);
                }
            });
            return rest.strip_prefix(')').unwrap();
        }
        let (item, rest) = inner.split_once(')').unwrap();
        let string = |out: &mut Vec<u8>, tag, text: &str| {
            tagged(out, tag, |out| out.extend_from_slice(text.as_bytes()));
        };
        let (left, value) = item.split_once('=').unwrap();
        let tag = match left.as_bytes().last() {
            Some(b'>') => 0xa5,
            Some(b'<') => 0xa6,
            Some(b'~') => 0xa8,
            _ if value == "*" => 0x87,
            _ if value.contains('*') => 0xa4,
            _ => 0xa3,
        };
        let name = left.trim_end_matches(['<', '>', '~']);
        match tag {
            0x87 => string(out, tag, name),
            0xa4 => tagged(out, tag, |out| {
                string(out, 4, name);
                tagged(out, 0x30, |out| {
                    let parts: Vec<&str> = value.split('*').collect();
                    for (at, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty())
                    {
                        let tag = match at {
                            0 => 0x80,
                            _ if at + 1 == parts.len() => 0x82,
                            _ => 0x81,
                        };
                        string(out, tag, part);
                    }
                });
            }),
            _ => tagged(out, tag, |out| {
                string(out, 4, name);
                string(out, 4, value);
            }),
        }
        rest
    }

    struct Has(BTreeMap<Attribute, Vec<&'static str>>);

    impl Values for Has {
        fn any(&self, attribute: Attribute, pass: &mut dyn FnMut(&str) -> bool) -> bool {
            self.0.get(&attribute).is_some_and(|values| values.iter().any(|value| pass(value)))
        }
    }

    #[test]
    fn three_values() {
        let has = Has(BTreeMap::from([
            (Attribute::Cn, vec!["Acme  Ltd", "ACME"]),
            (Attribute::Fax, vec!["+44 20-7946 0100"]),
            (Attribute::ObjectClass, vec!["person"]),
            (Attribute::ModifyTimestamp, vec!["20261123165100Z"]),
            (Attribute::Member, vec!["uid=a\\,b,dc=c"]),
        ]));
        use Truth::{False, True, Undefined};
        for (text, truth) in [
            ("(cn=acme ltd)", True),
            ("(cn~=ACME)", True),
            ("(cn=acme lt)", False),
            ("(cn=*c*m*)", True),
            ("(cn=acme*)", True),
            ("(cn=*e  l*)", True),
            ("(cn=* ltd)", True),
            ("(cn=*ltd*ltd*)", False),
            ("(cn=x*)", False),
            ("(cn>=acme)", True),
            ("(cn>=b)", False),
            ("(cn<=b)", True),
            ("(sn=*)", False),
            ("(!(sn=a))", True),
            ("(nothing=a)", Undefined),
            ("(nothing=*)", Undefined),
            ("(!(nothing=a))", Undefined),
            ("(|(nothing=a)(cn=acme))", True),
            ("(|(nothing=a)(cn=b))", Undefined),
            ("(&(nothing=a)(cn=b))", False),
            ("(&(nothing=a)(cn=acme))", Undefined),
            ("(fax=+442079460100)", True),
            ("(facsimileTelephoneNumber=*2079 46*)", True),
            ("(fax>=1)", Undefined),
            ("(objectClass=PERSON)", True),
            ("(objectClass=2.5.6.6)", True),
            ("(objectClass=nothing)", Undefined),
            ("(objectClass=*)", True),
            ("(objectClass=per*)", Undefined),
            ("(modifyTimestamp>=20260101000000Z)", True),
            ("(modifyTimestamp<=202601010000Z)", False),
            ("(modifyTimestamp>=yesterday)", Undefined),
            ("(member=UID=a\\,B, dc=C)", True),
            ("(member=nobody)", Undefined),
        ] {
            assert_eq!(filter(text).holds(&has), truth, "{text}");
        }
    }
}
