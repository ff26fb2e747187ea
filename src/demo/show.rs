//! What is printed: lines with the time since the start, and on a terminal a bar
//! that is redrawn while a call goes on. With `--json` nothing but one line of
//! results. Decides nothing.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use postfax_domain::{
    document::PageLedger,
    job::{Job, State},
    names::ServerName,
};
use postfax_gateway::message::{self, Message};
use postfax_hw::lab::Description;
use serde_json::{Value, json};

use super::{folder::Folder, house::House, journey::Journey, mailbox::Letter, setting};
use crate::cli::args::Demo;

/// Width of a full bar.
const BAR: u32 = 20;

/// The one who prints.
pub(super) struct Show {
    start: Instant,
    json: bool,
    keep: bool,
    hylafax: bool,
    terminal: bool,
    /// When the call began, for the bar.
    call: Option<Instant>,
}

impl Show {
    /// Prints what this demonstration wants to be printed; times count from `start`.
    pub(super) fn new(demo: &Demo, start: Instant) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            start,
            json: demo.output.json,
            keep: demo.keep,
            hylafax: demo.hylafax,
            terminal: io::stdout().is_terminal() && !dumb,
            call: None,
        }
    }

    /// The time since the start.
    pub(super) fn since_start(&self) -> Duration {
        self.start.elapsed()
    }

    /// What is going to happen.
    pub(super) fn title(&self, folder: &Folder) {
        self.plain(
            "Postfax, a demonstration: a fax goes out and comes in, without a telephone line.",
        );
        self.plain(&format!("Everything is in {}\n", folder.top().display()));
        if self.hylafax {
            self.line("two HylaFAX servers are starting, which takes some seconds");
        }
    }

    /// The fax servers are there.
    pub(super) fn servers(&self, lab: &Description) {
        let kind = if self.hylafax { "HylaFAX server" } else { "fax server" };
        for server in &lab.servers {
            let (name, number) = (&server.name, &server.numbers[0]);
            self.line(&format!("{kind} {name} answers at {number}"));
        }
        self.line(&format!("SIP lines reach both through {} (G.711, T.38)", lab.sip));
    }

    /// Postfax is there.
    pub(super) fn open(&self, house: &House) {
        let port = house.ports.submission;
        self.line(&format!("Postfax takes mail at 127.0.0.1, port {port}, and speaks to both"));
    }

    /// The mail is on its way.
    pub(super) fn mailing(&self, number: &str) {
        let domain = setting::DOMAIN;
        self.line(&format!("anna mails a PDF of two pages to {number}@{domain}"));
    }

    /// The mail was taken.
    pub(super) fn accepted(&self, reply: &str) {
        self.line(&format!("Postfax has made fax pages of it and says: {reply}"));
    }

    /// An attempt has begun.
    pub(super) fn calling(&mut self, server: &ServerName, attempt: u32) {
        self.call = Some(Instant::now());
        let again = if attempt > 1 { " again" } else { "" };
        self.line(&format!("{server} calls{again}"));
    }

    /// A page was confirmed by the other machine.
    pub(super) fn page(&self, page: u32, pages: u32, ledger: Option<&PageLedger>) {
        let rate = ledger.and_then(|ledger| ledger.bit_rate);
        let rate = rate.map(|rate| format!(" at {rate} bit/s")).unwrap_or_default();
        self.line(&format!("{} page {page} of {pages} is confirmed{rate}", bar(page, pages)));
    }

    /// Nothing new, but time has passed.
    pub(super) fn under_way(&self, done: u32, pages: u32) {
        if let (Some(call), true) = (self.call, self.terminal && !self.json) {
            let seconds = call.elapsed().as_secs_f64();
            self.print(&format!("\r{} {done}/{pages}, {seconds:.1} s \x1b[K", bar(done, pages)));
        }
    }

    /// The job is over.
    pub(super) fn ended(&mut self, job: &Job) {
        self.call = None;
        let State::Ended { end, .. } = job.state else { return };
        match job.last_outcome() {
            Some(outcome) => self.line(&format!("the call is over: {}", outcome.row().text)),
            None => self.line(&format!("the job is over: {end:?}")),
        }
    }

    /// A mail has come.
    pub(super) fn letter(&self, letter: &Letter, mail: &Message) {
        let subject = mail.subject().unwrap_or_default();
        let subject: String = subject.chars().filter(|c| !c.is_control()).collect();
        self.line(&format!("mail for {}: {subject}", letter.person));
    }

    /// What came of it, and where it is.
    pub(super) fn result(&self, folder: &Folder, house: &House, journey: &Journey) {
        if self.json {
            let mut result = results(folder, journey);
            if self.keep {
                result["kept"] = kept(folder, house);
            }
            println!("{result}");
            let _ = io::stdout().flush();
            return;
        }
        println!("{}", summary(journey));
        if self.keep {
            println!("{}", guide(folder, house));
        } else if !folder.stays() {
            println!("These files stay until you remove them: rm -r {}", folder.top().display());
            println!("To play with it yourself: postfax demo --keep");
        }
    }

    /// Announces every mail that comes, for ever.
    pub(super) async fn mails(&self, house: &mut House) {
        loop {
            let letter = house.mailbox.next().await;
            if let Ok(mail) = Message::read(&letter.path, &message::Limits::default()) {
                self.letter(&letter, &mail);
                self.plain(&format!("          {}", letter.path.display()));
            }
        }
    }

    /// It takes a moment.
    pub(super) fn stopping(&self) {
        if self.keep {
            self.plain("\nstopping everything");
        }
    }

    fn line(&self, text: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        let fresh = if self.terminal { "\r\x1b[K" } else { "" };
        self.print(&format!("{fresh}{seconds:6.1} s  {text}\n"));
    }

    fn plain(&self, text: &str) {
        self.print(&format!("{text}\n"));
    }

    fn print(&self, text: &str) {
        if !self.json {
            // Whoever has stopped reading does not keep the fax from going on.
            let mut out = io::stdout().lock();
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    }
}

/// `[##########----------]`
fn bar(done: u32, all: u32) -> String {
    let full = (done.min(all) * BAR / all.max(1)) as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(BAR as usize - full))
}

fn summary(journey: &Journey) -> String {
    let Journey { accepted, queued, call, mailed, total, .. } = journey;
    let seconds = Duration::as_secs_f64;
    format!(
        "
Delivered, {} pages, and what came out is what went in, pixel by pixel.

  the letter   {}
  the receipt  {}
               \"{}\"
  the fax      {}
               \"{}\"
  its pages    {}
  as picture   {}

  {:.1} s until the mail was accepted, {:.1} s until the call began, {:.1} s for the call,
  {:.1} s until receipt and fax were mailed: {:.1} s in all.
",
        journey.pages,
        journey.sent_pdf.display(),
        journey.receipt.display(),
        journey.receipt_subject,
        journey.fax.display(),
        journey.fax_subject,
        journey.fax_pdf.display(),
        journey.picture.display(),
        seconds(accepted),
        seconds(queued),
        seconds(call),
        seconds(mailed),
        seconds(total),
    )
}

/// How to play with what is left running.
fn guide(folder: &Folder, house: &House) -> String {
    let ports = house.ports;
    let (domain, password) = (setting::DOMAIN, setting::PASSWORD);
    let (anna, bob) = (setting::address(setting::SENDER), setting::address(setting::RECEIVER));
    let mail = folder.file("mail");
    let numbers: String = house
        .lab
        .description()
        .numbers
        .iter()
        .map(|number| format!("  {:<13} {}\n", number.number, number.sentence))
        .collect();
    format!(
        "\
Everything goes on until Ctrl-C; then it is stopped{}.

Mail client    SMTP 127.0.0.1, port {}, STARTTLS (accept the certificate), password \"{password}\"
               user \"anna\" with the address {anna}, or \"bob\" with {bob}
No password    SMTP 127.0.0.1, port {}, in clear, the same addresses
Write to       NUMBER@{domain}, with a PDF, TIFF, picture or text
Mailboxes      {}/{{anna,bob,it}}/new

{numbers}  {:<13} Premium rate: refused while the mail is sent.
A number that fails is tried twice here, three seconds apart; then the receipt says why.

{}",
        if folder.stays() { "" } else { " and removed" },
        ports.submission,
        ports.relay,
        mail.display(),
        setting::BARRED,
        examples(folder, house),
    )
}

/// What can be typed as it stands.
fn examples(folder: &Folder, house: &House) -> String {
    // As we were called ourselves: newcomers have it nowhere else.
    let postfax = std::env::args().next().unwrap_or_else(|| "postfax".into());
    let (socket, config, pdf) = (folder.socket(), folder.config(), folder.result("sent.pdf"));
    let (socket, config, pdf) = (socket.display(), config.display(), pdf.display());
    let (domain, password) = (setting::DOMAIN, setting::PASSWORD);
    let anna = setting::address(setting::SENDER);
    let port = house.ports.submission;
    let number = &house.lab.description().servers[1].numbers[0];
    // FAX= since swaks takes a word that begins with + for an option.
    format!(
        "\
In another terminal
  swaks --server 127.0.0.1:{port} --tls --auth PLAIN --auth-user anna --auth-password {password} \\
        --from {anna} --to FAX={number}@{domain} \\
        --attach-type application/pdf --attach @{pdf}
  export POSTFAX_SOCKET={socket}
  {postfax} status --watch
  {postfax} jobs
  {postfax} show 1
  {postfax} reload        after a change of {config}
"
    )
}

fn results(folder: &Folder, journey: &Journey) -> Value {
    let seconds = |time: Duration| (time.as_secs_f64() * 1000.0).round() / 1000.0;
    let log = folder.stays().then(|| folder.log());
    json!({
        "delivered": true,
        "same_pixels": true,
        "receipt_says": "delivered",
        "job": journey.job,
        "number": journey.number,
        "pages": journey.pages,
        "folder": folder.top(),
        "log": log,
        "sent_pdf": journey.sent_pdf,
        "receipt_mail": journey.receipt,
        "fax_mail": journey.fax,
        "fax_pdf": journey.fax_pdf,
        "fax_picture": journey.picture,
        "seconds": {
            "accepted": seconds(journey.accepted),
            "queued": seconds(journey.queued),
            "call": seconds(journey.call),
            "mailed": seconds(journey.mailed),
            "total": seconds(journey.total),
        },
    })
}

fn kept(folder: &Folder, house: &House) -> Value {
    json!({
        "smtp_host": "127.0.0.1",
        "submission_port": house.ports.submission,
        "relay_port": house.ports.relay,
        "users": { setting::SENDER: setting::PASSWORD, setting::RECEIVER: setting::PASSWORD },
        "domain": setting::DOMAIN,
        "numbers": house.lab.description().numbers,
        "sip": house.lab.description().sip,
        "mailboxes": folder.file("mail"),
        "control_socket": folder.socket(),
        "config": folder.config(),
        "log": folder.log(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_full_at_the_end_only() {
        assert_eq!(bar(0, 2), "[--------------------]");
        assert_eq!(bar(1, 2), "[##########----------]");
        assert_eq!(bar(2, 2), "[####################]");
        assert_eq!(bar(0, 0), "[--------------------]");
    }
}
