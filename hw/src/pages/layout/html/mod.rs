//! HTML as blocks, in one pass over its tokens: no tree is built, so that no nesting
//! costs more than its length. Scripts, styles in the head and what is hidden are left
//! out; colours are not looked at, because a fax has none.

mod build;
mod css;
mod link;
mod picture;

use std::cell::RefCell;

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};

use super::Block;
use crate::pages::rasterise::Refusal;
use build::Builder;

/// Longest document, in bytes.
const MAX_BYTES: usize = 48 << 20;
/// Words in one tag: a tokeniser compares each attribute with all others.
const MAX_TAG_WORDS: usize = 20_000;

/// What an HTML document shows.
#[derive(Debug)]
pub(crate) struct Page {
    /// From top to bottom.
    pub blocks: Vec<Block>,
    /// Pictures that would have had to be fetched.
    pub left_out: usize,
}

/// Reads a document.
///
/// # Errors
/// [`Refusal`] for one that is too large, too deep or made to be slow.
pub(crate) fn read(html: &str) -> Result<Page, Refusal> {
    check(html)?;
    let sink = Reader(RefCell::new(Builder::new()));
    let tokeniser = Tokenizer::new(sink, TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    let _ = tokeniser.feed(&queue);
    tokeniser.end();
    tokeniser.sink.0.into_inner().finish()
}

/// Refuses what a tokeniser would take too long for.
fn check(html: &str) -> Result<(), Refusal> {
    if html.len() > MAX_BYTES {
        return Err(Refusal::TooLarge);
    }
    let (mut in_tag, mut words) = (false, 0);
    for byte in html.bytes() {
        match byte {
            b'<' => (in_tag, words) = (true, 0),
            b'>' => in_tag = false,
            b' ' | b'\n' | b'\t' | b'/' | b'"' | b'\'' if in_tag => words += 1,
            _ => {}
        }
        // The text between two tags is long where a `>` is missing; only what could be
        // attributes counts.
        if words > MAX_TAG_WORDS && in_tag {
            return Err(Refusal::Unsupported(format!(
                "HTML with more than {MAX_TAG_WORDS} words in one tag"
            )));
        }
    }
    Ok(())
}

struct Reader(RefCell<Builder>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut builder = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => builder.text(&text),
            Token::TagToken(tag) if tag.kind == TagKind::EndTag => builder.end(&tag.name),
            Token::TagToken(tag) => {
                builder.start(&tag);
                // What these hold is no HTML.
                match &*tag.name {
                    "script" => return TokenSinkResult::RawData(RawKind::ScriptData),
                    "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
                        return TokenSinkResult::RawData(RawKind::Rawtext);
                    }
                    "title" | "textarea" => return TokenSinkResult::RawData(RawKind::Rcdata),
                    _ => {}
                }
            }
            Token::DoctypeToken(_)
            | Token::CommentToken(_)
            | Token::NullCharacterToken
            | Token::EOFToken
            | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests;
