//! Codes on received pages, looked for by a child: it gets a file of fax pages and
//! answers with texts instead of pages.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::ChildStdin,
};

use super::{
    Limits, RenderError, Renderer,
    cell::Sort,
    convert::deadline,
    protocol::{Input, Reply, Request, header, length, parse},
    running::{Running, died, last_words},
};
use crate::pages::{
    Look,
    codes::{MAX_CODE_CHARS, MAX_CODES},
};

/// What is looked at, in errors.
const NAME: &str = "received pages";

/// The texts of the codes on all pages of a TIFF-F, in their order.
pub(super) async fn read(
    renderer: &Renderer,
    pages: &[u8],
    limits: &Limits,
) -> Result<Vec<String>, RenderError> {
    if pages.len() as u64 > limits.max_input_bytes {
        return Err(RenderError::TooLarge);
    }
    let request = header(&Request {
        look: Look::default(),
        max_pages: limits.max_pages,
        threads: 1,
        input: Input::Codes { bytes: pages.len() as u64 },
        fonts: Vec::new(),
    })?;
    let cell = renderer.cell(Sort::Draw, limits, 1, None);
    let mut running = Running::start(&renderer.exe, &cell)?;
    let (stdin, stdout) = (running.stdin()?, running.stdout()?);
    let stderr = running.stderr()?;
    let talk = async {
        // A child that refuses early closes its end; its answer says why.
        let (_, codes, words) = tokio::join!(
            feed(stdin, &request, pages),
            answer(BufReader::new(stdout)),
            last_words(stderr)
        );
        (codes, words)
    };
    let Ok((codes, words)) = tokio::time::timeout_at(deadline(limits), talk).await else {
        running.end().await?;
        return Err(RenderError::TimedOut { name: NAME.into() });
    };
    let status = running.gone().await?;
    codes.map_err(|error| {
        tracing::warn!(%status, %error, words, "the child that looks for codes died");
        let crashed = || RenderError::Crashed { name: NAME.into() };
        died(status, NAME, &words).unwrap_or_else(crashed)
    })
}

async fn feed(mut to: ChildStdin, request: &[u8], pages: &[u8]) -> io::Result<()> {
    to.write_all(request).await?;
    to.write_all(pages).await?;
    to.shutdown().await
}

async fn answer(mut from: impl AsyncRead + Unpin) -> io::Result<Vec<String>> {
    let mut codes = Vec::new();
    loop {
        let mut prefix = [0; 4];
        from.read_exact(&mut prefix).await?;
        let mut json = vec![0; length(prefix)?];
        from.read_exact(&mut json).await?;
        match parse(&json)? {
            Reply::Code(text) if codes.len() < MAX_CODES => {
                // Nothing in it may begin a line of its own, or play with a terminal.
                let clean = |c: char| if c.is_control() { ' ' } else { c };
                let text: String = text.chars().take(MAX_CODE_CHARS).map(clean).collect();
                if !codes.contains(&text) {
                    codes.push(text);
                }
            }
            Reply::Done { .. } => return Ok(codes),
            Reply::Refused(refusal) => return Err(io::Error::other(refusal.to_string())),
            Reply::Code(_) | Reply::Announces(_) | Reply::Warning(_) | Reply::Page { .. } => {}
        }
    }
}
