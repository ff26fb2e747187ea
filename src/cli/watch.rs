//! `postfax status --watch`: redraws a terminal at every change; anywhere else it
//! prints one line for each change, or each status as a line of JSON.

use std::io::{self, IsTerminal as _};

use postfax_domain::supervisor::Status;

use super::{
    Exit, Failure,
    ask::{Reader, as_json, print, view},
    client::Client,
    render::{self, View},
};
use crate::requests::{Ask, Reply};

/// To the upper left corner.
const HOME: &str = "\x1b[H";
/// Clears from here to the end of the line.
const CLEAR_LINE: &str = "\x1b[K";
/// Clears from here to the end of the screen.
const CLEAR_REST: &str = "\x1b[J";

/// Shows every change, for ever, or until whoever reads it has gone.
///
/// # Errors
/// [`Exit::Unreachable`] when Postfax stops.
pub(super) fn run(client: &mut Client, json: bool) -> Result<Exit, Failure> {
    client.watch(&Ask::Watch)?;
    let redraw = io::stdout().is_terminal() && !json;
    let mut before = None;
    while let Some(reply) = client.next()? {
        let Reply::Status(status) = &reply else { continue };
        let shown = match (json, redraw) {
            (true, _) => as_json(&reply),
            (false, true) => screen(&view(), status),
            (false, false) => lines(&view(), before.as_ref(), status),
        };
        if print(&shown)? == Reader::Gone {
            return Ok(Exit::Ok);
        }
        before = Some((**status).clone());
    }
    Err(Failure::new(Exit::Unreachable, "Postfax has stopped"))
}

fn lines(view: &View, before: Option<&Status>, status: &Status) -> String {
    render::changes(view, before, status).into_iter().map(|line| line + "\n").collect()
}

/// As much as the terminal holds, drawn over what was there so that nothing flickers.
fn screen(view: &View, status: &Status) -> String {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let (rows, columns) = size.map_or((24, 80), |size| (size.ws_row, size.ws_col));
    let view = View { zone: view.zone.clone(), width: Some(columns.max(20).into()), ..*view };
    let title = format!("postfax, {}, Ctrl-C to leave\n\n", render::clock(&view));
    draw(&(title + &render::status(&view, status)), usize::from(rows.max(2)) - 1)
}

fn draw(text: &str, rows: usize) -> String {
    let lines = text.lines().take(rows).map(|line| format!("{line}{CLEAR_LINE}\r\n"));
    std::iter::once(HOME.to_owned()).chain(lines).chain([CLEAR_REST.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_drawn_over_the_last_one() {
        assert_eq!(draw("a\nb\nc\n", 2), "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J");
    }
}
