//! What a SIP status, or the cause of the telephone network behind it, means for a fax.
//! One table each; knows no message.

use postfax_domain::outcome::Outcome;

/// Why a call did not come about, or why it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cause {
    /// SIP status (RFC 3261 21); 0: there was none.
    pub status: u16,
    /// Its words.
    pub phrase: String,
    /// Cause of the telephone network (Q.850), from the `Reason` field (RFC 3326).
    pub q850: Option<u8>,
}

/// Causes of Q.850 that say more than the SIP status around them.
const Q850: &[(&[u8], Outcome)] = &[
    (&[1], Outcome::NotInService),
    (&[17], Outcome::Busy),
    (&[18, 19, 20], Outcome::NoAnswer),
    (&[21, 29, 55], Outcome::CallRejected),
    (&[22], Outcome::NumberChanged),
    (&[27, 34, 38, 41, 42, 44, 47, 102], Outcome::Congestion),
    (&[28], Outcome::BadDialString),
];

/// SIP statuses (RFC 3261 21, RFC 3398 8.2.6.1).
const STATUS: &[(&[u16], Outcome)] = &[
    (&[404, 604], Outcome::NotInService),
    (&[301, 410], Outcome::NumberChanged),
    (&[486, 600], Outcome::Busy),
    (&[408, 480, 487], Outcome::NoAnswer),
    (&[302, 305, 380, 403, 433, 603, 607, 608], Outcome::CallRejected),
    (&[482, 483, 491, 500, 502, 503, 504, 580], Outcome::Congestion),
    (&[484, 485, 414, 416], Outcome::BadDialString),
    // The trunk does not know us, or takes none of the codings that every one knows.
    (&[401, 402, 407, 415, 488, 493, 606], Outcome::ServerMisconfigured),
];

impl Cause {
    /// A status without more.
    #[must_use]
    pub fn of(status: u16, phrase: &str) -> Self {
        Self { status, phrase: phrase.to_owned(), q850: None }
    }

    /// What it means for the one who sends.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let of_network = self.q850.and_then(|cause| {
            Q850.iter().find(|(causes, _)| causes.contains(&cause)).map(|(_, outcome)| *outcome)
        });
        let of_status =
            STATUS.iter().find(|(statuses, _)| statuses.contains(&self.status)).map(|(_, o)| *o);
        of_network.or(of_status).unwrap_or(match self.status {
            // Nothing was heard at all: the trunk is down.
            0 => Outcome::NoDialTone,
            // RFC 3261 8.1.3.2: an unknown status counts as the x00 of its class.
            300..=399 | 600..=699 => Outcome::CallRejected,
            500..=599 => Outcome::Congestion,
            _ => Outcome::ProtocolError,
        })
    }

    /// In the words of SIP.
    #[must_use]
    pub fn said(&self) -> String {
        let mut said = match self.status {
            0 => self.phrase.clone(),
            status => format!("SIP {status} {}", self.phrase),
        };
        if let Some(cause) = self.q850 {
            said.push_str(&format!(" (Q.850 cause {cause})"));
        }
        said.trim().to_owned()
    }
}

/// The Q.850 cause in a `Reason` field: `SIP;cause=200, Q.850;cause=16;text="..."`.
#[must_use]
pub fn q850(reason: &str) -> Option<u8> {
    let of_network = reason.split(',').find_map(|one| {
        let (protocol, parameters) = one.split_once(';')?;
        protocol.trim().eq_ignore_ascii_case("Q.850").then_some(parameters)
    })?;
    of_network.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("cause").then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_outcome() {
        for (status, outcome) in [
            (404, Outcome::NotInService),
            (604, Outcome::NotInService),
            (410, Outcome::NumberChanged),
            (301, Outcome::NumberChanged),
            (486, Outcome::Busy),
            (600, Outcome::Busy),
            (480, Outcome::NoAnswer),
            (408, Outcome::NoAnswer),
            (487, Outcome::NoAnswer),
            (603, Outcome::CallRejected),
            (403, Outcome::CallRejected),
            (607, Outcome::CallRejected),
            (302, Outcome::CallRejected),
            (503, Outcome::Congestion),
            (500, Outcome::Congestion),
            (502, Outcome::Congestion),
            (504, Outcome::Congestion),
            (599, Outcome::Congestion),
            (483, Outcome::Congestion),
            (484, Outcome::BadDialString),
            (485, Outcome::BadDialString),
            (488, Outcome::ServerMisconfigured),
            (606, Outcome::ServerMisconfigured),
            (415, Outcome::ServerMisconfigured),
            (401, Outcome::ServerMisconfigured),
            (407, Outcome::ServerMisconfigured),
            (400, Outcome::ProtocolError),
            (481, Outcome::ProtocolError),
            (420, Outcome::ProtocolError),
            (699, Outcome::CallRejected),
            (0, Outcome::NoDialTone),
        ] {
            assert_eq!(Cause::of(status, "").outcome(), outcome, "{status}");
        }
    }

    #[test]
    fn the_network_behind_sip_knows_better() {
        for (status, cause, outcome) in [
            (480, 1, Outcome::NotInService),
            (480, 17, Outcome::Busy),
            (480, 18, Outcome::NoAnswer),
            (487, 19, Outcome::NoAnswer),
            (500, 20, Outcome::NoAnswer),
            (480, 21, Outcome::CallRejected),
            (480, 22, Outcome::NumberChanged),
            (404, 27, Outcome::Congestion),
            (480, 34, Outcome::Congestion),
            (480, 38, Outcome::Congestion),
            (480, 41, Outcome::Congestion),
            (480, 42, Outcome::Congestion),
            (404, 28, Outcome::BadDialString),
            // What the network says in general leaves it to the status.
            (486, 31, Outcome::Busy),
            (404, 16, Outcome::NotInService),
            (503, 127, Outcome::Congestion),
        ] {
            let cause = Cause { q850: Some(cause), ..Cause::of(status, "") };
            assert_eq!(cause.outcome(), outcome, "{cause:?}");
        }
    }

    #[test]
    fn causes_are_read_and_said() {
        for (reason, cause) in [
            ("Q.850;cause=17;text=\"User busy\"", Some(17)),
            ("SIP;cause=200;text=\"elsewhere\", Q.850 ; Cause = 16", Some(16)),
            ("SIP;cause=486", None),
            ("Q.850;text=x", None),
            ("Q.850;cause=999", None),
            ("", None),
        ] {
            assert_eq!(q850(reason), cause, "{reason}");
        }
        let busy = Cause { q850: Some(17), ..Cause::of(486, "Busy Here") };
        assert_eq!(busy.said(), "SIP 486 Busy Here (Q.850 cause 17)");
        assert_eq!(Cause::of(0, "no answer from the trunk").said(), "no answer from the trunk");
    }
}
