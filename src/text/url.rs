//! Addresses of web pages, and what goes into them.

/// Host (with user and port, if any) and the rest of an http or https address; None for any other text.
pub fn split(url: &str) -> Option<(&str, &str)> {
    let after = |scheme: &str| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let rest = after("https://").or_else(|| after("http://"))?;
    Some(rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())))
}

/// `text` with all but the unreserved characters of RFC 3986 percent-encoded.
pub fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(2 * text.len());
    push_percent(text, "", &mut encoded);
    encoded
}

/// Appends `text` to `out`, percent-encoded as by [`percent`], but for the ASCII characters in `kept`.
pub fn push_percent(text: &str, kept: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_web_are_taken_apart() {
        assert_eq!(split("https://a.example/b?c"), Some(("a.example", "/b?c")));
        assert_eq!(split("HTTP://a.example"), Some(("a.example", "")));
        assert_eq!(split("https:///b"), Some(("", "/b")));
        for other in ["javascript:alert(1)", "//x", "www.example.com", "httpsé//", ""] {
            assert_eq!(split(other), None, "{other}");
        }
    }

    #[test]
    fn what_goes_into_a_url_is_percent_encoded() {
        assert_eq!(percent("A/1 2&ü"), "A%2F1%202%26%C3%BC");
        let mut out = String::new();
        push_percent("a/b c", "/", &mut out);
        assert_eq!(out, "a/b%20c");
    }
}
