//! How an incident is told to ops: what does not work since when, what that means, and what to do; later, that it is over.

use super::Masthead;
use crate::domain::calendar::Instant;
use crate::domain::incident::{Incident, IncidentSubject};
use crate::domain::pause::Scope;
use crate::text::{capital, plain};

/// Subject and text of an alert: of an incident that goes on its beginning, of one that is over both ends.
pub fn write_alert(incident: &Incident, head: Masthead<'_>) -> (String, String) {
    let time = |at: Instant| at.with_timezone(&head.zone).format("%A %-d %B %Y, %H:%M").to_string();
    let (is, was) = match &incident.matter {
        IncidentSubject::Relay => {
            ("the mail server cannot be used".to_owned(), "the mail server can be used again".to_owned())
        }
        IncidentSubject::Held(scope) => {
            let what = plain(&scope.mail());
            (format!("{what} is held back"), format!("{what} is not held back any more"))
        }
    };
    let (what, rest) = match incident.ended {
        None => (is, meaning(&incident.matter)),
        Some(ended) => {
            let since = format!("It was so from {} to {}.", time(incident.began), time(ended));
            (was, format!("{since}\nWhat waited goes out now if it is still true."))
        }
    };
    let mut text = head.mode.sentence().map_or_else(String::new, |mode| format!("mode {mode}\n"));
    if incident.ended.is_none() {
        text.push_str(&format!("{}, since {}:\n", capital(&what), time(incident.began)));
    } else {
        text.push_str(&format!("{}. The matter was:\n", capital(&what)));
    }
    text.push_str(&format!("    {}\n\n{rest}\n", plain(&incident.words)));
    (format!("{}: {}", head.shop, what), text)
}

/// What it means, and what to do.
fn meaning(matter: &IncidentSubject) -> String {
    match matter {
        IncidentSubject::Relay => "All mail waits, nothing is lost, and nothing is counted against any of it: the server is \
                          tried again by itself, less and less often.\n\
                          To do: mend it, and prove it with shipby check --smtp. You hear from us when it works again."
            .to_owned(),
        IncidentSubject::Held(scope) => format!(
            "What is held back waits, and nothing of it is lost{}.\n\
             To do: mend what is the matter, then shipby resume {}. shipby queue list shows what waits.",
            if *scope == Scope::All { "" } else { "; all other mail goes out" },
            plain(&scope.to_resume())
        ),
    }
}
