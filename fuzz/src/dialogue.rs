//! A session with a client that says anything, at a desk that answers as the first
//! octets say.

use std::time::Duration;

use jiff::Timestamp;
use postfax_gateway::{
    auth::scram::Keys,
    desk::{AuthRefusal, Granted, Identity, Peer, Role},
    reply::Reply,
    session::{Limits, Output, Question, Secured, Session},
};

const ROLES: [Role; 4] = [Role::Relay, Role::Lmtp, Role::Submission, Role::Submissions];
/// More questions, answers and octets than one session may have for its input.
const MAX_STEPS: usize = 100_000;

/// The desk and the disk.
struct House {
    /// One bit of it answers one question.
    moods: u8,
    asked: u32,
    disk_works: bool,
    spooling: bool,
}

impl House {
    /// Whether the next question is answered with yes.
    fn is_willing(&mut self) -> bool {
        self.asked += 1;
        self.moods.rotate_left(self.asked) & 1 == 1
    }

    fn verdict(&mut self) -> Result<(), Reply> {
        match self.is_willing() {
            true => Ok(()),
            false => Err(Reply::new(450, (7, 0), "not now")),
        }
    }

    fn answer(&mut self, session: &mut Session, question: Question) {
        match question {
            Question::Keys(user) => {
                let keys = self.is_willing().then(|| Keys::of_nobody(b"secret", &user));
                let keys = keys.map(|keys| (keys, "nonce".to_owned()));
                session.keys(keys.ok_or(AuthRefusal::Unavailable));
            }
            Question::Authenticate(_) | Question::Proof(_) => {
                let who = self.is_willing().then(|| Identity("anna".into()));
                session.authenticated(who.ok_or(AuthRefusal::WrongCredentials));
            }
            Question::Sender(mail) => {
                let granted = Granted { priority: mail.priority.unwrap_or(0).min(3) };
                session.granted(self.verdict().map(|()| granted));
            }
            Question::Recipient(..) => session.verdict(self.verdict()),
            Question::Spool(_) => {
                assert!(!self.spooling, "a spool file at a time");
                let verdict = self.verdict();
                self.spooling = verdict.is_ok();
                session.verdict(verdict);
            }
            Question::Message(_, rcpts) => {
                assert!(!rcpts.is_empty() && self.disk_works, "nothing to hand over");
                let names = rcpts.iter().map(|_| "7".to_owned()).collect();
                session.finished(self.verdict().map(|()| names));
            }
        }
    }
}

/// Any octets as a client: the first three say who it is, how the house is, and how
/// long the packets are. Nothing panics, every answer is a reply, the session comes to
/// an end of its input, and after its end it says no more.
pub fn session(octets: &[u8]) {
    let &[kind, moods, piece, ref talk @ ..] = octets else { return };
    let role = ROLES[usize::from(kind & 3)];
    let limits = Limits { max_message_bytes: 2000, max_discard_bytes: 8000, ..Limits::default() };
    let mut peer = Peer::new(role, [192, 0, 2, 7].into());
    peer.tls = role == Role::Submissions;
    let mut session = Session::new(limits, "fax1.example.com", peer, kind & 4 != 0);
    session.offer_proofs(kind & 16 == 0);
    let disk_works = kind & 8 == 0;
    let mut house = House { moods, asked: 0, disk_works, spooling: false };
    session.greet();
    let mut closed = run(&mut session, &mut house);
    for piece in talk.chunks(usize::from(piece) + 1) {
        session.feed(piece);
        assert!(!closed || session.poll(Timestamp::UNIX_EPOCH) == Output::Close);
        closed = closed || run(&mut session, &mut house);
    }
}

/// Does what the session says until it reads; true once it has closed.
fn run(session: &mut Session, house: &mut House) -> bool {
    for _ in 0..MAX_STEPS {
        match session.poll(Timestamp::UNIX_EPOCH) {
            Output::Send(reply) => assert!(super::is_reply(&reply), "{reply:?}"),
            Output::Pause(pause) => assert!(pause < Duration::from_secs(60)),
            Output::Ask(question) => house.answer(session, question),
            Output::Secure => {
                let exporter = house.is_willing().then_some([7; 32]);
                session.secured(Secured { exporter, ..Secured::default() });
            }
            Output::Write(_) if !house.disk_works => {
                house.spooling = false;
                session.disk_failed();
            }
            Output::Write(_) => assert!(house.spooling, "nowhere to write to"),
            Output::Store => {
                session.stored(house.disk_works);
                house.spooling = false;
            }
            Output::Discard => house.spooling = false,
            Output::Read(_) => return false,
            Output::Close => return true,
        }
    }
    panic!("the session never reads");
}
