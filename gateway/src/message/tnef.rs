//! `winmail.dat` (MS-OXTNEF): what Outlook and Exchange make of a mail when they take the
//! recipient for one of their own. Reads the message and what is attached to it; keeps no
//! limit on how deep messages stand in each other, since it opens only one.

use bytes::Bytes;

use super::rtf;

/// The first four octets (MS-OXTNEF 2.1.3.1).
const SIGNATURE: [u8; 4] = [0x78, 0x9f, 0x3e, 0x22];

/// Attributes (MS-OXTNEF 2.1.3.2), with their types.
const SUBJECT: u32 = 0x0001_8004;
const BODY: u32 = 0x0002_800c;
const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
const CODE_PAGE: u32 = 0x0006_9007;
const ATTACHMENT_BEGINS: u32 = 0x0006_9002;
const ATTACHMENT_TITLE: u32 = 0x0001_8010;
const ATTACHMENT_DATA: u32 = 0x0006_800f;
const ATTACHMENT_PROPERTIES: u32 = 0x0006_9005;

/// Properties (MS-OXPROPS 2).
const PID_SUBJECT: u16 = 0x0037;
const PID_SENT: u16 = 0x0039;
const PID_FROM_NAME: u16 = 0x0042;
const PID_FROM_ADDRESS: u16 = 0x5d02;
const PID_SENDER_NAME: u16 = 0x0c1a;
const PID_TO: u16 = 0x0e04;
const PID_CC: u16 = 0x0e03;
const PID_BODY: u16 = 0x1000;
const PID_RTF: u16 = 0x1009;
const PID_HTML: u16 = 0x1013;
const PID_INTERNET_CODE_PAGE: u16 = 0x3fde;
const PID_ATTACH_OBJECT: u16 = 0x3701;
const PID_ATTACH_NAME: u16 = 0x3704;
const PID_ATTACH_LONG_NAME: u16 = 0x3707;
const PID_ATTACH_TYPE: u16 = 0x370e;
const PID_ATTACH_ID: u16 = 0x3712;
const PID_DISPLAY_NAME: u16 = 0x3001;

/// Types of properties (MS-OXCDATA 2.11.1).
const TEXT_8: u16 = 0x001e;
const TEXT_16: u16 = 0x001f;
const BINARY: u16 = 0x0102;
const OBJECT: u16 = 0x000d;
const TIME: u16 = 0x0040;
const INTEGER: u16 = 0x0003;
const SEVERAL: u16 = 0x1000;
/// Names of properties that have no number of their own.
const FIRST_NAMED: u16 = 0x8000;
/// Properties of one thing; Outlook writes about a hundred.
const MAX_PROPERTIES: u32 = 10_000;
/// Octets before a message that is attached as an object (MS-OXTNEF 2.1.3.3.15).
const INTERFACE_BYTES: usize = 16;
/// Seconds from 1601, from where MS-DTYP 2.3.3 counts, to 1970.
const EPOCH_S: i64 = 11_644_473_600;

/// A message.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// From, Date, To, Cc and Subject, as far as they are there.
    pub(super) head: Vec<(&'static str, String)>,
    /// The body as plain text.
    pub(super) text: Option<String>,
    /// The body as HTML, where there is no plain text.
    pub(super) html: Option<String>,
    /// In their order.
    pub(super) attachments: Vec<Attachment>,
}

/// Something attached.
#[derive(Debug, Default)]
pub(super) struct Attachment {
    pub(super) name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) content_id: Option<String>,
    pub(super) data: Bytes,
    /// The data are a message, to be read as this one was.
    pub(super) is_message: bool,
}

/// Whether the octets begin as this does.
pub(super) fn is(octets: &[u8]) -> bool {
    octets.starts_with(&SIGNATURE)
}

/// Reads a message. A body that is packed costs at most `unpack` octets, which it is
/// lessened by. `None` when it is none, or has more than `max_attachments`, or ends in the
/// middle of something: what is half there must not look whole.
pub(super) fn read(octets: &Bytes, unpack: &mut usize, max_attachments: usize) -> Option<Message> {
    let mut input = Input { octets: octets.clone(), at: 0 };
    if !is(octets) {
        return None;
    }
    input.skip(SIGNATURE.len() + 2)?;
    let mut message = Message::default();
    let mut found = Found::default();
    while input.left() > 0 {
        // A level, the attribute, its length, its data, and a sum of them.
        input.skip(1)?;
        let (attribute, length) = (input.u32()?, input.u32()?);
        let data = input.take(length)?;
        input.skip(2)?;
        if message.attachments.len() > max_attachments {
            return None;
        }
        let last = message.attachments.last_mut();
        match (attribute, last) {
            (CODE_PAGE, _) => found.code_page = i32::from_le_bytes(data.get(..4)?.try_into().ok()?),
            (SUBJECT, _) => found.subject = Some(found.text_8(&data)),
            (BODY, _) => message.text = Some(found.text_8(&data)),
            (MESSAGE_PROPERTIES, _) => found.message_properties(&mut message, data, unpack)?,
            (ATTACHMENT_BEGINS, _) => message.attachments.push(Attachment::default()),
            (ATTACHMENT_TITLE, Some(last)) if last.name.is_none() => {
                last.name = Some(found.text_8(&data));
            }
            (ATTACHMENT_DATA, Some(last)) if !last.is_message => last.data = data,
            (ATTACHMENT_PROPERTIES, Some(last)) => found.attachment_properties(last, data)?,
            _ => {}
        }
    }
    message.head = found.head();
    let blank = |text: &Option<String>| text.as_ref().is_none_or(|text| text.trim().is_empty());
    if !blank(&message.text) {
        message.html = None;
    }
    Some(message)
}

/// What was read of a message beside its body.
#[derive(Debug, Default)]
struct Found {
    code_page: i32,
    subject: Option<String>,
    from: Option<String>,
    address: Option<String>,
    sender: Option<String>,
    sent: Option<String>,
    to: Option<String>,
    cc: Option<String>,
}

impl Found {
    fn head(&mut self) -> Vec<(&'static str, String)> {
        let from = self.from.take().or(self.sender.take());
        let from = match (from, self.address.take()) {
            (Some(name), Some(address)) if !name.contains(&address) => {
                Some(format!("{name} <{address}>"))
            }
            (name, address) => name.or(address),
        };
        let all = [
            ("From", from),
            ("Date", self.sent.take()),
            ("To", self.to.take()),
            ("Cc", self.cc.take()),
            ("Subject", self.subject.take()),
        ];
        let there = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        there.filter(|(_, value)| !value.trim().is_empty()).collect()
    }

    fn text_8(&self, data: &[u8]) -> String {
        let end = data.iter().position(|octet| *octet == 0).unwrap_or(data.len());
        super::body::characters(&data[..end], Some(&rtf::code_page(self.code_page)))
    }

    fn text(&self, kind: u16, data: &[u8]) -> String {
        if kind != TEXT_16 {
            return self.text_8(data);
        }
        let units = data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        String::from_utf16_lossy(&units)
    }

    fn message_properties(
        &mut self,
        message: &mut Message,
        data: Bytes,
        unpack: &mut usize,
    ) -> Option<()> {
        let (mut html, mut packed) = (None, None);
        let mut page = self.code_page;
        for property in properties(data)? {
            let Property { id, kind, data } = property;
            let text = || Some(self.text(kind, &data));
            match (id, kind) {
                (PID_SUBJECT, TEXT_8 | TEXT_16) => self.subject = text(),
                (PID_FROM_NAME, TEXT_8 | TEXT_16) => self.from = text(),
                (PID_FROM_ADDRESS, TEXT_8 | TEXT_16) => self.address = text(),
                (PID_SENDER_NAME, TEXT_8 | TEXT_16) => self.sender = text(),
                (PID_TO, TEXT_8 | TEXT_16) => self.to = text(),
                (PID_CC, TEXT_8 | TEXT_16) => self.cc = text(),
                (PID_BODY, TEXT_8 | TEXT_16) => message.text = text(),
                (PID_SENT, TIME) => self.sent = time(&data),
                (PID_INTERNET_CODE_PAGE, INTEGER) => {
                    page = i32::from_le_bytes(data.get(..4)?.try_into().ok()?);
                }
                (PID_HTML, TEXT_8 | TEXT_16) => message.html = text(),
                (PID_HTML, BINARY) => html = Some(data),
                (PID_RTF, BINARY) if !data.is_empty() => packed = Some(data),
                _ => {}
            }
        }
        if let Some(html) = html {
            message.html = Some(super::body::characters(&html, Some(&rtf::code_page(page))));
        }
        if let (None, None, Some(packed)) = (&message.text, &message.html, packed) {
            let rtf = rtf::unpacked(&packed, *unpack)?;
            *unpack -= rtf.len();
            match rtf::read(&rtf) {
                rtf::Said::Html(html) => message.html = Some(html),
                rtf::Said::Text(text) => message.text = Some(text),
            }
        }
        Some(())
    }

    fn attachment_properties(&mut self, attachment: &mut Attachment, data: Bytes) -> Option<()> {
        let (mut long, mut short, mut shown) = (None, None, None);
        for Property { id, kind, data } in properties(data)? {
            let text = || Some(self.text(kind, &data));
            match (id, kind) {
                (PID_ATTACH_LONG_NAME, TEXT_8 | TEXT_16) => long = text(),
                (PID_ATTACH_NAME, TEXT_8 | TEXT_16) => short = text(),
                (PID_DISPLAY_NAME, TEXT_8 | TEXT_16) => shown = text(),
                (PID_ATTACH_TYPE, TEXT_8 | TEXT_16) => attachment.content_type = text(),
                (PID_ATTACH_ID, TEXT_8 | TEXT_16) => attachment.content_id = text(),
                (PID_ATTACH_OBJECT, OBJECT) => {
                    let inside = data.slice(INTERFACE_BYTES.min(data.len())..);
                    attachment.is_message = is(&inside);
                    if attachment.is_message || attachment.data.is_empty() {
                        attachment.data = inside;
                    }
                }
                (PID_ATTACH_OBJECT, BINARY) if attachment.data.is_empty() => {
                    attachment.data = data;
                }
                _ => {}
            }
        }
        let title = attachment.name.take();
        let names = [long, shown.filter(|_| attachment.is_message), title, short];
        attachment.name = names.into_iter().flatten().find(|name| !name.trim().is_empty());
        Some(())
    }
}

/// A property of a message or of something attached.
struct Property {
    id: u16,
    kind: u16,
    data: Bytes,
}

/// MS-OXTNEF 2.1.3.4: a count, then each with its type, its number and what it holds. Of
/// several values the first is read.
fn properties(data: Bytes) -> Option<Vec<Property>> {
    let mut input = Input { octets: data, at: 0 };
    let count = input.u32().filter(|count| *count <= MAX_PROPERTIES)?;
    let mut all = Vec::new();
    for _ in 0..count {
        let (kind, id) = (input.u16()?, input.u16()?);
        if id >= FIRST_NAMED {
            input.skip(16)?;
            // A number, or a name with its length.
            match input.u32()? {
                0 => input.skip(4)?,
                _ => drop(input.padded()?),
            }
        }
        let plain = kind & !SEVERAL;
        let several = kind & SEVERAL != 0;
        let data = match plain {
            TEXT_8 | TEXT_16 | BINARY | OBJECT => {
                let values = input.u32()?;
                let mut first = None;
                for _ in 0..values {
                    let value = input.padded()?;
                    first.get_or_insert(value);
                }
                first.unwrap_or_default()
            }
            _ => {
                let octets = fixed_bytes(plain)?;
                let values = if several { input.u32()? } else { 1 };
                let whole = octets.checked_mul(values)?;
                let data = input.take(whole)?;
                data.slice(..data.len().min(octets as usize))
            }
        };
        all.push(Property { id, kind: plain, data });
    }
    Some(all)
}

/// Octets of a value whose length its type tells, filled up to four.
fn fixed_bytes(kind: u16) -> Option<u32> {
    match kind {
        0x0001 => Some(0),
        0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => Some(4),
        0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => Some(8),
        0x0048 => Some(16),
        _ => None,
    }
}

/// Tenths of microseconds since 1601 (MS-DTYP 2.3.3).
fn time(data: &[u8]) -> Option<String> {
    let ticks = i64::from_le_bytes(data.get(..8)?.try_into().ok()?);
    let at = jiff::Timestamp::from_second(ticks / 10_000_000 - EPOCH_S).ok()?;
    Some(at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// Octets that are read from their beginning, little-endian.
struct Input {
    octets: Bytes,
    at: usize,
}

impl Input {
    fn left(&self) -> usize {
        self.octets.len() - self.at
    }

    fn take(&mut self, count: u32) -> Option<Bytes> {
        let count = usize::try_from(count).ok().filter(|count| *count <= self.left())?;
        let taken = self.octets.slice(self.at..self.at + count);
        self.at += count;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(u32::try_from(count).ok()?).map(drop)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.as_ref().try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.as_ref().try_into().ok()?))
    }

    /// A length, as many octets, and zeros up to a multiple of four.
    fn padded(&mut self) -> Option<Bytes> {
        let length = self.u32()?;
        let taken = self.take(length)?;
        // The last one may lack its zeros.
        let zeros = (4 - taken.len() % 4) % 4;
        self.skip(zeros.min(self.left()))?;
        Some(taken)
    }
}
