//! Who waits. An address that got in here is one address, can be mailed, and is masked wherever it is printed.

use std::fmt;

use chrono_tz::Tz;

/// One e-mail address that a mail can be sent to. `Display` masks it; [`EmailAddress::as_str`] does not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    #[error("there is no @")]
    NoAt,
    #[error("nothing stands before the @")]
    NoLocalPart,
    #[error("no domain stands after the @")]
    NoDomain,
    #[error("it holds a character no address may have; write one plain address")]
    BadCharacter,
    #[error("it names more than one address; write one")]
    Several,
    #[error("a dot stands where none may")]
    BadDot,
    #[error("the domain is not one that mail can be sent to; write it as in example.com")]
    BadDomain,
    #[error("it is longer than an address may be (64 before the @, 254 in all)")]
    TooLong,
}

impl EmailAddress {
    /// Reads one address, as RFC 5321 allows it in practice: no comments, no quoted parts, no literals.
    pub fn parse(text: &str) -> Result<Self, AddressFault> {
        let text = text.trim();
        if text.contains([',', ';']) || text.matches('@').count() > 1 {
            return Err(AddressFault::Several);
        }
        let (local, domain) = text.split_once('@').ok_or(AddressFault::NoAt)?;
        if local.is_empty() {
            return Err(AddressFault::NoLocalPart);
        }
        if domain.is_empty() {
            return Err(AddressFault::NoDomain);
        }
        let forbidden = |c: char| c.is_control() || c.is_whitespace() || "()<>[]:\\\"".contains(c);
        if text.chars().any(forbidden) {
            return Err(AddressFault::BadCharacter);
        }
        if local.len() > 64 || text.len() > 254 {
            return Err(AddressFault::TooLong);
        }
        if [local, domain].iter().any(|p| p.starts_with('.') || p.ends_with('.') || p.contains("..")) {
            return Err(AddressFault::BadDot);
        }
        let label = |l: &str| {
            l.len() <= 63
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.chars().all(|c| c.is_alphanumeric() || c == '-' || !c.is_ascii())
        };
        if !domain.contains('.') || !domain.split('.').all(label) {
            return Err(AddressFault::BadDomain);
        }
        Ok(Self(format!("{local}@{}", domain.to_lowercase())))
    }

    /// The address itself, for the envelope and for people who may see it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`, in lower case.
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, domain) = self.0.split_once('@').unwrap_or(("", &self.0));
        let first = local.chars().next().unwrap_or('*');
        write!(f, "{first}…@{domain}")
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whom an order's notices go to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Customer {
    /// None: the shop gave none; the order is on the list of those who need a person.
    pub email: Option<EmailAddress>,
    pub name: Option<String>,
    /// BCP 47, as the shop gave it (`de`, `de-AT`).
    pub locale: Option<String>,
    /// Decides `status_at`, civil days and send windows; the shop's zone where absent.
    pub timezone: Option<Tz>,
    /// ISO 3166 alpha-2. Never used to guess a zone.
    pub country: Option<String>,
}

/// A person gave an order another address than the shop's system knows. It holds until that system states a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction<E = EmailAddress> {
    /// What the shop's system stated before, and may go on stating.
    pub replaced: Option<E>,
}

impl<E: Clone + PartialEq> Correction<E> {
    /// The address after `now` where `stated` is stated, by a person or by the shop's system, and what is corrected by
    /// it. No address is no new one.
    pub fn restate(
        correction: Option<Self>,
        now: &Option<E>,
        stated: Option<E>,
        by_hand: bool,
    ) -> (Option<E>, Option<Self>) {
        match correction {
            _ if by_hand => {
                let replaced = correction.map_or_else(|| now.clone(), |known| known.replaced);
                let corrected = replaced != stated;
                (stated, corrected.then_some(Self { replaced }))
            }
            Some(known) if stated.is_none() || known.replaced == stated => (now.clone(), Some(known)),
            _ => (stated, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_address_is_read_and_its_domain_lowered() {
        assert_eq!(EmailAddress::parse(" Ana.B+x@Example.COM ").unwrap().as_str(), "Ana.B+x@example.com");
        assert_eq!(EmailAddress::parse("jörg@bücher.example").unwrap().as_str(), "jörg@bücher.example");
    }

    #[test]
    fn what_no_mail_can_be_sent_to_is_refused_with_the_reason() {
        let cases = [
            ("ana", AddressFault::NoAt),
            ("ana@", AddressFault::NoDomain),
            ("@example.com", AddressFault::NoLocalPart),
            ("a..b@example.com", AddressFault::BadDot),
            ("a@example.com, b@example.com", AddressFault::Several),
            ("a@b@example.com", AddressFault::Several),
            ("a\r\nBcc:x@example.com", AddressFault::BadCharacter),
            ("a@localhost", AddressFault::BadDomain),
            ("a@[127.0.0.1]", AddressFault::BadCharacter),
            ("a@-x.example", AddressFault::BadDomain),
        ];
        for (text, fault) in cases {
            assert_eq!(EmailAddress::parse(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn an_address_is_masked_wherever_it_is_printed() {
        let address = EmailAddress::parse("ana@example.com").unwrap();
        assert_eq!(format!("{address} {address:?}"), "a…@example.com a…@example.com");
    }
}
