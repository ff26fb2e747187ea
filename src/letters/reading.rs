//! The words on the pages of a received fax, read by Tesseract so that a mailbox can be
//! searched for them. A fax waits for its words only so long, and goes without those
//! that are not there by then.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use postfax_domain::document::Digest;
use postfax_hw::{
    pages::{received::Received, words},
    render::{Conversion, Limits, RenderError},
};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};
use tracing::{info, warn};

use crate::{config::Config, daemon::Context};

/// Largest picture of a page, in octets.
const MAX_PICTURE_BYTES: u64 = 128 << 20;
/// Faxes whose words are remembered: for others who get the same one, and for when the
/// mail server takes it later.
const MAX_REMEMBERED: usize = 32;

/// The words of pages, counted from 0. A page that was read and has none is there too.
pub(super) type Words = BTreeMap<usize, Vec<words::Word>>;

/// A fax, the languages it is read in, and its words once they are known.
type Memory = VecDeque<((Digest, String), Arc<OnceCell<Arc<Words>>>)>;

static MEMORY: LazyLock<Mutex<Memory>> = LazyLock::new(Mutex::default);

/// The words of a fax, as far as they are read in time.
pub(super) async fn words(
    context: &Context,
    config: &Config,
    fax: &Digest,
    received: &Arc<Received>,
) -> Arc<Words> {
    let languages = config.received.languages.clone();
    let cell = remembered((fax.clone(), languages));
    cell.get_or_init(|| async { Arc::new(read(context, config, received).await) }).await.clone()
}

fn remembered(key: (Digest, String)) -> Arc<OnceCell<Arc<Words>>> {
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, cell)) = memory.iter().find(|(known, _)| *known == key) {
        return cell.clone();
    }
    if memory.len() >= MAX_REMEMBERED {
        memory.pop_front();
    }
    let cell = Arc::<OnceCell<_>>::default();
    memory.push_back((key, cell.clone()));
    cell
}

/// Reads page by page until the time is up. One that cannot be read is passed over.
async fn read(context: &Context, config: &Config, received: &Arc<Received>) -> Words {
    let rules = &config.received;
    let until = Instant::now() + Duration::from_secs(rules.text_wait_s);
    let renderer = context.renderer.load_full();
    let limits = Limits {
        memory_bytes: config.convert.memory_mb << 20,
        cpu_s: rules.text_page_s,
        wall_s: rules.text_page_s,
        max_pages: 1,
        max_input_bytes: MAX_PICTURE_BYTES,
    };
    let conversion = Conversion::WordsOfPage { languages: rules.languages.clone() };
    let mut read = Words::new();
    let pages: Vec<usize> = received.shown().take(rules.max_text_pages).collect();
    for page in pages {
        let one = async {
            // The conversions of faxes that go out count as well: the machine is one.
            let _converter = context.converters.acquire().await.ok()?;
            let drawn = received.clone();
            let picture = tokio::task::spawn_blocking(move || drawn.picture(page)).await;
            let picture = picture.ok()?.ok()?;
            Some(renderer.convert(&conversion, &picture, &limits).await)
        };
        match timeout_at(until, one).await {
            Err(_) => {
                info!(page = page + 1, "a received fax goes before all its words are read");
                break;
            }
            Ok(Some(Ok(answer))) => {
                read.insert(page, words::parse(&answer));
            }
            Ok(Some(Err(failed @ RenderError::Missing { .. }))) => {
                warn!(%failed, "the words of a received fax cannot be read");
                break;
            }
            Ok(Some(Err(failed))) => {
                warn!(page = page + 1, %failed, "the words of a page cannot be read");
            }
            Ok(None) => warn!(page = page + 1, "a page cannot be drawn to be read"),
        }
    }
    read
}
