//! How far a long piece of work has come: one line on stderr, only where somebody watches.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Not more often than an eye can follow.
const REDRAW: Duration = Duration::from_millis(100);
const WIDTH: u64 = 28;

/// One line that is drawn over; it is gone when the work is done.
pub(super) struct Progress {
    shown: bool,
    what: &'static str,
    begun: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// `what` is being done; nothing is drawn with `quiet`, or where stderr is no terminal.
    pub fn new(what: &'static str, quiet: bool) -> Self {
        let shown = !quiet && io::stderr().is_terminal();
        Self { shown, what, begun: Instant::now(), drawn: None }
    }

    /// `rows` are done by now, and of the whole this part, if its size is known.
    pub fn at(&mut self, rows: u64, whole: Option<(u64, u64)>) {
        if !self.shown || self.drawn.is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = line(self.what, rows, self.begun.elapsed(), whole);
        // Whoever has closed stderr does not watch.
        let _ = write!(io::stderr(), "\r\u{1b}[K{line}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

fn line(what: &str, rows: u64, taken: Duration, whole: Option<(u64, u64)>) -> String {
    let bar = whole.filter(|(_, of)| *of > 0).map_or(String::new(), |(done, of)| {
        let filled = WIDTH * done.min(of) / of;
        let cell = |at| if at < filled { '█' } else { '░' };
        format!("[{}] ", (0..WIDTH).map(cell).collect::<String>())
    });
    let seconds = taken.as_secs();
    let rate = u128::from(rows) * 1000 / taken.as_millis().max(1);
    let time = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{bar}{what} {rows}  {rate}/s  {time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_how_fast_and_for_how_long() {
        let taken = Duration::from_secs(61);
        assert_eq!(
            line("checked", 6100, taken, Some((1, 2))),
            "[██████████████░░░░░░░░░░░░░░] checked 6100  100/s  0:01:01"
        );
        assert_eq!(line("checked", 0, Duration::ZERO, None), "checked 0  0/s  0:00:00");
    }
}
