//! A mail that came back, or anything that claims to be one: read as far as it goes, and it names no notice that its
//! token does not prove.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shipby::mail::{Verp, returned};

fuzz_target!(|data: &[u8]| {
    let Some(found) = returned::read(data) else { return };
    if let Some(notice) = &found.notice {
        assert!(notice.len() == 16 && notice.bytes().all(|byte| byte.is_ascii_hexdigit()), "{notice:?}");
    }
    let verp = Verp::new("bounce@shop.example", b"a key that nobody can guess").unwrap();
    // Whoever can make up a token without the key has found more than a bug of ours.
    let proved = verp.notice(found.addresses.iter().map(String::as_str));
    assert!(!matches!(proved, Ok(Some(_))), "{proved:?}");
});
