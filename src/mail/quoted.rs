//! Quoted-printable (RFC 2045, 6.7), in one pass over a text.
//!
//! What always holds: only printable ASCII, tabs and CRLF come out, no line is longer than 76 characters, and none
//! ends in white space.

/// Characters of a line before the `=` of a soft break.
const WIDTH: usize = 75;

/// Encodes a text at the end of `out`. Any line ending becomes CRLF; other control characters but the tab go.
pub(super) fn quoted_printable(text: &str, out: &mut Vec<u8>) {
    let mut start = out.len();
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let (run, after) = rest.split_at(plain(rest));
        start = unescaped(run, start, out);
        rest = match after {
            [b'\r', b'\n', rest @ ..] | [b'\r' | b'\n', rest @ ..] => {
                end_line(start, out);
                out.extend_from_slice(b"\r\n");
                start = out.len();
                rest
            }
            // The control characters: C0, DEL, and C1 as UTF-8 has them.
            [..b' ' | 0x7f, rest @ ..] | [0xc2, 0x80..=0x9f, rest @ ..] => rest,
            [byte, rest @ ..] => {
                if out.len() - start + 3 > WIDTH {
                    start = soft_break(out);
                }
                escaped(*byte, out);
                rest
            }
            [] => break,
        };
    }
    end_line(start, out);
}

/// How many bytes at the beginning need no escape. Most runs are long, so whole blocks are asked first.
fn plain(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<16>();
    let all_plain = |block: &[u8; 16]| block.iter().fold(true, |all, byte| all & is_plain(*byte));
    let known = blocks.iter().take_while(|block| all_plain(block)).count() * 16;
    bytes[known..].iter().position(|byte| !PLAIN[usize::from(*byte)]).map_or(bytes.len(), |at| known + at)
}

/// Adds what needs no escape; says where the line it ends in starts.
fn unescaped(mut run: &[u8], mut start: usize, out: &mut Vec<u8>) -> usize {
    while out.len() - start + run.len() > WIDTH {
        let (fits, more) = run.split_at(WIDTH - (out.len() - start));
        out.extend_from_slice(fits);
        start = soft_break(out);
        run = more;
    }
    out.extend_from_slice(run);
    start
}

/// White space at the end of a line is lost on the way.
fn end_line(start: usize, out: &mut Vec<u8>) {
    if let Some(blank @ (b' ' | b'\t')) = out[start..].last().copied() {
        out.pop();
        if out.len() - start + 3 > WIDTH {
            soft_break(out);
        }
        escaped(blank, out);
    }
}

/// [`is_plain`] for each byte.
const PLAIN: [bool; 256] = {
    let (mut plain, mut byte) = ([false; 256], u8::MIN);
    while byte < u8::MAX {
        plain[byte as usize] = is_plain(byte);
        byte += 1;
    }
    plain
};

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t') & (byte != b'=')
}

/// Ends the line softly; says where the next one starts.
fn soft_break(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(b"=\r\n");
    out.len()
}

fn escaped(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(text: &str) -> String {
        let mut out = Vec::new();
        quoted_printable(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// What a reader's program makes of it.
    fn decoded(encoded: &str) -> String {
        let bytes = encoded.replace("=\r\n", "").into_bytes();
        let (mut out, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            if bytes[at] == b'=' {
                let hex = std::str::from_utf8(&bytes[at + 1..at + 3]).unwrap();
                out.push(u8::from_str_radix(hex, 16).unwrap());
                at += 3;
            } else {
                out.push(bytes[at]);
                at += 1;
            }
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_plain_is_escaped_and_every_line_ends_the_same_way() {
        assert_eq!(encoded("a=b \r\nGrüße\nx\ry\tz\t"), "a=3Db=20\r\nGr=C3=BC=C3=9Fe\r\nx\r\ny\tz=09");
        assert_eq!(encoded("a\u{0}b\u{85}c\n\n"), "abc\r\n\r\n");
        assert_eq!(encoded(""), "");
    }

    #[test]
    fn a_long_line_is_broken_softly() {
        let long = "x".repeat(80);
        assert_eq!(encoded(&long), format!("{}=\r\nxxxxx", "x".repeat(75)));
        let blank_at_the_edge = format!("{} ", "x".repeat(74));
        assert_eq!(encoded(&blank_at_the_edge), format!("{}=\r\n=20", "x".repeat(74)));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_no_line_is_too_long(text in "(?s)[a-z =.\t\r\nüß€\u{1F600}]{0,300}") {
            let encoded = encoded(&text);
            for line in encoded.split("\r\n") {
                prop_assert!(line.len() <= 76 && !line.ends_with([' ', '\t']), "{line:?}");
                prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')));
            }
            let lines = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
            prop_assert_eq!(decoded(&encoded), lines);
        }
    }
}
