//! What a hook is told, as JSON: a job looks as it does in the answers of the HTTP door.

use postfax_domain::webhook::{About, Event, Told};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{config::moment, requests::row::JobRow};

#[derive(Serialize)]
struct Body {
    r#type: String,
    timestamp: String,
    sequence: u64,
    data: Value,
}

/// The body of the request.
pub(super) fn body(told: &Told) -> Vec<u8> {
    let body = Body {
        r#type: told.event.to_string(),
        timestamp: moment(told.at),
        sequence: told.sequence,
        data: match &told.about {
            About::Job(job) => json!(JobRow::from(&**job)),
            About::Server(name) => json!({ "server": name, "state": state(told.event) }),
        },
    };
    serde_json::to_vec(&body).expect("an event can be written as JSON")
}

/// How a server is, in a word.
fn state(event: Event) -> &'static str {
    match event {
        Event::Up => "up",
        Event::Down => "down",
        Event::Drifted => "drifted",
        Event::Accepted
        | Event::OnHold
        | Event::Released
        | Event::Arrived
        | Event::Held
        | Event::Delivered
        | Event::Failed
        | Event::Cancelled => unreachable!("an event of a job"),
    }
}

#[cfg(test)]
mod tests {
    use postfax_domain::{names::ServerName, time::Timestamp};

    use super::*;
    use crate::requests::samples;

    #[test]
    fn a_body_says_what_has_happened_to_what() {
        let at = Timestamp(1_795_424_400_123);
        let job = Told {
            sequence: 3,
            event: Event::Delivered,
            at,
            about: About::Job(Box::new(samples::delivered())),
        };
        let said: Value = serde_json::from_slice(&body(&job)).unwrap();
        assert_eq!(said["type"], "job.delivered");
        assert_eq!(
            (&said["sequence"], &said["timestamp"]),
            (&json!(3), &json!("2026-11-23T09:00:00Z"))
        );
        assert_eq!(
            (&said["data"]["job"], &said["data"]["state"]),
            (&json!(12), &json!("delivered"))
        );
        let about = About::Server(ServerName::new("london-1").unwrap());
        let server = Told { sequence: 4, event: Event::Down, at, about };
        let said: Value = serde_json::from_slice(&body(&server)).unwrap();
        assert_eq!(said["data"], json!({ "server": "london-1", "state": "down" }));
    }
}
