use postfax_domain::document::Resolution;

use super::{Refusal, Sink};

pub(super) fn draw(
    _bytes: &[u8],
    _resolution: Resolution,
    _fonts: &[Vec<u8>],
    _sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    Err(Refusal::TooLarge)
}
