//! A registrar and proxy that is not ours: Kamailio. Registrations with digests, and a
//! call through it that asks for one as well.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use postfax_domain::outcome::Outcome;
use tokio::time::sleep;

use super::{super::*, stage::*};
use crate::line::{Line as _, LineState};

const MODULES: [&str; 10] =
    ["tm", "sl", "rr", "pv", "maxfwd", "usrloc", "registrar", "auth", "textops", "siputils"];

const ROUTE: &str = r#"
request_route {
    if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (is_method("ACK") && t_check_trans()) { t_relay(); exit; }
        if (!is_method("ACK")) { sl_send_reply("404", "Not Here"); }
        exit;
    }
    if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("$td", "secret", "0")) { www_challenge("$td", "1"); exit; }
        save("location");
        exit;
    }
    if (!pv_proxy_authenticate("$fd", "secret", "0")) { proxy_challenge("$fd", "1"); exit; }
    consume_credentials();
    record_route();
    if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
    t_relay();
}
"#;

/// Ends with the test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its children end when it is asked to, not when it is killed.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn proxy(folder: &Path, port: u16) -> Option<Proxy> {
    let program = "/usr/sbin/kamailio";
    if !Path::new(program).exists() {
        return None;
    }
    let modules: String = MODULES.map(|name| format!("loadmodule \"{name}.so\"\n")).concat();
    let head = format!(
        "debug=1\nlog_stderror=yes\nchildren=2\nauto_aliases=no\ndisable_tcp=yes\n\
         listen=udp:127.0.0.1:{port}\n"
    );
    let file = folder.join("kamailio.cfg");
    std::fs::write(&file, format!("#!KAMAILIO\n{head}{modules}{ROUTE}")).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let child = Command::new(program)
        .args(["-DD", "-E", "-m", "32", "-M", "4", "-f"])
        .arg(&file)
        .arg("-Y")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    Some(Proxy(child))
}

fn registered(user: &str, password: &str, port: u16) -> TrunkOptions {
    let mut options = options(user, free_port(), port);
    options.registrations = vec![RegistrationOptions {
        user: user.into(),
        auth_user: None,
        password: password.into(),
        expires_s: 120,
    }];
    options.keep_alive_s = 30;
    options
}

#[tokio::test]
async fn a_call_passes_a_registrar_that_is_not_ours() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let Some(_proxy) = proxy(folder.path(), port) else {
        println!("SKIPPED, NOT TESTED: kamailio is not installed");
        return;
    };
    sleep(Duration::from_millis(1_500)).await;
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
    let a = Stage::new(registered("100", "secret", port), WELL).await;
    let b = Stage::new(registered("+44200200", "secret", port), WELL).await;
    assert!(matches!(a.trunk.state(), LineState::Ready(_)), "{:?} {}", a.trunk.state(), log());
    assert!(matches!(b.trunk.state(), LineState::Ready(_)), "{:?}", b.trunk.state());
    let (ended, _) = a.call("+44200200").await;
    assert_eq!(ended.said, "pretended, over T.38", "{}", log());
    assert_eq!(b.received(1).await[0].outcome, Outcome::Delivered);
    assert_eq!(b.desk.rang.lock().unwrap()[0].caller.as_deref(), Some("100"));
    assert_eq!(a.call("+44999999").await.0.outcome, Outcome::NotInService);
    let wrong = Stage::new(registered("300", "wrong", port), WELL).await;
    let state = wrong.trunk.state();
    assert!(matches!(&state, LineState::Failed(why) if why.contains("401")), "{state:?}");
    assert_eq!(wrong.call("+44200200").await.0.outcome, Outcome::NoDialTone);
    for stage in [a, b, wrong] {
        stage.end().await;
    }
}
