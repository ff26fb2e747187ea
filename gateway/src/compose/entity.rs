//! A part with its parts, written as MIME. Knows no addresses.

use std::{
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    io::{Read, Write},
    path::Path,
};

use super::{
    Attachment, ComposeError, Delimiters, Source,
    encode::{Lines, TextEncoding, base64_lines, crlf_text},
    field::Fields,
};

/// Octets of a file that are in memory at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// What a part holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// Text of any language and any line ends.
    Text(String),
    /// Lines that end with CRLF, to stand as they are.
    Lines(String),
    /// Octets of any kind.
    Octets(Source),
    /// A message that may not be encoded (RFC 2046 5.2.1).
    Message {
        source: Source,
        eight_bit: bool,
    },
    Parts(Vec<Entity>),
}

/// A part.
#[derive(Debug)]
pub(crate) struct Entity {
    content_type: String,
    parameters: Vec<(&'static str, String)>,
    description: Option<&'static str>,
    disposition: Option<(&'static str, String)>,
    content_id: Option<String>,
    content: Content,
}

/// Chooses delimiters. `=_` stands in no base64 and in no quoted-printable.
#[derive(Debug)]
pub(crate) struct Boundaries {
    seed: u64,
    count: u32,
}

impl Boundaries {
    pub(crate) fn new(delimiters: Delimiters) -> Self {
        let seed = match delimiters {
            Delimiters::Seeded(seed) => seed,
            Delimiters::Random => RandomState::new().build_hasher().finish(),
        };
        Self { seed, count: 0 }
    }

    fn next(&mut self) -> String {
        self.count += 1;
        format!("=_{:016x}_{}", self.seed, self.count)
    }
}

impl Entity {
    pub(crate) fn new(content_type: &str, content: Content) -> Self {
        Self {
            content_type: content_type.to_owned(),
            parameters: Vec::new(),
            description: None,
            disposition: None,
            content_id: None,
            content,
        }
    }

    pub(crate) fn text(content_type: &str, text: &str) -> Self {
        let mut part = Self::new(content_type, Content::Text(crlf_text(text)));
        part.parameter("charset", "utf-8");
        part
    }

    pub(crate) fn file(disposition: &'static str, file: &Attachment) -> Self {
        let mut part = Self::new(&file.content_type, Content::Octets(file.source.clone()));
        part.disposition = Some((disposition, file.name.clone()));
        part.content_id.clone_from(&file.content_id);
        part
    }

    pub(crate) fn parameter(&mut self, key: &'static str, value: &str) {
        self.parameters.push((key, value.to_owned()));
    }

    pub(crate) fn described(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    /// Writes the fields of the part and what it holds.
    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        boundaries: &mut Boundaries,
    ) -> Result<(), ComposeError> {
        let mut fields = Fields::default();
        let mut parameters = self.parameters.clone();
        let boundary = matches!(self.content, Content::Parts(_)).then(|| boundaries.next());
        parameters.extend(boundary.iter().map(|text| ("boundary", text.clone())));
        fields.typed("Content-Type", &self.content_type, &parameters);
        if let Some(description) = self.description {
            fields.raw("Content-Description", description);
        }
        if let Some((disposition, name)) = &self.disposition {
            fields.typed("Content-Disposition", disposition, &[("filename", name.clone())]);
        }
        if let Some(id) = &self.content_id {
            fields.id("Content-ID", id)?;
        }
        if let Some(encoding) = self.content.encoding() {
            fields.raw("Content-Transfer-Encoding", encoding);
        }
        out.write_all(fields.as_bytes())?;
        out.write_all(b"\r\n")?;
        match (&self.content, boundary) {
            (Content::Parts(parts), Some(boundary)) => {
                for part in parts {
                    write!(out, "--{boundary}\r\n")?;
                    part.write(out, boundaries)?;
                    out.write_all(b"\r\n")?;
                }
                write!(out, "--{boundary}--\r\n")?;
                Ok(())
            }
            (content, _) => content.write(out),
        }
    }
}

impl Content {
    /// What the part says of its octets; nothing where that is `7bit` anyhow.
    fn encoding(&self) -> Option<&'static str> {
        let bits = |has_eight| if has_eight { "8bit" } else { "7bit" };
        match self {
            Self::Text(text) => Some(TextEncoding::of(text).name()),
            Self::Octets(_) => Some("base64"),
            Self::Lines(_) | Self::Message { .. } => Some(bits(self.is_eight_bit())),
            // The whole has as many bits as any of its parts (RFC 2045 6.4).
            Self::Parts(_) => self.is_eight_bit().then_some("8bit"),
        }
    }

    fn is_eight_bit(&self) -> bool {
        match self {
            Self::Text(_) | Self::Octets(_) => false,
            Self::Lines(lines) => !lines.is_ascii(),
            Self::Message { eight_bit, .. } => *eight_bit,
            Self::Parts(parts) => parts.iter().any(|part| part.content.is_eight_bit()),
        }
    }

    fn write(&self, out: &mut impl Write) -> Result<(), ComposeError> {
        match self {
            Self::Text(text) => Ok(TextEncoding::of(text).write(text, out)?),
            Self::Lines(lines) => Ok(out.write_all(lines.as_bytes())?),
            Self::Octets(Source::Bytes(octets)) => Ok(base64_lines(&octets[..], out)?),
            Self::Octets(Source::File(path)) => {
                let file = File::open(path).map_err(|cause| unread(path, cause))?;
                Ok(base64_lines(file, out)?)
            }
            Self::Message { source, .. } => {
                let mut lines = Lines::default();
                let mut kept = Vec::new();
                each_chunk(source, |chunk| {
                    lines.push(chunk, &mut kept);
                    out.write_all(&kept)?;
                    kept.clear();
                    Ok(())
                })?;
                lines.finish(&mut kept);
                Ok(out.write_all(&kept)?)
            }
            Self::Parts(_) => unreachable!("parts are written by their entity"),
        }
    }
}

/// Reads it from end to end.
pub(crate) fn each_chunk(
    source: &Source,
    mut take: impl FnMut(&[u8]) -> Result<(), ComposeError>,
) -> Result<(), ComposeError> {
    let path = match source {
        Source::Bytes(octets) => return take(octets),
        Source::File(path) => path,
    };
    let mut file = File::open(path).map_err(|cause| unread(path, cause))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = file.read(&mut chunk).map_err(|cause| unread(path, cause))?;
        if count == 0 {
            return Ok(());
        }
        take(&chunk[..count])?;
    }
}

pub(crate) fn unread(path: &Path, cause: std::io::Error) -> ComposeError {
    ComposeError::Source { path: path.to_owned(), cause }
}
