//! A FaxOut device in a few lines: it understands every question of the driver, calls
//! nobody, and tells of its jobs as time goes by. It can be told to misbehave.

use std::{
    io::{Cursor, Read as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use ipp::{
    attribute::IppAttributes, model::DelimiterTag, parser::IppParser, reader::IppReader,
    value::IppValue,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::super::{
    Ipp, Options,
    message::tests::{coded, collection},
};

pub const CREATE_JOB: i16 = 0x0005;
pub const SEND_DOCUMENT: i16 = 0x0006;
pub const CANCEL_JOB: i16 = 0x0008;
pub const GET_JOB: i16 = 0x0009;
pub const GET_JOBS: i16 = 0x000a;
pub const GET_PRINTER: i16 = 0x000b;
pub const SET_PRINTER: i16 = 0x0013;

/// Who is always busy, and who never answers.
pub const BUSY: &str = "tel:+15550102";
pub const NO_ANSWER: &str = "tel:+15550103";
/// How long each stage of a call lasts.
pub const STAGE: Duration = Duration::from_millis(60);

/// What it does instead of what it should.
#[derive(Debug, Clone, Copy)]
pub enum Do {
    /// Refuses with this status.
    Refuse(i16),
    /// The same by HTTP.
    Http(u16),
    /// Closes without having done anything.
    Close,
    /// Does it, and closes without an answer.
    ObeyAndClose,
    /// Does it, and says that it failed.
    ObeyAndRefuse(i16),
    /// The same by HTTP.
    ObeyAndHttp(u16),
    /// Takes the first half of what is sent, and closes.
    CloseInUpload,
    /// Answers nothing.
    Hang,
    /// Answers without end.
    Flood,
    /// Answers something else.
    Garble,
    /// Does as if the job were another one's.
    Rename,
    /// Ignores the destination.
    Ignore,
    /// Does not tell how the transmission ended.
    Hide,
    /// The same, and the job ends with errors.
    Spoil,
}

#[derive(Debug, Clone)]
pub struct Job {
    pub id: i32,
    pub name: String,
    pub to: String,
    pub subaddress: Option<i32>,
    pub before: Option<String>,
    pub retries: Option<i32>,
    pub format: String,
    pub document: Option<Vec<u8>>,
    begun: Option<Instant>,
    cancelled: bool,
    /// The job-state and transmission-status that it stays in.
    stays: Option<(i32, i32)>,
}

#[derive(Default)]
pub struct State {
    pub jobs: Vec<Job>,
    pub rules: Vec<(i16, Do)>,
    pub heard: Vec<i16>,
    pub location: String,
    pub formats: Vec<&'static str>,
    pub logins: Vec<String>,
}

impl State {
    /// Keeps the job of this place in a job-state and a transmission-status for ever.
    pub fn keep(&mut self, place: usize, state: (i32, i32)) {
        self.jobs[place].stays = Some(state);
    }
}

pub struct Fake {
    pub state: Arc<Mutex<State>>,
    _folder: tempfile::TempDir,
    options: Options,
}

impl Fake {
    pub async fn start(rules: &[(i16, Do)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            rules: rules.to_vec(),
            formats: vec!["image/tiff", "application/pdf"],
            location: "attic".into(),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move { serve(stream, &state).await });
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new("127.0.0.1", port, "", folder.path().join("notes"));
        options.follow = Duration::from_millis(20);
        options.reply_timeout = Duration::from_millis(500);
        Self { state, _folder: folder, options }
    }

    pub fn options(&self) -> Options {
        self.options.clone()
    }

    pub fn driver(&self) -> Ipp {
        Ipp::new(self.options())
    }

    pub fn rules(&self, rules: &[(i16, Do)]) {
        self.state.lock().unwrap().rules = rules.to_vec();
    }

    pub fn jobs(&self) -> Vec<Job> {
        self.state.lock().unwrap().jobs.clone()
    }

    pub fn heard(&self, operation: i16) -> usize {
        self.state.lock().unwrap().heard.iter().filter(|one| **one == operation).count()
    }
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut octets = Vec::new();
    let (head, length) = loop {
        let mut block = [0; 4096];
        let count = stream.read(&mut block).await.ok().filter(|count| *count > 0)?;
        octets.extend_from_slice(&block[..count]);
        if let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&octets[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            break (end + 4, length.parse::<usize>().ok()?);
        }
    };
    let login = String::from_utf8_lossy(&octets[..head]).into_owned();
    let login = login.lines().find_map(|line| line.strip_prefix("authorization: "));
    state.lock().unwrap().logins.extend(login.map(str::to_owned));
    let mut body = octets.split_off(head);
    let operation = loop {
        let operation = body.get(2..4).map(|two| i16::from_be_bytes(two.try_into().unwrap()));
        let rule = operation.and_then(|one| rule(state, one));
        if matches!(rule, Some(Do::CloseInUpload)) && body.len() > length / 2 {
            // Its job waits for the rest.
            return None;
        }
        if body.len() >= length {
            break operation?;
        }
        let mut block = [0; 65_536];
        let count = stream.read(&mut block).await.ok().filter(|count| *count > 0)?;
        body.extend_from_slice(&block[..count]);
    };
    let rule = rule(state, operation);
    state.lock().unwrap().heard.push(operation);
    let answer = match rule {
        Some(Do::Close) => return None,
        Some(Do::Hang) => {
            sleep(Duration::from_secs(60)).await;
            return None;
        }
        Some(Do::Http(status)) => return refuse_by_http(&mut stream, status).await,
        Some(Do::Flood) => {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            loop {
                stream.write_all(&[2; 65_536]).await.ok()?;
            }
        }
        Some(Do::Garble) => b"Hello, I am a web page".to_vec(),
        Some(Do::Refuse(status)) => refusal(status),
        _ => answer(&mut state.lock().unwrap(), operation, body, rule),
    };
    let answer = match rule {
        Some(Do::ObeyAndClose) => return None,
        Some(Do::ObeyAndHttp(status)) => return refuse_by_http(&mut stream, status).await,
        Some(Do::ObeyAndRefuse(status)) => refusal(status),
        _ => answer,
    };
    stream.write_all(&good(&answer)).await.ok()
}

async fn refuse_by_http(stream: &mut TcpStream, status: u16) -> Option<()> {
    let head = format!("HTTP/1.1 {status} no\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()
}

fn good(answer: &[u8]) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: ";
    [format!("{head}{}\r\n\r\n", answer.len()).as_bytes(), answer].concat()
}

fn rule(state: &Mutex<State>, operation: i16) -> Option<Do> {
    let state = state.lock().unwrap();
    state.rules.iter().find(|(of, _)| *of == operation).map(|(_, rule)| *rule)
}

fn refusal(status: i16) -> Vec<u8> {
    let words = IppValue::new_text_without_language("no, sorry").unwrap();
    coded(status, &[(DelimiterTag::OperationAttributes, &[("status-message", words)])])
}

struct Asked {
    attributes: IppAttributes,
    document: Vec<u8>,
}

impl Asked {
    fn get(&self, group: DelimiterTag, name: &str) -> Option<IppValue> {
        let found = self.attributes.groups_of(group).find_map(|group| group.get(name));
        found.map(|attribute| attribute.value().clone())
    }

    fn of_operation(&self, name: &str) -> Option<IppValue> {
        self.get(DelimiterTag::OperationAttributes, name)
    }
}

fn number(value: Option<IppValue>) -> i32 {
    match value {
        Some(IppValue::Integer(number)) => number,
        _ => 0,
    }
}

fn answer(state: &mut State, operation: i16, body: Vec<u8>, rule: Option<Do>) -> Vec<u8> {
    let asked = IppParser::new(IppReader::new(Cursor::new(body))).parse().unwrap();
    let attributes = asked.attributes().clone();
    let mut document = Vec::new();
    asked.into_payload().read_to_end(&mut document).unwrap();
    let asked = Asked { attributes, document };
    match operation {
        GET_PRINTER => printer(state),
        CREATE_JOB => create(state, &asked, rule),
        GET_JOBS => jobs(state, &asked, rule),
        SET_PRINTER => {
            let location = asked.get(DelimiterTag::PrinterAttributes, "printer-location");
            state.location = location.unwrap().to_string();
            coded(0, &[])
        }
        _ => {
            let id = number(asked.of_operation("job-id"));
            let Some(job) = state.jobs.iter_mut().find(|job| job.id == id) else {
                return refusal(0x0406);
            };
            match operation {
                SEND_DOCUMENT => {
                    job.format = asked.of_operation("document-format").unwrap().to_string();
                    job.document = Some(asked.document);
                    job.begun = Some(Instant::now());
                    coded(0, &[])
                }
                CANCEL_JOB if job.is_over() => refusal(0x0404),
                CANCEL_JOB => {
                    job.cancelled = true;
                    coded(0, &[])
                }
                _ => coded(0, &[(DelimiterTag::JobAttributes, &job.attributes(rule)[..])]),
            }
        }
    }
}

fn keyword(text: &str) -> IppValue {
    IppValue::new_keyword(text).unwrap()
}

fn printer(state: &State) -> Vec<u8> {
    let text = |text: &str| IppValue::new_text_without_language(text).unwrap();
    let list = |list: &[&str]| IppValue::Array(list.iter().map(|one| keyword(one)).collect());
    let formats = state.formats.iter().map(|one| IppValue::new_mime_media_type(*one).unwrap());
    let about = [
        ("printer-make-and-model", text("Fake 1")),
        ("printer-state", IppValue::Enum(3)),
        ("printer-state-reasons", keyword("none")),
        ("printer-is-accepting-jobs", IppValue::Boolean(true)),
        ("printer-location", text(&state.location)),
        ("ipp-features-supported", keyword("faxout")),
        ("destination-uri-schemes-supported", IppValue::new_uri_scheme("tel").unwrap()),
        (
            "destination-uris-supported",
            list(&["destination-uri", "pre-dial-string", "t33-subaddress"]),
        ),
        ("number-of-retries-default", IppValue::Integer(3)),
        ("document-format-supported", IppValue::Array(formats.collect())),
        ("printer-settable-attributes-supported", list(&["printer-location"])),
    ];
    coded(0, &[(DelimiterTag::PrinterAttributes, &about)])
}

fn create(state: &mut State, asked: &Asked, rule: Option<Do>) -> Vec<u8> {
    let destination = asked.get(DelimiterTag::JobAttributes, "destination-uris").unwrap();
    let IppValue::Collection(members) = destination else { return refusal(0x0400) };
    let member = |name: &str| members.get(name).cloned();
    let retries = asked.get(DelimiterTag::JobAttributes, "number-of-retries");
    let id = state.jobs.len() as i32 + 1;
    state.jobs.push(Job {
        id,
        name: asked.of_operation("job-name").unwrap().to_string(),
        to: member("destination-uri").unwrap().to_string(),
        subaddress: member("t33-subaddress").map(|value| number(Some(value))),
        before: member("pre-dial-string").map(|value| value.to_string()),
        retries: retries.map(|value| number(Some(value))),
        format: String::new(),
        document: None,
        begun: None,
        cancelled: false,
        stays: None,
    });
    let job = [("job-id", IppValue::Integer(id))];
    let ignored = [("destination-uris", IppValue::Other { tag: 0x10, data: Default::default() })];
    match rule {
        Some(Do::Ignore) => coded(
            1,
            &[(DelimiterTag::JobAttributes, &job), (DelimiterTag::UnsupportedAttributes, &ignored)],
        ),
        _ => coded(0, &[(DelimiterTag::JobAttributes, &job)]),
    }
}

fn jobs(state: &State, asked: &Asked, rule: Option<Do>) -> Vec<u8> {
    let over = asked.of_operation("which-jobs") == Some(keyword("completed"));
    let of = state.jobs.iter().filter(|job| job.is_over() == over);
    let attributes: Vec<_> = of.map(|job| job.attributes(rule)).collect();
    let groups: Vec<_> =
        attributes.iter().map(|list| (DelimiterTag::JobAttributes, &list[..])).collect();
    coded(0, &groups)
}

impl Job {
    /// How many stages of its call are over.
    fn stage(&self) -> u32 {
        let ran = self.begun.map(|begun| begun.elapsed()).unwrap_or_default();
        (ran.as_millis() / STAGE.as_millis()) as u32
    }

    /// Job state, reason, transmission status and images.
    fn told(&self) -> (i32, &'static str, i32, i32) {
        if let Some((state, transmission)) = self.stays.filter(|_| !self.cancelled) {
            return (state, "none", transmission, 0);
        }
        let fails = self.to == BUSY || self.to == NO_ANSWER;
        match (self.begun, self.stage()) {
            _ if self.cancelled => (7, "job-canceled-by-user", 7, 0),
            (None, _) => (4, "job-data-insufficient", 3, 0),
            (_, 0) => (3, "none", 3, 0),
            (_, 1..=2) => (5, "connecting-to-destination", 5, 0),
            _ if fails => (8, "aborted-by-system", 8, 0),
            (_, 3) => (5, "connected-to-destination", 5, 0),
            (_, 4) => (5, "job-transferring", 5, 1),
            _ => (9, "job-completed-successfully", 9, 2),
        }
    }

    fn is_over(&self) -> bool {
        self.told().0 >= 7
    }

    fn attributes(&self, rule: Option<Do>) -> Vec<(&'static str, IppValue)> {
        let (state, mut reason, status, images) = self.told();
        if matches!(rule, Some(Do::Spoil)) && state == 9 {
            reason = "job-completed-with-errors";
        }
        let text = |text: &str| IppValue::new_text_without_language(text).unwrap();
        let words = match (state, self.to.as_str()) {
            (8, BUSY) => "Busy signal detected",
            (8, NO_ANSWER) => "No answer from remote",
            _ => "",
        };
        let name = if matches!(rule, Some(Do::Rename)) { "scan0001" } else { &self.name };
        let begun = self.begun.filter(|_| self.stage() > 0).map(|_| IppValue::Integer(10));
        let mut all = vec![
            ("job-id", IppValue::Integer(self.id)),
            ("job-name", IppValue::new_name_without_language(name).unwrap()),
            ("job-state", IppValue::Enum(state)),
            ("job-state-reasons", keyword(reason)),
            ("job-state-message", text(words)),
            ("time-at-processing", begun.unwrap_or(IppValue::NoValue)),
        ];
        if !matches!(rule, Some(Do::Hide | Do::Spoil)) {
            all.push((
                "destination-statuses",
                collection(&[
                    ("destination-uri", IppValue::new_uri(self.to.as_str()).unwrap()),
                    ("images-completed", IppValue::Integer(images)),
                    ("transmission-status", IppValue::Enum(status)),
                ]),
            ));
        }
        all
    }
}
