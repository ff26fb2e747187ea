//! How those values of the phone book look as JSON that the domain defines, which knows no
//! description of itself (JSON Schema 2020-12, as OpenAPI 3.1 has it). Decides nothing.

use utoipa::openapi::schema::{
    AdditionalProperties, Array, Object, ObjectBuilder, OneOfBuilder, Schema, Type,
};

/// One of these words.
fn words(all: &[&str]) -> Schema {
    let words = all.iter().copied();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// An object with this one member.
fn only(name: &str, value: Schema) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(name, value)
        .required(name)
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .into()
}

fn text() -> Schema {
    Schema::Object(Object::with_type(Type::String))
}

/// Clients and groups.
fn parties() -> Schema {
    let party = OneOfBuilder::new().item(only("client", text())).item(only("group", text()));
    Schema::Array(Array::new(Schema::from(party)))
}

/// How near an entry is to the one who asks.
pub(crate) fn rank() -> Schema {
    words(&["own", "shared", "public"])
}

/// Lines an inch, in a word.
pub(crate) fn resolution() -> Schema {
    words(&["standard", "fine", "superfine", "300x300", "400x400"])
}

/// Who else may refer to an entry.
pub(crate) fn label() -> Schema {
    OneOfBuilder::new().item(words(&["everyone"])).item(only("named", parties())).into()
}

/// Whose an entry is to be.
pub(crate) fn keeper() -> Schema {
    OneOfBuilder::new().item(words(&["public"])).item(only("client", text())).into()
}

/// How a label is to change.
pub(crate) fn sharing() -> Schema {
    OneOfBuilder::new()
        .item(words(&["everyone", "nobody"]))
        .item(only("with", parties()))
        .item(only("not-with", parties()))
        .into()
}
