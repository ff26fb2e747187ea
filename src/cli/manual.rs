//! Completions and manual pages, written from the same definition that parses.

use std::{io::Write as _, path::Path};

use clap::CommandFactory as _;

use super::{Exit, Failure, args::Args, ask::print};

/// Prints the completions for a shell.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    print(&completions_text(shell))?;
    Ok(Exit::Ok)
}

/// Prints the manual page, or writes one for each command into `dir`.
///
/// # Errors
/// When a page cannot be written.
pub(crate) fn man(dir: Option<&Path>) -> Result<Exit, Failure> {
    let Some(dir) = dir else {
        print(&page(&Args::command()))?;
        return Ok(Exit::Ok);
    };
    std::fs::create_dir_all(dir).map_err(|error| Failure::file(dir.display(), &error))?;
    for (name, text) in pages() {
        let path = dir.join(name);
        let written = std::fs::File::create(&path).and_then(|mut f| f.write_all(text.as_bytes()));
        written.map_err(|error| Failure::file(path.display(), &error))?;
    }
    Ok(Exit::Ok)
}

fn completions_text(shell: clap_complete::Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "postfax", &mut text);
    String::from_utf8(text).expect("the definition is text")
}

/// Each page with the name of its file.
fn pages() -> Vec<(String, String)> {
    let mut command = Args::command();
    command.build();
    let mut pages = vec![("postfax.1".to_owned(), page(&Args::command()))];
    pages_below(&command, "postfax", &mut pages);
    pages
}

fn pages_below(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) {
    for sub in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("{name}-{}", sub.get_name());
        pages.push((format!("{name}.1"), page(sub)));
        pages_below(sub, &name, pages);
    }
}

fn page(command: &clap::Command) -> String {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut text)
        .expect("writing to memory does not fail");
    String::from_utf8(text).expect("the definition is text")
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_has_completions_for_every_command() {
        for shell in clap_complete::Shell::value_variants() {
            let text = completions_text(*shell);
            for command in ["status", "explain", "passwd"] {
                assert!(text.contains(command), "{shell} lacks {command}");
            }
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(man(Some(dir.path())).unwrap(), Exit::Ok);
        for command in Args::command().get_subcommands() {
            let path = dir.path().join(format!("postfax-{}.1", command.get_name()));
            assert_eq!(path.exists(), !command.is_hide_set(), "{}", path.display());
        }
        let main = std::fs::read_to_string(dir.path().join("postfax.1")).unwrap();
        assert!(main.contains("postfax\\-status(1)"), "{main}");
        let show = std::fs::read_to_string(dir.path().join("postfax-show.1")).unwrap();
        assert!(show.contains("postfax show 12"), "{show}");
        assert!(show.contains("postfax\\-show"), "{show}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(man(Some(file.path())).unwrap_err().exit, Exit::File);
    }
}
