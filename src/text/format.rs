//! How numbers and lists are said, in commands, in refusals and in mails to ops alike.

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
    joined(parts, " and ")
}

/// `a`, `a or b`, `a, b or c`.
pub fn either(words: &[&str]) -> String {
    joined(words, " or ")
}

/// `text` as a sentence begins.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn joined<S: AsRef<str>>(words: &[S], before_last: &str) -> String {
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        text.push_str(match words.len() - index {
            _ if index == 0 => "",
            1 => before_last,
            _ => ", ",
        });
        text.push_str(word.as_ref());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lists_are_read_as_spoken() {
        assert_eq!(count(1, "order", "orders"), "1 order");
        assert_eq!(count(1_234_567, "order", "orders"), "1,234,567 orders");
        assert_eq!(list(&["a".to_owned(), "b".to_owned(), "c".to_owned()]), "a, b and c");
        assert_eq!(
            (either(&[]), either(&["a"]), either(&["a", "b"])),
            ("".into(), "a".into(), "a or b".into())
        );
    }
}
