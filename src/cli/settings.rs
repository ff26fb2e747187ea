//! `postfax settings`: what can be typed after it, and the question that it becomes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::{Args as Group, Subcommand, ValueHint};
use postfax_domain::{
    names::ServerName,
    settings::{Name, Value},
};

use super::{Exit, Failure, args::Output};
use crate::requests::{Ask, settings::AskSettings};

/// Longest text of settings in bytes, so that it fits into one question.
const MAX_TEXT_BYTES: u64 = 48 * 1024;

/// What to do with the settings of a fax server.
#[derive(Debug, Subcommand)]
pub(crate) enum Settings {
    /// Show what is registered, as a text that can be edited and given to `set --file`
    Get(OneServer),

    /// Register settings, and bring them to the server
    // Their --version is that of the settings.
    #[command(disable_version_flag = true)]
    #[command(after_help = "Examples:\n  \
        postfax settings set london-1 max_dials=3 --reason 'the carrier blocks more'\n  \
        postfax settings set london-1 line.ttyFAX0.rings_before_answer=2\n  \
        postfax settings set london-1 max_dials=         back to the server's own default\n  \
        postfax settings get london-1 > s.toml; vi s.toml; postfax settings set london-1 --file s.toml\n\n\
        Waits up to 20 seconds for the server; one that is away gets them when it is back. \
        Exits with 1 when the server did not take them.")]
    Set(Set),

    /// List the versions, newest first, and what each of them changed
    History(OneServer),

    /// Say where two versions differ, or the registered settings and those that the server holds
    #[command(after_help = "Examples:\n  \
        postfax settings diff london-1           what is registered, and what the server holds\n  \
        postfax settings diff london-1 3         version 3, and the newest\n  \
        postfax settings diff london-1 3 5")]
    Diff {
        /// The fax server
        #[arg(value_parser = server)]
        server: ServerName,
        /// The one version
        from: Option<u64>,
        /// The other version
        to: Option<u64>,
        #[command(flatten)]
        output: Output,
    },

    /// Register an old version again
    #[command(disable_version_flag = true)]
    Rollback {
        /// The fax server
        #[arg(value_parser = server)]
        server: ServerName,
        /// The old version
        to: u64,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        output: Output,
    },

    /// Register what the server holds, where that was changed at the server itself
    Adopt {
        /// The fax server
        #[arg(value_parser = server)]
        server: ServerName,
        /// Why, for the history
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        #[command(flatten)]
        output: Output,
    },

    /// Bring what is registered to the server again
    Push(OneServer),
}

/// One fax server.
#[derive(Debug, Group)]
pub(crate) struct OneServer {
    /// The fax server
    #[arg(value_parser = server)]
    server: ServerName,
    #[command(flatten)]
    output: Output,
}

/// What to set.
#[derive(Debug, Group)]
pub(crate) struct Set {
    /// The fax server
    #[arg(value_parser = server)]
    server: ServerName,
    /// What to set; without a value it is set no longer
    #[arg(value_name = "KEY=VALUE", value_parser = assignment)]
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    set: Vec<(Name, Option<Value>)>,
    /// An edited text of `get`, or - for the input; what is not in it is set no longer
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    output: Output,
}

/// Why something is registered, and over what.
#[derive(Debug, Group)]
pub(crate) struct Why {
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Refuse when there is a newer version than this one
    #[arg(long, value_name = "NUMBER")]
    version: Option<u64>,
}

/// What is to be asked, and whether the answer is for programs.
///
/// # Errors
/// [`Failure`] when the text cannot be read.
pub(super) fn question(command: Settings) -> Result<(Ask, bool), Failure> {
    let (ask, output) = match command {
        Settings::Get(one) => (AskSettings::Get { server: one.server }, one.output),
        Settings::History(one) => (AskSettings::History { server: one.server }, one.output),
        Settings::Push(one) => (AskSettings::Push { server: one.server }, one.output),
        Settings::Diff { server, from, to, output } => {
            (AskSettings::Diff { server, from, to }, output)
        }
        Settings::Rollback { server, to, why: Why { reason, version }, output } => {
            (AskSettings::Rollback { server, to, version, reason }, output)
        }
        Settings::Adopt { server, reason, output } => {
            (AskSettings::Adopt { server, reason }, output)
        }
        Settings::Set(Set { server, set, file, why: Why { reason, version }, output }) => {
            let ask = match file {
                Some(file) => AskSettings::SetText { server, version, text: read(&file)?, reason },
                None => {
                    let set = BTreeMap::from_iter(set);
                    AskSettings::Set { server, version, set, reason }
                }
            };
            (ask, output)
        }
    };
    Ok((Ask::Settings(ask), output.json))
}

fn server(text: &str) -> Result<ServerName, String> {
    ServerName::new(text).map_err(|bad| bad.to_string())
}

/// Whether the value fits is known where the server's kind is.
fn assignment(text: &str) -> Result<(Name, Option<Value>), String> {
    let (name, value) =
        text.split_once('=').ok_or("write KEY=VALUE, or KEY= to set it no longer")?;
    let name = name.parse().map_err(|bad| format!("{bad}"))?;
    Ok((name, Some(value).filter(|value| !value.is_empty()).map(|value| Value::Text(value.into()))))
}

/// The text in a file, or in the input.
fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().lock().take(MAX_TEXT_BYTES + 1).read_to_string(&mut text),
        _ => File::open(path)
            .and_then(|file| file.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text)),
    };
    read.map_err(|failed| Failure::file(path.display(), &failed))?;
    if text.len() as u64 > MAX_TEXT_BYTES {
        let words = format!("a text of settings has at most {MAX_TEXT_BYTES} bytes");
        return Err(Failure::new(Exit::Usage, words));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Args, Command};

    fn parse(line: &str) -> Result<String, clap::Error> {
        let words = line.split_whitespace();
        let args = Args::try_parse_from(["postfax", "settings"].into_iter().chain(words))?;
        let Command::Settings { command } = args.command else { panic!("{args:?}") };
        Ok(serde_json::to_string(&question(command).unwrap().0).unwrap())
    }

    #[test]
    fn commands_become_questions() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.toml");
        std::fs::write(&file, "max_dials = 3").unwrap();
        for (line, asked) in [
            ("get a", r#""do":"get","server":"a""#.to_owned()),
            ("history a --json", r#""do":"history""#.into()),
            ("diff a", r#""do":"diff","server":"a"}"#.into()),
            ("diff a 3 5", r#""from":3,"to":5"#.into()),
            ("rollback a 3 --version 7 --reason x", r#""to":3,"version":7,"reason":"x""#.into()),
            ("adopt a", r#""do":"adopt""#.into()),
            ("push a", r#""do":"push""#.into()),
            ("set a b=3 line.c.d=", r#""set":{"b":"3","line.c.d":null}"#.into()),
            ("set a b=x=y --version 2", r#""version":2,"set":{"b":"x=y"}"#.into()),
            (&format!("set a --file {}", file.display()), r#""text":"max_dials = 3""#.into()),
        ] {
            let question = parse(line).unwrap_or_else(|why| panic!("{line}: {why}"));
            assert!(question.contains(&asked), "{line}: {question}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let failed = read(Path::new("/nonexistent/s.toml")).unwrap_err();
        assert_eq!(failed.exit, Exit::File);
        assert!(failed.words.starts_with("/nonexistent/s.toml: "), "{failed}");
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn what_cannot_be_asked_is_usage() {
        for line in [
            "",
            "get",
            "set a",
            "set a b",
            "set a B=3",
            "set a b=3 --file /dev/null",
            "rollback a",
            "get a/b",
            "diff a x",
        ] {
            let refused = parse(line).expect_err(line);
            assert_eq!(refused.exit_code(), 2, "{line}");
        }
    }
}
