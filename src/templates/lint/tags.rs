//! Tera's tags, read word by word, so that a fault can be found with its place also where tera does not look.

/// A word or sign in a tag, and where in the file it begins.
pub(super) struct Token<'a> {
    pub text: &'a str,
    pub at: usize,
}

/// The words and signs of each `{{ }}` and `{% %}`, without strings; comments and raw text are passed over.
pub(super) fn tags(text: &str) -> Vec<Vec<Token<'_>>> {
    let mut tags = Vec::new();
    let mut raw = false;
    for (from, to) in spans(text) {
        if text[..from].ends_with('#') {
            continue;
        }
        let tag = tokens(text, from, to);
        let is = |word| tag.first().is_some_and(|first: &Token<'_>| first.text == word);
        raw = (raw || is("raw")) && !is("endraw");
        if !raw {
            tags.push(tag);
        }
    }
    tags
}

/// What a template writes itself, and where it begins: the text around tags and comments, and the strings in tags
/// that print.
pub(super) fn literals(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut after = 0;
    for (from, to) in spans(text) {
        found.push((after, &text[after..from - 2]));
        after = to + 2;
        if text[..from].ends_with("{{") {
            found.extend(strings(text, from, to));
        }
    }
    found.push((after, &text[after..]));
    found
}

fn strings(text: &str, from: usize, to: usize) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(open) = text[at..to].find(['"', '\'', '`']).map(|found| at + found) {
        let quote = &text[open..=open];
        let close = text[open + 1..to].find(quote).map_or(to, |found| open + 1 + found);
        found.push((open + 1, &text[open + 1..close]));
        at = (close + 1).min(to);
    }
    found
}

/// Where the inside of each tag and comment begins and ends.
pub(super) fn spans(text: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        let end = match text.as_bytes().get(open + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                at = open + 1;
                continue;
            }
        };
        let Some(close) = close_of(text, open + 2, end) else { break };
        at = close + 2;
        spans.push((open + 2, close));
    }
    spans
}

/// Where `end` stands outside of a string.
fn close_of(text: &str, from: usize, end: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text[from..].char_indices() {
        match quote {
            None if text[from + at..].starts_with(end) => return Some(from + at),
            None if end != "#}" && matches!(c, '"' | '\'' | '`') => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

fn tokens(text: &str, from: usize, to: usize) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(c) = text[at..to].chars().next() {
        let rest = &text[at..to];
        let length = if matches!(c, '"' | '\'' | '`') {
            let closing = rest[1..].find(c).map_or(rest.len(), |end| end + 2);
            at += closing;
            // A string is a word of its own that is no name, so that what follows it is not taken for a field.
            found.push(Token { text: "\"", at });
            continue;
        } else if c.is_alphanumeric() || c == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if ["?.", "==", "!=", "<=", ">="].iter().any(|sign| rest.starts_with(sign)) {
            2
        } else {
            c.len_utf8()
        };
        if !c.is_whitespace() && !(c == '-' && (at == from || at + 1 == to)) {
            found.push(Token { text: &rest[..length], at });
        }
        at += length;
    }
    found
}
