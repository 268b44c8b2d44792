//! The envelope sender of a notice: `bounce+<token>@shop.example`, so that whatever comes back names its notice.
//!
//! What always holds: only who has the key can make a token, and a token that does not fit is no token. It is of
//! lower-case hex digits, for some servers fold the case of what stands before the @.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::compose::{ComposeError, Mailbox};
use crate::domain::bounce::TOKEN;

/// Hex digits of a notice's id.
const ID: usize = 16;
/// Octets of the authentication code that are kept: 80 bits, the least that RFC 2104 advises.
const CODE: usize = 10;

/// Makes and reads envelope senders.
#[derive(Clone)]
pub struct Verp {
    local: String,
    domain: String,
    code: Hmac<Sha256>,
}

impl std::fmt::Debug for Verp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verp").field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl Verp {
    /// With the address that bounces go to, and the key.
    ///
    /// # Errors
    /// If it is no address, or a token does not fit into it.
    pub fn new(address: &str, key: &[u8]) -> Result<Self, ComposeError> {
        let mailbox = Mailbox::new("address for bounces", None, address)?;
        let fault = ComposeError::Address("address for bounces");
        let (local, domain) = mailbox.address().rsplit_once('@').ok_or(fault.clone())?;
        if local.len() + TOKEN > 64 {
            return Err(fault);
        }
        let code = Hmac::new_from_slice(key).map_err(|_| fault)?;
        Ok(Self { local: local.to_owned(), domain: domain.to_owned(), code })
    }

    /// The envelope sender of a notice.
    pub fn sender(&self, notice: &str) -> String {
        let code = self.code.clone().chain_update(notice).finalize().into_bytes();
        let code: String = code.iter().take(CODE).map(|byte| format!("{byte:02x}")).collect();
        format!("{}+{notice}{code}@{}", self.local, self.domain)
    }

    /// The notice whose envelope sender stands somewhere in these texts. `Err` if a token does not fit, or if they
    /// name several: somebody made it up.
    pub fn notice<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Result<Option<String>, Forged> {
        let mut found = None;
        let addresses =
            texts.into_iter().flat_map(|text| text.split(|c: char| " \t\r\n<>,;\"()".contains(c)));
        for token in addresses.filter_map(|address| self.token(address)) {
            let notice = self.checked(token).ok_or(Forged)?;
            if found.as_ref().is_some_and(|other| *other != notice) {
                return Err(Forged);
            }
            found = Some(notice);
        }
        Ok(found)
    }

    /// What stands where a token would.
    fn token<'a>(&self, address: &'a str) -> Option<&'a str> {
        let (local, domain) = address.rsplit_once('@')?;
        let (name, token) = local.split_at_checked(self.local.len())?;
        let ours = name.eq_ignore_ascii_case(&self.local) && domain.eq_ignore_ascii_case(&self.domain);
        token.strip_prefix('+').filter(|_| ours)
    }

    fn checked(&self, token: &str) -> Option<String> {
        let token = token.to_ascii_lowercase();
        let (notice, code) = token.split_at_checked(ID)?;
        let hex = |at: usize| u8::from_str_radix(code.get(at..at + 2)?, 16).ok();
        let octets: Vec<u8> = (0..code.len()).step_by(2).map(hex).collect::<Option<_>>()?;
        if octets.len() != CODE {
            return None;
        }
        // Compares in constant time.
        self.code.clone().chain_update(notice).verify_truncated_left(&octets).ok()?;
        Some(notice.to_owned())
    }
}

/// An address that looks like one of ours and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forged;

#[cfg(test)]
mod tests {
    use super::*;

    const NOTICE: &str = "0123456789abcdef";

    fn verp() -> Verp {
        Verp::new("Bounce@Bücher.example", b"a key").unwrap()
    }

    #[test]
    fn a_sender_names_its_notice_whatever_the_case_and_what_stands_around_it() {
        let sender = verp().sender(NOTICE);
        assert!(sender.starts_with("Bounce+0123456789abcdef"), "{sender}");
        assert_eq!(sender.len(), "Bounce@xn--bcher-kva.example".len() + TOKEN);
        assert!(sender.ends_with("@xn--bcher-kva.example"), "{sender}");
        for text in [sender.clone(), sender.to_uppercase(), format!("rfc822; <{sender}>, x@y.example")] {
            assert_eq!(verp().notice([text.as_str()]), Ok(Some(NOTICE.to_owned())), "{text}");
        }
        assert_eq!(verp().notice([sender.as_str(), sender.as_str()]), Ok(Some(NOTICE.to_owned())));
    }

    #[test]
    fn a_token_that_somebody_made_up_is_told_from_an_address_without_one() {
        let good = verp().sender(NOTICE);
        let other = verp().sender("fedcba9876543210");
        let theirs = Verp::new("Bounce@Bücher.example", b"another key").unwrap().sender(NOTICE);
        let swapped = good.replace(NOTICE, "fedcba9876543210");
        let cut = good.replace("@", "0@");
        for text in
            [theirs, swapped, cut, "bounce+@xn--bcher-kva.example".to_owned(), format!("{good} {other}")]
        {
            assert_eq!(verp().notice([text.as_str()]), Err(Forged), "{text}");
        }
        for text in
            ["", "bounce@xn--bcher-kva.example", "ana+0123@example.com", "bounce+0123@example.com", "é+1@x"]
        {
            assert_eq!(verp().notice([text]), Ok(None), "{text}");
        }
    }

    #[test]
    fn an_address_that_leaves_no_room_for_a_token_is_refused() {
        let room = 64 - TOKEN;
        assert!(Verp::new(&format!("{}@shop.example", "b".repeat(room)), b"key").is_ok());
        assert!(Verp::new(&format!("{}@shop.example", "b".repeat(room + 1)), b"key").is_err());
    }
}
