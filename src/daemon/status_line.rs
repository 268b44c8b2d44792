//! How the sending stands, in one line for the service manager; what holds it up is also logged when it begins and ends.

use chrono_tz::Tz;

use crate::dispatcher::Report;
use crate::domain::pause::Pause;

/// What is known of the sending.
#[derive(Debug)]
pub(super) struct StatusLine {
    zone: Tz,
    settled: usize,
    relay_down: Option<String>,
    clock_wrong: bool,
    pauses: Vec<Pause>,
    /// What the manager was told last.
    told: String,
}

impl StatusLine {
    /// Nothing was tried yet.
    pub fn new(zone: Tz) -> Self {
        let (relay_down, pauses, told) = (None, Vec::new(), String::new());
        Self { zone, settled: 0, relay_down, clock_wrong: false, pauses, told }
    }

    /// Takes in what a run of the dispatcher came to.
    pub fn take(&mut self, report: Report) {
        match (self.clock_wrong, report.clock_wrong) {
            (false, true) => tracing::error!(
                "the system's clock is before this program was built: nothing is sent until it is right"
            ),
            (true, false) => tracing::info!("the clock is right again, sending goes on"),
            _ => {}
        }
        self.clock_wrong = report.clock_wrong;
        self.settled += report.settled;
        // A run with nothing to do does not ask the relay.
        if report.settled > 0 || report.relay_down.is_some() {
            self.relay_down = report.relay_down;
        }
    }

    /// Takes in what is paused now.
    pub fn paused_by(&mut self, pauses: Vec<Pause>) {
        if pauses != self.pauses {
            let scopes: Vec<String> = pauses.iter().map(|pause| pause.scope.mail()).collect();
            tracing::info!(paused = scopes.join(", "), "what is paused has changed");
            self.pauses = pauses;
        }
    }

    /// The line, if it is another than was told last.
    pub fn news(&mut self) -> Option<String> {
        let line = self.line();
        let is_event = line != self.told;
        self.told.clone_from(&line);
        is_event.then_some(line)
    }

    fn line(&self) -> String {
        let mut line = match (self.settled, &self.relay_down) {
            (0, None) => "nothing tried yet".to_owned(),
            (settled, None) => format!("{settled} tries settled; relay ok"),
            (settled, Some(why)) => format!("{settled} tries settled; relay down: {why}"),
        };
        if self.clock_wrong {
            line = format!("nothing is sent: the system's clock is wrong; {line}");
        }
        if let Some((first, others)) = self.pauses.split_first() {
            let until = first.until.map_or_else(String::new, |until| {
                format!(" until {}", until.with_timezone(&self.zone).format("%a %d %b %H:%M"))
            });
            let others =
                if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            line.push_str(&format!("; paused: {}{until} ({}){others}", first.scope.mail(), first.reason));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pause::{Scope, Setter};

    #[test]
    fn the_line_says_what_holds_the_sending_up_and_is_told_once() {
        let mut standing = StatusLine::new(chrono_tz::Europe::Berlin);
        assert_eq!(standing.news().as_deref(), Some("nothing tried yet"));
        standing.take(Report { settled: 37, ..Report::default() });
        assert_eq!(standing.news().as_deref(), Some("37 tries settled; relay ok"));
        standing.take(Report::default());
        assert_eq!(standing.news(), None);
        let pause = |scope, until: Option<&str>| Pause {
            scope,
            reason: "a recall".to_owned(),
            by: Setter::Person,
            since: "2026-03-02T08:00:00Z".parse().unwrap(),
            until: until.map(|until| until.parse().unwrap()),
        };
        let sku = pause(Scope::Sku("KETTLE".to_owned()), Some("2026-03-05T12:00:00Z"));
        standing.paused_by(vec![sku, pause(Scope::Order("7".to_owned()), None)]);
        let paused = "37 tries settled; relay ok; paused: mail about KETTLE until Thu 05 Mar 13:00 (a recall) and 1 more";
        assert_eq!(standing.news().as_deref(), Some(paused));
        standing.paused_by(vec![pause(Scope::All, None)]);
        standing.take(Report { clock_wrong: true, ..Report::default() });
        let held = "nothing is sent: the system's clock is wrong; 37 tries settled; relay ok; \
            paused: all mail (a recall)";
        assert_eq!(standing.news().as_deref(), Some(held));
        standing.take(Report { relay_down: Some("421 busy".to_owned()), ..Report::default() });
        standing.paused_by(Vec::new());
        assert_eq!(standing.news().as_deref(), Some("37 tries settled; relay down: 421 busy"));
    }
}
