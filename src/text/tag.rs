//! Which language a text is in, as a tag of BCP 47: `de`, `de-AT`, `zh-Hant`.

/// Longer than any tag that is used (RFC 5646, 4.4.1).
const LONGEST: usize = 35;

/// Whether `text` has the form of a language tag: a language of two or three letters, then what narrows it.
pub fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language =
        |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let narrower =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.len() <= LONGEST && parts.next().is_some_and(language) && parts.all(narrower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_language_and_what_narrows_it() {
        for tag in ["de", "de-AT", "zh-Hant", "gsw", "DE", "de-u-co-phonebk"] {
            assert!(is_language_tag(tag), "{tag}");
        }
        for text in ["", "d", "German", "de_AT", "de-", "-AT", "de-Österreich", "de-x-abcdefghi"] {
            assert!(!is_language_tag(text), "{text}");
        }
        assert!(!is_language_tag(&format!("de{}", "-austria1".repeat(4))));
    }
}
