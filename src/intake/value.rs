//! One value: what a text, a number or a word must be to be taken. Nothing is guessed: what can be read in two ways is refused.

use chrono::{DateTime, Datelike, NaiveDateTime, SecondsFormat, TimeDelta};
use chrono_tz::Tz;
use serde_json::Value;

use super::fault::{FieldError, quoted, short};
use crate::domain::calendar::Instant;
use crate::domain::customer::EmailAddress;
use crate::text::date::YEARS;
use crate::text::{breaks, either, is_language_tag, url as web, zone};

/// What a reader of one value answers; the reader of the object adds the field's path.
pub(super) type Read<T> = Result<T, FieldError>;

/// How far an `at` may be ahead of our clock: a sender's may be a little fast.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// A text: trimmed, not empty, at most `longest` characters, no control characters.
fn text(value: Value, longest: usize) -> Read<String> {
    let read = match value {
        Value::String(read) => read,
        Value::Number(n) => {
            return Err(FieldError::new(n.to_string(), format!("is a number; write it in quotes: \"{n}\"")));
        }
        other => return Err(not_a("text in quotes", &other)),
    };
    let trimmed = read.trim();
    if trimmed.is_empty() {
        return Err(FieldError::text(&read, "is empty; it must be given"));
    }
    if let Some(c) = trimmed.chars().find(|c| breaks(*c)) {
        return Err(FieldError::text(&read, format!("holds {}; remove it", name_of(c))));
    }
    // Bytes first: counting characters is for the few long ones.
    if trimmed.len() > longest && trimmed.chars().count() > longest {
        let long = trimmed.chars().count();
        return Err(FieldError::text(&read, format!("has {long} characters; write at most {longest}")));
    }
    Ok(if trimmed.len() == read.len() { read } else { trimmed.to_owned() })
}

fn name_of(c: char) -> String {
    match c {
        '\r' => "a carriage return (CR)".into(),
        '\n' => "a line break (LF)".into(),
        '\0' => "a NUL character".into(),
        '\t' => "a tab".into(),
        c => format!("the control character U+{:04X}", u32::from(c)),
    }
}

fn not_a(wanted: &str, value: &Value) -> FieldError {
    FieldError::new(json_text(value), format!("is not {wanted}"))
}

/// A value as a refusal prints it.
pub(super) fn json_text(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        // Printing all of a large array only to cut it would cost what it is long.
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
        other => short(&other.to_string()),
    }
}

/// Order numbers, ids, SKUs, names of supplies, and what else a machine compares: up to 100 characters.
pub(super) fn id(value: Value) -> Read<String> {
    text(value, 100)
}

/// What people read: up to 500 characters.
pub(super) fn words(value: Value) -> Read<String> {
    text(value, 500)
}

/// A whole number from `low` to `high`.
pub(super) fn whole(value: Value, low: i64, high: i64) -> Read<i64> {
    match value.as_i64() {
        Some(n) if (low..=high).contains(&n) => Ok(n),
        Some(n) => Err(FieldError::new(
            n.to_string(),
            format!("is out of bounds; write a whole number from {low} to {high}"),
        )),
        None => {
            let mend = match &value {
                Value::String(read) if read.trim().parse::<i64>().is_ok() => {
                    format!("is a text; write the number without quotes: {}", read.trim())
                }
                _ => format!("is not a whole number; write one from {low} to {high}"),
            };
            Err(FieldError::new(json_text(&value), mend))
        }
    }
}

/// Units of one line: at least one, for what is called off is not ordered.
pub(super) fn units(value: Value) -> Read<u32> {
    whole(value, 1, 1_000_000).map(to_u32)
}

/// Units of a supply; zero is one that nothing comes of.
pub(super) fn units_coming(value: Value) -> Read<u32> {
    whole(value, 0, 1_000_000_000).map(to_u32)
}

/// What `whole` let through fits.
fn to_u32(units: i64) -> u32 {
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// Units that arrived; negative: taken back.
pub(super) fn units_moved(value: Value) -> Read<i64> {
    match whole(value, -1_000_000_000, 1_000_000_000)? {
        0 => Err(FieldError::new(
            "0",
            "moves nothing; write the units that arrived, or a negative number to take units back",
        )),
        units => Ok(units),
    }
}

pub(super) fn flag(value: Value) -> Read<bool> {
    value
        .as_bool()
        .ok_or_else(|| FieldError::new(json_text(&value), "is neither true nor false; write one of them"))
}

/// One of a closed set of words.
pub(super) fn word<T: Copy>(
    value: Value,
    read: fn(&str) -> Option<T>,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Read<T> {
    let known: Vec<_> = match value.as_str().and_then(read) {
        Some(found) => return Ok(found),
        None => all.iter().map(|known| name(*known)).collect(),
    };
    Err(FieldError::new(json_text(&value), format!("is not known; write {}", either(&known))))
}

/// A moment, with its offset from UTC, kept to the millisecond, not ahead of `now`.
pub(super) fn instant(value: Value, now: Instant) -> Read<Instant> {
    let read = id(value)?;
    let at = DateTime::parse_from_rfc3339(&read)
        .ok()
        // A leap second has no millisecond of its own in this count; it becomes the next second.
        .and_then(|at| DateTime::from_timestamp_millis(at.timestamp_millis()))
        .ok_or_else(|| FieldError::text(&read, instant_mend(&read)))?;
    if !YEARS.contains(&at.year()) {
        return Err(FieldError::text(&read, "is far from now; check the year"));
    }
    // A caller that knows no "now" (a simulation, a record read back) gives the end of time.
    if now.checked_add_signed(AHEAD).is_some_and(|latest| at > latest) {
        let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mend = format!("is more than five minutes ahead of now ({now}); check the clock and the offset");
        return Err(FieldError::text(&read, mend));
    }
    Ok(at)
}

fn instant_mend(read: &str) -> String {
    let offset =
        ["%Y-%m-%d %H:%M:%S%.f %z", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z", "%Y-%m-%dT%H:%M%#z"];
    if let Some(at) = offset.iter().find_map(|f| DateTime::parse_from_str(read, f).ok()) {
        return format!("is not RFC 3339; write {}", at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    if let Some(at) = local.iter().find_map(|f| NaiveDateTime::parse_from_str(read, f).ok()) {
        let at = at.format("%Y-%m-%dT%H:%M:%S");
        return format!("has no offset from UTC; write {at}Z if it is UTC, else as in {at}+01:00");
    }
    match crate::domain::supply::iso_date(read) {
        Some(day) => format!("is a date without a time; write {day}T00:00:00Z, or the time with its offset"),
        None => "is not an instant; write it as 2026-03-02T08:14:00Z".into(),
    }
}

pub(super) fn email(value: Value) -> Read<EmailAddress> {
    let Value::String(read) = value else { return Err(not_a("text in quotes", &value)) };
    EmailAddress::parse(&read).map_err(|fault| FieldError::text(&read, format!("cannot be mailed: {fault}")))
}

/// An IANA name.
pub(super) fn timezone(value: Value) -> Read<Tz> {
    let read = id(value)?;
    zone::parse(&read).map_err(|meant| {
        let mend = match meant {
            Some(name) => format!("is not an IANA time zone; did you mean {name}?"),
            None => "is not an IANA time zone; write it as Europe/Berlin".into(),
        };
        FieldError::text(&read, mend)
    })
}

/// ISO 3166 alpha-2, in capitals.
pub(super) fn country(value: Value) -> Read<String> {
    letters(value, 2, "is not a country's two letters; write them as in DE")
}

/// ISO 4217, in capitals.
pub(super) fn currency(value: Value) -> Read<String> {
    letters(value, 3, "is not a currency's three letters; write them as in EUR")
}

fn letters(value: Value, count: usize, mend: &str) -> Read<String> {
    let mut read = id(value)?;
    if read.len() != count || !read.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err(FieldError::text(&read, mend));
    }
    read.make_ascii_uppercase();
    Ok(read)
}

/// A BCP 47 tag; `de_AT`, as many shops write it, is taken as `de-AT`.
pub(super) fn locale(value: Value) -> Read<String> {
    let read = id(value)?;
    let tag = read.replace('_', "-");
    if !is_language_tag(&tag) {
        return Err(FieldError::text(&read, "is not a language; write it as de or de-AT"));
    }
    Ok(tag)
}

/// A link that a customer may follow: http or https, with a host.
pub(super) fn url(value: Value) -> Read<String> {
    let read = text(value, 2000)?;
    let host = web::split(&read)
        .is_some_and(|(host, _)| host.starts_with(|c: char| c.is_alphanumeric() || c == '['));
    if host && !read.contains(|c: char| c.is_whitespace() || "\"<>".contains(c)) {
        return Ok(read);
    }
    Err(FieldError::text(&read, "is not a link; write it as https://example.com/track?id=1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use serde_json::json;

    fn now() -> Instant {
        chrono::Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap()
    }

    #[test]
    fn an_instant_needs_its_offset_and_keeps_its_milliseconds() {
        let at = instant(json!("2026-03-02T09:14:00.1239+01:00"), now()).unwrap();
        assert_eq!(at.to_rfc3339_opts(SecondsFormat::AutoSi, true), "2026-03-02T08:14:00.123Z");
        let cases = [
            (
                "2026-03-02",
                "is a date without a time; write 2026-03-02T00:00:00Z, or the time with its offset",
            ),
            (
                "2026-03-02T08:14:00",
                "has no offset from UTC; write 2026-03-02T08:14:00Z if it is UTC, else as in 2026-03-02T08:14:00+01:00",
            ),
            (
                "2026-03-02 08:14",
                "has no offset from UTC; write 2026-03-02T08:14:00Z if it is UTC, else as in 2026-03-02T08:14:00+01:00",
            ),
            ("2026-03-02 08:14:00 +0100", "is not RFC 3339; write 2026-03-02T08:14:00+01:00"),
            ("yesterday", "is not an instant; write it as 2026-03-02T08:14:00Z"),
            ("0206-03-02T08:14:00Z", "is far from now; check the year"),
            (
                "2026-03-02T12:05:01Z",
                "is more than five minutes ahead of now (2026-03-02T12:00:00Z); check the clock and the offset",
            ),
        ];
        for (read, mend) in cases {
            assert_eq!(instant(json!(read), now()).unwrap_err().says(), format!("\"{read}\" {mend}"));
        }
        assert!(instant(json!("2026-03-02T12:05:00Z"), now()).is_ok());
        assert!(
            instant(json!("2126-03-02T12:05:00Z"), Instant::MAX_UTC).is_ok(),
            "who knows no now sets no limit"
        );
    }

    #[test]
    fn texts_are_trimmed_bounded_and_hold_no_control_characters() {
        assert_eq!(id(json!(" 1042 ")).unwrap(), "1042");
        assert_eq!(words(json!("é".repeat(500))).unwrap().chars().count(), 500);
        let cases = [
            (json!("a\rb"), r#""a\rb" holds a carriage return (CR); remove it"#),
            (json!("a\nBcc: x"), r#""a\nBcc: x" holds a line break (LF); remove it"#),
            (json!("a\u{0}b"), r#""a\u{0}b" holds a NUL character; remove it"#),
            (json!("a\u{1b}b"), r#""a\u{1b}b" holds the control character U+001B; remove it"#),
            (json!("   "), r#""   " is empty; it must be given"#),
            (json!(1042), r#"1042 is a number; write it in quotes: "1042""#),
            (json!([1]), "an array is not text in quotes"),
            (json!(true), "true is not text in quotes"),
        ];
        for (value, says) in cases {
            assert_eq!(id(value).unwrap_err().says(), says);
        }
        let long = id(json!("x".repeat(101))).unwrap_err();
        assert_eq!(long.mend, "has 101 characters; write at most 100");
    }

    #[test]
    fn numbers_are_whole_and_in_bounds() {
        let cases = [
            (json!(0), "0 is out of bounds; write a whole number from 1 to 1000000"),
            (json!(-1), "-1 is out of bounds; write a whole number from 1 to 1000000"),
            (json!(1.5), "1.5 is not a whole number; write one from 1 to 1000000"),
            (json!("2"), "\"2\" is a text; write the number without quotes: 2"),
            (json!("two"), "\"two\" is not a whole number; write one from 1 to 1000000"),
            (json!(u64::MAX), "18446744073709551615 is not a whole number; write one from 1 to 1000000"),
        ];
        for (value, says) in cases {
            assert_eq!(units(value).unwrap_err().says(), says);
        }
        assert_eq!(units_moved(json!(-3)), Ok(-3));
        let none = units_moved(json!(0)).unwrap_err().says();
        assert_eq!(
            none,
            "0 moves nothing; write the units that arrived, or a negative number to take units back"
        );
    }

    #[test]
    fn names_of_places_and_links_are_checked_and_the_nearest_is_offered() {
        let zone = |name: &str| timezone(json!(name)).map(|tz| tz.name()).map_err(|e| e.says());
        assert_eq!(zone("Europe/Berlin"), Ok("Europe/Berlin"));
        assert_eq!(
            zone("berlin").unwrap_err(),
            "\"berlin\" is not an IANA time zone; did you mean Europe/Berlin?"
        );
        assert_eq!(
            zone("Europe/Berln").unwrap_err(),
            "\"Europe/Berln\" is not an IANA time zone; did you mean Europe/Berlin?"
        );
        assert_eq!(
            zone("GMT+2").unwrap_err(),
            "\"GMT+2\" is not an IANA time zone; write it as Europe/Berlin"
        );
        assert_eq!(
            zone("+01:00").unwrap_err(),
            "\"+01:00\" is not an IANA time zone; write it as Europe/Berlin"
        );
        assert_eq!(country(json!("de")).unwrap(), "DE");
        assert_eq!(
            country(json!("Germany")).unwrap_err().says(),
            "\"Germany\" is not a country's two letters; write them as in DE"
        );
        assert_eq!(
            currency(json!("€")).unwrap_err().says(),
            "\"€\" is not a currency's three letters; write them as in EUR"
        );
        assert_eq!(locale(json!("de_AT")).unwrap(), "de-AT");
        assert_eq!(
            locale(json!("German")).unwrap_err().says(),
            "\"German\" is not a language; write it as de or de-AT"
        );
        assert_eq!(
            email(json!("ana@")).unwrap_err().says(),
            "\"ana@\" cannot be mailed: no domain stands after the @"
        );
        assert!(url(json!("HTTPS://dhl.example/track?id=1")).is_ok());
        for bad in
            ["javascript:alert(1)", "https://", "www.example.com", "https://a b", "https://a\"onclick=", "é"]
        {
            let mend = "is not a link; write it as https://example.com/track?id=1";
            assert_eq!(url(json!(bad)).unwrap_err().mend, mend, "{bad}");
        }
    }
}
