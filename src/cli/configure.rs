//! `postfax config`: asks a running Postfax about its configuration. Only `edit` is more
//! than one question: it asks for a text, has it edited, and asks to replace it, until it
//! is good or the one who edits gives up.

use std::{
    fs,
    io::{self, BufRead as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Exit, Failure,
    args::{Configure, What},
    ask::{answered, print, report},
    client::Client,
};
use crate::{
    config::Text,
    requests::{Ask, AskConfig, Code, ConfigReply, Reply, Terms},
};

/// What edits where nothing else is wanted.
const EDITOR: &str = "vi";

/// Asks the Postfax at `socket`, and prints the answer.
///
/// # Errors
/// [`Failure`] when it could not be asked or has refused.
pub(crate) fn configure(socket: &Path, asked: Configure) -> Result<Exit, Failure> {
    let (ask, json) = match asked.what {
        What::Get { key, output } => (AskConfig::Get { key }, output.json),
        What::Set { changes, terms, output } => {
            (AskConfig::Set { changes, terms: terms.into() }, output.json)
        }
        What::History { output } => (AskConfig::History, output.json),
        What::Show { number, output } => (AskConfig::Show { number }, output.json),
        What::Diff { from, to, output } => (AskConfig::Diff { from, to }, output.json),
        What::Rollback { number, terms, output } => {
            (AskConfig::Rollback { number, terms: terms.into() }, output.json)
        }
        What::Edit { file, reason, output } => {
            return report(edit(socket, file.as_deref(), reason, output.json), output.json);
        }
    };
    report(answered(socket, &Ask::Config(ask), json), json)
}

fn edit(socket: &Path, file: Option<&Path>, reason: String, json: bool) -> Result<Exit, Failure> {
    let reply = Client::connect(socket)?.ask(&Ask::Config(AskConfig::Get { key: None }))?;
    let Reply::Config(reply) = reply else { return Err(strange()) };
    let ConfigReply::Texts { version, texts } = *reply else { return Err(strange()) };
    let wanted = |text: &&Text| file.is_none_or(|file| text.file.ends_with(file));
    let Some(text) = texts.iter().find(wanted) else {
        let files: Vec<String> = texts.iter().map(|text| text.file.display().to_string()).collect();
        let words = "that is no file of the configuration";
        return Err(Failure::new(Exit::No, words).advise(files.join(", ")));
    };
    let copy = draft(&text.text).map_err(|error| Failure::file("the copy to edit", &error))?;
    loop {
        run_editor(&copy)?;
        let new =
            fs::read_to_string(&copy).map_err(|error| Failure::file(copy.display(), &error))?;
        if new == text.text {
            let _ = fs::remove_file(&copy);
            print("nothing was changed\n")?;
            return Ok(Exit::Ok);
        }
        let terms = Terms { reason: reason.clone(), version: Some(version), dry_run: false };
        let text = Text { file: text.file.clone(), text: new };
        let ask = Ask::Config(AskConfig::Replace { text, terms });
        match answered(socket, &ask, json) {
            Ok(exit) => {
                let _ = fs::remove_file(&copy);
                return Ok(exit);
            }
            Err(failure) if failure.code == Code::BadConfiguration && once_more(&failure)? => {}
            Err(failure) => {
                return Err(failure.advise(format!("your text is in {}", copy.display())));
            }
        }
    }
}

fn strange() -> Failure {
    Failure::new(Exit::Bug, "Postfax answers something else than was asked")
}

/// A copy that only we can read and that stays until it is removed.
fn draft(text: &str) -> io::Result<PathBuf> {
    let mut file = tempfile::Builder::new().prefix("postfax-").suffix(".toml").tempfile()?;
    file.write_all(text.as_bytes())?;
    Ok(file.keep()?.1)
}

fn run_editor(file: &Path) -> Result<(), Failure> {
    let named = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| EDITOR.into());
    // An editor may be a command with options, as everywhere.
    let status =
        Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(Exit::No, format!("{editor} gave up: {status}"))),
        Err(error) => Err(Failure::file(editor, &error)),
    }
}

/// Says what is wrong, and asks whether to go on.
fn once_more(failure: &Failure) -> Result<bool, Failure> {
    eprint!("{failure}\nEdit again? [Y/n] ");
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    let read = read.map_err(|error| Failure::file("the answer", &error))?;
    Ok(read > 0 && !line.trim().to_ascii_lowercase().starts_with('n'))
}
