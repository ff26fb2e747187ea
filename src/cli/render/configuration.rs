//! The configuration and its versions.

use super::{
    View, clean,
    table::{self, number, text},
};
use crate::requests::{ConfigReply, Line};

/// An answer about the configuration.
pub(in crate::cli) fn configuration(view: &View, reply: &ConfigReply) -> String {
    match reply {
        ConfigReply::Found { found, .. } => match &found[..] {
            [only] => lines(&only.toml),
            many => many
                .iter()
                .map(|one| format!("# {} in {}\n{}", one.key, one.file.display(), lines(&one.toml)))
                .collect::<Vec<_>>()
                .join("\n"),
        },
        ConfigReply::Texts { texts, .. } => texts
            .iter()
            .map(|one| format!("# {}\n{}", one.file.display(), lines(&one.text)))
            .collect::<Vec<_>>()
            .join("\n"),
        ConfigReply::Changed { version, diff, said } => {
            let version = version.map_or(String::new(), |n| format!("version {n}: "));
            format!("{}{version}{}", lines(diff), lines(said.trim_end()))
        }
        ConfigReply::History(versions) => {
            let rows = versions.iter().map(|version| row(view, version)).collect();
            table::table(view, "", &["VERSION", "WHEN", "WHO", "WHY"], rows)
        }
        ConfigReply::Diff(diff) => lines(diff),
    }
}

fn row(view: &View, version: &Line) -> Vec<table::Cell> {
    vec![
        number(version.number),
        text(view.moment(version.at)),
        text(&version.author),
        text(&version.reason),
    ]
}

/// Lines of text, which others may have written, with an end each.
fn lines(written: &str) -> String {
    let tabs = |part: &str| part.split('\t').map(clean).collect::<Vec<_>>().join("\t");
    written.lines().map(|line| tabs(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::render::tests::view, requests::samples};

    #[test]
    fn versions_are_a_table() {
        let line = Line {
            number: 3,
            at: samples::START,
            author: "anna".into(),
            reason: "a\x1b[2Jb".into(),
        };
        let shown = configuration(&view(), &ConfigReply::History(vec![line]));
        let want = "VERSION  WHEN      WHO   WHY\n      3  10:00:00  anna  a\u{fffd}[2Jb\n";
        assert_eq!(shown, want);
    }

    #[test]
    fn a_change_shows_what_differs_and_then_what_became_of_it() {
        let reply = ConfigReply::Changed {
            version: Some(2),
            diff: "-a = 1\n+a = 2\n".into(),
            said: "in force".into(),
        };
        assert_eq!(configuration(&view(), &reply), "-a = 1\n+a = 2\nversion 2: in force\n");
    }
}
