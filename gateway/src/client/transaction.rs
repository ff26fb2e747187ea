//! One transaction on an open connection: envelope, message, verdicts. Opens
//! and keeps no connection.

use std::{io, time::Duration};

use tokio::{fs::File, io::AsyncReadExt};

use super::{
    Body, Delivery, Mail, Notify, Rcpt, Ret, Stage, Timeouts, Trouble,
    open::{Features, Session},
    reply::{Class, Reply},
    stuffing::Stuffing,
};

/// Octets of the message that are in memory at a time.
const BLOCK_BYTES: usize = 64 << 10;
/// How long to look for the reason why the message was not taken to its end.
const REASON_TIMEOUT: Duration = Duration::from_secs(1);

/// What can be done with the connection after a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Used again.
    Clean,
    /// Dropped.
    Broken,
    /// Dropped, and the transaction tried on another one: the far end hung up
    /// before it heard of the mail.
    Stale,
}

/// What must be known of a message before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    size: u64,
    eight_bit: bool,
}

impl Measure {
    pub(super) async fn of(body: &Body) -> io::Result<Self> {
        let mut stuffing = Stuffing::new();
        let mut eight_bit = false;
        let mut blocks = Blocks::open(body).await?;
        let mut out = Vec::with_capacity(2 * BLOCK_BYTES);
        while let Some(block) = blocks.next().await? {
            eight_bit |= !block.is_ascii();
            out.clear();
            stuffing.push(block, &mut out);
        }
        stuffing.finish(&mut out);
        Ok(Self { size: stuffing.size, eight_bit })
    }
}

/// A message read block by block.
enum Blocks<'a> {
    Bytes(std::slice::Chunks<'a, u8>),
    File(File, Vec<u8>),
}

impl<'a> Blocks<'a> {
    async fn open(body: &'a Body) -> io::Result<Self> {
        Ok(match body {
            Body::Bytes(octets) => Self::Bytes(octets.chunks(BLOCK_BYTES)),
            Body::File(path) => Self::File(File::open(path).await?, vec![0; BLOCK_BYTES]),
        })
    }

    async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        match self {
            Self::Bytes(chunks) => Ok(chunks.next()),
            Self::File(file, block) => {
                let count = file.read(block).await?;
                Ok((count > 0).then_some(&block[..count]))
            }
        }
    }
}

/// What the far end said to the envelope.
struct Envelope {
    verdicts: Vec<Option<Delivery>>,
    /// The recipients that were taken, by their place.
    taken: Vec<usize>,
    /// The sender was answered, so the far end has heard of the mail.
    heard: bool,
    /// It waits for the message.
    open: bool,
}

impl Session {
    /// Sends the mail to these recipients; one result for each.
    pub(super) async fn transact(
        &mut self,
        mail: &Mail,
        to: &[Rcpt],
        measure: Measure,
        timeouts: &Timeouts,
    ) -> (Vec<Delivery>, After) {
        let was_used = std::mem::replace(&mut self.is_used, true);
        if let Some(reply) = unfit(mail, measure, &self.features) {
            return (vec![Delivery::Refused(reply); to.len()], After::Clean);
        }
        let mut envelope = Envelope {
            verdicts: to.iter().map(|rcpt| unfit_recipient(rcpt, &self.features)).collect(),
            taken: Vec::new(),
            heard: false,
            open: false,
        };
        let trouble = self.converse(mail, to, measure, timeouts, &mut envelope).await.err();
        let after = match &trouble {
            None => After::Clean,
            Some(trouble) if was_used && !envelope.heard && is_stale(trouble) => After::Stale,
            Some(_) => After::Broken,
        };
        let rest = trouble.map(Delivery::Deferred);
        let settled = envelope.verdicts.into_iter().map(|one| {
            one.or_else(|| rest.clone()).expect("a talk without trouble settles every recipient")
        });
        (settled.collect(), after)
    }

    /// Every `None` among the verdicts shares the trouble that is returned.
    async fn converse(
        &mut self,
        mail: &Mail,
        to: &[Rcpt],
        measure: Measure,
        timeouts: &Timeouts,
        envelope: &mut Envelope,
    ) -> Result<(), Trouble> {
        let sender = sender_line(mail, measure, &self.features);
        let open: Vec<usize> =
            (0..to.len()).filter(|place| envelope.verdicts[*place].is_none()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let lines = open.iter().map(|place| recipient_line(&to[*place], &self.features));
        let lines: Vec<String> = lines.collect();
        if self.features.pipelining {
            let batch = format!("{sender}{}DATA\r\n", lines.concat());
            self.wire.send(batch.as_bytes(), timeouts.command, Stage::Sender).await?;
        } else {
            self.wire.send(sender.as_bytes(), timeouts.command, Stage::Sender).await?;
        }
        let reply = self.wire.reply(timeouts.command, Stage::Sender).await?;
        stay(&reply)?;
        envelope.heard = true;
        let refused = refusal(&reply);
        if refused.is_none() || self.features.pipelining {
            for (place, line) in open.iter().zip(&lines) {
                self.recipient(*place, line, timeouts, envelope).await?;
            }
        }
        if let Some(refused) = &refused {
            open.iter().for_each(|place| envelope.verdicts[*place] = Some(refused.clone()));
            envelope.taken.clear();
        }
        if self.features.pipelining || !envelope.taken.is_empty() {
            self.data(timeouts, envelope).await?;
        }
        if envelope.open {
            self.message(mail, timeouts, envelope).await
        } else {
            let reply = self.ask("RSET\r\n", timeouts.command, Stage::Farewell).await?;
            stay(&reply)
        }
    }

    async fn recipient(
        &mut self,
        place: usize,
        line: &str,
        timeouts: &Timeouts,
        envelope: &mut Envelope,
    ) -> Result<(), Trouble> {
        if !self.features.pipelining {
            self.wire.send(line.as_bytes(), timeouts.command, Stage::Recipient).await?;
        }
        let reply = self.wire.reply(timeouts.command, Stage::Recipient).await?;
        stay(&reply)?;
        match refusal(&reply) {
            None => envelope.taken.push(place),
            // Too many recipients, in the words of an old host (RFC 5321 4.5.3.1.10).
            Some(Delivery::Refused(reply))
                if reply.code == 552
                    && !envelope.taken.is_empty()
                    && reply.status.as_deref().is_none_or(|status| status == "5.5.3") =>
            {
                envelope.verdicts[place] = Some(Delivery::Deferred(Trouble::Said(reply)));
            }
            refused => envelope.verdicts[place] = refused,
        }
        Ok(())
    }

    async fn data(&mut self, timeouts: &Timeouts, envelope: &mut Envelope) -> Result<(), Trouble> {
        if !self.features.pipelining {
            self.wire.send(b"DATA\r\n", timeouts.data, Stage::Data).await?;
        }
        let reply = self.wire.reply(timeouts.data, Stage::Data).await?;
        stay(&reply)?;
        envelope.open = reply.class() == Class::GoOn;
        if !envelope.open {
            let refused = refusal(&reply).unwrap_or(Delivery::Deferred(Trouble::Said(reply)));
            for place in envelope.taken.drain(..) {
                envelope.verdicts[place] = Some(refused.clone());
            }
        }
        Ok(())
    }

    async fn message(
        &mut self,
        mail: &Mail,
        timeouts: &Timeouts,
        envelope: &mut Envelope,
    ) -> Result<(), Trouble> {
        if envelope.taken.is_empty() {
            // The far end opened the message for nobody (RFC 2920 3.1).
            self.wire.send(b".\r\n", timeouts.block, Stage::End).await?;
            self.wire.reply(timeouts.verdict, Stage::Verdict).await?;
            return Ok(());
        }
        if let Err(trouble) = self.send_message(&mail.body, timeouts).await {
            if matches!(trouble, Trouble::Closed(Stage::Message | Stage::End))
                && let Ok(reason) = self.wire.reply(REASON_TIMEOUT, Stage::Message).await
                && let Some(refused) = refusal(&reason)
            {
                envelope.taken.drain(..).for_each(|place| {
                    envelope.verdicts[place] = Some(refused.clone());
                });
            }
            return Err(trouble);
        }
        if !self.is_lmtp {
            let reply = self.wire.reply(timeouts.verdict, Stage::Verdict).await?;
            let verdict = verdict(reply.clone());
            envelope.taken.iter().for_each(|place| {
                envelope.verdicts[*place] = Some(verdict.clone());
            });
            return stay(&reply);
        }
        for place in std::mem::take(&mut envelope.taken) {
            let reply = self.wire.reply(timeouts.verdict, Stage::Verdict).await?;
            stay(&reply)?;
            envelope.verdicts[place] = Some(verdict(reply));
        }
        Ok(())
    }

    /// An end of the data is never sent for a message that was not read whole.
    async fn send_message(&mut self, body: &Body, timeouts: &Timeouts) -> Result<(), Trouble> {
        let unread = |error: io::Error| Trouble::Message(error.to_string());
        let mut blocks = Blocks::open(body).await.map_err(unread)?;
        let mut stuffing = Stuffing::new();
        let mut out = Vec::with_capacity(2 * BLOCK_BYTES);
        while let Some(block) = blocks.next().await.map_err(unread)? {
            stuffing.push(block, &mut out);
            if out.len() >= BLOCK_BYTES {
                self.wire.send(&out, timeouts.block, Stage::Message).await?;
                out.clear();
            }
        }
        stuffing.finish(&mut out);
        self.wire.send(&out, timeouts.block, Stage::End).await
    }
}

/// Goodbye ends everything that has no verdict yet.
fn stay(reply: &Reply) -> Result<(), Trouble> {
    if reply.is_goodbye() { Err(Trouble::Said(reply.clone())) } else { Ok(()) }
}

/// The far end had hung up already.
fn is_stale(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Closed(Stage::Sender) => true,
        Trouble::Said(reply) => reply.is_goodbye(),
        _ => false,
    }
}

fn refusal(reply: &Reply) -> Option<Delivery> {
    match reply.class() {
        Class::Done => None,
        Class::Never if !reply.is_about_us() => Some(Delivery::Refused(reply.clone())),
        _ => Some(Delivery::Deferred(Trouble::Said(reply.clone()))),
    }
}

fn verdict(reply: Reply) -> Delivery {
    refusal(&reply).unwrap_or(Delivery::Accepted(reply))
}

/// Why the far end, by what it offers, cannot take the mail at all.
fn unfit(mail: &Mail, measure: Measure, features: &Features) -> Option<Reply> {
    if let Some(limit) = features.size.filter(|limit| *limit > 0 && *limit < measure.size) {
        let text =
            format!("the relay takes at most {limit} octets, the message has {}", measure.size);
        return Some(Reply::own(552, "5.3.4", text));
    }
    if measure.eight_bit && !features.eight_bit {
        return Some(Reply::own(554, "5.6.3", "the relay takes no message with eight-bit octets"));
    }
    let from = mail.from.as_deref().unwrap_or_default();
    if !from.is_empty() && !is_path(from) {
        return Some(Reply::own(501, "5.1.7", "the return path is no address"));
    }
    if !from.is_ascii() && !features.utf8 {
        return Some(Reply::own(550, "5.6.7", "the relay takes no return path beyond ASCII"));
    }
    None
}

fn unfit_recipient(rcpt: &Rcpt, features: &Features) -> Option<Delivery> {
    if !is_path(&rcpt.address) {
        return Some(Delivery::Refused(Reply::own(501, "5.1.3", "this is no mail address")));
    }
    if !rcpt.address.is_ascii() && !features.utf8 {
        let text = "the relay takes no addresses beyond ASCII";
        return Some(Delivery::Refused(Reply::own(550, "5.6.7", text)));
    }
    None
}

/// Whether the address stays an address between `<` and `>`.
fn is_path(address: &str) -> bool {
    let spaced = !address.starts_with('"') && address.contains(' ');
    let bad = |c: char| c.is_control() || matches!(c, '<' | '>');
    !address.is_empty() && address.len() <= 320 && !spaced && !address.contains(bad)
}

fn sender_line(mail: &Mail, measure: Measure, features: &Features) -> String {
    let from = mail.from.as_deref().unwrap_or_default();
    let mut line = format!("MAIL FROM:<{from}>");
    if features.size.is_some() {
        line += &format!(" SIZE={}", measure.size);
    }
    if measure.eight_bit {
        line += " BODY=8BITMIME";
    }
    if features.utf8 && !(from.is_ascii() && mail.recipients.iter().all(|to| to.address.is_ascii()))
    {
        line += " SMTPUTF8";
    }
    if features.dsn {
        line += match mail.ret {
            Some(Ret::Full) => " RET=FULL",
            Some(Ret::Headers) => " RET=HDRS",
            None => "",
        };
        if let Some(id) = &mail.envid {
            line += &format!(" ENVID={}", xtext(id));
        }
    }
    line + "\r\n"
}

fn recipient_line(rcpt: &Rcpt, features: &Features) -> String {
    let mut line = format!("RCPT TO:<{}>", rcpt.address);
    if features.dsn {
        line += &match rcpt.notify {
            Some(Notify::Never) => " NOTIFY=NEVER".to_owned(),
            Some(Notify::On { success, failure, delay }) => {
                let words = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
                let wanted: Vec<&str> =
                    words.iter().filter(|(wanted, _)| *wanted).map(|(_, word)| *word).collect();
                if wanted.is_empty() {
                    String::new()
                } else {
                    format!(" NOTIFY={}", wanted.join(","))
                }
            }
            None => String::new(),
        };
        if let Some((kind, address)) = &rcpt.orcpt {
            line += &format!(" ORCPT={};{}", xtext(kind), xtext(address));
        }
    }
    line + "\r\n"
}

/// RFC 3461 4: nothing that could end the parameter gets through.
fn xtext(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'+' | b'=');
    let encoded = text.bytes().map(|octet| {
        if plain(octet) { char::from(octet).to_string() } else { format!("+{octet:02X}") }
    });
    encoded.collect()
}
