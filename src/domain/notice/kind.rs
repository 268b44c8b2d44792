//! The kinds of notices and what holds for each: one table, in which a kind that is added has to answer every question.

use crate::domain::words::words;

words! {
    /// What a notice is about, highest rank first.
    NoticeKind {
        Cancelled = "cancelled", Refunded = "refunded", Shipped = "shipped", Confirmation = "confirmation",
        Restock = "restock", DateSlip = "date_slip", Overdue = "overdue", DateImproved = "date_improved",
        Update48h = "update_48h", WeeklyStatus = "weekly_status",
    }
}

/// What makes a notice due, and with it what tells one occasion of its kind from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A shipment, a cancellation or a refund: each is told once, however much was heard since.
    Event,
    /// The order itself: the first word about it, once.
    Order,
    /// Goods that came in, each time.
    Goods,
    /// A date that moved, each time.
    Shift,
    /// A told date that has passed.
    Missed,
    /// The order's age, once.
    Age,
    /// Silence, once a day at most.
    Silence,
}

/// What holds for a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindRules {
    pub topic: Topic,
    /// Of several due at one time that of the lowest number is mailed and takes in the others.
    pub rank: u8,
    /// It keeps to the send window; without that it goes at once, at any hour.
    pub keeps_window: bool,
    /// The customer must know it: in doubt it is tried once more, and who complained gets it all the same. Of routine
    /// news the next supersedes it.
    pub must_be_known: bool,
    /// One change of a supply can make it due for very many orders at one time: the blast guard counts and holds it.
    pub may_be_held: bool,
    /// Something new makes it due; without that it comes with time alone.
    pub is_caused: bool,
    /// It says plainly that a told date has passed: no other mail needs to.
    pub says_missed: bool,
    /// Its occasion may come a second time, which then needs a name of its own: another line may come to miss the same
    /// date, another address may be there to hear what the first refused.
    pub may_repeat: bool,
    /// It waits while a date may still move, for it would have to be corrected at once.
    pub is_debounced: bool,
    /// It loses its use with time before its first try too. What must be known does not: that we could not send is no
    /// reason to be silent.
    pub loses_use: bool,
    /// Once it has lost its use it is of use again when a person has it tried again; without that its time has passed.
    pub is_renewable: bool,
    /// Its mail says the customer's place in the queue.
    pub says_place: bool,
    /// Its mail is short and operational: text alone, and no word that sells.
    pub is_plain: bool,
}

impl NoticeKind {
    /// What holds for this kind.
    pub const fn rules(self) -> KindRules {
        match self {
            Self::Cancelled => KindRules {
                topic: Topic::Event,
                rank: 1,
                keeps_window: false,
                must_be_known: true,
                may_be_held: false,
                is_caused: true,
                says_missed: false,
                may_repeat: true,
                is_debounced: false,
                loses_use: false,
                is_renewable: true,
                says_place: false,
                is_plain: false,
            },
            Self::Refunded => KindRules {
                topic: Topic::Event,
                rank: 2,
                keeps_window: false,
                must_be_known: true,
                may_be_held: false,
                is_caused: true,
                says_missed: false,
                may_repeat: true,
                is_debounced: false,
                loses_use: false,
                is_renewable: true,
                says_place: false,
                is_plain: false,
            },
            Self::Shipped => KindRules {
                topic: Topic::Event,
                rank: 3,
                keeps_window: false,
                must_be_known: true,
                may_be_held: false,
                is_caused: true,
                says_missed: false,
                may_repeat: true,
                is_debounced: false,
                loses_use: false,
                is_renewable: true,
                says_place: false,
                is_plain: false,
            },
            Self::Confirmation => KindRules {
                topic: Topic::Order,
                rank: 4,
                keeps_window: false,
                must_be_known: true,
                may_be_held: false,
                is_caused: true,
                says_missed: true,
                may_repeat: true,
                is_debounced: false,
                loses_use: false,
                is_renewable: true,
                says_place: false,
                is_plain: false,
            },
            Self::Restock => KindRules {
                topic: Topic::Goods,
                rank: 5,
                keeps_window: true,
                must_be_known: false,
                may_be_held: true,
                is_caused: true,
                says_missed: false,
                may_repeat: false,
                is_debounced: false,
                loses_use: false,
                is_renewable: true,
                says_place: false,
                is_plain: false,
            },
            Self::DateSlip => KindRules {
                topic: Topic::Shift,
                rank: 6,
                keeps_window: false,
                must_be_known: true,
                may_be_held: true,
                is_caused: true,
                says_missed: true,
                may_repeat: false,
                is_debounced: false,
                loses_use: false,
                is_renewable: true,
                says_place: false,
                is_plain: false,
            },
            Self::Overdue => KindRules {
                topic: Topic::Missed,
                rank: 7,
                keeps_window: true,
                must_be_known: true,
                may_be_held: false,
                is_caused: false,
                says_missed: true,
                may_repeat: true,
                is_debounced: true,
                loses_use: false,
                is_renewable: true,
                says_place: false,
                is_plain: false,
            },
            Self::DateImproved => KindRules {
                topic: Topic::Shift,
                rank: 8,
                keeps_window: true,
                must_be_known: false,
                may_be_held: true,
                is_caused: true,
                says_missed: false,
                may_repeat: false,
                is_debounced: true,
                loses_use: false,
                is_renewable: true,
                says_place: false,
                is_plain: false,
            },
            Self::Update48h => KindRules {
                topic: Topic::Age,
                rank: 9,
                keeps_window: true,
                must_be_known: false,
                may_be_held: false,
                is_caused: false,
                says_missed: false,
                may_repeat: false,
                is_debounced: true,
                loses_use: true,
                is_renewable: false,
                says_place: false,
                is_plain: true,
            },
            Self::WeeklyStatus => KindRules {
                topic: Topic::Silence,
                rank: 10,
                keeps_window: true,
                must_be_known: false,
                may_be_held: false,
                is_caused: false,
                says_missed: false,
                may_repeat: false,
                is_debounced: true,
                loses_use: true,
                is_renewable: true,
                says_place: true,
                is_plain: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_listed_by_their_rank_and_no_two_have_the_same() {
        let ranks: Vec<u8> = NoticeKind::ALL.iter().map(|kind| kind.rules().rank).collect();
        assert!(ranks.is_sorted_by(|higher, lower| higher < lower), "{ranks:?}");
    }

    #[test]
    fn what_must_be_known_never_loses_its_use_by_time_alone() {
        assert!(NoticeKind::ALL.iter().all(|kind| !kind.rules().must_be_known || !kind.rules().loses_use));
    }
}
