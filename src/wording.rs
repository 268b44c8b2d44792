//! How numbers, lists and other people's words are shown, in commands and in the digest alike.

/// `1 order`, `2 orders`.
pub fn count(number: impl std::fmt::Display, one: &str, many: &str) -> String {
    let digits = grouped(number);
    let thing = if digits == "1" { one } else { many };
    format!("{digits} {thing}")
}

/// `12,431`: long numbers are read in threes.
pub fn grouped(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `text` on one line, whatever it holds: control characters and those that turn a line around are escaped.
pub fn plain(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() || turns(c) { c.escape_default().to_string() } else { c.to_string() }
    };
    text.chars().map(escape).collect()
}

fn turns(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        | '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

/// `text` as a sentence begins.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lists_are_read_as_spoken() {
        assert_eq!(count(1, "order", "orders"), "1 order");
        assert_eq!(count(1_234_567, "order", "orders"), "1,234,567 orders");
        assert_eq!(list(&["a".to_owned(), "b".to_owned(), "c".to_owned()]), "a, b and c");
    }
}
