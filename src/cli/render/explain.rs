//! Why one fax server and not another: a sentence, and a table of all of them.

use postfax_domain::{
    fleet::{Decision, Standing},
    names::ServerName,
};

use super::{
    Paint, View, clean, count,
    table::{self, number, text},
};
use crate::requests::{Explanation, PastChoice, Verdict};

/// What was and what would be decided.
pub(in crate::cli) fn explanation(view: &View, explanation: &Explanation) -> String {
    let Explanation { job, from, to, pages, past, now } = explanation;
    let fax = format!("{} from {from} to {to}", count(*pages, "page"));
    let mut out = match job {
        Some(job) => format!("Job {job}: {fax}\n"),
        None => String::new(),
    };
    for choice in past {
        out.push('\n');
        out.push_str(&attempt(view, choice));
    }
    let subject = match job {
        Some(_) => "\nIf it were tried now, it".to_owned(),
        None => format!("A fax of {fax}"),
    };
    match now {
        Some(verdict) => out.push_str(&verdict_now(view, &subject, verdict)),
        None if past.is_empty() => out.push_str("No server was ever chosen for it.\n"),
        None => {}
    }
    out
}

fn attempt(view: &View, choice: &PastChoice) -> String {
    let PastChoice { attempt, at, decision } = choice;
    let by = decision.chosen.as_ref().map_or("nobody", ServerName::as_str);
    let reason = reason(decision);
    format!("Attempt {attempt}, {}: by {by}; {reason}.\n", view.moment(*at))
        + &standings(view, decision)
}

fn verdict_now(view: &View, subject: &str, verdict: &Verdict) -> String {
    let decision = match verdict {
        Verdict::Permitted(decision) => decision,
        Verdict::Denied { why, rule } => {
            let rule = rule.map(|rule| format!(" (dial rule {rule})")).unwrap_or_default();
            let refused = view.paint(Paint::Bad, "would be refused");
            return format!("{subject} {refused}: {}{rule}.\n", clean(why));
        }
    };
    let sentence = match &decision.chosen {
        Some(server) => format!("would go by {}", view.paint(Paint::Good, server.as_str())),
        None => view.paint(Paint::Attention, "would wait"),
    };
    format!("{subject} {sentence}; {}.\n", reason(decision)) + &standings(view, decision)
}

/// Why this server, in half a sentence.
pub(super) fn reason(decision: &Decision) -> String {
    let Some(chosen) = &decision.chosen else {
        return match decision.rule {
            Some(rule) => format!("none of those that dial rule {rule} names can take it"),
            None => "no server can take it".into(),
        };
    };
    let able = |standing: &Standing| matches!(standing, Standing::Able { .. });
    let before = decision.servers.iter().take_while(|(name, _)| name != chosen);
    let passed: Vec<String> = before
        .filter(|(_, standing)| !able(standing))
        .map(|(name, standing)| format!("{name} {}", in_a_word(standing)))
        .collect();
    let others = decision.servers.iter().filter(|(name, s)| able(s) && name != chosen).count();
    match (decision.rule, passed.is_empty(), others) {
        (Some(rule), true, _) => format!("dial rule {rule} names it first"),
        (Some(rule), false, _) => {
            format!("dial rule {rule} names it next, and {}", passed.join(", "))
        }
        (None, _, 0) => "it is the only one that can take it".into(),
        (None, _, _) => "it will be through first".into(),
    }
}

fn in_a_word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Able { .. } => "could",
        Standing::NoSharedGroup => "shares no group with the sender",
        Standing::NotInRule => "is not in the rule",
        Standing::Down(_) => "is down",
        Standing::TooFine(_) => "does not take its resolution",
        Standing::TooWide(_) => "does not take its paper",
        Standing::Draining => "is draining",
        Standing::NoFreeLine => "has no free line",
        Standing::CalledByAnother => "would be a second call to the number",
        Standing::Avoided { .. } => "has just failed it",
    }
}

fn standings(view: &View, decision: &Decision) -> String {
    let rows = decision.servers.iter().map(|(name, standing)| {
        let chosen = decision.chosen.as_ref() == Some(name);
        let (words, paint) = words(view, standing, chosen);
        let (forecast, failures) = match standing {
            Standing::Able { forecast_s, failures } => {
                (format!("{forecast_s:.0} s"), failures.to_string())
            }
            _ => Default::default(),
        };
        vec![text(name.as_str()), number(forecast), number(failures), text(words).painted(paint)]
    });
    table::table(view, "  ", &["SERVER", "FORECAST", "FAILED", "STANDING"], rows.collect())
}

fn words(view: &View, standing: &Standing, chosen: bool) -> (String, Option<Paint>) {
    match standing {
        Standing::Able { .. } if chosen => ("chosen".into(), Some(Paint::Good)),
        Standing::Able { .. } => ("could".into(), None),
        Standing::NoSharedGroup => ("shares no group with the sender".into(), Some(Paint::Dim)),
        Standing::NotInRule => ("the dial rule does not name it".into(), Some(Paint::Dim)),
        Standing::Down(why) => (format!("down: {why}"), Some(Paint::Bad)),
        Standing::TooFine(resolution) => {
            (format!("takes no pages at {}", resolution.as_str()), Some(Paint::Dim))
        }
        Standing::TooWide(paper) => {
            (format!("takes no pages as wide as {}", paper.as_str()), Some(Paint::Dim))
        }
        Standing::Draining => ("draining, gets no new work".into(), Some(Paint::Attention)),
        Standing::NoFreeLine => ("all its lines are in use".into(), Some(Paint::Attention)),
        Standing::CalledByAnother => {
            ("another server is calling the number".into(), Some(Paint::Attention))
        }
        Standing::Avoided { until } => {
            let until = view.moment(*until);
            (format!("has just failed it, not before {until}"), Some(Paint::Attention))
        }
    }
}

#[cfg(test)]
mod tests {
    use postfax_domain::names::{ClientName, JobId};

    use super::*;
    use crate::{cli::render::tests::view, requests::samples};

    fn before_the_fact(now: Verdict) -> Explanation {
        Explanation {
            job: None,
            from: ClientName::new("anna").unwrap(),
            to: samples::number("+33140000000"),
            pages: 1,
            past: Vec::new(),
            now: Some(now),
        }
    }

    const TABLE: &str = "\x20 SERVER    FORECAST  FAILED  STANDING
  paris-1                     down: connection refused
  london-1      97 s       0  chosen
  berlin-1                    shares no group with the sender
";

    #[test]
    fn before_the_fact_it_is_a_sentence_and_a_table() {
        let shown = explanation(&view(), &before_the_fact(Verdict::Permitted(samples::decision())));
        let sentence = "A fax of 1 page from anna to +33140000000 would go by london-1; \
                        dial rule 2 names it next, and paris-1 is down.\n";
        assert_eq!(shown, format!("{sentence}{TABLE}"));
    }

    #[test]
    fn a_refusal_names_its_rule() {
        let why = "destination not permitted: premium-rate numbers are barred".into();
        let shown = explanation(&view(), &before_the_fact(Verdict::Denied { why, rule: Some(3) }));
        let expected = "A fax of 1 page from anna to +33140000000 would be refused: \
                        destination not permitted: premium-rate numbers are barred (dial rule 3).\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn after_the_fact_each_attempt_has_its_reasons() {
        let choice = PastChoice { attempt: 1, at: samples::at(3), decision: samples::decision() };
        let waits = Decision { chosen: None, servers: Vec::new(), rule: None };
        let told = Explanation {
            job: Some(JobId(12)),
            past: vec![choice],
            ..before_the_fact(Verdict::Permitted(waits))
        };
        let shown = explanation(&view(), &told);
        let start = "Job 12: 1 page from anna to +33140000000\n\nAttempt 1, 10:00:03: by london-1; \
                     dial rule 2 names it next, and paris-1 is down.\n";
        assert!(shown.starts_with(&format!("{start}{TABLE}")), "{shown}");
        assert!(shown.contains("\nIf it were tried now, it would wait; no server can take it.\n"));
    }

    #[test]
    fn reasons_without_a_rule() {
        let able = |name: &str, forecast_s| {
            (samples::server(name), Standing::Able { forecast_s, failures: 0 })
        };
        let mut decision = Decision {
            rule: None,
            servers: vec![able("a", 50.0), able("b", 40.0)],
            chosen: Some(samples::server("b")),
        };
        assert_eq!(reason(&decision), "it will be through first");
        decision.servers.remove(0);
        assert_eq!(reason(&decision), "it is the only one that can take it");
        decision.rule = Some(1);
        assert_eq!(reason(&decision), "dial rule 1 names it first");
    }
}
