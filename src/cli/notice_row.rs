//! A notice as the commands about the queue list it.

use super::format::{Local, reason, state};
use super::pause;
use crate::domain::notice::{NoticeState, short_id};
use crate::store::Found;

/// When, the order, the notice's short id, its kind, its state, to whom, and what is known of it.
pub(super) fn row(found: &Found, local: Local, held_back: bool) -> [String; 7] {
    let entry = &found.entry;
    let why = entry.reason.as_deref().map(|why| reason(why, entry.by_occasion.as_deref()));
    let words = match (entry.next_try(), &entry.reply, why) {
        (Some(_), None, _) if held_back => pause::HELD_BACK.to_owned(),
        (Some(_), Some(reply), _) if held_back => format!("{reply}; {}", pause::HELD_BACK),
        (Some(next), None, _) if next <= local.now => "goes out now".to_owned(),
        (Some(next), None, _) => format!("goes out {}", local.time(next)),
        (Some(next), Some(reply), _) => format!("{reply}; next try {}", local.time(next)),
        (None, Some(reply), _) => reply.clone(),
        (None, None, Some(why)) => why,
        (None, None, None) => {
            NoticeState::from_word(&entry.state).map_or("", NoticeState::meaning).to_owned()
        }
    };
    [
        local.time(entry.instant()),
        entry.order_number.clone(),
        entry.notice.as_deref().map_or("-", short_id).to_owned(),
        entry.kind.clone(),
        state(&entry.state, entry.mode.as_deref()),
        found.email.clone(),
        words,
    ]
}
