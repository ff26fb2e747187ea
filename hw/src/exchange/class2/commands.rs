//! The AT commands of these modems, each with an answer at once. What the commands of a
//! call do is in [`super::session`].

use super::{Class2Modem, FaxClass, MAX_LINE, session::Phase, signal::Params};
use crate::{exchange::dialect, spandsp::Request};

/// What follows a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// `OK`
    Ok,
    /// `ERROR`
    Error,
    /// Whatever the command comes to later.
    Later,
}

/// Commands that set something which makes no difference here. Those of Class 2 first, then
/// those of the later ones.
const IDLE_TWO: [&str; 12] = [
    "+FPHCTO", "+FBUG", "+FCQ", "+FREL", "+FTBC", "+FAA", "+FCR", "+FCIG", "+FECM", "+FMINSP",
    "+FBUF", "+FRBC",
];
const IDLE_LATER: [&str; 20] = [
    "+FCT", "+FNR", "+FIE", "+FLO", "+FPP", "+FBU", "+FCQ", "+FAA", "+FEA", "+FMS", "+FRQ", "+FPI",
    "+FCR", "+FPR", "+FIT", "+FPA", "+FAP", "+FNS", "+FFC", "+FDB",
];

impl Class2Modem {
    /// Takes a character of a command line.
    pub(super) fn type_in(&mut self, byte: u8) {
        if self.settings.echo {
            self.output.push(byte);
        }
        match byte {
            dialect::END => {
                let line = std::mem::take(&mut self.typed);
                let line = capitals(&String::from_utf8_lossy(&line));
                if let Some(start) = line.find("AT") {
                    let commands = line[start + 2..].trim().to_owned();
                    self.obey(&commands);
                }
            }
            8 => drop(self.typed.pop()),
            b' '..=b'~' if self.typed.len() < MAX_LINE => self.typed.push(byte),
            _ => {}
        }
    }

    fn obey(&mut self, commands: &str) {
        let mut rest = commands;
        let mut reply = Reply::Ok;
        while !rest.is_empty() && reply == Reply::Ok {
            let (command, next) = rest.split_at(dialect::length(rest).max(1));
            reply = self.one(command.trim().trim_end_matches(';'));
            rest = next;
        }
        match reply {
            Reply::Ok => self.result("OK"),
            Reply::Error => self.result("ERROR"),
            Reply::Later => {}
        }
    }

    fn one(&mut self, command: &str) -> Reply {
        let plain: String = command.chars().filter(|c| *c != ' ').collect();
        match plain.as_str() {
            "" | ";" => Reply::Ok,
            "A" => self.answer(),
            "E0" | "E" => {
                self.settings.echo = false;
                Reply::Ok
            }
            "E1" => {
                self.settings.echo = true;
                Reply::Ok
            }
            "H" | "H0" => {
                self.requests.push(Request::HangUp);
                self.go(Phase::Idle);
                Reply::Ok
            }
            "O" | "O0" => Reply::Error,
            "+VCID=1" | "+VCID=0" => {
                self.settings.caller_id = plain.ends_with('1');
                Reply::Ok
            }
            _ if plain.starts_with('D') => self.dial(&plain[1..]),
            _ if plain.starts_with("Z") || plain.starts_with("&F") => {
                self.settings = Self::new(self.class).settings;
                Reply::Ok
            }
            _ if plain.starts_with('I') || plain.starts_with("+GM") => self.show("POSTFAX"),
            _ if plain.starts_with("S0=") => {
                self.settings.answer_after = plain[3..].parse().unwrap_or(0);
                Reply::Ok
            }
            _ if plain.starts_with('S') && plain.ends_with('?') => self.show("000"),
            _ if plain.starts_with("+F") => self.fax(command),
            // What else a desk modem knows makes no difference here.
            _ if plain.starts_with('+') && !plain.starts_with("+I") => Reply::Error,
            _ => Reply::Ok,
        }
    }

    fn show(&mut self, text: &str) -> Reply {
        self.result(text);
        Reply::Ok
    }

    /// A fax command, by the names of its class.
    fn fax(&mut self, command: &str) -> Reply {
        let (name, value) = command.split_once('=').unwrap_or((command, ""));
        let (name, value) = (name.trim(), value.trim());
        let two = self.class == FaxClass::Two;
        let is = |two_name: &str, later: &str| name == if two { two_name } else { later };
        let own = match self.class {
            FaxClass::TwoZero => "2.0",
            FaxClass::TwoOne => "2.1",
            _ => "2",
        };
        match value {
            _ if name == "+FCLASS" => return self.class_command(value, own),
            _ if name == "+FCLASS?" => {
                let shown = if self.settings.fax { own } else { "0" };
                return self.show(shown);
            }
            _ if ["+FMFR?", "+FMDL?", "+FREV?", "+FMI?", "+FMM?", "+FMR?"].contains(&name) => {
                return self.show("POSTFAX");
            }
            _ if is("+FPTS?", "+FPS?") => {
                let verdict = self.settings.verdict.to_string();
                return self.show(&verdict);
            }
            _ if is("+FDT", "+FDT") => return self.send_page(),
            _ if is("+FDR", "+FDR") => return self.fetch_page(),
            _ if is("+FK", "+FKS") => return self.give_up(),
            "?" => return self.ranges(name),
            _ => {}
        }
        if is("+FET", "") {
            return self.end_page(value);
        }
        if self.set(name, value) { Reply::Ok } else { Reply::Error }
    }

    fn class_command(&mut self, value: &str, own: &str) -> Reply {
        match value {
            "?" => self.show(&format!("0,{own}")),
            _ if value == own => {
                self.settings.fax = true;
                Reply::Ok
            }
            "0" => {
                self.settings.fax = false;
                Reply::Ok
            }
            _ => Reply::Error,
        }
    }

    fn ranges(&mut self, name: &str) -> Reply {
        match name {
            "+FDCC" | "+FDIS" => self.show("(0,1),(0-5),(0-2),(0-2),(0-3),(0-2),(0),(0-7)"),
            "+FCC" | "+FIS" => self.show("(0-3),(0-5),(0-2),(0-2),(0-3),(0,1),(0),(0-7)"),
            "+FBOR" | "+FBO" => self.show("(0-3)"),
            "+FAP" if self.class != FaxClass::Two => self.show("(0,1),(0,1),(0,1)"),
            "+FCQ" if self.class == FaxClass::Two => self.show("(0)"),
            "+FCQ" => self.show("(0),(0)"),
            "+FSPL" | "+FSP" | "+FLPL" | "+FLP" | "+FCR" => self.show("(0,1)"),
            _ => Reply::Error,
        }
    }

    /// Sets a value. False: there is no such command in this class.
    fn set(&mut self, name: &str, value: &str) -> bool {
        let text = value.trim_matches('"').trim().to_owned();
        let two = self.class == FaxClass::Two;
        let is = |two_name: &str, later: &str| name == if two { two_name } else { later };
        let settings = &mut self.settings;
        if is("+FLID", "+FLI") {
            settings.identity = text;
        } else if is("+FDCC", "+FCC") {
            return self.set_params(value, true);
        } else if is("+FDIS", "+FIS") {
            return self.set_params(value, false);
        } else if is("+FBOR", "+FBO") {
            settings.bit_order = value.parse().unwrap_or(0);
        } else if is("+FLPL", "+FLP") {
            settings.has_document = value == "1";
        } else if is("+FSPL", "+FSP") {
            settings.polls = value == "1";
        } else if is("+FPTS", "+FPS") {
            settings.verdict = value.parse().unwrap_or(1);
        } else if is("", "+FSA") {
            settings.subaddress = text;
        } else if is("", "+FPW") {
            settings.password = text;
        } else {
            let idle: &[&str] = if two { &IDLE_TWO } else { &IDLE_LATER };
            return idle.contains(&name);
        }
        true
    }

    /// Values that are left out stay as they were.
    fn set_params(&mut self, value: &str, capabilities: bool) -> bool {
        let radix = if self.is_hexadecimal() { 16 } else { 10 };
        let settings = &mut self.settings;
        let mut params: Params = if capabilities { settings.capabilities } else { settings.wanted };
        for (param, text) in params.iter_mut().zip(value.split(',')) {
            let text = text.trim();
            if !text.is_empty() {
                let Ok(number) = u8::from_str_radix(text, radix) else { return false };
                *param = number;
            }
        }
        if capabilities {
            settings.capabilities = params;
        }
        settings.wanted = params;
        true
    }
}

/// A command line in capitals, but for what stands in quotes.
fn capitals(line: &str) -> String {
    let mut quoted = false;
    let capital = |c: char| {
        quoted ^= c == '"';
        if quoted { c } else { c.to_ascii_uppercase() }
    };
    line.chars().map(capital).collect()
}
