//! UDPTL (T.38 annex D.2.3): numbered datagrams that carry a packet of T.38 and what
//! mends the loss of earlier ones. Octets here are those of aligned PER.
//!
//! What comes may repeat earlier packets or hold their parity; what we send always
//! repeats. Packets are handed on in the order of their numbers, each once.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// The largest datagram that is looked at.
const MAX_DATAGRAM: usize = 2048;
/// Most earlier packets in one datagram.
const MAX_SECONDARY: usize = 32;
/// Most packets that wait for an earlier one.
const MAX_AHEAD: usize = 32;
/// How long they wait: as long as a datagram may be overtaken.
const WAIT: Duration = Duration::from_millis(60);
/// Packets kept to compute a lost one from parity.
const KEPT: u16 = 64;
/// So many datagrams of another time make a new beginning.
const STRAYS: u8 = 3;
/// Most entries of parity, and most packets that one of them spans.
const MAX_PARITY: usize = 16;

/// What mends losses.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Recovery<'a> {
    /// Earlier packets, the latest first.
    Secondary(Vec<&'a [u8]>),
    /// Parity over `span` packets in each entry.
    Parity { span: usize, entries: Vec<&'a [u8]> },
}

/// A datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    sequence: u16,
    primary: &'a [u8],
    recovery: Recovery<'a>,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A length determinant (X.691 11.9); fragments, which begin at 16K, fit no datagram.
    fn length(&mut self) -> Option<usize> {
        match self.octet()? {
            short @ 0..=0x7F => Some(short.into()),
            long @ 0x80..=0xBF => Some(usize::from(long & 0x3F) << 8 | usize::from(self.octet()?)),
            _ => None,
        }
    }

    fn field(&mut self) -> Option<&'a [u8]> {
        let len = self.length()?;
        let (field, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(field)
    }

    /// An unconstrained whole number that should be small.
    fn number(&mut self) -> Option<usize> {
        match self.field()? {
            [number] => Some((*number).into()),
            _ => None,
        }
    }
}

/// Takes a datagram apart. `None`: it is none.
pub(super) fn parse(bytes: &[u8]) -> Option<Datagram<'_>> {
    if bytes.len() > MAX_DATAGRAM {
        return None;
    }
    let mut reader = Reader(bytes);
    let sequence = u16::from_be_bytes([reader.octet()?, reader.octet()?]);
    let primary = reader.field()?;
    let recovery = if reader.octet()? & 0x80 == 0 {
        let count = reader.length().filter(|count| *count <= MAX_SECONDARY)?;
        Recovery::Secondary((0..count).map(|_| reader.field()).collect::<Option<_>>()?)
    } else {
        let span = reader.number()?;
        let count = reader.length()?;
        if span > MAX_PARITY || count > MAX_PARITY {
            return None;
        }
        let entries = (0..count).map(|_| reader.field()).collect::<Option<_>>()?;
        Recovery::Parity { span, entries }
    };
    Some(Datagram { sequence, primary, recovery })
}

/// Puts packets into datagrams.
#[derive(Debug)]
pub(super) struct Sender {
    redundancy: usize,
    max_datagram: usize,
    sequence: u16,
    sent: VecDeque<Vec<u8>>,
    last: Option<Vec<u8>>,
}

impl Sender {
    /// One that repeats `redundancy` (1 to 7) earlier packets, as far as a datagram has room.
    pub(super) fn new(redundancy: u8, max_datagram: u16) -> Self {
        Self {
            redundancy: redundancy.clamp(1, 7).into(),
            max_datagram: usize::from(max_datagram).min(MAX_DATAGRAM),
            sequence: 0,
            sent: VecDeque::new(),
            last: None,
        }
    }

    /// The datagram for a packet of at most 16,383 bytes.
    pub(super) fn wrap(&mut self, ifp: &[u8]) -> Vec<u8> {
        let mut datagram = self.sequence.to_be_bytes().to_vec();
        push(&mut datagram, ifp);
        let room = self.max_datagram.saturating_sub(datagram.len() + 2);
        let mut repeated = Vec::new();
        let mut count = 0;
        for earlier in &self.sent {
            let before = repeated.len();
            push(&mut repeated, earlier);
            if repeated.len() > room {
                repeated.truncate(before);
                break;
            }
            count += 1;
        }
        datagram.extend([0, count]);
        datagram.extend(repeated);
        self.sequence = self.sequence.wrapping_add(1);
        self.sent.push_front(ifp.to_owned());
        self.sent.truncate(self.redundancy);
        self.last = Some(datagram.clone());
        datagram
    }

    /// The last datagram, to be sent again where no other follows.
    pub(super) fn last(&self) -> Option<&[u8]> {
        self.last.as_deref()
    }
}

fn push(to: &mut Vec<u8>, field: &[u8]) {
    let len = field.len().min(0x3FFF);
    if len < 0x80 {
        to.push(len as u8);
    } else {
        to.extend([0x80 | (len >> 8) as u8, (len & 0xFF) as u8]);
    }
    to.extend(&field[..len]);
}

/// Brings what comes into order.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    /// The number that is awaited; anything, before the first datagram.
    expected: Option<u16>,
    /// What came from the awaited one on.
    ahead: VecDeque<Option<Vec<u8>>>,
    /// Since when the awaited one is missing while later ones wait.
    missing_since: Option<Duration>,
    strays: u8,
    /// Somebody else sends, who may count from anywhere.
    anew: bool,
    /// By how much the numbers that are handed on are higher than those that come.
    shift: u16,
    /// What came lately, by number, for parity.
    kept: BTreeMap<u16, Vec<u8>>,
    /// How many packets never came.
    pub(super) lost: u32,
}

impl Receiver {
    /// Takes a datagram, and gives the packets that are ready now.
    pub(super) fn take(
        &mut self,
        datagram: &Datagram<'_>,
        now: Duration,
        out: &mut Vec<(u16, Vec<u8>)>,
    ) {
        let sequence = datagram.sequence;
        let expected = *self.expected.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(expected) as i16;
        if std::mem::take(&mut self.anew) && !(0..MAX_AHEAD as i16).contains(&ahead) {
            self.go_on_with(sequence, out);
        } else if ahead.unsigned_abs() as usize > 8 * MAX_AHEAD {
            self.strays += 1;
            if self.strays < STRAYS {
                return;
            }
            self.flush(out);
            self.kept.clear();
            self.expected = Some(sequence);
        }
        self.strays = 0;
        // Those that are so far behind are given up.
        while self.offset(sequence) >= MAX_AHEAD as i16 {
            self.give_up(out);
        }
        self.keep(sequence, datagram.primary);
        match &datagram.recovery {
            Recovery::Secondary(earlier) => {
                for (back, ifp) in (1..).zip(earlier) {
                    self.keep(sequence.wrapping_sub(back), ifp);
                }
            }
            Recovery::Parity { span, entries } => self.mend(sequence, *span, entries),
        }
        self.hand_on(now, out);
    }

    /// Somebody else sends from now on.
    pub(super) fn await_any(&mut self) {
        self.anew = true;
    }

    /// Whoever counts in another way: for the one who is handed the packets the numbers go
    /// on after a gap, for a step back would be a repetition to it.
    fn go_on_with(&mut self, sequence: u16, out: &mut Vec<(u16, Vec<u8>)>) {
        self.flush(out);
        self.kept.clear();
        self.missing_since = None;
        if let Some(awaited) = self.expected.replace(sequence) {
            let next = awaited.wrapping_add(self.shift).wrapping_add(1);
            self.shift = next.wrapping_sub(sequence);
        }
    }

    /// Gives what has waited long enough.
    pub(super) fn wait(&mut self, now: Duration, out: &mut Vec<(u16, Vec<u8>)>) {
        if self.missing_since.is_some_and(|since| now.saturating_sub(since) >= WAIT) {
            self.give_up(out);
            self.hand_on(now, out);
        }
    }

    fn offset(&self, sequence: u16) -> i16 {
        sequence.wrapping_sub(self.expected.unwrap_or(sequence)) as i16
    }

    fn keep(&mut self, sequence: u16, ifp: &[u8]) {
        let Ok(offset) = usize::try_from(self.offset(sequence)) else { return };
        if offset >= MAX_AHEAD || ifp.is_empty() {
            return;
        }
        while self.ahead.len() <= offset {
            self.ahead.push_back(None);
        }
        self.ahead[offset].get_or_insert_with(|| ifp.to_owned());
    }

    /// A packet that came, whether or not it was handed on.
    fn known(&self, sequence: u16) -> Option<&[u8]> {
        let waiting = usize::try_from(self.offset(sequence)).ok();
        let waiting = waiting.and_then(|offset| self.ahead.get(offset)?.as_deref());
        waiting.or_else(|| self.kept.get(&sequence).map(Vec::as_slice))
    }

    /// Entry m is the parity of every n-th packet of the `span` * n before, where n is the
    /// number of entries.
    fn mend(&mut self, sequence: u16, span: usize, entries: &[&[u8]]) {
        let step = entries.len() as u16;
        for (at, parity) in (0u16..).zip(entries) {
            let oldest = sequence.wrapping_sub(span as u16 * step).wrapping_add(at);
            let covered = (0..span as u16).map(|k| oldest.wrapping_add(k * step));
            let mut missing = covered.clone().filter(|number| self.known(*number).is_none());
            let (Some(lost), None) = (missing.next(), missing.next()) else { continue };
            let mut ifp = parity.to_vec();
            for other in covered.filter(|number| *number != lost) {
                for (octet, by) in ifp.iter_mut().zip(self.known(other).unwrap_or_default()) {
                    *octet ^= by;
                }
            }
            self.keep(lost, &ifp);
        }
    }

    /// Hands on what is complete from the awaited packet on.
    fn hand_on(&mut self, now: Duration, out: &mut Vec<(u16, Vec<u8>)>) {
        while let Some(Some(_)) = self.ahead.front() {
            self.step(out);
        }
        self.missing_since = match (self.ahead.is_empty(), self.missing_since) {
            (true, _) => None,
            (false, since) => since.or(Some(now)),
        };
    }

    /// Goes over the packets that are missing, to the next that is there.
    fn give_up(&mut self, out: &mut Vec<(u16, Vec<u8>)>) {
        self.missing_since = None;
        loop {
            let there = matches!(self.ahead.front(), Some(Some(_)));
            self.step(out);
            if there || self.ahead.is_empty() {
                return;
            }
        }
    }

    /// The awaited number is over.
    fn step(&mut self, out: &mut Vec<(u16, Vec<u8>)>) {
        let Some(number) = self.expected else { return };
        match self.ahead.pop_front().flatten() {
            Some(ifp) => {
                self.kept.insert(number, ifp.clone());
                out.push((number.wrapping_add(self.shift), ifp));
            }
            None => self.lost += 1,
        }
        self.kept.remove(&number.wrapping_sub(KEPT));
        self.expected = Some(number.wrapping_add(1));
    }

    fn flush(&mut self, out: &mut Vec<(u16, Vec<u8>)>) {
        while !self.ahead.is_empty() {
            self.step(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn take(receiver: &mut Receiver, bytes: &[u8], now: Duration) -> Vec<(u16, Vec<u8>)> {
        let mut out = Vec::new();
        receiver.take(&parse(bytes).unwrap(), now, &mut out);
        out
    }

    #[test]
    fn octets_are_those_of_the_recommendation() {
        let mut sender = Sender::new(1, 400);
        assert_eq!(sender.wrap(&[1, 2]), [0, 0, 2, 1, 2, 0, 0]);
        assert_eq!(sender.wrap(&[3]), [0, 1, 1, 3, 0, 1, 2, 1, 2]);
        let long = sender.wrap(&[9; 300]);
        assert_eq!((&long[..4], &long[304..]), (&[0, 2, 0x81, 0x2C][..], &[0, 1, 1, 3][..]));
        // What has no room is left out.
        assert_eq!(
            sender.wrap(&[4])[2..],
            [1, 4, 0, 1, 0x81, 0x2C].into_iter().chain([9; 300]).collect::<Vec<u8>>()
        );
        assert_eq!(Sender::new(3, 10).wrap(&[7; 20]).len(), 25);
    }

    #[test]
    fn what_is_no_datagram_is_refused() {
        for bytes in [
            &[][..],
            &[0, 0],
            &[0, 0, 3, 1, 2],
            &[0, 0, 1, 1],
            &[0, 0, 1, 1, 0],
            &[0, 0, 1, 1, 0, 1],
            &[0, 0, 1, 1, 0, 33],
            &[0, 0, 0xC1, 1, 0, 0],
            &[0, 0, 1, 1, 0x80, 2, 1, 1, 0],
            &[0, 0, 1, 1, 0x80, 1, 17, 0],
        ] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn packets_come_once_and_in_order_whatever_is_lost_or_shuffled() {
        for redundancy in [1, 3] {
            let mut sender = Sender::new(redundancy, 400);
            sender.sequence = u16::MAX - 3;
            let sent: Vec<Vec<u8>> = (0..12).map(|n| sender.wrap(&[n])).collect();
            for order in [
                vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
                vec![0, 2, 1, 3, 3, 5, 4, 7, 9, 11, 8],
                vec![0, 2, 4, 6, 8, 10, 11, 0, 1],
            ] {
                let mut receiver = Receiver::default();
                let mut got = Vec::new();
                for at in order {
                    got.extend(take(&mut receiver, &sent[at], NOW));
                }
                let payloads: Vec<u8> = got.iter().map(|(_, ifp)| ifp[0]).collect();
                assert_eq!(payloads, (0..12).collect::<Vec<u8>>());
                assert_eq!(receiver.lost, 0);
            }
        }
    }

    #[test]
    fn a_lost_packet_is_waited_for_and_given_up() {
        let mut receiver = Receiver::default();
        let plain = |n: u8| [0, n, 1, n, 0, 0];
        assert_eq!(take(&mut receiver, &plain(0), NOW), [(0, vec![0])]);
        assert_eq!(take(&mut receiver, &plain(2), NOW), []);
        assert_eq!(take(&mut receiver, &plain(1), NOW), [(1, vec![1]), (2, vec![2])]);
        assert_eq!(take(&mut receiver, &plain(5), NOW), []);
        let mut out = Vec::new();
        receiver.wait(NOW + WAIT / 2, &mut out);
        assert_eq!(out, []);
        receiver.wait(NOW + WAIT, &mut out);
        assert_eq!((out, receiver.lost), (vec![(5, vec![5])], 2));
        // Too late.
        assert_eq!(take(&mut receiver, &plain(4), NOW), []);
        // So many cannot be waited for.
        assert_eq!(take(&mut receiver, &plain(7), NOW), []);
        assert_eq!(take(&mut receiver, &plain(60), NOW), [(7, vec![7])]);
    }

    #[test]
    fn parity_mends_one_loss_in_each_entry() {
        let (one, two) = ([0xC0, 1, 2, 3], [0x06, 0, 0, 9]);
        let parity: Vec<u8> = one.iter().zip(two).map(|(a, b)| a ^ b).collect();
        let plain = |n: u8, ifp: &[u8]| [&[0, n, ifp.len() as u8][..], ifp, &[0, 0]].concat();
        // One entry over the two packets before.
        let mend = [&[0, 3, 1, 0x02, 0x80, 1, 2, 1, 4][..], &parity].concat();
        let mut receiver = Receiver::default();
        assert_eq!(take(&mut receiver, &plain(0, &[0]), NOW).len(), 1);
        assert_eq!(take(&mut receiver, &plain(1, &one), NOW).len(), 1);
        let got = take(&mut receiver, &mend, NOW);
        assert_eq!(got, [(2, two.to_vec()), (3, vec![0x02])]);
        // Two losses are too many.
        let mut receiver = Receiver::default();
        assert_eq!(take(&mut receiver, &plain(0, &[0]), NOW).len(), 1);
        assert_eq!(take(&mut receiver, &mend, NOW), []);
    }

    #[test]
    fn another_beginning_is_believed_when_it_is_repeated() {
        let mut receiver = Receiver::default();
        take(&mut receiver, &[0, 9, 1, 1, 0, 0], NOW);
        for n in 0..2u8 {
            assert_eq!(take(&mut receiver, &[0x70, n, 1, n, 0, 0], NOW), []);
        }
        assert_eq!(take(&mut receiver, &[0x70, 2, 1, 2, 0, 0], NOW), [(0x7002, vec![2])]);
    }

    #[test]
    fn somebody_else_who_counts_from_anywhere_is_understood_at_once() {
        let plain = |n: u8| [0, n, 1, n, 0, 0];
        for (first, handed_on) in [(0, [102, 103]), (90, [102, 103]), (101, [101, 102])] {
            let mut receiver = Receiver::default();
            assert_eq!(take(&mut receiver, &plain(100), NOW), [(100, vec![100])]);
            receiver.await_any();
            let got = [first, first + 1].map(|n| take(&mut receiver, &plain(n), NOW).remove(0).0);
            assert_eq!(got, handed_on, "{first}");
        }
    }
}
