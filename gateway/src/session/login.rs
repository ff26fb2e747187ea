//! AUTH inside a session (RFC 4954): only under TLS, counted, and slow to say no.

use super::{Asked, Output, Phase, Question, Session};
use crate::{
    auth::{AuthError, Exchange, Offer, Step, scram::Keys},
    desk::{AuthRefusal, Identity},
    reply::Reply,
};

impl Session {
    /// Whether the desk has keys to check proofs by, so that they can be offered.
    pub fn offer_proofs(&mut self, proofs: bool) {
        self.proofs = proofs;
    }

    pub(super) fn offer(&self) -> Offer {
        let certificate = self.peer.certificate.is_some();
        Offer { scram: self.proofs, exporter: self.exporter, certificate }
    }

    /// The keys of the user who wants to prove a password, and a new nonce.
    ///
    /// Panics if it was not asked.
    pub fn keys(&mut self, answer: Result<(Keys, String), AuthRefusal>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Commands);
        let Phase::Asked(Asked::Keys(first)) = phase else { panic!("nobody proves a password") };
        match answer {
            Ok((keys, nonce)) => self.take_step(Ok(Exchange::prove(first, keys, &nonce))),
            Err(refusal) => self.refuse_login(refusal),
        }
    }

    /// What the desk says of a user name and a password, or of a proof.
    ///
    /// Panics if it was not asked.
    pub fn authenticated(&mut self, answer: Result<Identity, AuthRefusal>) {
        assert!(matches!(self.phase, Phase::Asked(Asked::Login)), "nobody logs in");
        self.phase = Phase::Commands;
        match answer {
            Ok(identity) => {
                self.peer.identity = Some(identity);
                self.send(&Reply::new(235, (7, 0), "Authentication succeeded"));
            }
            Err(refusal) => self.refuse_login(refusal),
        }
    }

    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>) {
        let offer = self.offer();
        let step = match offer.named(mechanism) {
            Some(mechanism) => Exchange::start(mechanism, initial, &offer),
            None => Err(AuthError::UnknownMechanism),
        };
        self.take_step(step);
    }

    pub(super) fn take_login_line(&mut self, line: &[u8]) {
        if !self.input.is_empty() {
            let text = "wait for the reply while you log in";
            return self.leave(&Reply::new(554, (5, 1), text));
        }
        if let Phase::Login(exchange) = std::mem::replace(&mut self.phase, Phase::Commands) {
            self.take_step(exchange.next(line));
        }
    }

    fn take_step(&mut self, step: Result<Step, AuthError>) {
        match step {
            Ok(Step::Challenge(challenge, exchange)) => {
                self.send(&challenge);
                self.phase = Phase::Login(exchange);
            }
            Ok(Step::Credentials(credentials)) => {
                self.outputs.push_back(Output::Ask(Question::Authenticate(credentials)));
                self.phase = Phase::Asked(Asked::Login);
            }
            Ok(Step::Keys(first)) => {
                self.ask(Question::Keys(first.user().to_owned()), Asked::Keys(first));
            }
            Ok(Step::Proof(proof)) => self.ask(Question::Proof(proof), Asked::Login),
            Err(error) => self.complain(error.reply()),
        }
    }

    fn refuse_login(&mut self, refusal: AuthRefusal) {
        let text = refusal.to_string();
        if refusal == AuthRefusal::Unavailable {
            return self.send(&Reply::new(454, (7, 0), text));
        }
        self.auth_failures += 1;
        self.outputs.push_back(Output::Pause(self.limits.auth_delay()));
        if refusal == AuthRefusal::TooManyTries {
            self.leave(&Reply::new(421, (7, 0), text));
        } else if self.auth_failures >= self.limits.max_auth_failures {
            self.send(&Reply::new(535, (7, 8), text));
            self.leave(&Reply::new(421, (7, 0), AuthRefusal::TooManyTries.to_string()));
        } else {
            self.send(&Reply::new(535, (7, 8), text));
        }
    }
}
