//! Replies of a mail server, however they come in: the same replies in one piece and in many, each a value that can be
//! shown and has a meaning. The first octet says how long the pieces are.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shipby::domain::meaning::meaning;
use shipby::domain::reply::{Phase, Reply};
use shipby::mail::framing::Framer;

/// All replies that come of it, and whether the stream is still worth reading.
fn replies<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Reply>, bool) {
    let (mut framer, mut replies) = (Framer::default(), Vec::new());
    for piece in pieces {
        framer.intake().extend_from_slice(piece);
        loop {
            match framer.take_reply() {
                Ok(Some(frame)) => replies.push(framer.reply(&frame)),
                Ok(None) => break,
                Err(_) => return (replies, false),
            }
        }
    }
    (replies, true)
}

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let (whole, _) = replies(std::iter::once(data));
    let (pieces, sound) = replies(data.chunks(usize::from(*first) + 1));
    assert!(whole.starts_with(&pieces), "{pieces:?} is not the beginning of {whole:?}");
    assert!(!sound || pieces == whole, "{pieces:?} is not {whole:?}");
    for reply in whole {
        assert!((200..600).contains(&reply.code));
        assert!(!reply.to_string().contains(|c: char| c.is_control()), "{reply:?}");
        if reply.code / 100 != 2 {
            for phase in [Phase::Greeting, Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Body] {
                meaning(phase, &reply);
            }
        }
    }
});
