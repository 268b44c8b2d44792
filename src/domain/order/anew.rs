//! An order taken up anew: what came to nothing is owed again, what was held back may go, a silent address gets mail
//! again, and what only our own catcher saw was told to nobody.
//!
//! Nothing here decides what is mailed: what an order owes is planned as ever. A mail that would still say the same is
//! under way again; one that would not is superseded by what holds now.

use crate::domain::bounce::EarlierNotice;
use crate::domain::calendar::Instant;
use crate::domain::notice::{Notice, NoticeKind, Topic};

use super::Order;

impl Order {
    /// Takes back that a notice which came to nothing counted as done with. Its news are owed again by the database.
    pub fn owe(&mut self, notice: &Notice) {
        self.contact.confirmed &= !notice.is_about(NoticeKind::Confirmation);
        self.contact.updated &= !notice.is_about(NoticeKind::Update48h);
        if notice.kind == NoticeKind::WeeklyStatus {
            self.contact.status_tried_on = None;
        }
        for stated in &notice.content.lines {
            let Some(line) = self.lines.iter_mut().find(|line| line.key == stated.line) else { continue };
            // Of the others it is no news: whatever they state counts as tried until one of them is accepted.
            if notice.kind.rules().topic == Topic::Shift {
                line.tried = None;
            }
            line.announced &= !stated.in_house;
            if stated.missed && line.overdue_for == stated.told {
                line.overdue_for = None;
            }
        }
    }

    /// What the blast guard held back may go.
    pub fn release_held(&mut self) {
        self.blast_hold = None;
    }

    /// The address gets mail again: what it was not told it is told by the next notice, a first one by the confirmation.
    pub fn unsuppress(&mut self) {
        let contact = &mut self.contact;
        (contact.status_tried_on, contact.status_failures) = (None, 0);
        contact.confirmed &= contact.last_at.is_some() || self.silent_before.is_some();
    }

    /// The first live start, at `now`: nothing about the past is mailed, and what was captured or redirected is not counted
    /// any more. Told is what the last of `live` said, the notices that were accepted before in this mode, else what the
    /// checkout promised.
    pub fn go_live(&mut self, now: Instant, live: &[EarlierNotice]) {
        for line in &mut self.lines {
            let said = |notice: &EarlierNotice| {
                let stated = notice.lines.iter().find(|stated| stated.line == line.key)?;
                Some((notice.at, stated.told))
            };
            let last = live.iter().filter_map(said).max_by_key(|(at, _)| *at);
            line.told = last.and_then(|(_, told)| told).or(line.promised);
            (line.tried, line.overdue_for, line.announced) = (None, None, false);
        }
        self.silent_before = Some(now);
        self.events.clear();
        self.under_way = None;
        let contact = &mut self.contact;
        (contact.confirmed, contact.written_to) = (true, None);
        contact.last_at = live.iter().map(|notice| notice.at).max();
        (contact.status_tried_on, contact.status_failures, contact.debounce) = (None, 0, None);
    }
}
