//! What a terminal, a line of the log or a mail to ops is shown of a text that somebody else wrote.
//!
//! One set of characters is dangerous there, and one function escapes it: [`plain`].

/// `text` on one line, whatever it holds: what a terminal would act upon, and what misleads a reader, is escaped.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_dangerous(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// The same, but its lines and tabs stay.
pub fn plain_lines(text: &str) -> String {
    let lines = text.replace("\r\n", "\n");
    let line = |line: &str| line.split('\t').map(plain).collect::<Vec<_>>().join("\t");
    lines.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The first `most` characters of `text`, as [`plain`] shows them; `…` says that there are more.
pub fn excerpt(text: &str, most: usize) -> String {
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    let more = if end < text.len() { "…" } else { "" };
    format!("{}{more}", plain(&text[..end]))
}

/// What a terminal, a header or a line of a log must not be given as it is: it breaks the line or turns it around.
pub fn is_dangerous(c: char) -> bool {
    breaks(c) || turns(c)
}

/// Control characters, and what else ends a line.
pub fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Characters that turn the direction of what is read (Unicode TR 9), and the mark that begins a file. Joiners are
/// none of them: emoji and several scripts need those.
pub fn turns(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Other characters without a form of their own, which can hide in a word. They do a terminal no harm; a mail drops
/// them.
pub fn hides(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{2060}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_one_harmless_line() {
        assert_eq!(plain("a\r\n\0\u{1b}[31m\u{202e}\u{2028}b"), r"a\r\n\u{0}\u{1b}[31m\u{202e}\u{2028}b");
        assert_eq!(plain("Ünïcode 👩\u{200d}🔧 إبريق"), "Ünïcode 👩\u{200d}🔧 إبريق");
        assert_eq!(plain(&plain("\u{2069}")), plain("\u{2069}"), "escaped twice is escaped once");
        assert_eq!(plain_lines("a\tb\r\nc\u{1b}\u{2028}d\n"), "a\tb\nc\\u{1b}\\u{2028}d\n");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(excerpt("é\u{202e}", 2), r"é\u{202e}");
        assert_eq!(excerpt("éa\u{202e}", 2), "éa…");
    }
}
