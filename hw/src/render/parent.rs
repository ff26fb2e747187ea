//! The parent's side: has all documents of a fax drawn, side by side, and writes the
//! file.

use std::{
    io::{self, Write as _},
    path::Path,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use postfax_domain::document::Digest;
use sha2::{Digest as _, Sha256};

use super::{
    Limits, RenderError, Rendered, Renderer, Source,
    answer::{Budget, Drawn},
    convert::deadline,
    document::{Call, needs_fonts},
};
use crate::pages::{
    Look, fonts, sheet,
    tiff::{self, CodedPage, FillOrder},
};

pub(super) async fn render(
    renderer: &Renderer,
    sources: &[Source],
    look: Look,
    limits: &Limits,
    out: &Path,
) -> Result<Rendered, RenderError> {
    if sources.is_empty() {
        return Err(RenderError::Nothing);
    }
    let sizes = sizes(sources, limits).await?;
    let sets_text = sources.iter().any(|source| needs_fonts(source.kind));
    let fonts = read_fonts(if sets_text { &renderer.fonts } else { &[] }).await?;
    let side_by_side = sources.len().min(renderer.threads as usize).max(1);
    let budget = Budget::new(limits.max_pages.min(tiff::MAX_PAGES as u32), renderer.progress());
    let call = Call {
        renderer,
        look,
        limits,
        deadline: deadline(limits),
        budget: &budget,
        fonts: &fonts,
        threads: (renderer.threads / side_by_side as u32).max(1),
    };
    let drawn = all(&call, sources, &sizes, side_by_side).await?;
    let mut pages = Vec::new();
    let mut warnings = Vec::new();
    for (source, drawn) in sources.iter().zip(drawn) {
        pages.extend(drawn.pages);
        let said = drawn.warnings.into_iter();
        warnings.extend(said.map(|warning| format!("{}: {warning}", source.name)));
    }
    if pages.is_empty() {
        return Err(RenderError::Nothing);
    }
    let out = out.to_owned();
    let written = tokio::task::spawn_blocking(move || write(&pages, look, &out, warnings)).await;
    Ok(written.map_err(io::Error::other)??)
}

/// Draws so many documents at once; what they become is in their order. The first one
/// that fails ends the others.
async fn all(
    call: &Call<'_>,
    sources: &[Source],
    sizes: &[u64],
    side_by_side: usize,
) -> Result<Vec<Drawn>, RenderError> {
    let one = async |index: usize| (index, call.draw(&sources[index], sizes[index]).await);
    let mut drawn: Vec<Option<Drawn>> = sources.iter().map(|_| None).collect();
    let mut waiting = 0..sources.len();
    let mut running = FuturesUnordered::new();
    running.extend(waiting.by_ref().take(side_by_side).map(one));
    while let Some((index, done)) = running.next().await {
        drawn[index] = Some(done?);
        running.extend(waiting.next().map(one));
    }
    Ok(drawn.into_iter().flatten().collect())
}

async fn sizes(sources: &[Source], limits: &Limits) -> Result<Vec<u64>, RenderError> {
    let mut sizes = Vec::with_capacity(sources.len());
    let mut sum = 0_u64;
    for source in sources {
        let bytes = tokio::fs::metadata(&source.path).await?.len();
        sum = sum.saturating_add(bytes);
        if sum > limits.max_input_bytes {
            return Err(RenderError::TooLarge);
        }
        sizes.push(bytes);
    }
    Ok(sizes)
}

/// Fonts beyond the limit are left out, loudly: a fax without them is still one.
async fn read_fonts(paths: &[std::path::PathBuf]) -> io::Result<Vec<Vec<u8>>> {
    let mut read = Vec::new();
    let mut sum = 0;
    for path in paths {
        let bytes = tokio::fs::metadata(path).await?.len();
        if sum + bytes > fonts::MAX_FONTS_BYTES {
            tracing::warn!(path = %path.display(), "a font is left out: all are more than 64 MiB");
            continue;
        }
        sum += bytes;
        read.push(tokio::fs::read(path).await?);
    }
    Ok(read)
}

fn write(
    pages: &[CodedPage],
    look: Look,
    out: &Path,
    warnings: Vec<String>,
) -> io::Result<Rendered> {
    let file = tiff::write(pages, FillOrder::HighestFirst);
    let widest = pages.iter().map(|page| page.size.width()).max().unwrap_or(0);
    let digest = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    // Beside and renamed: the file is whole or not there. What it is called here need not
    // outlive a crash, since whoever keeps it gives it another name.
    let folder = out.parent().filter(|folder| *folder != Path::new(""));
    let mut beside = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    beside.write_all(&file)?;
    beside.as_file().sync_data()?;
    beside.persist(out).map_err(|failed| failed.error)?;
    Ok(Rendered {
        path: out.to_owned(),
        pages: pages.len() as u32,
        paper: sheet::paper(widest, look.resolution),
        bytes: pages.iter().map(|page| page.bytes.len() as u64).sum(),
        digest: Digest(digest),
        warnings,
    })
}
