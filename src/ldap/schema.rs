//! The words of LDAP that are used here: result codes, attribute types, object classes,
//! controls, and the description of them that clients can read (RFC 4512 4.2). Each
//! attribute type stands here once. Decides nothing.

/// What became of a request (RFC 4511 A.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Code {
    Success = 0,
    OperationsError = 1,
    ProtocolError = 2,
    TimeLimitExceeded = 3,
    SizeLimitExceeded = 4,
    CompareFalse = 5,
    CompareTrue = 6,
    AuthMethodNotSupported = 7,
    UnavailableCriticalExtension = 12,
    ConfidentialityRequired = 13,
    UndefinedAttributeType = 17,
    NoSuchObject = 32,
    InvalidDnSyntax = 34,
    InvalidCredentials = 49,
    InsufficientAccessRights = 50,
    Busy = 51,
    Unavailable = 52,
    UnwillingToPerform = 53,
}

/// RFC 4511 4.14.1.
pub(super) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// RFC 4532 2.
pub(super) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// RFC 4511 4.4.1.
pub(super) const DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
/// RFC 2696 2.
pub(super) const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// RFC 3296 3: entries that refer elsewhere are shown as they are. There are none.
pub(super) const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
/// Controls that ask for what is so anyhow.
pub(super) const HARMLESS: [&str; 1] = [MANAGE_DSA_IT];
/// The name of the schema (RFC 4512 4.2).
pub(super) const SUBSCHEMA: &str = "cn=subschema";

/// How values are compared (RFC 4517 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Without case, with single spaces.
    Text,
    /// Without case, spaces and hyphens.
    Telephone,
    /// As names of entries.
    Name,
    /// As names of object classes and the like.
    Oid,
    /// As moments.
    Time,
    /// As they are, without case.
    Plain,
}

impl Rule {
    /// Syntax, equality, substrings and order, as a schema names them.
    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => (
                "1.3.6.1.4.1.1466.115.121.1.15",
                "EQUALITY caseIgnoreMatch ORDERING caseIgnoreOrderingMatch SUBSTR caseIgnoreSubstringsMatch ",
            ),
            Self::Telephone => (
                "1.3.6.1.4.1.1466.115.121.1.50",
                "EQUALITY telephoneNumberMatch SUBSTR telephoneNumberSubstringsMatch ",
            ),
            Self::Name => ("1.3.6.1.4.1.1466.115.121.1.12", "EQUALITY distinguishedNameMatch "),
            Self::Oid => ("1.3.6.1.4.1.1466.115.121.1.38", "EQUALITY objectIdentifierMatch "),
            Self::Time => (
                "1.3.6.1.4.1.1466.115.121.1.24",
                "EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch ",
            ),
            Self::Plain => ("1.3.6.1.4.1.1466.115.121.1.15", "EQUALITY caseIgnoreMatch "),
        }
    }
}

/// An attribute type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) attribute: Attribute,
    /// As it is written in answers, and what else it is called.
    pub(super) names: &'static [&'static str],
    pub(super) oid: &'static str,
    pub(super) rule: Rule,
    /// Whether it is only shown when it is asked for (RFC 4512 3.4).
    pub(super) operational: bool,
}

macro_rules! kinds {
    ($($attribute:ident $rule:ident $usage:ident $oid:literal $($name:literal)+;)*) => {
        /// The attribute types.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(super) enum Attribute { $($attribute),* }

        /// All of them, in the order in which they are shown.
        pub(super) const KINDS: &[Kind] = &[$(Kind {
            attribute: Attribute::$attribute,
            names: &[$($name),+],
            oid: $oid,
            rule: Rule::$rule,
            operational: usage::$usage,
        }),*];
    };
}

/// How an attribute is used.
mod usage {
    pub(super) const USER: bool = false;
    pub(super) const SERVER: bool = true;
}

kinds! {
    ObjectClass Oid USER "2.5.4.0" "objectClass";
    Cn Text USER "2.5.4.3" "cn" "commonName";
    Sn Text USER "2.5.4.4" "sn" "surname";
    GivenName Text USER "2.5.4.42" "givenName" "gn";
    DisplayName Text USER "2.16.840.1.113730.3.1.241" "displayName";
    Mail Text USER "0.9.2342.19200300.100.1.3" "mail" "rfc822Mailbox";
    Organization Text USER "2.5.4.10" "o" "organizationName";
    Unit Text USER "2.5.4.11" "ou" "organizationalUnitName";
    Fax Telephone USER "2.5.4.23" "facsimileTelephoneNumber" "fax";
    Telephone Telephone USER "2.5.4.20" "telephoneNumber";
    Description Text USER "2.5.4.13" "description";
    Nickname Text USER "1.3.6.1.4.1.13769.2.1.1" "mozillaNickname" "xmozillanickname";
    Category Text USER "2.5.4.15" "businessCategory";
    Uid Text USER "0.9.2342.19200300.100.1.1" "uid" "userid";
    Member Name USER "2.5.4.31" "member";
    Dc Text USER "0.9.2342.19200300.100.1.25" "dc" "domainComponent";
    Country Text USER "2.5.4.6" "c" "countryName";
    Locality Text USER "2.5.4.7" "l" "localityName";
    State Text USER "2.5.4.8" "st" "stateOrProvinceName";
    // Nothing here has these, but clients ask for them, and some go by the schema.
    Title Text USER "2.5.4.12" "title";
    Initials Text USER "2.5.4.43" "initials";
    Street Text USER "2.5.4.9" "street" "streetAddress";
    PostalCode Text USER "2.5.4.17" "postalCode";
    PostalAddress Text USER "2.5.4.16" "postalAddress";
    Office Text USER "2.5.4.19" "physicalDeliveryOfficeName";
    Mobile Telephone USER "0.9.2342.19200300.100.1.41" "mobile" "mobileTelephoneNumber";
    HomePhone Telephone USER "0.9.2342.19200300.100.1.20" "homePhone" "homeTelephoneNumber";
    Pager Telephone USER "0.9.2342.19200300.100.1.42" "pager" "pagerTelephoneNumber";
    CreateTimestamp Time SERVER "2.5.18.1" "createTimestamp";
    CreatorsName Name SERVER "2.5.18.3" "creatorsName";
    ModifiersName Name SERVER "2.5.18.4" "modifiersName";
    SupportedMechanisms Plain SERVER "1.3.6.1.4.1.1466.101.120.14" "supportedSASLMechanisms";
    AltServer Plain SERVER "1.3.6.1.4.1.1466.101.120.6" "altServer";
    VendorVersion Plain SERVER "1.3.6.1.1.5" "vendorVersion";
    MatchingRuleUse Plain SERVER "2.5.21.8" "matchingRuleUse";
    StructureRules Plain SERVER "2.5.21.1" "dITStructureRules";
    ContentRules Plain SERVER "2.5.21.2" "dITContentRules";
    NameForms Plain SERVER "2.5.21.7" "nameForms";
    EntryUuid Plain SERVER "1.3.6.1.1.16.4" "entryUUID";
    EntryDn Name SERVER "1.3.6.1.1.20" "entryDN";
    ModifyTimestamp Time SERVER "2.5.18.2" "modifyTimestamp";
    StructuralClass Oid SERVER "2.5.21.9" "structuralObjectClass";
    HasSubordinates Plain SERVER "2.5.18.9" "hasSubordinates";
    SubschemaSubentry Name SERVER "2.5.18.10" "subschemaSubentry";
    NamingContexts Name SERVER "1.3.6.1.4.1.1466.101.120.5" "namingContexts";
    SupportedVersion Plain SERVER "1.3.6.1.4.1.1466.101.120.15" "supportedLDAPVersion";
    SupportedControl Oid SERVER "1.3.6.1.4.1.1466.101.120.13" "supportedControl";
    SupportedExtension Oid SERVER "1.3.6.1.4.1.1466.101.120.7" "supportedExtension";
    SupportedFeatures Oid SERVER "1.3.6.1.4.1.4203.1.3.5" "supportedFeatures";
    VendorName Plain SERVER "1.3.6.1.1.4" "vendorName";
    AttributeTypes Plain SERVER "2.5.21.5" "attributeTypes";
    ObjectClasses Plain SERVER "2.5.21.6" "objectClasses";
    MatchingRules Plain SERVER "2.5.21.4" "matchingRules";
    Syntaxes Plain SERVER "1.3.6.1.4.1.1466.101.120.16" "ldapSyntaxes";
}

/// The attribute type that is called so, by a name or its number. An option makes another
/// type of it, of which there is none (RFC 4512 2.5.2).
pub(super) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| {
        kind.oid == name || kind.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    })
}

impl Attribute {
    pub(super) fn kind(self) -> &'static Kind {
        &KINDS[self as usize]
    }
}

/// An object class: its number, its name, and the rest of its description.
pub(super) type Class = (&'static str, &'static str, &'static str);

/// All object classes that entries here are of.
pub(super) const CLASSES: &[Class] = &[
    ("2.5.6.0", "top", "ABSTRACT MUST objectClass"),
    (
        "2.5.6.6",
        "person",
        "SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( telephoneNumber $ description )",
    ),
    (
        "2.5.6.7",
        "organizationalPerson",
        "SUP person STRUCTURAL MAY ( telephoneNumber $ facsimileTelephoneNumber $ title $ street $ postalCode $ postalAddress $ physicalDeliveryOfficeName $ ou $ l $ st )",
    ),
    (
        "2.16.840.1.113730.3.2.2",
        "inetOrgPerson",
        "SUP organizationalPerson STRUCTURAL MAY ( businessCategory $ displayName $ givenName $ homePhone $ initials $ mail $ mobile $ o $ pager $ uid )",
    ),
    (
        "1.3.6.1.4.1.13769.2.2.1",
        "mozillaOrgPerson",
        "SUP top AUXILIARY MAY ( mozillaNickname $ facsimileTelephoneNumber )",
    ),
    (
        "2.5.6.9",
        "groupOfNames",
        "SUP top STRUCTURAL MUST ( member $ cn ) MAY ( businessCategory $ description $ o $ ou )",
    ),
    ("1.3.6.1.4.1.1466.101.120.111", "extensibleObject", "SUP top AUXILIARY"),
    ("0.9.2342.19200300.100.4.13", "domain", "SUP top STRUCTURAL MUST dc MAY ( description $ o )"),
    ("2.5.6.4", "organization", "SUP top STRUCTURAL MUST o MAY description"),
    ("2.5.6.5", "organizationalUnit", "SUP top STRUCTURAL MUST ou MAY description"),
    ("2.5.6.2", "country", "SUP top STRUCTURAL MUST c MAY description"),
    ("2.5.6.3", "locality", "SUP top STRUCTURAL MAY ( l $ st $ description )"),
    ("2.5.6.11", "applicationProcess", "SUP top STRUCTURAL MUST cn MAY ( l $ ou $ description )"),
    ("2.5.20.1", "subschema", "AUXILIARY MAY ( attributeTypes $ objectClasses $ matchingRules )"),
    ("2.5.17.0", "subentry", "SUP top STRUCTURAL MUST cn"),
];

/// The object class that is called so.
pub(super) fn class(name: &str) -> Option<&'static str> {
    let is_it = |class: &&Class| class.0 == name || class.1.eq_ignore_ascii_case(name);
    CLASSES.iter().find(is_it).map(|class| class.1)
}

/// The attribute types as the schema has them (RFC 4512 4.1.2).
pub(super) fn attribute_types() -> Vec<String> {
    let described = |kind: &Kind| {
        let (syntax, rules) = kind.rule.described();
        let names: Vec<String> = kind.names.iter().map(|name| format!("'{name}'")).collect();
        let names = match &names[..] {
            [one] => one.clone(),
            many => format!("( {} )", many.join(" ")),
        };
        let usage =
            if kind.operational { " NO-USER-MODIFICATION USAGE directoryOperation" } else { "" };
        format!("( {} NAME {names} {rules}SYNTAX {syntax}{usage} )", kind.oid)
    };
    KINDS.iter().map(described).collect()
}

/// The object classes as the schema has them (RFC 4512 4.1.1).
pub(super) fn object_classes() -> Vec<String> {
    CLASSES.iter().map(|(oid, name, rest)| format!("( {oid} NAME '{name}' {rest} )")).collect()
}

/// The matching rules as the schema has them (RFC 4512 4.1.3).
pub(super) fn matching_rules() -> Vec<String> {
    let rules = [
        ("2.5.13.2", "caseIgnoreMatch", 15),
        ("2.5.13.3", "caseIgnoreOrderingMatch", 15),
        ("2.5.13.4", "caseIgnoreSubstringsMatch", 58),
        ("2.5.13.20", "telephoneNumberMatch", 50),
        ("2.5.13.21", "telephoneNumberSubstringsMatch", 58),
        ("2.5.13.1", "distinguishedNameMatch", 12),
        ("2.5.13.0", "objectIdentifierMatch", 38),
        ("2.5.13.27", "generalizedTimeMatch", 24),
        ("2.5.13.28", "generalizedTimeOrderingMatch", 24),
    ];
    let described = |(oid, name, syntax)| {
        format!("( {oid} NAME '{name}' SYNTAX 1.3.6.1.4.1.1466.115.121.1.{syntax} )")
    };
    rules.into_iter().map(described).collect()
}

/// The syntaxes as the schema has them (RFC 4512 4.1.5).
pub(super) fn syntaxes() -> Vec<String> {
    let syntaxes = [
        (12, "DN"),
        (15, "Directory String"),
        (24, "Generalized Time"),
        (38, "OID"),
        (50, "Telephone Number"),
        (58, "Substring Assertion"),
    ];
    let described =
        |(number, words)| format!("( 1.3.6.1.4.1.1466.115.121.1.{number} DESC '{words}' )");
    syntaxes.into_iter().map(described).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_means_one_type() {
        let mut seen = BTreeSet::new();
        for (at, kind) in KINDS.iter().enumerate() {
            assert_eq!(kind.attribute as usize, at);
            for name in kind.names.iter().chain([&kind.oid]) {
                assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
                assert_eq!(super::kind(&name.to_ascii_uppercase()), Some(kind), "{name}");
            }
        }
        assert_eq!(super::kind("cn;lang-en"), None);
    }

    #[test]
    fn classes_name_attributes_that_there_are() {
        for (_, name, rest) in CLASSES {
            for word in rest.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
                let is_keyword = ["SUP", "MUST", "MAY", "ABSTRACT", "STRUCTURAL", "AUXILIARY"];
                let known = is_keyword.contains(&word) || kind(word).is_some();
                assert!(known || class(word).is_some(), "{name}: {word}");
            }
        }
    }
}
