//! Every mail as a stranger's mail program must read it: RFC 5322, 2045 and 2047 by a strict reader of our own, the same
//! mail read by mail-parser, and both say what was rendered.

use mail_parser::{Message, MessageParser};
use proptest::prelude::*;
use shipby::mail::{Letter, Mailbox, compose};

use super::*;

/// What each mail has, once; no other header may stand in it.
const HEADERS: [&str; 13] = [
    "From",
    "Reply-To",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Shipby-Notice",
    "X-Shipby-Order",
    "X-Shipby-Kind",
    "MIME-Version",
];

/// The bytes of a mail, as the desk makes them.
fn composed(sample: &Sample, rendered: &Rendered) -> Vec<u8> {
    let from = Mailbox::new("sender", Some("Käse & Söhne, \"Shop\""), "news@shop.example").unwrap();
    let reply_to = Mailbox::new("reply", None, "help@shop.example").unwrap();
    let letter = Letter {
        from: &from,
        reply_to: Some(&reply_to),
        to_address: "kim@example.com",
        to_name: sample.order.customer.name.as_deref(),
        subject: &rendered.subject,
        text: &rendered.text,
        html: rendered.html.as_deref(),
        date: sample.now,
        message_id: "n-7@shop.example",
        references: &["n-1@shop.example".to_owned(), "n-2@shop.example".to_owned()],
        notice: "n-7",
        order: &sample.order.number,
        kind: sample.notice.kind.as_str(),
    };
    compose(&letter).unwrap_or_else(|error| panic!("{}: {error}", sample.name))
}

/// A mail that broke a rule.
type Broken = String;
/// Headers, unfolded, by name.
type Headers = Vec<(String, String)>;

/// Headers, unfolded, and the lines behind them.
fn parts(text: &str) -> Result<(Headers, Vec<&str>), Broken> {
    let text = text.strip_suffix("\r\n").ok_or("the last line has no end")?;
    let lines: Vec<&str> = text.split("\r\n").collect();
    let bad = |line: &&str| line.contains(['\r', '\n', '\0']) || !line.is_ascii() || line.len() > 998;
    if let Some(line) = lines.iter().copied().find(|line| bad(line)) {
        return Err(format!("{} octets: {line:?}", line.len()));
    }
    let end = lines.iter().position(|line| line.is_empty()).ok_or("no end of the headers")?;
    let mut headers = Headers::new();
    for line in &lines[..end] {
        // An address may stand behind the last word of its name: lettre folds only between words, and no reader minds.
        if line.rfind("?=").is_some_and(|last| last + 2 > 76) {
            return Err(format!("RFC 2047, 2: {} characters: {line}", line.len()));
        }
        if let Some(folded) = line.strip_prefix([' ', '\t']) {
            let (_, value) = headers.last_mut().ok_or("the first line is folded")?;
            if folded.trim().is_empty() {
                return Err("a folded line of white space only".to_owned());
            }
            value.push_str(line);
            continue;
        }
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("no header: {line}"))?;
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(format!("no header's name: {name:?}"));
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
    Ok((headers, lines[end + 1..].to_vec()))
}

/// RFC 2045, 6.7, and nothing that it only tolerates.
fn unquoted(lines: &[&str]) -> Result<String, Broken> {
    let mut octets = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.len() > 76 || line.ends_with([' ', '\t']) {
            return Err(format!("RFC 2045, 6.7: {line:?}"));
        }
        let (content, soft) = line.strip_suffix('=').map_or((*line, false), |content| (content, true));
        let mut rest = content.as_bytes();
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            if *byte != b'=' {
                octets.push(*byte);
                continue;
            }
            let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
            let value = hex.filter(|hex| !hex.bytes().any(|b| b.is_ascii_lowercase()));
            let value = value.and_then(|hex| u8::from_str_radix(hex, 16).ok());
            octets.push(value.ok_or_else(|| format!("no octet behind the equals sign: {line}"))?);
            rest = &after[2..];
        }
        if !soft && at + 1 < lines.len() {
            octets.push(b'\n');
        }
    }
    String::from_utf8(octets).map_err(|error| error.to_string())
}

/// Each encoded word by itself (RFC 2047, 2 and 5): short enough, and whole characters.
fn check_words(value: &str) -> Result<(), Broken> {
    for word in value.split_ascii_whitespace().filter(|word| word.contains("=?")) {
        let word = word.trim_matches(|c| "\"(),<>".contains(c));
        let fields: Vec<&str> = word.split('?').collect();
        let form = fields.len() == 5 && fields[0] == "=" && fields[4] == "=";
        if !form || word.len() > 75 || !fields[1].eq_ignore_ascii_case("utf-8") {
            return Err(format!("no encoded word: {word}"));
        }
        let alone = format!("Subject: {word}\r\n\r\n");
        let read = MessageParser::default().parse(alone.as_bytes());
        let read = read.as_ref().and_then(Message::subject).unwrap_or_default();
        if read.is_empty() || read.contains('\u{fffd}') {
            return Err(format!("an encoded word does not stand alone: {word}: {read:?}"));
        }
    }
    Ok(())
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Result<&'a str, Broken> {
    let mut found = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Ok(value),
        (None, _) => Err(format!("no {name}")),
        _ => Err(format!("{name} twice")),
    }
}

/// The text of a part, whose type and encoding must be these.
fn part_text(headers: &[(String, String)], lines: &[&str], kind: &str) -> Result<String, Broken> {
    let found = (value(headers, "Content-Type")?, value(headers, "Content-Transfer-Encoding")?);
    if found != (&format!("{kind}; charset=utf-8"), "quoted-printable") {
        return Err(format!("{found:?}"));
    }
    unquoted(lines)
}

/// What turns the reading direction or breaks lines unseen; no header may hold it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// One line, as a header may say it.
fn one_line(text: &str, most: usize) -> String {
    let visible =
        |word: &str| word.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect::<String>();
    let words: Vec<String> = text.split_whitespace().map(visible).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(most).collect::<String>().trim_end().to_owned()
}

/// Text as it may stand in a body.
fn body(text: &str) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept: String = unix.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect();
    kept.trim_end_matches('\n').to_owned()
}

/// Whether a mail keeps all rules and says what was rendered.
fn check(sample: &Sample, rendered: &Rendered) -> Result<(), Broken> {
    let bytes = composed(sample, rendered);
    let text = std::str::from_utf8(&bytes).map_err(|error| error.to_string())?;
    let (headers, lines) = parts(text)?;
    for (name, value) in &headers {
        check_words(value)?;
        let of_mime = ["Content-Type", "Content-Transfer-Encoding"].contains(&name.as_str());
        if !of_mime && !HEADERS.contains(&name.as_str()) {
            return Err(format!("{name} was not expected"));
        }
    }
    for name in HEADERS {
        value(&headers, name)?;
    }
    let (text, html) = match &rendered.html {
        None => (part_text(&headers, &lines, "text/plain")?, None),
        Some(_) => {
            let kind = value(&headers, "Content-Type")?;
            let boundary = kind
                .strip_prefix("multipart/alternative;")
                .and_then(|rest| rest.trim_start().strip_prefix("boundary=\"")?.strip_suffix('"'));
            let boundary = boundary.ok_or_else(|| format!("no boundary: {kind}"))?;
            let marks: Vec<usize> =
                lines.iter().enumerate().filter(|(_, l)| l.contains(boundary)).map(|(at, _)| at).collect();
            let open = format!("--{boundary}");
            let [first, second, last] = marks[..] else { return Err(format!("boundaries at {marks:?}")) };
            if (lines[first], lines[second], lines[last]) != (&*open, &*open, &*format!("{open}--")) {
                return Err("the boundaries are not in order".to_owned());
            }
            let part = |from: usize, to: usize, kind: &str| {
                let raw = format!("{}\r\n", lines[from + 1..to].join("\r\n"));
                let (headers, lines) = parts(&raw)?;
                part_text(&headers, &lines, kind)
            };
            (part(first, second, "text/plain")?, Some(part(second, last, "text/html")?))
        }
    };
    let same = |what: &str, found: &str, expected: &str| match found == expected {
        true => Ok(()),
        false => Err(format!("{what}:\n{found:?}\nis not\n{expected:?}")),
    };
    let (said, written) = (body(&rendered.text), rendered.html.as_deref().map(body));
    same("the text", text.trim_end_matches('\n'), &said)?;
    same(
        "the html",
        html.as_deref().unwrap_or_default().trim_end_matches('\n'),
        written.as_deref().unwrap_or_default(),
    )?;

    let mail = MessageParser::default().parse(&bytes).ok_or("mail-parser cannot read it")?;
    let subject = one_line(&rendered.subject, 400).replace("=?", "= ?");
    same("the subject", mail.subject().unwrap_or_default(), &subject)?;
    let to = mail.to().and_then(|to| to.first()).ok_or("nobody to mail to")?;
    same("the address", to.address().unwrap_or_default(), "kim@example.com")?;
    let name = one_line(sample.order.customer.name.as_deref().unwrap_or_default(), 300);
    same("the name", to.name().unwrap_or_default(), &name)?;
    let read = |part: Option<std::borrow::Cow<'_, str>>| body(&part.unwrap_or_default());
    same("mail-parser's text", &read(mail.body_text(0)), &said)?;
    if let Some(written) = written {
        same("mail-parser's html", &read(mail.body_html(0)), &written)?;
    }
    Ok(())
}

fn render(language: &str, sample: &Sample, shop: &Shop) -> Rendered {
    SET.render(&mail_in(language, sample, shop)).unwrap_or_else(|error| panic!("{}: {error}", sample.name))
}

#[test]
fn every_mail_of_every_kind_and_language_keeps_the_rules_and_says_what_was_rendered() {
    for language in LANGUAGES {
        for sample in samples::samples() {
            for shop in samples::shops() {
                let checked = check(&sample, &render(language, &sample, &shop));
                assert_eq!(checked, Ok(()), "{} in {language}", sample.name);
            }
        }
    }
}

#[test]
fn a_mail_about_hundreds_of_lines_and_one_with_a_line_of_998_octets_keep_the_rules() {
    let mut huge = samples::samples().remove(0);
    let (line, stated) = (huge.order.lines[0].clone(), huge.notice.content.lines[0].clone());
    for n in 0..400 {
        let id = format!("extra-{n}");
        let title = format!("Wärmebehälter {n} 🫖");
        huge.order.lines.push(shipby::domain::order::Line { key: id.clone(), title, ..line.clone() });
        huge.notice.content.lines.push(shipby::domain::notice::StatedLine { line: id, ..stated.clone() });
    }
    assert_eq!(check(&huge, &render("de", &huge, &samples::shops()[0])), Ok(()));
    let plain = samples::samples().remove(0);
    for octets in [997, 998, 999, 5_000] {
        let mut rendered = render("en", &plain, &samples::shops()[1]);
        rendered.text = format!("{}\n{}\nend", "x".repeat(octets), "ü".repeat(octets));
        assert_eq!(check(&plain, &rendered), Ok(()), "{octets}");
    }
}

/// Text of customers and shops: what keyboards, systems and jokers put into a field. Control characters are refused
/// before.
fn odd() -> impl Strategy<Value = String> {
    let pieces = [
        "👩‍👩‍👧‍👦",
        "=?utf-8?q?won?=",
        "--=_shipby_n-7",
        ".",
        "..",
        "From ",
        "\"",
        "\\",
        "<x@y>",
        "&amp;",
        "{{7*7}}",
        "שלום",
        "محمد",
        "e\u{301}",
        "\u{202e}",
        "\u{200f}",
        "\u{feff}",
        " ",
        "=3D",
        "=",
        "?",
        ",",
        ";",
        "山田",
        "ß",
    ];
    let mixed = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60);
    prop_oneof![
        "\\PC{0,120}".prop_map(|text| text.replace('\u{fffd}', "")),
        mixed.prop_map(|pieces| pieces.concat()),
        (1_usize..1_100).prop_map(|n| "Maximiliane-".repeat(n / 12 + 1)),
        (1_usize..300).prop_map(|n| "ü".repeat(n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_customers_and_shops_are_called_the_mail_keeps_the_rules_and_says_what_was_rendered(
        which in any::<prop::sample::Index>(), language in prop::sample::select(LANGUAGES.to_vec()),
        name in odd(), title in odd(), number in odd(), shop_name in odd(), pages in any::<bool>(),
    ) {
        let samples = samples::samples();
        let mut sample = which.get(&samples).clone();
        sample.order.customer.name = Some(name);
        sample.order.number = format!("N{number}");
        for line in &mut sample.order.lines {
            line.title.clone_from(&title);
            line.sku.clone_from(&title);
        }
        let mut shop = samples::shops()[usize::from(pages)].clone();
        shop.name = shop_name;
        prop_assert_eq!(check(&sample, &render(language, &sample, &shop)), Ok(()));
    }
}
