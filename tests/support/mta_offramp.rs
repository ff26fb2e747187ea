//! A Postfix that is a T.37 off-ramp: a fax machine in a shell script behind its pipe.

use std::{fs, path::PathBuf};

use super::mta_base::MtaBase;

/// Reports go to Postfax; everything for the off-ramp's domain goes to the machine.
const MAIN: &str = "
myhostname = offramp.example.com
relay_domains = offramp.example.com
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access regexp:@FOLDER@/numbers, permit
transport_maps = inline:{ { offramp.example.com = machine: } }
machine_destination_recipient_limit = 1
";

/// What the machine refuses from the first, and what it puts off.
const NUMBERS: &str = "/^FAX=.15550199@/ 550 5.1.1 no such number\n\
                       /^FAX=.15550198@/ 451 4.7.1 greylisted, come again\n";

/// Takes every fax but for one number, which is busy.
const MACHINE: &str = "case \"$1\" in\n\
    *15550102*) echo '5.4.1 Busy signal detected'; exit 69;;\n\
    esac\n\
    cat > \"@FOLDER@/faxes/$$.eml\"\n";

/// A running off-ramp; it stops with the test.
pub struct OffRamp {
    /// Where it reports.
    pub port: u16,
    /// Where it does not know of reports.
    pub dumb: u16,
    mta: MtaBase,
}

impl OffRamp {
    /// Starts one that brings its reports to the port `postfax`.
    pub fn start(port: u16, dumb: u16, postfax: u16) -> Self {
        let main = format!("{MAIN}relayhost = [127.0.0.1]:{postfax}\n");
        let master = format!(
            "127.0.0.1:{port} inet n - n - - smtpd\n\
             127.0.0.1:{dumb} inet n - n - - smtpd -o smtpd_discard_ehlo_keywords=dsn\n\
             machine unix - n n - - pipe flags=X user=nobody \
             argv=/bin/sh @FOLDER@/machine ${{recipient}}\n"
        );
        let files = [("numbers", NUMBERS), ("machine", MACHINE)];
        let mta = MtaBase::start(&main, &master, &files, &[port, dumb]);
        fs::create_dir(mta.folder().join("faxes")).unwrap();
        mta.owns("nobody", "faxes");
        Self { port, dumb, mta }
    }

    /// The mails that became faxes.
    pub fn faxes(&self) -> Vec<String> {
        let entries = fs::read_dir(self.mta.folder().join("faxes")).unwrap();
        let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
    }
}
