//! Dialogs in the protocol, word for word, held with the station and, where it is
//! installed, with a real HylaFAX too: what is written here is what both say.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    time::Duration,
};

use super::{
    super::{client::Client, hylafax},
    Options, Station,
    format::date,
    spool::now_s,
};

/// Makes a job that is to be sent tomorrow.
fn draft(client: &mut Client, tag: &str) -> String {
    let tomorrow = date(now_s() + 86_400).replace(['/', '.', ' '], "");
    let document = client.upload(b"II*\0\x08\0\0\0\0\0\0\0\0\0");
    let reply = client.say("JNEW");
    let id = reply
        .strip_prefix("200 New job created: jobid: ")
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_else(|| panic!("{reply}"))
        .to_owned();
    for (name, value) in [
        ("FROMUSER", "anna"),
        ("DIALSTRING", "+15550009999"),
        ("EXTERNAL", "+15550009999"),
        ("NOTIFYADDR", "gw@localhost"),
        ("MAXDIALS", "1"),
        ("SENDTIME", &tomorrow[..12]),
        ("LASTTIME", "000100"),
        ("JOBINFO", tag),
    ] {
        let reply = client.say(&format!("JPARM {name} \"{value}\""));
        assert!(reply.starts_with("213 "), "{name}: {reply}");
    }
    let added = client.say(&format!("JPARM DOCUMENT {document}"));
    assert!(added.starts_with(&format!("200 Added document {document} as docq/")), "{added}");
    id
}

fn options(dir: &Path) -> Options {
    Options {
        dir: dir.to_owned(),
        port: 0,
        answering: 0,
        user: "postfax".into(),
        password: "letmein".into(),
        admin_password: "letmeadmin".into(),
        station_id: "station".into(),
    }
}

/// Holds the dialog with the station, and with a real HylaFAX where there is one.
fn with_both(dialog: fn(u16)) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let station = runtime.block_on(Station::start(options(dir.path()), vec![])).unwrap();
    dialog(station.port());
    runtime.block_on(station.stop());
    if !(hylafax::installed() && hylafax::permitted()) {
        eprintln!("SKIPPED, NOT TESTED: the same dialog with a real HylaFAX (package, root)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = hylafax::Hylafax::start(hylafax::Options {
        dir: dir.path().to_owned(),
        port: super::super::error::free_port().unwrap(),
        modems: vec![],
        answering: 0,
        user: "postfax".into(),
        password: "letmein".into(),
        admin_password: "letmeadmin".into(),
        station_id: "real".into(),
    })
    .unwrap();
    dialog(server.port());
}

#[test]
fn a_dialog_without_data_is_word_for_word() {
    with_both(|port| {
        let mut client = Client::connect(port);
        for (line, reply) in [
            ("JNEW", "530 Please login with USER and PASS."),
            ("USER postfax", "331 Password required for postfax."),
            ("PASS wrong", "530 Login incorrect."),
            ("USER postfax", "331 Password required for postfax."),
            ("PASS letmein", "230 User postfax logged in."),
            ("TZONE GMT", "200 Using time values in GMT."),
            ("TYPE I", "200 Type set to Image."),
            ("TYPE X", "504 Type X not supported."),
            ("MODE S", "200 Mode set to Stream."),
            ("STRU F", "200 Structure set to File."),
            ("FORM TIFF", "200 Format set to TIFF."),
            ("IDLE 600", "213 Idle timeout set to 600."),
            ("IDLE", "213 600 seconds."),
            ("NOOP", "200 NOOP command successful."),
            ("XYZZY", "500 XYZZY: Command not recognized."),
            ("SITE XYZZY", "500 SITE XYZZY: Command not recognized."),
            ("JOB", "200 Current job: (default)."),
            (
                "JOB 4711",
                "500 Cannot set job 4711; job does not exist (No such file or directory).",
            ),
            (
                "JKILL 4711",
                "500 Cannot kill job 4711; job does not exist (No such file or directory).",
            ),
            ("JSUBM", "504 Cannot submit default job."),
            ("JNEW", "200 New job created: jobid: 1 groupid: 1."),
            ("JOB", "200 Current job: jobid: 1 groupid: 1."),
            ("JPARM FROMUSER \"Anna \\\"B\\\"\"", "213 FROMUSER set to \"Anna \"B\"\"."),
            ("JPARM FROMUSER", "213 Anna \"B\""),
            ("JPARM MAXDIALS 1", "213 MAXDIALS set to 1."),
            ("JPARM LASTTIME 000010", "213 LASTTIME set to 000010."),
            ("JPARM NOTIFY none", "213 NOTIFY set to \"none\"."),
            ("JPARM USETAGLINE NO", "213 USETAGLINE set to NO."),
            ("JPARM DATAFORMAT ANY", "503 Unknown DATAFORMAT value ANY."),
            ("JPARM COLOUR red", "500 JPARM COLOUR: Parameter not recognized."),
            ("JPARM DOCUMENT /tmp/nothing", "550 /tmp/nothing: No such file or directory."),
            ("JPARM DOCUMENT", "213 End of documents."),
            ("JPARM STATE", "213 SUSPENDED"),
            ("JPARM STATUSCODE", "213 000"),
            ("JPARM JOBID", "213 1"),
            ("JPARM OWNER", "213 postfax"),
            ("JSUBM", "504 Cannot submit job 1; null or missing DIALSTRING parameter."),
            ("RETR", "500 'RETR': Syntax error, expecting <SP>."),
            ("ADMIN letmeadmin", "230 Administrative privileges established."),
            ("SIZE recvq/no.tif", "550 recvq/no.tif: not a plain file."),
            ("DELE recvq/no.tif", "550 recvq/no.tif: No such file or directory."),
            ("QUIT", "221 Goodbye."),
        ] {
            assert_eq!(client.say(line), reply, "{line}");
        }
    });
}

#[test]
fn a_job_is_submitted_found_by_its_tag_killed_and_forgotten() {
    with_both(|port| {
        let mut client = Client::log_in(port);
        let id = draft(&mut client, "tag-1");
        assert_eq!(client.say("JSUBM"), format!("200 Job {id} submitted."));
        // Another client finds it, whatever became of the first.
        drop(client);
        let mut client = Client::log_in(port);
        client.say("JOBFMT \"%j\\037%e\\037%J\\037%p\"");
        let listed = format!("{id}\u{1f}+15550009999\u{1f}tag-1\u{1f}0\r\n");
        assert_eq!(client.list("sendq"), listed);
        assert_eq!(client.list("doneq"), "");
        assert_eq!(client.say(&format!("JKILL {id}")), format!("200 Job {id} killed."));
        assert_eq!(client.list("doneq"), listed);
        assert_eq!(client.list("sendq"), "");
        assert_eq!(
            client.say(&format!("JKILL {id}")),
            format!("504 Job {id} not killed; already done.")
        );
        client.say(&format!("JOB {id}"));
        assert_eq!(client.say("JPARM STATE"), "213 FAILED");
        assert_eq!(client.say("JPARM STATUS"), "213 Job aborted by request");
        assert_eq!(client.say("JPARM STATUSCODE"), "213 345");
        let file = String::from_utf8(client.fetch(&format!("RETR /doneq/q{id}"))).unwrap();
        for line in ["state:8", "npages:0", "jobtag:tag-1", "statuscode:345"] {
            assert!(file.lines().any(|said| said == line), "{line} in {file}");
        }
        let gone = format!("200 Job {id} deleted; current job: (default).");
        assert_eq!(client.say(&format!("JDELE {id}")), gone);
        assert!(client.say(&format!("JOB {id}")).starts_with("500 "));
        assert_eq!(client.list("doneq"), "");
    });
}

#[test]
fn a_suspended_job_can_be_altered_and_goes_on() {
    with_both(|port| {
        let mut client = Client::log_in(port);
        let id = draft(&mut client, "tag-2");
        client.say("JSUBM");
        assert_eq!(client.say(&format!("JSUSP {id}")), format!("200 Job {id} suspended."));
        // HylaFAX notices a change of a job within the same second only by chance.
        std::thread::sleep(Duration::from_millis(2_100));
        let mut other = Client::log_in(port);
        other.say(&format!("JOB {id}"));
        assert_eq!(other.say("JPARM STATE"), "213 SUSPENDED");
        assert_eq!(other.say("JPARM MAXDIALS 3"), "213 MAXDIALS set to 3.");
        assert_eq!(other.say(&format!("JSUBM {id}")), format!("200 Job {id} submitted."));
        std::thread::sleep(Duration::from_millis(2_100));
        let mut other = Client::log_in(port);
        other.say(&format!("JOB {id}"));
        assert_eq!(other.say("JPARM MAXDIALS"), "213 3");
        assert!(other.say(&format!("JKILL {id}")).starts_with("200 "));
    });
}

#[test]
fn what_was_not_submitted_goes_with_its_client() {
    with_both(|port| {
        let mut client = Client::log_in(port);
        let id = draft(&mut client, "tag-3");
        assert_eq!(client.say("QUIT"), "221 Goodbye.");
        drop(client);
        std::thread::sleep(Duration::from_millis(300));
        let mut client = Client::log_in(port);
        assert!(client.say(&format!("JOB {id}")).starts_with("500 "));
        client.say("ADMIN letmeadmin");
        client.say("FILEFMT %f");
        assert_eq!(client.list("tmp"), "");
    });
}

#[test]
fn files_outside_the_spool_are_out_of_reach() {
    with_both(|port| {
        let mut client = Client::log_in(port);
        for path in ["/etc/passwd", "../../etc/passwd", "recvq/../../../etc/passwd", "/etc/config"]
        {
            let reply = {
                let _data = client.data();
                client.say(&format!("RETR {path}"))
            };
            assert!(reply.starts_with("550 "), "{path}: {reply}");
        }
        assert!(client.say("DELE /etc/config").starts_with("550 "));
    });
}

#[test]
fn a_long_line_ends_the_connection() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let station = runtime.block_on(Station::start(options(dir.path()), vec![])).unwrap();
    let mut client = Client::log_in(station.port());
    client.control.write_all(&[b'A'; 600]).unwrap();
    let mut rest = vec![];
    // The end may come as a reset, because we are still talking.
    let ended = client.replies.read_to_end(&mut rest);
    assert!(rest.is_empty(), "{ended:?} {rest:?}");
}

#[test]
fn events_are_told_to_those_who_listen() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let station = runtime.block_on(Station::start(options(dir.path()), vec![])).unwrap();
    let mut listener = Client::log_in(station.port());
    let data = listener.data();
    assert!(listener.say("SITE TRIGGER \"J*\"").starts_with("150 "));
    let mut events = BufReader::new(data);
    // The listening begins with the accepted data connection, a moment later.
    std::thread::sleep(Duration::from_millis(200));
    let mut client = Client::log_in(station.port());
    let id = draft(&mut client, "tag");
    client.say("JSUBM");
    let mut line = String::new();
    events.read_line(&mut line).unwrap();
    assert_eq!(line[6..].trim_end(), format!(" 100 JOB {id} (station): Created"));
    assert_eq!(listener.say("ABOR"), "226 ABOR command successful.");
    assert_eq!(listener.say("NOOP"), "200 NOOP command successful.");
}
