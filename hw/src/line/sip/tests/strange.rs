//! A peer that is not ours and does things in another way: SIPp calls without an offer,
//! answers ours with its acknowledgement, moves its media in the same way, then to T.38,
//! refreshes, and hangs up with a cause.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use postfax_domain::outcome::Outcome;

use super::stage::*;

const HEAD: &str = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\r\n\
    From: \"Odd\" <sip:44100@[local_ip]:[local_port]>;tag=[pid]odd[call_number]\r\n\
    Call-ID: [call_id]\r\nContact: <sip:44100@[local_ip]:[local_port]>\r\nMax-Forwards: 70\r\n";

fn sdp(media: &str) -> String {
    format!(
        "Content-Type: application/sdp\r\nContent-Length: [len]\r\n\r\nv=0\r\n\
         o=odd 1 1 IN IP4 [local_ip]\r\ns=-\r\nc=IN IP4 [local_ip]\r\nt=0 0\r\n{media}"
    )
}

fn request(line: &str, to: &str, cseq: &str, rest: &str) -> String {
    format!(
        "<send{}><![CDATA[\r\n{line} SIP/2.0\r\n{HEAD}To: <sip:44200@[remote_ip]:[remote_port]>{to}\r\n\
         CSeq: {cseq}\r\n{rest}\r\n]]></send>\n",
        if line.starts_with("ACK") { "" } else { " retrans=\"500\"" },
    )
}

fn scenario() -> String {
    let uri = "sip:44200@[remote_ip]:[remote_port]";
    let empty = "Content-Length: 0\r\n\r\n";
    let audio = sdp("m=audio 41999 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n");
    // Both streams, the audio switched off, as some gateways write it.
    let elsewhere = sdp("m=audio 41997 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n");
    let t38 = sdp("m=audio 0 RTP/AVP 0\r\nm=image 41998 udptl t38\r\na=T38FaxVersion:3\r\n\
         a=T38MaxBitRate:14400\r\na=T38FaxFillBitRemoval:1\r\na=T38FaxUdpEC:t38UDPFEC\r\n");
    let ok = "<recv response=\"200\"/>\n";
    let invite = format!("INVITE {uri}");
    let ack = format!("ACK {uri}");
    let parts = [
        request(&invite, "", "1 INVITE", empty),
        "<recv response=\"100\" optional=\"true\"/>\n<recv response=\"180\" optional=\"true\"/>\n"
            .to_owned(),
        ok.to_owned(),
        request(&ack, "[peer_tag_param]", "1 ACK", &audio),
        "<pause milliseconds=\"200\"/>\n".to_owned(),
        request(&invite, "[peer_tag_param]", "2 INVITE", empty),
        "<recv response=\"100\" optional=\"true\"/>\n".to_owned(),
        ok.to_owned(),
        request(&ack, "[peer_tag_param]", "2 ACK", &elsewhere),
        "<pause milliseconds=\"200\"/>\n".to_owned(),
        request(&invite, "[peer_tag_param]", "3 INVITE", &t38),
        "<recv response=\"100\" optional=\"true\"/>\n".to_owned(),
        ok.to_owned(),
        request(&ack, "[peer_tag_param]", "3 ACK", empty),
        "<pause milliseconds=\"200\"/>\n".to_owned(),
        request(&format!("UPDATE {uri}"), "[peer_tag_param]", "4 UPDATE", empty),
        ok.to_owned(),
        request(
            &format!("BYE {uri}"),
            "[peer_tag_param]",
            "5 BYE",
            &format!("Reason: Q.850;cause=41\r\n{empty}"),
        ),
        ok.to_owned(),
    ];
    format!("<?xml version=\"1.0\"?>\n<scenario name=\"odd\">\n{}</scenario>\n", parts.concat())
}

#[tokio::test]
async fn a_peer_that_does_it_in_another_way_is_understood() {
    if !Path::new("/usr/bin/sipp").exists() {
        println!("SKIPPED, NOT TESTED: sipp (sip-tester) is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.xml");
    std::fs::write(&file, scenario()).unwrap();
    let (peer, ours) = (free_port(), free_port());
    let never = Plan { audio: None, t38: None, tone_ms: None, ..WELL };
    let stage = Stage::new(options("b", ours, peer), never).await;
    let run = tokio::task::spawn_blocking(move || {
        Command::new("/usr/bin/sipp")
            .arg("-sf")
            .arg(&file)
            .args(["-m", "1", "-i", "127.0.0.1", "-p", &peer.to_string(), "-nostdin"])
            .args(["-timeout", "8", "-trace_err", "-s", "44200", &format!("127.0.0.1:{ours}")])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .map(|output| {
                let errors = std::fs::read_dir(folder.path()).unwrap().filter_map(Result::ok);
                let errors =
                    errors.filter(|file| file.path().extension().is_some_and(|e| e == "log"));
                let text = errors.map(|file| std::fs::read_to_string(file.path()).unwrap());
                (output.status.code(), text.collect::<String>())
            })
            .unwrap()
    });
    let (code, errors) = run.await.unwrap();
    assert_eq!(code, Some(0), "{errors}");
    let ended = stage.received(1).await.remove(0);
    assert_eq!(ended.outcome, Outcome::NoFaxMachine);
    assert_eq!(ended.said, "hung up (Q.850 cause 41), over T.38");
    assert_eq!(stage.played(), ["G.711", "moved, mu-law", "T.38"]);
    let ring = stage.desk.rang.lock().unwrap()[0].clone();
    assert_eq!((ring.caller.as_deref(), ring.caller_name.as_deref()), (Some("44100"), Some("Odd")));
}
