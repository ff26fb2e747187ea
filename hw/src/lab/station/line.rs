//! One line of the station: it looks for work by itself, places one call at a time,
//! and takes in what its machine receives.
//!
//! The spool is written here between awaits, a few milliseconds each time: that is
//! no place for heavy traffic, and the station is none.

use std::{fs, io, sync::Arc, time::Duration};

use postfax_domain::{outcome::Outcome, redacted::Redacted};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};

use super::{
    events::{
        Event, JOB_ACTIVE, JOB_DEAD, RECEIVE_BEGUN, RECEIVE_DOCUMENT, RECEIVE_ENDED, SEND_BEGUN,
        SEND_CALLING, SEND_CONNECTED, SEND_DONE, SEND_ENDED, SEND_PAGE, SEND_REQUEUED,
    },
    job::{Job, State},
    office::{Doing, Office},
    spool::{Received, now_s},
};
use crate::exchange::{CallProgress, CallResult, Machine, ReceivedFax, Sending};
use crate::lab::tiff;

/// How often a line looks for work when nobody wakes it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a job waits when its line was busy with a call that came in.
const LINE_BUSY_S: i64 = 2;
/// How long a job waits for its next dial when it does not say.
const RETRY_S: i64 = 180;
/// How much progress may wait to be told.
const PROGRESS: usize = 64;

/// Works until the exchange ends or the station closes, and gives the machine back.
pub(super) async fn work(
    office: Arc<Office>,
    line: usize,
    mut machine: Machine,
    mut closing: watch::Receiver<bool>,
) -> (usize, Machine) {
    while !*closing.borrow() {
        // Listening begins before the look, so that no wake-up falls between.
        let woken = office.work.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        match office.claim(line) {
            Ok(Some((job, stopped))) => {
                call(&office, line, &machine, &job, stopped, &mut closing).await;
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the station's spool cannot be used"),
        }
        tokio::select! {
            fax = machine.received() => match fax {
                None => break,
                Some(fax) => {
                    office.does(line, Doing::Receiving);
                    if let Err(error) = take_in(&office, line, &fax) {
                        tracing::warn!(%error, "a received fax could not be kept");
                    }
                    office.does(line, Doing::Nothing);
                }
            },
            () = &mut woken => {}
            () = sleep(LOOK_EVERY) => {}
            _ = closing.changed() => {}
        }
    }
    (line, machine)
}

async fn call(
    office: &Office,
    line: usize,
    machine: &Machine,
    job: &Job,
    stopped: oneshot::Receiver<State>,
    closing: &mut watch::Receiver<bool>,
) {
    let id = job.id;
    office.does(line, Doing::Sending { job: id });
    office.tell(Event::job(JOB_ACTIVE, id, "Activated"));
    office.tell(Event::send(SEND_BEGUN, id, "Begin attempt"));
    let (result, stop) = match &job.document {
        Some(document) if job.total_pages > 0 => {
            let document = office.spool.path("docq", document);
            talk(office, machine, job, &document, stopped, closing).await
        }
        _ => (None, None),
    };
    office.call_ends(id);
    if let Some(result) = &result
        && let Err(error) = office.spool.log(&charged(&office.lines[line], job, result))
    {
        tracing::warn!(%error, job = id, "a call is missing in the log");
    }
    let settled = office.spool.change(id, |job| settle(job, result.as_ref(), stop, now_s()));
    office.does(line, Doing::Nothing);
    office.tell(Event::send(SEND_ENDED, id, "Finished attempt"));
    match settled {
        Ok(Some(State::Done)) => {
            office.tell(Event::send(SEND_DONE, id, "Job completed successfully"));
        }
        Ok(Some(State::Failed)) => office.tell(Event::job(JOB_DEAD, id, "Marked dead")),
        Ok(Some(_)) => office.tell(Event::send(SEND_REQUEUED, id, "Requeue job")),
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, job = id, "the end of a call could not be noted"),
    }
}

/// The call itself. It is hung up when someone says so, and its result is waited for
/// all the same.
async fn talk(
    office: &Office,
    machine: &Machine,
    job: &Job,
    document: &std::path::Path,
    mut stopped: oneshot::Receiver<State>,
    closing: &mut watch::Receiver<bool>,
) -> (Option<CallResult>, Option<State>) {
    let number = job.value("DIALSTRING");
    let subaddress = job.value("SUBADDR");
    tracing::debug!(job = job.id, number = %Redacted(&number), "the station calls");
    let (progress, mut news) = mpsc::channel(PROGRESS);
    let placed = machine.call(Sending {
        number: &number,
        tiff: document,
        subaddress: (!subaddress.is_empty()).then_some(subaddress.as_str()),
        ecm: job.value("USEECM").eq_ignore_ascii_case("yes"),
        progress: Some(progress),
    });
    let mut stop = None;
    loop {
        tokio::select! {
            step = news.recv() => match step {
                Some(step) => follow(office, job.id, step),
                // The exchange lets go of it when the call is over.
                None => break,
            },
            wanted = &mut stopped, if stop.is_none() => {
                stop = Some(wanted.unwrap_or(State::Failed));
                placed.hang_up();
            }
            _ = closing.changed(), if stop.is_none() => {
                stop = Some(State::Pending);
                placed.hang_up();
            }
        }
    }
    (Some(placed.result().await), stop)
}

fn follow(office: &Office, id: u32, step: CallProgress) {
    match step {
        CallProgress::Ringing => office.tell(Event::send(SEND_CALLING, id, "Call placed")),
        CallProgress::Connected => {
            office.tell(Event::send(SEND_CONNECTED, id, "Connected to remote device"));
        }
        CallProgress::Page(pages) => {
            // A page count that is lost here comes again with the result.
            office.spool.change(id, |job| job.pages_sent = pages).ok();
            office.tell(Event::send(SEND_PAGE, id, &format!("Page {pages} sent")));
        }
    }
}

/// What a call's end means for its job; `None` as a result: there was nothing to send.
fn settle(job: &mut Job, result: Option<&CallResult>, stop: Option<State>, now_s: i64) -> State {
    let Some(result) = result else {
        job.fail(323, "Document format is not recognized", now_s);
        return job.state;
    };
    job.pages_sent = result.pages_confirmed;
    job.remote = result.remote_id.clone().unwrap_or_default();
    job.bit_rate = result.bit_rate;
    match (result.outcome, stop) {
        (Outcome::Delivered, _) => {
            job.dials += 1;
            job.tries += 1;
            job.state = State::Done;
            job.status_code = 0;
            job.status = String::new();
            job.due_s = now_s;
        }
        (_, Some(held @ (State::Suspended | State::Pending))) => job.state = held,
        (_, Some(_)) => job.fail(345, "Job aborted by request", now_s),
        (Outcome::LinesBusy, None) => {
            job.state = State::Pending;
            job.due_s = now_s + LINE_BUSY_S;
        }
        (outcome, None) => fall_through(job, outcome, result.remote_id.is_some(), now_s),
    }
    job.state
}

/// A dial that came to nothing: another one, or the end.
fn fall_through(job: &mut Job, outcome: Outcome, connected: bool, now_s: i64) {
    job.dials += 1;
    job.tries += u32::from(connected);
    let (code, words) = in_hylafax_words(outcome);
    // As with HylaFAX, the cause is then in the words alone.
    if job.dials >= job.number("MAXDIALS") {
        job.fail(333, format!("{words}; too many attempts to dial"), now_s);
        return;
    }
    if job.tries >= job.number("MAXTRIES") {
        job.fail(334, format!("{words}; too many attempts to send"), now_s);
        return;
    }
    job.state = State::Sleeping;
    job.status_code = code;
    words.clone_into(&mut job.status);
    let interval = job.value("RETRYTIME").parse::<i64>().unwrap_or(0);
    let interval_s = interval / 100 * 60 + interval % 100;
    job.due_s = now_s + if interval_s > 0 { interval_s } else { RETRY_S };
}

/// The number and the words that HylaFAX has for an outcome.
fn in_hylafax_words(outcome: Outcome) -> (u16, &'static str) {
    match outcome {
        Outcome::Busy => (1, "Busy signal detected"),
        Outcome::NoFaxMachine => (2, "No carrier detected"),
        Outcome::NoAnswer => (3, "No answer from remote"),
        Outcome::NoDialTone => (4, "No local dialtone"),
        Outcome::NoHandshake => (126, "No receiver protocol (T.30 T1 timeout)"),
        Outcome::RemoteRefused => (124, "COMREC error in transmit Phase B/got DCN"),
        Outcome::Disconnected => (128, "Remote fax disconnected prematurely"),
        Outcome::PageRejected => (130, "Unable to transmit page (giving up after RTN)"),
        Outcome::OperatorInterrupt => (129, "Procedure interrupt"),
        other => (other.row().hylafax.first().copied().unwrap_or(303), other.text()),
    }
}

/// Brings a received fax into the spool.
fn take_in(office: &Office, line: usize, fax: &ReceivedFax) -> io::Result<()> {
    let about = &office.lines[line];
    office.tell(Event::receive(RECEIVE_BEGUN, &about.name, "Begin"));
    let file = office.spool.next_received()?;
    let path = office.spool.path("recvq", &file);
    fs::copy(&fax.tiff, &path)?;
    let bytes = fs::read(&path)?;
    let tsi = fax.tsi.clone().unwrap_or_default();
    let text = format!("From {tsi}, {} pages, file recvq/{file}", fax.pages);
    office.spool.log(&accounted(about, &file, fax))?;
    office.spool.receive(Received {
        line: about.name.clone(),
        tsi,
        caller: fax.caller.clone(),
        called: fax.called.clone(),
        subaddress: fax.subaddress.clone().unwrap_or_default(),
        pages: tiff::count_pages(&bytes).unwrap_or(fax.pages),
        seconds: fax.duration.as_secs(),
        bit_rate: fax.bit_rate,
        resolution: tiff::lines_an_inch(&bytes).unwrap_or(0),
        size: bytes.len() as u64,
        received_s: now_s(),
        error: if fax.complete { String::new() } else { "The call ended too early".into() },
        file,
    })?;
    // It is durable in the spool now: the exchange's copy only takes room.
    fs::remove_file(&fax.tiff).ok();
    office.tell(Event::receive(RECEIVE_DOCUMENT, &about.name, &text));
    office.tell(Event::receive(RECEIVE_ENDED, &about.name, "End"));
    Ok(())
}

/// A line of the accounting log for a call of ours; clients look there how long it took. The
/// time is that of the audio, which runs faster here than it would on a real line.
fn charged(line: &super::office::Line, job: &Job, result: &CallResult) -> String {
    let seconds = result.duration.as_secs();
    let reason = match result.outcome {
        Outcome::Delivered => "",
        outcome => in_hylafax_words(outcome).1,
    };
    format!(
        "-\tSEND\t{}\t{}\t{}\t\"{}\"\tfax\t\"{}\"\t\"{}\"\t{}\t{}\t{seconds}\t{seconds}\t\"{reason}\"\n",
        job.value("COMMID"),
        line.name,
        job.id,
        job.value("JOBINFO"),
        job.value("DIALSTRING"),
        result.remote_id.as_deref().unwrap_or_default(),
        result.bit_rate,
        result.pages_confirmed,
    )
}

/// A line of the accounting log; clients look there for the line and the number called.
fn accounted(line: &super::office::Line, file: &str, fax: &ReceivedFax) -> String {
    let tsi = fax.tsi.as_deref().unwrap_or_default();
    format!(
        "-\tRECV\t000000000\t{}\t{file}\t\"\"\tfax\t\"{}\"\t\"{tsi}\"\t{}\t{}\t0:00\t{}\t\"\"\n",
        line.name,
        fax.called,
        fax.bit_rate,
        fax.pages,
        fax.duration.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(outcome: Outcome, pages: u32) -> CallResult {
        CallResult {
            outcome,
            pages_confirmed: pages,
            remote_id: None,
            bit_rate: 0,
            duration: Duration::ZERO,
        }
    }

    #[test]
    fn a_call_settles_its_job() {
        // outcome, stopped by, dials allowed; state, code, dials counted
        let cases = [
            (Outcome::Delivered, None, 1, State::Done, 0, 1),
            (Outcome::Delivered, Some(State::Failed), 1, State::Done, 0, 1),
            (Outcome::Busy, None, 1, State::Failed, 333, 1),
            (Outcome::Busy, None, 2, State::Sleeping, 1, 1),
            (Outcome::NoAnswer, None, 1, State::Failed, 333, 1),
            (Outcome::NoFaxMachine, None, 1, State::Failed, 333, 1),
            (Outcome::NoDialTone, None, 1, State::Failed, 333, 1),
            (Outcome::Disconnected, Some(State::Failed), 1, State::Failed, 345, 0),
            (Outcome::Disconnected, Some(State::Suspended), 1, State::Suspended, 0, 0),
            (Outcome::Disconnected, Some(State::Pending), 1, State::Pending, 0, 0),
            (Outcome::LinesBusy, None, 1, State::Pending, 0, 0),
        ];
        for (outcome, stop, dials, state, code, counted) in cases {
            let mut job = Job::new(1, "x");
            job.set("MAXDIALS", &dials.to_string()).unwrap();
            job.state = State::Active;
            let end = settle(&mut job, Some(&result(outcome, 2)), stop, 100);
            assert_eq!((end, job.status_code, job.dials), (state, code, counted), "{outcome:?}");
            assert_eq!(job.pages_sent, 2);
        }
    }

    #[test]
    fn every_outcome_of_a_call_is_read_back_as_itself() {
        use postfax_domain::outcome::{Class, TABLE};
        for row in TABLE.iter().filter(|row| !row.hylafax.is_empty() && row.class != Class::Done) {
            assert_eq!(Outcome::from_hylafax(in_hylafax_words(row.outcome).0), row.outcome);
        }
    }
}
