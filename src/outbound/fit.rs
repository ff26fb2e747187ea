//! Which messages are never faxed: those that go round in circles, automatic answers
//! and reports (RFC 3834 2, RFC 5321 6.3), and what nobody here can read.

use postfax_gateway::{
    message::{Message, Protection},
    reply::Reply,
};

/// `Received:` fields of a mail that goes round in circles (RFC 5321 6.3).
const MAX_RECEIVED: usize = 100;

/// Whether a message may become a fax at all.
pub(super) fn acceptable(message: &Message) -> Result<(), Reply> {
    if message.received_count() > MAX_RECEIVED {
        return Err(Reply::new(554, (4, 6), "loop detected"));
    }
    if message.is_report() || message.auto_submitted().is_automatic() {
        return Err(Reply::new(550, (7, 1), "automatic answers and reports are not faxed"));
    }
    match message.protection() {
        Protection::Encrypted => {
            Err(Reply::new(554, (6, 1), "the message is encrypted and cannot be read here"))
        }
        Protection::Opaque => Err(Reply::new(
            554,
            (6, 1),
            "the message is inside its S/MIME signature and cannot be read here: sign it clear",
        )),
        Protection::None => Ok(()),
    }
}
