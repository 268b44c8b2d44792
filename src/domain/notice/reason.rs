//! Why something was not mailed, or not as planned, in words that a support person can read aloud.

use crate::domain::words::words;

words! {
    /// Why something was not mailed, or not as planned.
    Reason {
        /// A notice of a higher rank took it in.
        Merged = "merged",
        /// The customer had heard from us within the last 24 hours.
        RecentNotice = "recent_notice",
        TooLate = "too_late",
        AlreadyRestocked = "already_restocked",
        /// It lies before the import of the order.
        Imported = "imported",
        /// A date moved, but what the customer was told still holds.
        StillHolds = "still_holds",
        /// Another notice restarted the seven days.
        ClockRestarted = "clock_restarted",
        OrderClosed = "order_closed",
        AddressChanged = "address_changed",
        NoAddress = "no_address",
        /// What it stated was no longer true.
        FactsChanged = "facts_changed",
        Expired = "expired",
        /// Not on the list of recipients we may mail.
        NotAllowed = "not_allowed",
        /// The address gets no mail any more.
        Suppressed = "suppressed",
        /// Routine news to a customer who complained of our mail.
        Unwanted = "unwanted",
        /// A mail server says that there is no such address, or that its domain takes no mail.
        DeadAddress = "dead_address",
        /// A mail server refused the address in words that may mean anything.
        RefusedAddress = "refused_address",
        /// The mail server cannot carry an address that is not ASCII.
        CannotCarry = "smtputf8",
        /// Larger than the mail server takes.
        TooLarge = "size",
        Content = "content",
        Policy = "policy",
        /// The mail server does not understand us.
        Protocol = "protocol",
        /// Rendering or sending it failed on our side.
        Fault = "fault",
        /// A person holds it.
        ByPerson = "by_person",
        /// A person dropped it, or the batch it was one of.
        Dropped = "dropped",
        /// It came due in a time that a restored database knows nothing of.
        Restored = "restored",
    }
}

impl Reason {
    /// What a support person can read aloud.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Merged => "another notice took it in",
            Self::RecentNotice => "the customer had heard from us within 24 hours",
            Self::TooLate => "its time had passed",
            Self::AlreadyRestocked => "the customer knows that the goods are here",
            Self::Imported => "it lies before the order was taken over",
            Self::StillHolds => "the date moved, but what the customer was told still holds",
            Self::ClockRestarted => "another notice restarted the seven days",
            Self::OrderClosed => "nothing of the order waits any more",
            Self::AddressChanged => "the customer's address changed",
            Self::NoAddress => "there is no address to write to",
            Self::FactsChanged => "what it stated was no longer true",
            Self::Expired => "it had lost its use before the mail server took it",
            Self::NotAllowed => "the address is not in delivery.allow_recipients",
            Self::Suppressed => "the address gets no mail any more; ask the customer for another",
            Self::Unwanted => "the customer reported our mail as unwanted and gets no routine news",
            Self::DeadAddress => "the address is dead; ask the customer for another",
            Self::RefusedAddress => "the mail server refused the address; make sure of it with the customer",
            Self::CannotCarry => "the mail server cannot carry this address; ask the customer for another",
            Self::TooLarge => "it is larger than the mail server takes",
            Self::Content => "the mail server refused what it says or how it is made",
            Self::Policy => "a rule of the mail server or of the recipient's refused it",
            Self::Protocol => "the mail server did not understand us twice; a person must look",
            Self::Fault => "it could not be written; a person must look",
            Self::ByPerson => "a person holds it until it is released",
            Self::Dropped => "a person dropped it; the next mails state what holds then",
            Self::Restored => "the database was restored from a backup; it may have been sent since",
        }
    }

    /// The meaning, with the notice named that took its place.
    pub fn sentence(self, by: Option<&str>) -> String {
        let Some(by) = by else { return self.meaning().to_owned() };
        let kind = by.split('/').next().unwrap_or(by);
        match self {
            Self::Merged => format!("taken into the {kind}"),
            Self::ClockRestarted => format!("{kind} restarted the seven days"),
            _ => format!("{}; {kind} took its place", self.meaning()),
        }
    }
}
