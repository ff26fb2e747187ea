//! A client of HylaFAX's protocol for the tests of both kinds of server. It knows
//! nothing but lines, and panics where a server surprises it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// A client that knows nothing but lines.
pub(crate) struct Client {
    pub(crate) control: TcpStream,
    pub(crate) replies: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let control = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        control.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = Self { replies: BufReader::new(control.try_clone().unwrap()), control };
        let greeting = client.reply();
        assert!(greeting.starts_with("220 "), "{greeting}");
        client
    }

    pub(crate) fn log_in(port: u16) -> Self {
        let mut client = Self::connect(port);
        for line in ["USER postfax", "PASS letmein", "TZONE GMT", "TYPE I", "FORM TIFF"] {
            client.say(line);
        }
        client
    }

    pub(crate) fn reply(&mut self) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.replies.read_line(&mut line).unwrap(), 0, "hung up after {all:?}");
            all.push_str(&line);
            let last = line.len() > 3 && line.as_bytes()[3] == b' ';
            if last && line.as_bytes()[..3].iter().all(u8::is_ascii_digit) {
                return all.trim_end().to_owned();
            }
        }
    }

    pub(crate) fn say(&mut self, line: &str) -> String {
        write!(self.control, "{line}\r\n").unwrap();
        self.reply()
    }

    /// Opens a data connection the passive way.
    pub(crate) fn data(&mut self) -> TcpStream {
        let reply = self.say("EPSV");
        let port = reply.split('|').nth(3).unwrap_or_else(|| panic!("{reply}"));
        TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap()
    }

    /// What a listing or a file says.
    pub(crate) fn fetch(&mut self, line: &str) -> Vec<u8> {
        let mut data = self.data();
        let reply = self.say(line);
        assert!(reply.starts_with("150 "), "{line}: {reply}");
        let mut bytes = vec![];
        data.read_to_end(&mut bytes).unwrap();
        assert_eq!(self.reply(), "226 Transfer complete.");
        bytes
    }

    pub(crate) fn list(&mut self, folder: &str) -> String {
        String::from_utf8(self.fetch(&format!("LIST {folder}"))).unwrap()
    }

    /// Uploads, and returns the name that the server gave.
    pub(crate) fn upload(&mut self, bytes: &[u8]) -> String {
        let mut data = self.data();
        let opening = self.say("STOT");
        data.write_all(bytes).unwrap();
        drop(data);
        let name = opening.strip_prefix("150 FILE: ").unwrap_or_else(|| panic!("{opening}"));
        let name = name.split(' ').next().unwrap().to_owned();
        assert_eq!(self.reply(), format!("226 Transfer complete (FILE: {name})."));
        name
    }
}

impl Client {
    /// Submits a document to a number, to be dialled once, and returns the job's number.
    pub(crate) fn submit(&mut self, number: &str, tiff: &[u8], tag: &str) -> String {
        self.submit_for(1, number, tiff, tag)
    }

    /// The same, to be dialled so many times at most.
    pub(crate) fn submit_for(
        &mut self,
        dials: u32,
        number: &str,
        tiff: &[u8],
        tag: &str,
    ) -> String {
        let dials = dials.to_string();
        let document = self.upload(tiff);
        let reply = self.say("JNEW");
        let id = reply["200 New job created: jobid: ".len()..].split(' ').next().unwrap();
        for (name, value) in [
            ("FROMUSER", "anna"),
            ("DIALSTRING", number),
            ("EXTERNAL", number),
            ("NOTIFYADDR", "gw@localhost"),
            ("NOTIFY", "none"),
            ("MAXDIALS", &dials),
            ("MAXTRIES", "1"),
            ("LASTTIME", "000030"),
            ("VRES", "196"),
            ("PAGEWIDTH", "209"),
            ("PAGELENGTH", "296"),
            ("PAGECHOP", "none"),
            ("USETAGLINE", "NO"),
            ("JOBINFO", tag),
            ("DOCUMENT", &document),
        ] {
            let reply = self.say(&format!("JPARM {name} \"{value}\""));
            assert!(reply.starts_with('2'), "{name}: {reply}");
        }
        let reply = self.say("JSUBM");
        assert!(reply.starts_with("200 "), "{reply}");
        id.to_owned()
    }

    /// A parameter of a job; the whole answer where there is none, as of a job that is gone.
    pub(crate) fn parameter(&mut self, id: &str, name: &str) -> String {
        self.say(&format!("JOB {id}"));
        let reply = self.say(&format!("JPARM {name}"));
        value_of(&reply).unwrap_or(&reply).to_owned()
    }
}

/// The value in the answer to `JPARM NAME`. An empty one has lost the blank before it.
fn value_of(reply: &str) -> Option<&str> {
    let value = reply.strip_prefix("213")?;
    if value.is_empty() { Some(value) } else { value.strip_prefix(' ') }
}

#[test]
fn the_value_of_a_parameter_may_be_empty() {
    for (reply, value) in [
        ("213 DONE", Some("DONE")),
        ("213 No carrier detected", Some("No carrier detected")),
        ("213 ", Some("")),
        ("213", Some("")),
        ("2130", None),
        ("504 Unknown parameter", None),
        ("", None),
    ] {
        assert_eq!(value_of(reply), value, "{reply:?}");
    }
}

/// A TIFF-F file of fine A4 pages, each with a black line from top to bottom, so far
/// from the left that the pages can be told apart. Coded by T.6: a line is written in
/// horizontal mode, and the others say that they are the same.
pub(crate) fn document(pages: usize) -> Vec<u8> {
    const LINES: u32 = 2200;
    // White runs of 10, 20, ... 50 picture elements (T.4 table 2), then 10 black ones.
    const WHITE: [&str; 5] = ["00111", "0001000", "00000011", "00101001", "01010011"];
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    for page in 0..pages {
        let mut bits = format!("001{}00001001", WHITE[page % WHITE.len()]);
        bits.extend((1..LINES).map(|_| "111"));
        bits.push_str("000000000001000000000001");
        let data: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|byte| byte.iter().enumerate().map(|(at, bit)| (bit & 1) << (7 - at)).sum())
            .collect();
        let size = u32::try_from(data.len()).unwrap();
        let here = u32::try_from(file.len()).unwrap();
        let entries: [(u16, u16, u32, u32); 14] = [
            (254, 4, 1, 2),
            (256, 4, 1, 1728),
            (257, 4, 1, LINES),
            (258, 3, 1, 1),
            (259, 3, 1, 4),
            (262, 3, 1, 0),
            (266, 3, 1, 1),
            (273, 4, 1, here + 2 + 14 * 12 + 4 + 16),
            (277, 3, 1, 1),
            (278, 4, 1, LINES),
            (279, 4, 1, size),
            (282, 5, 1, here + 2 + 14 * 12 + 4),
            (283, 5, 1, here + 2 + 14 * 12 + 4 + 8),
            (296, 3, 1, 2),
        ];
        file.extend(14u16.to_le_bytes());
        for (tag, kind, count, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(count.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        let padded = size + size % 2;
        let next = if page + 1 == pages { 0 } else { here + 2 + 14 * 12 + 4 + 16 + padded };
        file.extend(next.to_le_bytes());
        for number in [204u32, 1, 196, 1] {
            file.extend(number.to_le_bytes());
        }
        file.extend(&data);
        file.resize(file.len() + (padded - size) as usize, 0);
    }
    file
}
