//! What came to nothing is owed again, because a person says so.
//!
//! Nothing here decides what is mailed: what an order owes is planned as ever. A mail that would still say the same is
//! under way again; one that would not is superseded by what holds now.

use super::Order;
use crate::domain::notice::{Notice, NoticeKind, Topic};

impl Order {
    /// Takes back that a notice which came to nothing counted as done with. Its news are owed again by the database.
    pub fn owe(&mut self, notice: &Notice) {
        self.contact.confirmed &= !notice.is_about(NoticeKind::Confirmation);
        self.contact.updated &= !notice.is_about(NoticeKind::Update48h);
        if notice.kind == NoticeKind::WeeklyStatus {
            self.contact.status_tried_on = None;
        }
        for stated in &notice.content.lines {
            let Some(line) = self.lines.iter_mut().find(|line| line.id == stated.line) else { continue };
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
}
