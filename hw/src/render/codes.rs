//! Codes on received pages, looked for by a child: it gets a file of fax pages and
//! answers with texts instead of pages.

use std::{io, time::Duration};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::{
    Limits, RenderError,
    parent::{gone, last_words, no_pipe, start},
    protocol::{Document, Reply, Request, Task, header, length, parse},
};
use crate::pages::{
    Look,
    codes::{MAX_CODE_CHARS, MAX_CODES},
    kind::Kind,
};

/// What is looked at, in errors.
const NAME: &str = "received pages";

/// The texts of the codes on all pages of a TIFF-F, in their order.
pub(super) async fn read(
    exe: &std::path::Path,
    pages: &[u8],
    limits: &Limits,
) -> Result<Vec<String>, RenderError> {
    if pages.len() as u64 > limits.max_input_bytes {
        return Err(RenderError::TooLarge);
    }
    let request = header(&Request {
        task: Task::Codes,
        look: Look::default(),
        memory_bytes: limits.memory_bytes,
        cpu_s: limits.cpu_s,
        max_pages: limits.max_pages,
        documents: vec![Document { kind: Kind::Tiff, bytes: pages.len() as u64 }],
    })?;
    let mut child = start(exe)?;
    let mut stdin = child.stdin.take().ok_or_else(no_pipe)?;
    let stdout = child.stdout.take().ok_or_else(no_pipe)?;
    let stderr = child.stderr.take().ok_or_else(no_pipe)?;
    let talk = async {
        let feed = async {
            stdin.write_all(&request).await?;
            stdin.write_all(pages).await?;
            stdin.shutdown().await?;
            drop(stdin);
            io::Result::Ok(())
        };
        let (_, codes, words) =
            tokio::join!(feed, answer(BufReader::new(stdout)), last_words(stderr));
        (codes, words)
    };
    let talked = tokio::time::timeout(Duration::from_secs(limits.wall_s), talk).await;
    let Ok((codes, words)) = talked else {
        child.kill().await?;
        return Err(RenderError::TimedOut { name: NAME.into() });
    };
    let status = gone(&mut child).await?;
    codes.map_err(|error| {
        tracing::warn!(%status, %error, words, "the child that looks for codes died");
        RenderError::Crashed { name: NAME.into() }
    })
}

async fn answer(mut from: impl tokio::io::AsyncRead + Unpin) -> io::Result<Vec<String>> {
    let mut codes = Vec::new();
    loop {
        let mut prefix = [0; 4];
        from.read_exact(&mut prefix).await?;
        let mut json = vec![0; length(prefix)?];
        from.read_exact(&mut json).await?;
        match parse(&json)? {
            Reply::Code(text) if codes.len() < MAX_CODES && !codes.contains(&text) => {
                // Nothing in it may begin a line of its own, or play with a terminal.
                let clean = |c: char| if c.is_control() { ' ' } else { c };
                codes.push(text.chars().take(MAX_CODE_CHARS).map(clean).collect());
            }
            Reply::Done => return Ok(codes),
            Reply::Refused(refusal) => return Err(io::Error::other(refusal.to_string())),
            Reply::Begins | Reply::Code(_) | Reply::Warning(_) | Reply::Page { .. } => {}
        }
    }
}
