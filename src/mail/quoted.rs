//! Quoted-printable (RFC 2045, 6.7), in one pass over a text.
//!
//! What always holds: only printable ASCII, tabs and CRLF come out, no line is longer than 76 characters, and none
//! ends in white space.

/// Characters of a line before the `=` of a soft break.
const WIDTH: usize = 75;

/// Encodes a text. Any line ending becomes CRLF; other control characters but the tab go.
pub(super) fn quoted_printable(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    let mut rest = text;
    while let Some(end) = rest.find(['\r', '\n']) {
        line(&rest[..end], &mut out);
        out.extend_from_slice(b"\r\n");
        rest = &rest[end..];
        rest = rest.strip_prefix("\r\n").unwrap_or(&rest[1..]);
    }
    line(rest, &mut out);
    out
}

fn line(line: &str, out: &mut Vec<u8>) {
    let mut start = out.len();
    let mut rest = line;
    while !rest.is_empty() {
        let plain = rest.bytes().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
        let (mut run, after) = rest.split_at(plain);
        while out.len() - start + run.len() > WIDTH {
            let (fits, more) = run.split_at(WIDTH - (out.len() - start));
            out.extend_from_slice(fits.as_bytes());
            start = soft_break(out);
            run = more;
        }
        out.extend_from_slice(run.as_bytes());
        rest = after;
        let Some(c) = after.chars().next() else { break };
        rest = &rest[c.len_utf8()..];
        if c.is_control() {
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            if out.len() - start + 3 > WIDTH {
                start = soft_break(out);
            }
            escaped(byte, out);
        }
    }
    if let Some(blank @ (b' ' | b'\t')) = out.last().copied().filter(|_| out.len() > start) {
        // White space at the end of a line is lost on the way.
        out.pop();
        if out.len() - start + 3 > WIDTH {
            soft_break(out);
        }
        escaped(blank, out);
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t') && byte != b'='
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
        String::from_utf8(quoted_printable(text)).unwrap()
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
