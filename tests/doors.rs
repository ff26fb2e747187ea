//! The doors to mail, through the real program: unix sockets, sockets that systemd hands
//! over, proxies, certificates that change, and a real Postfix that hands over by LMTP.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "doors/mta.rs"]
mod mta;
mod support;
#[path = "doors/talk.rs"]
mod talk;

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::Ordering,
};

use mta::Mta;
use support::{
    lab::{Description, Lab, Servers},
    pages,
    postfax::{Postfax, free_port},
    sink::Sink,
    wait_for,
};
use talk::{Asked, Talk, authority, made_for, trusting};

/// A header of a proxy for a client at 192.0.2.7.
const CLIENT: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x30\x39\0\x19";

/// A Postfax that no fax server stands behind.
fn alone(listeners: &str) -> Postfax {
    let servers = Description { servers: Vec::new(), numbers: Vec::new() };
    let postfax = Postfax::prepare(&servers, &Sink::start(), "");
    // Other users are to reach sockets in there.
    fs::set_permissions(postfax.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    add(&postfax, listeners);
    postfax
}

fn add(postfax: &Postfax, more: &str) {
    let more = more.replace("@FOLDER@", &postfax.folder.path().display().to_string());
    let config = fs::read_to_string(postfax.config()).unwrap();
    fs::write(postfax.config(), config + &more).unwrap();
}

/// The first line that a user hears at a unix socket.
fn greeting_as(uid: u32, path: &Path) -> String {
    let script = "import os, socket, sys\n\
                  os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))\n\
                  s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[2])\n\
                  print(s.makefile().readline().strip())";
    let output =
        Command::new("python3").args(["-c", script, &uid.to_string()]).arg(path).output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    words + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_unix_socket_lets_in_whom_its_mode_and_its_users_let_in() {
    let mut postfax = alone(
        "[[listener]]\naddress = \"unix:@FOLDER@/some.sock\"\nrole = \"lmtp\"\n\
         mode = \"0666\"\nusers = [\"65534\"]\n\
         [[listener]]\naddress = \"unix:@FOLDER@/one.sock\"\nrole = \"relay\"\n\
         owner = \"65534:65533\"\nmode = \"0600\"\n",
    );
    let (some, one) = (postfax.file("some.sock"), postfax.file("one.sock"));
    // As a life that was cut off leaves it.
    drop(UnixListener::bind(&some).unwrap());
    postfax.run();
    assert!(greeting_as(65534, &some).starts_with("220 fax1.example.com "));
    assert!(greeting_as(65533, &some).starts_with("554 5.7.1 "), "{}", greeting_as(65533, &some));
    assert!(greeting_as(65534, &one).starts_with("220 "));
    assert!(greeting_as(65533, &one).contains("PermissionError"));
    let about = fs::metadata(&one).unwrap();
    assert_eq!((about.uid(), about.gid(), about.mode() & 0o777), (65534, 65533, 0o600));
    postfax.stop();
    assert!(!some.exists() && !one.exists(), "they are removed at the end");
}

/// Sets the sockets up as systemd does, and becomes the program: the number in
/// LISTEN_PID stays that of the process.
const SYSTEMD: &str = r#"
import os, socket, sys
folder, port, program = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
tcp = socket.create_server(("127.0.0.1", port))
local = socket.socket(socket.AF_UNIX)
local.bind(folder + "/handed.sock")
local.listen()
fds = [os.dup2(s.fileno(), 40 + n) for n, s in enumerate([tcp, local])]
for n, fd in enumerate(fds):
    os.dup2(fd, 3 + n, inheritable=True)
os.environ.update(LISTEN_FDS="2", LISTEN_FDNAMES="relay:local", LISTEN_PID=os.environ.get("WRONG_PID") or str(os.getpid()))
os.execv(program[0], program)
"#;

struct Activated(Child);

impl Drop for Activated {
    fn drop(&mut self) {
        // The number of one that has ended may be another's by now.
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        }
        let _ = self.0.wait();
    }
}

fn activated(postfax: &Postfax, port: u16, wrong_pid: &str) -> Activated {
    let log = fs::OpenOptions::new().create(true).append(true).open(postfax.file("log")).unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", SYSTEMD]).arg(postfax.folder.path()).arg(port.to_string());
    command.args([env!("CARGO_BIN_EXE_postfax"), "serve", "--config"]).arg(postfax.config());
    command.env("WRONG_PID", wrong_pid).env("RUST_LOG", "info").stdin(Stdio::null()).stderr(log);
    Activated(command.spawn().unwrap())
}

#[test]
fn sockets_of_systemd_are_found_by_their_names() {
    let postfax = alone(
        "[[listener]]\naddress = \"systemd:relay\"\nrole = \"relay\"\ntrust = [\"127.0.0.1\"]\n\
         [[listener]]\naddress = \"systemd:local\"\nrole = \"lmtp\"\n",
    );
    let port = free_port();
    let mut daemon = activated(&postfax, port, "");
    wait_for("the daemon to answer", 60, || {
        assert!(daemon.0.try_wait().unwrap().is_none(), "{}", postfax.log());
        postfax.ask(&["status"]).status.success().then_some(())
    });
    let mut tcp = Talk::tcp(port);
    tcp.hear("220 ");
    tcp.ask("EHLO here", "250");
    tcp.ask("MAIL FROM:<anna@example.com>", "250 ");
    let handed = postfax.file("handed.sock");
    Talk::over(UnixStream::connect(&handed).unwrap()).hear("220 ");
    drop(daemon);
    assert!(handed.exists(), "it is not ours to remove");
    fs::remove_file(&handed).unwrap();
    // What is meant for another process is not taken, and its name is missed.
    let mut daemon = activated(&postfax, free_port(), "1");
    let ended = wait_for("the daemon to give up", 60, || daemon.0.try_wait().unwrap());
    assert!(!ended.success());
    assert!(postfax.log().contains("systemd hands over no socket"), "{}", postfax.log());
}

#[test]
fn a_proxy_says_whose_connection_it_is_and_others_must_not() {
    let port = free_port();
    let mut postfax = alone(&format!(
        "[[listener]]\naddress = \"127.0.0.1:{port}\"\nrole = \"relay\"\n\
         trust = [\"192.0.2.7\"]\nproxy = [\"127.0.0.0/8\"]\n"
    ));
    postfax.run();
    for (last, trusted) in [(7, true), (8, false)] {
        let mut header = CLIENT.to_vec();
        header[19] = last;
        let mut talk = Talk::tcp(port);
        talk.say(&header);
        talk.hear("220 ");
        talk.ask("EHLO here", "250");
        talk.ask("MAIL FROM:<anna@example.com>", "250 ");
        let said = talk.ask("RCPT TO:<+12125550199@fax.example.com>", "550 ");
        assert_eq!(said.contains("this host is not trusted"), !trusted, "{said}");
    }
    for bad in [&b"PROXY TCP4 192.0.2.7 127.0.0.1 1 25\r\n"[..], b"EHLO here\r\n"] {
        let mut talk = Talk::tcp(port);
        talk.say(bad);
        assert_eq!(talk.rest(), "");
    }
    for words in ["version 1 of the PROXY protocol", "there is no PROXY header"] {
        wait_for("the log to say why", 10, || postfax.log().contains(words).then_some(()));
    }
    // The relay port of the same Postfax has no proxies.
    let mut talk = Talk::tcp(postfax.relay);
    talk.say(CLIENT);
    let said = talk.rest();
    assert!(!said.contains("250"), "it is not taken for a header: {said}");
}

/// A Postfax with a listener that speaks TLS at once, whose certificate is reached as
/// certbot and Kubernetes have it: by links.
fn encrypted(port: u16, client_ca: &str) -> Postfax {
    let postfax =
        alone(&format!("[[listener]]\naddress = \"127.0.0.1:{port}\"\nrole = \"submissions\"\n"));
    let folder = postfax.folder.path();
    fs::create_dir(folder.join("first")).unwrap();
    for name in ["cert.pem", "key.pem"] {
        fs::rename(folder.join(name), folder.join("first").join(name)).unwrap();
        symlink(format!("live/{name}"), folder.join(name)).unwrap();
    }
    symlink("first", folder.join("live")).unwrap();
    let config = fs::read_to_string(postfax.config()).unwrap();
    let tls = format!("[tls]\n{client_ca}");
    fs::write(postfax.config(), config.replacen("[tls]\n", &tls, 1)).unwrap();
    postfax
}

/// Has `live` lead to another folder in one step, as everyone does who cares.
fn turn(postfax: &Postfax, folder: &str) {
    symlink(folder, postfax.file("next")).unwrap();
    fs::rename(postfax.file("next"), postfax.file("live")).unwrap();
}

#[test]
fn a_renewed_certificate_counts_at_once_and_breaks_no_session() {
    let port = free_port();
    let mut postfax = encrypted(port, "");
    postfax.run();
    let first = trusting(&postfax.file("first/cert.pem"));
    let mut old = Talk::tls(port, &first).unwrap();
    old.hear("220 ");

    made_for("fax1.example.com", &postfax.file("second"));
    turn(&postfax, "second");
    let second = trusting(&postfax.file("second/cert.pem"));
    let mut new = wait_for("the new certificate", 20, || Talk::tls(port, &second).ok());
    new.hear("220 ");
    assert!(Talk::tls(port, &first).is_err(), "the old one is not shown any more");
    old.ask("EHLO still-here", "250");

    fs::create_dir(postfax.file("third")).unwrap();
    fs::copy(postfax.file("second/cert.pem"), postfax.file("third/cert.pem")).unwrap();
    fs::copy(postfax.file("first/key.pem"), postfax.file("third/key.pem")).unwrap();
    turn(&postfax, "third");
    wait_for("the refusal to be logged", 20, || {
        postfax.log().contains("the new certificate cannot be used").then_some(())
    });
    assert!(postfax.log().contains("does not work with"), "{}", postfax.log());
    Talk::tls(port, &second).unwrap().hear("220 ");
    let reload = postfax.ask(&["reload"]);
    assert!(!reload.status.success(), "a reload says so as well");
}

#[test]
fn clients_are_asked_for_a_certificate_and_old_tls_is_refused() {
    let port = free_port();
    let mut postfax = encrypted(port, "client_ca = \"ca.pem\"\n");
    let ca = authority();
    fs::write(postfax.file("ca.pem"), &ca.pem).unwrap();
    postfax.run();
    let roots = postfax.file("first/cert.pem");
    for from in [&ca, &authority()] {
        let (client, asked) = Asked::client(&roots, from);
        let mut talk = Talk::tls(port, &client).unwrap();
        talk.hear("220 ");
        talk.ask("EHLO printer", "250");
        assert!(asked.load(Ordering::SeqCst), "it was asked for");
    }
    Talk::tls(port, &trusting(&roots)).unwrap().hear("220 ");
    for (version, spoken) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), version])
            .args(["-cipher", "DEFAULT@SECLEVEL=0"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(words.contains("BEGIN CERTIFICATE"), spoken, "{version}: {words}");
    }
}

/// Who shows a certificate, or is known by its user, needs no password; nobody else gets
/// in without one, and a certificate of a stranger is none.
#[test]
fn a_certificate_or_a_user_of_this_host_is_a_client() {
    let port = free_port();
    let mut postfax = encrypted(port, "client_ca = \"ca.pem\"\n");
    let ca = authority();
    fs::write(postfax.file("ca.pem"), &ca.pem).unwrap();
    fs::write(postfax.file("away.pw"), "secret").unwrap();
    add(
        &postfax,
        "[[listener]]\naddress = \"unix:@FOLDER@/mail.sock\"\nrole = \"relay\"\nmode = \"0666\"\n\
         [[client]]\nname = \"printer\"\nmail = [\"printer@example.com\"]\ngroups = [\"london\"]\n\
         certificates = [\"name:printer.example.com\"]\nusers = [\"0\"]\n\
         [[server]]\nname = \"away\"\nkind = \"hylafax\"\nurl = \"hylafax://postfax@127.0.0.1:1\"\n\
         password_file = \"away.pw\"\ngroups = [\"london\"]\n",
    );
    postfax.run();
    let roots = postfax.file("first/cert.pem");
    let fax = "RCPT TO:<+12125550199@fax.example.com>";
    let (known, _) = Asked::client(&roots, &ca);
    let (stranger, _) = Asked::client(&roots, &authority());
    for (client, answer) in
        [(known, "250 "), (stranger, "530 5.7.0"), (trusting(&roots), "530 5.7.0")]
    {
        let mut talk = Talk::tls(port, &client).unwrap();
        talk.hear("220 ");
        talk.ask("EHLO printer", "250");
        talk.ask("MAIL FROM:<printer@example.com>", answer);
        if answer == "250 " {
            talk.ask(fax, "250 2.1.5");
            talk.ask("RSET", "250 ");
            talk.ask("MAIL FROM:<anna@example.com>", "550 5.7.1");
        }
    }
    // The tests run as root, whose user number is 0.
    let mut here = Talk::over(UnixStream::connect(postfax.file("mail.sock")).unwrap());
    here.hear("220 ");
    here.ask("EHLO here", "250");
    here.ask("MAIL FROM:<printer@example.com>", "250 ");
    here.ask(fax, "250 2.1.5");
    here.ask("RSET", "250 ");
    here.ask("MAIL FROM:<anna@example.com>", "250 ");
    here.ask(fax, "550 5.7.1");
}

#[test]
fn a_reload_opens_and_closes_doors_and_drops_nobody() {
    let (stays, comes) = (free_port(), free_port());
    let listener = |port: u16, trust: &str| {
        format!(
            "[[listener]]\naddress = \"127.0.0.1:{port}\"\nrole = \"relay\"\ntrust = [\"{trust}\"]\n"
        )
    };
    let mut postfax = alone("");
    let plain = fs::read_to_string(postfax.config()).unwrap();
    let config = postfax.config();
    fs::write(&config, plain.clone() + &listener(stays, "192.0.2.7")).unwrap();
    postfax.run();
    let mut guest = Talk::tcp(stays);
    guest.hear("220 ");

    fs::write(
        &config,
        plain.clone() + &listener(stays, "192.0.2.7") + &listener(comes, "127.0.0.1"),
    )
    .unwrap();
    assert!(postfax.ask(&["reload"]).status.success(), "{}", postfax.log());
    let mut new = Talk::tcp(comes);
    new.hear("220 ");
    new.ask("EHLO here", "250");
    new.ask("MAIL FROM:<anna@example.com>", "250 ");
    guest.ask("EHLO still-here", "250");

    // An address that cannot be had leaves everything as it was.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let more = listener(taken.local_addr().unwrap().port(), "127.0.0.1");
    fs::write(&config, plain.clone() + &listener(stays, "127.0.0.1") + &more).unwrap();
    let refused = postfax.ask(&["reload"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot listen on"), "{refused:?}");
    Talk::tcp(comes).hear("220 ");

    // Whom a listener trusts changes without closing its socket.
    fs::write(&config, plain.clone() + &listener(stays, "127.0.0.1")).unwrap();
    assert!(postfax.ask(&["reload"]).status.success(), "{}", postfax.log());
    let mut trusted = Talk::tcp(stays);
    trusted.hear("220 ");
    trusted.ask("EHLO here", "250");
    trusted.ask("MAIL FROM:<anna@example.com>", "250 ");
    wait_for("the other to close", 10, || {
        std::net::TcpStream::connect(("127.0.0.1", comes)).is_err().then_some(())
    });
}

/// A real Postfix hands a mail for two over by LMTP, through TCP and through a socket
/// that only it may use. Of the two recipients one is refused, and the other gets a fax.
#[test]
fn a_real_postfix_hands_over_by_lmtp() {
    let lab = Lab::start(Servers::Stations, 2);
    let sink = Sink::start();
    let mut postfax = Postfax::prepare(&lab.about, &sink, "");
    let port = free_port();
    fs::set_permissions(postfax.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    add(
        &postfax,
        &format!(
            "[[listener]]\naddress = \"unix:@FOLDER@/lmtp.sock\"\nrole = \"lmtp\"\n\
             owner = \":postfix\"\nusers = [\"postfix\"]\n\
             [[listener]]\naddress = \"127.0.0.1:{port}\"\nrole = \"lmtp\"\n\
             trust = [\"127.0.0.1\"]\n"
        ),
    );
    postfax.run();
    postfax.wait_for_servers();
    let socket = postfax.file("lmtp.sock");
    let ways = [format!("lmtp:inet:127.0.0.1:{port}"), format!("lmtp:unix:{}", socket.display())];
    for (jobs, way) in ways.iter().enumerate() {
        let mta = Mta::start(way);
        let good = format!("{}@fax.example.com", lab.number_of(1));
        let file = postfax.file(&format!("letter{jobs}.pdf"));
        fs::write(&file, pages::pdf(1, way)).unwrap();
        mta.submit("anna@example.com", &[&good, "+12@fax.example.com"], &file);
        wait_for("the fax", 60, || (postfax.jobs().len() > jobs).then_some(()));
        let log = wait_for("both replies", 60, || {
            let log = mta.log();
            (log.contains("status=sent") && log.contains("status=bounced")).then_some(log)
        });
        assert!(log.contains("postfix/lmtp["), "{way}: {log}");
        let bounced = log.lines().find(|line| line.contains("status=bounced")).unwrap();
        assert!(bounced.contains("+12@fax.example.com") && bounced.contains("5.1.3"), "{bounced}");
        let job = postfax.wait_for_end(u64::try_from(jobs).unwrap() + 1, 120);
        assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
    }
}
