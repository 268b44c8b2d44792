//! Texts and links made safe: nothing a customer or carrier wrote can break a line, turn the reading direction or
//! become a link of a scheme other than http(s).

use super::context::{Links, Shop};
use super::language::{Direction, Language};
use crate::domain::order::Order;
use crate::text::url::{percent, split};
use crate::text::{hides, is_dangerous, turns};

/// The longest text that goes into a mail, in characters.
const MAX_TEXT: usize = 1000;

/// `text` on one line, without control and invisible direction characters, trimmed and cut at [`MAX_TEXT`]; empty is
/// None.
pub fn clean(text: &str) -> Option<String> {
    let plain = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    if text.len() <= MAX_TEXT && text.split(' ').all(plain) {
        return Some(text.to_owned()); // as most are
    }
    let mut out = String::with_capacity(text.len().min(MAX_TEXT));
    for c in text.chars().take(MAX_TEXT) {
        if c.is_whitespace() || c.is_control() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !turns(c) && !hides(c) {
            out.push(c);
        }
    }
    let out = out.trim();
    (!out.is_empty()).then(|| out.to_owned())
}

/// As [`clean`] for what must print as something.
pub fn clean_or(text: &str, otherwise: &str) -> String {
    clean(text).unwrap_or_else(|| otherwise.to_owned())
}

/// `text` between marks that keep its direction to itself (Unicode TR 9), where it runs against `line` or might.
pub fn isolated(text: String, line: Direction) -> String {
    let against = |c: char| c.is_alphabetic() && runs_left(c) == (line == Direction::Ltr);
    if text.chars().any(against) { format!("\u{2068}{text}\u{2069}") } else { text }
}

/// Letters of the scripts that are written from right to left.
fn runs_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// `url` if a browser can only take it for a web page.
pub fn web_link(url: &str) -> Option<String> {
    let url = url.trim();
    let plain = |c: char| match c {
        '"' | '\'' | '<' | '>' | '`' | '\\' => false,
        '!'..='~' => true,
        _ => !c.is_whitespace() && !is_dangerous(c) && !hides(c),
    };
    (split(url).is_some() && url.len() <= 2000 && url.chars().all(plain)).then(|| url.to_owned())
}

/// The ways to look, to ask and to get out for one order; ready-made mails are in `language`.
pub fn of(order: &Order, shop: &Shop, language: &Language) -> Links {
    let number = clean_or(&order.number, "?");
    let page = |url: &Option<String>| -> Option<String> {
        web_link(&url.as_deref()?.replace("{order}", &percent(&order.number)))
    };
    let address = percent(&shop.support_email).replace("%40", "@");
    let words = &language.words;
    let say = |words: &str| percent(&words.replace("{order}", &number));
    let mail = |subject: &str| format!("mailto:{address}?subject={}", say(subject));
    Links {
        status: page(&shop.status_url),
        cancel: page(&shop.cancel_url),
        cancel_mail: format!("{}&body={}", mail(&words.cancel_subject), say(&words.cancel_body)),
        contact_mail: mail(&words.contact_subject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_its_line_and_cannot_turn_what_stands_around_it() {
        assert_eq!(clean("a\r\nBcc: x\u{202e}y\u{200b}\u{0}").as_deref(), Some("a Bcc: xy"));
        assert_eq!(clean("نورة  ").as_deref(), Some("نورة"), "letters that run from right to left stay");
        assert_eq!(clean("👩\u{200d}🔧").as_deref(), Some("👩\u{200d}🔧"), "joiners belong to the letters");
        assert_eq!(clean(" \u{feff}\t"), None);
        assert_eq!(clean(&"x".repeat(5000)).map(|text| text.len()), Some(MAX_TEXT));
    }

    #[test]
    fn a_text_that_runs_against_the_line_keeps_its_direction_to_itself() {
        let isolated = |text: &str, line| isolated(text.to_owned(), line);
        assert_eq!(isolated("Kettle (2 l)", Direction::Ltr), "Kettle (2 l)");
        assert_eq!(isolated("إبريق (2)", Direction::Ltr), "\u{2068}إبريق (2)\u{2069}");
        assert_eq!(isolated("إبريق (2)", Direction::Rtl), "إبريق (2)");
        assert_eq!(isolated("Kettle", Direction::Rtl), "\u{2068}Kettle\u{2069}");
    }

    #[test]
    fn only_web_pages_become_links() {
        for good in ["https://dhl.example/t?id=1&x=%20", "HTTP://a.example/"] {
            assert_eq!(web_link(good).as_deref(), Some(good));
        }
        for bad in
            ["javascript:alert(1)", "data:text/html,x", "//x", "https://a\"b", "https://a b", "", "httpsé//"]
        {
            assert_eq!(web_link(bad), None, "{bad}");
        }
    }
}
