//! The mail server of a site: what is for the fax domain goes to Postfax, anything else to
//! the mailboxes.

use super::mta_base::MtaBase;

/// `fax` is the client towards Postfax: it talks under TLS or not at all.
const MASTER: &str = "fax unix - - n - - smtp -o smtp_tls_security_level=encrypt\n";

/// A running Postfix; it stops with the test.
pub struct PostfixServer {
    pub port: u16,
    mta: MtaBase,
}

impl PostfixServer {
    /// Starts one that brings the mail of the fax domain to the port `fax`, and all
    /// other mail to `mailboxes`.
    pub fn start(port: u16, fax: u16, mailboxes: u16) -> Self {
        let main = format!(
            "myhostname = mail.example.com\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\n\
             transport_maps = inline:{{ {{ fax.example.com = fax:[127.0.0.1]:{fax} }} }}\n\
             relayhost = [127.0.0.1]:{mailboxes}\n\
             minimal_backoff_time = 2s\n\
             queue_run_delay = 2s\n"
        );
        let master = format!("127.0.0.1:{port} inet n - n - - smtpd\n{MASTER}");
        Self { port, mta: MtaBase::start(&main, &master, &[], &[port]) }
    }

    /// What it has written about its work.
    pub fn log(&self) -> String {
        self.mta.log()
    }
}
