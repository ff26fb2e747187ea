//! Grey pages that another program has drawn, as binary PGM one right after the other:
//! read one by one, made bi-level and handed on. Runs in the confined child.

use std::io::{self, Read};

use crate::pages::{
    Look,
    gray::{Gray, MAX_PIXELS},
    rasterise::{self, Refusal, Sink},
};

/// Longest header of a page, in bytes.
const MAX_HEADER_BYTES: usize = 256;

/// The outer error is ours or the parent's, the inner one a refusal of what was drawn.
pub(super) fn draw(
    input: &mut impl Read,
    across: u32,
    down: u32,
    look: Look,
    sink: &mut dyn Sink,
) -> io::Result<Result<(), Refusal>> {
    loop {
        let Some((width, height)) = size(input)? else { return Ok(Ok(())) };
        let pixels = u64::from(width) * u64::from(height);
        if pixels > MAX_PIXELS {
            return Ok(Err(Refusal::TooLarge));
        }
        if let Err(refusal) = sink.announce(1) {
            return Ok(Err(refusal));
        }
        let mut levels = Vec::new();
        input.take(pixels).read_to_end(&mut levels)?;
        let Some(page) = Gray::from_pixels(width, height, levels) else {
            return Ok(Err(Refusal::Broken("a page of it ends early".into())));
        };
        if let Err(refusal) = rasterise::grey_page(&page, (across, down), look, sink) {
            return Ok(Err(refusal));
        }
    }
}

/// The size of the next page; `None` when there is none.
fn size(input: &mut impl Read) -> io::Result<Option<(u32, u32)>> {
    let mut header = Vec::new();
    let mut byte = [0];
    // `P5`, width, height and the highest level, each with one white space after it.
    while header.iter().filter(|byte: &&u8| byte.is_ascii_whitespace()).count() < 4 {
        if input.read(&mut byte)? == 0 {
            return if header.is_empty() { Ok(None) } else { Err(wrong()) };
        }
        header.push(byte[0]);
        if header.len() > MAX_HEADER_BYTES {
            return Err(wrong());
        }
    }
    let header = std::str::from_utf8(&header).map_err(|_| wrong())?;
    let words: Vec<&str> = header.split_ascii_whitespace().collect();
    match words[..] {
        ["P5", width, height, "255"] => match (width.parse(), height.parse()) {
            (Ok(width), Ok(height)) => Ok(Some((width, height))),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a grey page begins with `P5 WIDTH HEIGHT 255`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_one_after_the_other() {
        for (bytes, expected) in [
            (&b""[..], Ok(None)),
            (b"P5\n2 3\n255\n......", Ok(Some((2, 3)))),
            (b"P5 2 3 255 ", Ok(Some((2, 3)))),
            (b"P5\n2 3", Err(())),
            (b"P6\n2 3\n255\n", Err(())),
            (b"P5\n2 -3\n255\n", Err(())),
            (b"P5\n2 3\n65535\n", Err(())),
            (&[b'1'; 1000], Err(())),
        ] {
            assert_eq!(size(&mut &bytes[..]).map_err(drop), expected, "{bytes:?}");
        }
    }
}
