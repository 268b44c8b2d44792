//! Spans of time: a number and a unit, `"500ms"`, `"60s"`, `"15m"`, `"48h"`, `"7d"`, `"2w"`.

use chrono::TimeDelta;

/// Reads a span; None if it is none, or far too long.
pub fn parse(text: &str) -> Option<TimeDelta> {
    let (amount, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let amount = amount.parse().ok()?;
    match unit {
        "ms" => TimeDelta::try_milliseconds(amount),
        "s" => TimeDelta::try_seconds(amount),
        "m" => TimeDelta::try_minutes(amount),
        "h" => TimeDelta::try_hours(amount),
        "d" => TimeDelta::try_days(amount),
        "w" => TimeDelta::try_weeks(amount),
        _ => None,
    }
}

/// What was probably meant by a text that is no span: `2 days` → `2d`, `2 weeks` → `14d`.
pub fn meant(text: &str) -> Option<String> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let unit = match text[digits.len()..].trim().to_lowercase().as_str() {
        "ms" | "millisecond" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "week" | "weeks" => {
            return digits.parse::<u32>().ok().map(|weeks| format!("{}d", u64::from(weeks) * 7));
        }
        _ => return None,
    };
    (!digits.is_empty()).then(|| format!("{digits}{unit}"))
}

/// A span as it is written, in the largest unit up to days that fits without a rest.
pub fn show(span: TimeDelta) -> String {
    let millis = span.num_milliseconds();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    match units.into_iter().find(|(unit, _)| millis % unit == 0 && millis != 0) {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None if millis == 0 => "0s".to_owned(),
        None => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        for (text, shown) in
            [("500ms", "500ms"), ("60s", "1m"), ("90m", "90m"), ("48h", "2d"), ("2w", "14d"), ("0h", "0s")]
        {
            assert_eq!(parse(text).map(show).as_deref(), Some(shown), "{text}");
        }
        for wrong in ["", "7", "d", "-1d", "+1d", "1.5h", "7 days", "1D", "99999999999999999d", "1é"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_spelt_out_is_shortened() {
        for (text, short) in [("2 days", Some("2d")), ("15 Min", Some("15m")), ("3weeks", Some("21d"))] {
            assert_eq!(meant(text).as_deref(), short);
        }
        for text in ["48", "days", "5 fortnights", "é"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }
}
