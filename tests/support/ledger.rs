//! Who sent what, and what became of it: the book that says at the end of a story
//! whether each fax was sent once and none was lost. It believes nobody's word
//! alone: it reads what the fax servers logged, the pixels of what they received,
//! the mails of the mailbox, and what Postfax says of its jobs.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    lab::Server,
    mta::{Letter, Mta, Offer},
    pages,
    postfax::Postfax,
    sink::{Mail, Sink},
    wait_for,
};

/// How long a client goes on offering one mail, in seconds.
const PATIENCE_S: u64 = 240;

/// A direction: who sends, and the number in the list of servers that is called.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub from: &'static str,
    pub server: usize,
}

pub const WAYS: [Way; 2] = [Way { from: "anna", server: 1 }, Way { from: "bob", server: 0 }];

/// Everything that clients have sent in one story.
pub struct Ledger {
    servers: Vec<Server>,
    mta: Mta,
    name: &'static str,
    next: AtomicU64,
    /// Message-IDs of mails that were taken.
    taken: Mutex<BTreeSet<String>>,
    /// Those of which the client knows nothing: offered once, no answer.
    unanswered: Mutex<BTreeSet<String>>,
}

impl Ledger {
    pub fn new(name: &'static str, servers: &[Server], relay: u16) -> Self {
        Self {
            servers: servers.to_vec(),
            mta: Mta { port: relay },
            name,
            next: AtomicU64::new(1),
            taken: Mutex::default(),
            unanswered: Mutex::default(),
        }
    }

    /// A letter that looks like no other.
    fn letter(&self, way: Way, line: usize) -> Letter {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let numbers = &self.servers[way.server].numbers;
        Letter {
            from: format!("{}@example.com", way.from),
            to: format!("FAX={}@fax.example.com", numbers[line % (numbers.len() / 2)]),
            message_id: format!("<{number}.{}@client.example.com>", self.name),
            pdf: pages::pdf(1, &format!("{} letter {number} by {}", self.name, way.from)),
        }
    }

    /// Sends a letter until it is taken.
    pub fn send(&self, way: Way, line: usize) {
        let letter = self.letter(way, line);
        self.mta.send(&letter, PATIENCE_S);
        self.taken.lock().unwrap().insert(letter.message_id);
    }

    /// Offers a letter once, as somebody does who then goes away.
    pub fn offer_once(&self, way: Way, line: usize) {
        let letter = self.letter(way, line);
        let book = match self.mta.offer(&letter) {
            Offer::Taken => &self.taken,
            Offer::Later(_) => &self.unanswered,
            Offer::Refused(words) => panic!("{} was refused: {words}", letter.message_id),
        };
        book.lock().unwrap().insert(letter.message_id);
    }

    pub fn taken(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// Whether nothing is under way any more, neither here nor at the servers.
    pub fn is_quiet(&self, postfax: &Postfax) -> Option<()> {
        let open = postfax.question(&json!({"ask": "jobs", "state": "open", "limit": 1}))?;
        let idle = open["jobs"].as_array()?.is_empty();
        let server_is_idle = |server: &Server| {
            files(server, "recvq", is_fax_file).is_empty()
                && files(server, "sendq", is_job_file).is_empty()
        };
        (idle && self.servers.iter().all(server_is_idle)).then_some(())
    }

    /// What is still under way, for a test that waited in vain.
    fn lament(&self, postfax: &Postfax) {
        let ask = json!({"ask": "jobs", "state": "open", "limit": 20});
        eprintln!("open: {}", postfax.question(&ask).unwrap_or_default());
        eprintln!("{} received of {} taken", self.received(), self.taken());
        for server in &self.servers {
            let jobs = files(server, "sendq", is_job_file);
            eprintln!("{}: {:?} {jobs:?}", server.name, files(server, "recvq", is_fax_file));
        }
    }

    /// Waits until all is quiet and stays so.
    pub fn drain(&self, postfax: &Postfax, seconds: u64, quiet_for: Duration) {
        let mut since = None;
        let last = Instant::now() + Duration::from_secs(seconds.saturating_sub(1));
        let mut lamented = false;
        wait_for("everything to be over", seconds, || {
            if Instant::now() > last && !lamented {
                lamented = true;
                self.lament(postfax);
            }
            if self.is_quiet(postfax).is_none() || self.received() < self.taken() {
                since = None;
                return None;
            }
            let since = since.get_or_insert_with(Instant::now);
            (since.elapsed() >= quiet_for).then_some(())
        });
    }

    /// How many faxes the servers have received, as they have logged it.
    pub fn received(&self) -> usize {
        self.servers.iter().map(|server| receptions(&server.spool)).sum()
    }

    /// Holds everything against everything. Panics where it does not fit.
    pub fn audit(&self, postfax: &Postfax, sink: &Sink) {
        let sent = self.audit_sent(postfax);
        let arrived = of_kind(postfax, "in");
        let mut came: HashMap<u64, usize> = HashMap::new();
        for job in &arrived {
            *came.entry(picture(postfax, job)).or_default() += 1;
        }
        let mut wrong = Vec::new();
        for job in &sent {
            match came.remove(&picture(postfax, job)).unwrap_or(0) {
                1 => {}
                times => wrong.push((job["id"].clone(), times)),
            }
        }
        assert!(wrong.is_empty(), "jobs that arrived never or more than once: {wrong:?}");
        assert!(came.is_empty(), "{} faxes arrived that nobody sent", came.len());
        assert_eq!(self.received(), sent.len(), "each fax was received once at the other server");
        self.audit_mails(postfax, sink, &sent, &arrived);
        let left: Vec<_> = fs::read_dir(postfax.file("state/spool")).unwrap().flatten().collect();
        assert!(left.is_empty(), "nothing is left behind: {left:?}");
        assert!(self.is_quiet(postfax).is_some(), "all is over");
    }

    /// The jobs of the letters: one for each that was taken, at most one for others.
    fn audit_sent(&self, postfax: &Postfax) -> Vec<Value> {
        let sent = of_kind(postfax, "out");
        let mut by_letter: BTreeMap<String, usize> = BTreeMap::new();
        for job in &sent {
            assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
            let id = job["cause"]["sent"]["message_id"].as_str().unwrap();
            *by_letter.entry(format!("<{}>", id.trim_matches(['<', '>']))).or_default() += 1;
        }
        assert!(by_letter.values().all(|jobs| *jobs == 1), "one job a letter: {by_letter:?}");
        let known: BTreeSet<String> = by_letter.into_keys().collect();
        let taken = self.taken.lock().unwrap().clone();
        let unanswered = self.unanswered.lock().unwrap().clone();
        let lost: Vec<&String> = taken.difference(&known).collect();
        assert!(lost.is_empty(), "taken and lost: {lost:?}");
        let strange: Vec<&String> =
            known.iter().filter(|id| !taken.contains(*id) && !unanswered.contains(*id)).collect();
        assert!(strange.is_empty(), "nobody sent {strange:?}");
        sent
    }

    fn audit_mails(&self, postfax: &Postfax, sink: &Sink, sent: &[Value], arrived: &[Value]) {
        let mails = sink.mails();
        let (faxes, others): (Vec<&Mail>, Vec<&Mail>) =
            mails.iter().partition(|mail| mail.header("X-Fax-Pages").is_some());
        let (alarms, receipts): (Vec<&Mail>, Vec<&Mail>) =
            others.into_iter().partition(|mail| mail.part("message/delivery-status").is_none());
        let alarms: Vec<String> = alarms.into_iter().map(Mail::subject).collect();
        assert!(alarms.is_empty(), "there was no reason for {alarms:?}");
        let letters = by_message_id(&faxes);
        assert_eq!(letters.len(), arrived.len(), "each arrival is mailed, and known by its ID");
        for copies in letters.values() {
            let pdf = copies[0].part("application/pdf");
            assert!(pdf.is_some_and(|pdf| pdf.starts_with(b"%PDF")));
            for copy in copies {
                assert_eq!(copy.to, copies[0].to);
                let same = copy.part("application/pdf") == copies[0].part("application/pdf");
                assert!(same, "what has one Message-ID is one fax");
            }
        }
        let copies = faxes.len() - letters.len();
        eprintln!("{}: {} faxes, of which {copies} were mailed twice", self.name, letters.len());
        let receipts = by_message_id(&receipts);
        assert_eq!(receipts.len(), sent.len(), "a receipt for each fax");
        let mut about = BTreeSet::new();
        for copies in receipts.values() {
            let receipt = copies[0];
            assert_eq!(receipt.status_field("Action").as_deref(), Some("delivered"));
            about.insert(receipt.header("In-Reply-To").unwrap());
        }
        assert_eq!(about.len(), sent.len(), "each receipt is about another fax");
        assert!(of_kind(postfax, "alarm").is_empty());
    }
}

fn by_message_id<'a>(mails: &[&'a Mail]) -> HashMap<String, Vec<&'a Mail>> {
    let mut by_id: HashMap<String, Vec<&Mail>> = HashMap::new();
    for mail in mails {
        by_id.entry(mail.message_id()).or_default().push(mail);
    }
    by_id
}

fn of_kind(postfax: &Postfax, kind: &str) -> Vec<Value> {
    let mut listed: Vec<Value> = Vec::new();
    loop {
        let mut ask = json!({"ask": "jobs", "kind": kind, "limit": 500});
        if let Some(last) = listed.last() {
            ask["before"] = last["job"].clone();
        }
        let more = postfax.question(&ask).expect("an answer");
        let more = more["jobs"].as_array().unwrap_or_else(|| panic!("{more}"));
        if more.is_empty() {
            break;
        }
        listed.extend(more.iter().cloned());
    }
    let show = |row: &Value| {
        let shown = postfax.question(&json!({"ask": "show", "job": row["job"]}));
        shown.expect("an answer")["job"]["job"].clone()
    };
    listed.iter().map(show).collect()
}

/// What a job's first page looks like.
fn picture(postfax: &Postfax, job: &Value) -> u64 {
    let digest = job["document"]["digest"].as_str().expect("a fax has pages");
    let seen = pages::pixels(&postfax.document(digest));
    let mut hasher = DefaultHasher::new();
    seen.hash(&mut hasher);
    hasher.finish()
}

fn files(server: &Server, folder: &str, fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(server.spool.join(folder)) else { return Vec::new() };
    let found = found.flatten().filter(|file| file.file_name().to_str().is_some_and(&fits));
    found.map(|file| file.path()).collect()
}

fn is_fax_file(name: &str) -> bool {
    name.starts_with("fax") && name.ends_with(".tif")
}

fn is_job_file(name: &str) -> bool {
    name.strip_prefix('q').is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit()))
}

fn receptions(spool: &Path) -> usize {
    let log = fs::read(spool.join("log/xferfaxlog")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    log.lines().filter(|line| line.split('\t').nth(1) == Some("RECV")).count()
}
