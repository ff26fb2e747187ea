//! The houses in which dialogues are held: each a Postfax with its own configuration,
//! and with the same doors.

use std::{collections::BTreeMap, fs, os::unix::net::UnixStream};

use super::support::{
    lab::Description,
    postfax::{Postfax, free_port},
    sink::Sink,
    wire::{PATIENCE, Wire},
};

/// What is added to the configuration, by the name of the house.
pub const HOUSES: [(&str, &str); 7] = [
    ("ordinary", DORA),
    ("rationed", RATIONED),
    ("full", "[limits]\nmax_jobs = 1\n"),
    ("guessed", "[limits]\nmax_login_failures = 10\nmax_login_failures_per_address = 2\n"),
    (
        "small",
        "[limits]\nmax_message_bytes = 65536\nmax_recipients = 2\nmax_pages = 1\n\
         max_login_failures = 2\n",
    ),
    ("without servers", ""),
    ("without a disk", ""),
];

/// A client who shares no group with any server.
const DORA: &str = r#"
[[group]]
name = "oslo"
[[client]]
name = "dora"
mail = ["dora@example.com"]
groups = ["oslo"]
"#;

/// Clients who may send little.
const RATIONED: &str = r#"
[limits]
max_faxes_per_number_per_h = 2
[[group]]
name = "few"
quota = { pages_a_day = 1 }
[[server]]
name = "few-1"
kind = "hylafax"
url = "hylafax://postfax@127.0.0.1:1"
groups = ["few"]
[[client]]
name = "rita"
mail = ["rita@example.com"]
groups = ["london"]
max_mails_per_minute = 2
[[client]]
name = "rolf"
mail = ["rolf@example.com"]
groups = ["london"]
max_recipients_per_hour = 2
[[client]]
name = "cora"
mail = ["cora@example.com"]
groups = ["london"]
quota = { calls_a_day = 1 }
[[client]]
name = "hans"
mail = ["hans@example.com"]
groups = ["london"]
quota = { calls_abroad_a_day = 0 }
[[client]]
name = "paul"
mail = ["paul@example.com"]
groups = ["few"]
"#;

/// The listeners of every house besides those that each Postfax of a test has.
const DOORS: &str = r#"
[[listener]]
address = "127.0.0.1:@SUBMISSIONS@"
role = "submissions"
[[listener]]
address = "127.0.0.1:@LMTP@"
role = "lmtp"
trust = ["127.0.0.0/8"]
[[listener]]
address = "unix:@FOLDER@/lmtp.sock"
role = "lmtp"
[[listener]]
address = "127.0.0.1:@STRANGERS@"
role = "relay"
trust = ["192.0.2.1"]
"#;

/// A running Postfax and its doors.
pub struct House {
    pub postfax: Postfax,
    /// The ports by the names of the listeners.
    ports: BTreeMap<&'static str, u16>,
}

impl House {
    /// Starts the house of this name.
    pub fn open(name: &str) -> Self {
        let mut servers = Description::unreachable();
        if name == "without servers" {
            servers.servers.clear();
        }
        let more = HOUSES.iter().find(|(known, _)| *known == name).unwrap().1;
        let mut postfax = Postfax::prepare(&servers, &Sink::start(), more);
        let mut doors = DOORS.replace("@FOLDER@", &postfax.folder.path().display().to_string());
        let mut ports =
            BTreeMap::from([("relay", postfax.relay), ("submission", postfax.submission)]);
        for listener in ["submissions", "lmtp", "strangers"] {
            let port = free_port();
            doors =
                doors.replace(&format!("@{}@", listener.to_ascii_uppercase()), &port.to_string());
            ports.insert(listener, port);
        }
        let config = fs::read_to_string(postfax.config()).unwrap();
        fs::write(postfax.config(), config + &doors).unwrap();
        postfax.run();
        if name == "without a disk" {
            // Nobody is root enough to write there.
            for folder in ["state/mail", "state/spool"] {
                fs::remove_dir_all(postfax.file(folder)).unwrap();
            }
        }
        Self { postfax, ports }
    }

    /// A connection to one of its doors.
    pub fn connect(&self, listener: &str) -> Result<Wire, String> {
        match (listener, self.ports.get(listener)) {
            ("lmtp unix", _) => {
                let stream = UnixStream::connect(self.postfax.file("lmtp.sock")).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Ok(Wire::over(stream))
            }
            (_, Some(port)) => Ok(Wire::connect(*port)),
            (other, None) => Err(format!("there is no listener {other}")),
        }
    }

    /// How many jobs there are.
    pub fn jobs(&self) -> usize {
        let listed = self.postfax.ask_json(&["jobs", "--limit", "1000"]);
        listed["jobs"].as_array().unwrap().len()
    }
}
