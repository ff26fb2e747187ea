//! The pages of a message: the parts worth faxing go to the renderer, what comes
//! back is durable before anybody names it.

use std::{path::PathBuf, time::Duration};

use postfax_domain::document::{Document, Resolution};
use postfax_gateway::{
    message::{Kind as PartKind, Message, Part},
    reply::Reply,
};
use postfax_hw::render::{self, Source};
use tracing::info;

use super::{
    FaxDesk, fit,
    replies::{no_room, unconvertible},
};
use crate::config::Config;

/// How long a mail may wait for a converter.
const CONVERTER_WAIT: Duration = Duration::from_secs(240);

impl FaxDesk {
    /// The pages of a message, durable.
    pub(super) async fn pages(
        &self,
        config: &Config,
        message: &Message,
    ) -> Result<Document, Reply> {
        let documents = &self.context.reader.documents;
        let name = documents.new_name();
        let mut spooled = Spooled(Vec::new());
        let sources = self.sources(message, &name, &mut spooled)?;
        let resolution = resolution(message).unwrap_or(config.convert.resolution);
        let busy = || Reply::new(451, (3, 1), "all converters are busy, try again later");
        let converter = tokio::time::timeout(CONVERTER_WAIT, self.converters.acquire());
        let _converter = converter.await.map_err(|_| busy())?.map_err(|_| busy())?;
        let out = documents.spool(&format!("{name}.tif"));
        let limits = render::Limits {
            memory_bytes: config.convert.memory_mb << 20,
            cpu_s: config.convert.cpu_s,
            wall_s: config.convert.wall_s,
            max_pages: config.setup.limits.max_pages,
            max_input_bytes: config.intake.max_message_bytes,
        };
        let rendered = render::render(&self.context.exe, &sources, resolution, &limits, &out)
            .await
            .map_err(|bad| unconvertible(&bad))?;
        for warning in &rendered.warnings {
            info!(%warning, "a page may not look as it was meant");
        }
        documents.keep_document(&rendered.path, &rendered.digest).map_err(|f| no_room(&f))?;
        Ok(Document {
            digest: rendered.digest,
            pages: rendered.pages,
            resolution,
            bytes: rendered.bytes,
        })
    }

    /// The parts worth faxing: the attachments, or the text when there are none.
    fn sources(
        &self,
        message: &Message,
        name: &str,
        spooled: &mut Spooled,
    ) -> Result<Vec<Source>, Reply> {
        let documents = &self.context.reader.documents;
        let mut sources = Vec::new();
        for part in message.attachments() {
            let bytes = part.bytes();
            let title = title(part);
            let kind = render::Kind::detect(&part.content_type, part.name.as_deref().unwrap_or(""), &bytes)
                .ok_or_else(|| {
                    Reply::new(554, (6, 1), format!("{title} ({}) is not supported: send PDF, TIFF, PNG, JPEG, GIF, WebP, BMP or text", part.content_type))
                })?;
            let path = documents.spool(&format!("{name}.{}", part.number));
            part.write_to(&path).map_err(|failed| no_room(&failed))?;
            spooled.0.push(path.clone());
            sources.push(Source { path, name: title, kind });
        }
        if sources.is_empty() {
            let text = fit::text(self.config().convert.reply_quote, message);
            if text.trim().is_empty() {
                return Err(Reply::new(
                    554,
                    (6, 0),
                    "message contains nothing to fax: no attachment and no text",
                ));
            }
            let path = documents.spool(&format!("{name}.txt"));
            std::fs::write(&path, text).map_err(|failed| no_room(&failed))?;
            spooled.0.push(path.clone());
            sources.push(Source { path, name: "the text".into(), kind: render::Kind::Text });
        }
        Ok(sources)
    }
}

/// Files that go when the work is over.
struct Spooled(Vec<PathBuf>);

impl Drop for Spooled {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn title(part: &Part) -> String {
    match &part.name {
        Some(name) => name.clone(),
        None if part.kind == PartKind::Attachment => format!("attachment {}", part.number),
        None => format!("part {}", part.number),
    }
}

fn resolution(message: &Message) -> Option<Resolution> {
    match message.header("X-Fax-Resolution")?.trim().to_ascii_lowercase().as_str() {
        "standard" | "98" => Some(Resolution::Standard),
        "fine" | "196" => Some(Resolution::Fine),
        "superfine" | "391" => Some(Resolution::Superfine),
        _ => None,
    }
}
