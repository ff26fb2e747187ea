//! What a PDF shows beside the content of its pages: fields of forms and annotations
//! (ISO 32000-1 12.5 and 12.7). Our drawing takes only what has a drawn appearance; a
//! fax that silently lost what was filled in is worse than none, so that whatever
//! has none but should have one is found here.

use hayro::hayro_syntax::{
    Pdf,
    object::{Array, Dict, Name, Object, Rect, Stream},
    page::Page,
};

use super::Refusal;

/// Most annotations of a page that are looked at.
const MAX_ANNOTATIONS: usize = 10_000;
/// Most ancestors that a field inherits from.
const MAX_ANCESTORS: usize = 32;
/// Bits of an annotation's F (ISO 32000-1 table 165): hidden, and not on a screen.
const INVISIBLE: u32 = 1 << 1 | 1 << 5;
/// A button that only acts (table 226).
const PUSH_BUTTON: u32 = 1 << 16;
/// Kinds of annotations that are nothing but their picture; notes and links are not.
const PICTURES: [&[u8]; 12] = [
    b"FreeText",
    b"Stamp",
    b"Highlight",
    b"Underline",
    b"StrikeOut",
    b"Squiggly",
    b"Line",
    b"Square",
    b"Circle",
    b"Polygon",
    b"PolyLine",
    b"Ink",
];

/// Refuses documents that no drawing of their pages would show.
pub(super) fn check_document(pdf: &Pdf) -> Result<(), Refusal> {
    let Some(catalog) = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()) else { return Ok(()) };
    if catalog.contains_key("Collection") {
        return Err(Refusal::Unsupported(
            "it is a PDF portfolio; attach the documents inside it instead".into(),
        ));
    }
    // Fields and annotations stand on pages also where the catalogue names no form.
    let mut stale = false;
    if let Some(form) = catalog.get::<Dict<'_>>("AcroForm") {
        check_form(&catalog, &form)?;
        stale = form.get::<bool>("NeedAppearances").unwrap_or(false);
    }
    for (number, page) in (1..).zip(pdf.pages().iter()) {
        if let Some(what) = undrawn(page, stale) {
            return Err(Refusal::Lossy(format!(
                "page {number} has {what} that would be missing; print it to a new PDF first"
            )));
        }
    }
    Ok(())
}

fn check_form(catalog: &Dict<'_>, form: &Dict<'_>) -> Result<(), Refusal> {
    let no_fields = form.get::<Array<'_>>("Fields").is_none_or(|all| all.raw_iter().count() == 0);
    let dynamic = catalog.get::<bool>("NeedsRendering").unwrap_or(false);
    if form.contains_key("XFA") && (no_fields || dynamic) {
        return Err(Refusal::Unsupported(
            "it is an XFA form, whose pages other programs cannot see; print it to a new PDF first"
                .into(),
        ));
    }
    Ok(())
}

/// What of a page would come out empty. `stale`: appearances may be older than values.
fn undrawn(page: &Page<'_>, stale: bool) -> Option<&'static str> {
    let annotations = page.raw().get::<Array<'_>>("Annots")?;
    annotations.iter::<Dict<'_>>().take(MAX_ANNOTATIONS).find_map(|annotation| {
        let hidden = annotation.get::<u32>("F").unwrap_or(0) & INVISIBLE != 0;
        let rect = annotation.get::<Rect>("Rect");
        if hidden || rect.is_none_or(|rect| rect.x0 == rect.x1 || rect.y0 == rect.y1) {
            return None;
        }
        let subtype = annotation.get::<Name<'_>>("Subtype")?;
        match &*subtype {
            b"Widget" => is_undrawn_field(&annotation, stale).then_some("a filled-in field"),
            kind if PICTURES.contains(&kind) => {
                appearance(&annotation).is_none().then_some("an annotation")
            }
            _ => None,
        }
    })
}

fn is_undrawn_field(widget: &Dict<'_>, stale: bool) -> bool {
    let value = holder(widget, "V").and_then(|field| field.get::<Object<'_>>("V"));
    let Some(value) = value.filter(|value| !is_blank(value)) else { return false };
    let kind = holder(widget, "FT").and_then(|field| field.get::<Name<'_>>("FT"));
    match kind.as_deref() {
        Some(b"Btn") => is_unmarked(widget, &value),
        // Signatures are seen by their appearance or not at all.
        Some(b"Sig") => false,
        _ => match appearance(widget) {
            Some(drawn) => !shows(&drawn, &value, stale),
            None => true,
        },
    }
}

/// Whether a check box or radio button that is on would look as if it were off.
fn is_unmarked(widget: &Dict<'_>, value: &Object<'_>) -> bool {
    let Object::Name(value) = value else { return false };
    let flags = holder(widget, "Ff").and_then(|field| field.get::<u32>("Ff"));
    if flags.unwrap_or(0) & PUSH_BUTTON != 0 {
        return false;
    }
    let states = widget.get::<Dict<'_>>("AP").and_then(|all| all.get::<Dict<'_>>("N"));
    let Some(states) = states else {
        // Which of several buttons it is, nobody can tell; without a parent it is the one.
        return !widget.contains_key("AP") && widget.contains_key("V");
    };
    // Each button of a group has a state of its own name; the others stay off.
    let is_the_one = states.contains_key(&**value);
    let shown = widget.get::<Name<'_>>("AS");
    is_the_one && shown.is_none_or(|shown| *shown != **value)
}

/// Whether an appearance draws any text at all, and that of the value where it may be
/// older than it.
fn shows(drawn: &Stream<'_>, value: &Object<'_>, stale: bool) -> bool {
    let Ok(content) = drawn.decoded() else { return false };
    let has = |what: &[u8]| content.windows(what.len()).any(|part| part == what);
    if has(b"Do") {
        return true;
    }
    let written = has(b"Tj") || has(b"TJ") || has(b"'") || has(b"\"");
    let Object::String(text) = value else { return written };
    let word = text.as_bytes().split(u8::is_ascii_whitespace).find(|word| !word.is_empty());
    // A word in two-byte characters is not found letter by letter; it is believed.
    let plain = word.filter(|word| word.iter().all(u8::is_ascii_alphanumeric));
    written && (!stale || plain.is_none_or(|word| has(word) || has(b"<")))
}

/// The normal appearance of the present state, as far as it can be drawn.
fn appearance<'a>(annotation: &Dict<'a>) -> Option<Stream<'a>> {
    match annotation.get::<Dict<'a>>("AP")?.get::<Object<'a>>("N")? {
        Object::Stream(stream) => Some(stream),
        Object::Dict(states) => {
            let state = annotation.get::<Name<'_>>("AS")?;
            states.get::<Stream<'a>>(&*state)
        }
        _ => None,
    }
}

/// The field or its nearest ancestor that has an entry (ISO 32000-1 12.7.3.2).
fn holder<'a>(field: &Dict<'a>, key: &str) -> Option<Dict<'a>> {
    let mut field = field.clone();
    for _ in 0..MAX_ANCESTORS {
        if field.contains_key(key) {
            return Some(field);
        }
        field = field.get::<Dict<'a>>("Parent")?;
    }
    None
}

fn is_blank(value: &Object<'_>) -> bool {
    match value {
        Object::String(text) => {
            // UTF-16 text may be its mark alone.
            let text = text.as_bytes();
            let text = text.strip_prefix(b"\xfe\xff").unwrap_or(text);
            text.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0)
        }
        Object::Name(name) => **name == *b"Off" || name.is_empty(),
        Object::Array(all) => all.iter::<Object<'_>>().all(|one| is_blank(&one)),
        Object::Null(_) => true,
        _ => false,
    }
}
