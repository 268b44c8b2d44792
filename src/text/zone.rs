//! A time zone, by its IANA name and in no other way.
//!
//! What is offered for a wrong name is never hours off: an offset (`GMT+2`, `+02:00`) or an abbreviation (`PST`) names no
//! place, and the zones that look like it say something else.

use chrono_tz::{TZ_VARIANTS, Tz};

/// Reads a zone's name.
///
/// # Errors
/// If there is no such zone; with the name that was probably meant, if there is one.
pub fn parse(text: &str) -> Result<Tz, Option<&'static str>> {
    text.parse().map_err(|_| meant(text))
}

fn meant(text: &str) -> Option<&'static str> {
    let name = text.replace(' ', "_");
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    // `Etc/GMT+2` is two hours behind, and whoever writes GMT+2 means those ahead; `EST` is one letter from `BST`.
    let places = || names().filter(|name| name.contains('/') && !name.starts_with("Etc/"));
    let city = |place: &&str| place.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&name));
    names()
        .find(|known| known.eq_ignore_ascii_case(&name))
        .or_else(|| places().find(city))
        .or_else(|| super::nearest(&name, places()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_by_its_city_or_by_what_is_near() {
        assert_eq!(parse("Europe/Berlin"), Ok(Tz::Europe__Berlin));
        for (text, name) in [
            ("berlin", "Europe/Berlin"),
            ("Europe/Berln", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("America/New York", "America/New_York"),
            ("utc", "UTC"),
        ] {
            assert_eq!(parse(text), Err(Some(name)), "{text}");
        }
        assert_eq!(parse("nowhere"), Err(None));
    }

    #[test]
    fn nothing_is_offered_for_an_offset_or_an_abbreviation() {
        for hours in 1..=14 {
            for name in ["GMT", "UTC", "UCT", "Etc/UTC", "Z", ""] {
                for offset in [format!("+{hours}"), format!("-{hours}"), format!("+{hours:02}:00")] {
                    let text = format!("{name}{offset}");
                    assert_eq!(parse(&text), Err(None), "{text}");
                }
            }
        }
        for text in
            ["GMT+2", "UTC +2", "+0200", "2", "PST", "BST", "IST", "CEST", "MSK", "AEST", "EDT", "EST+5"]
        {
            assert_eq!(parse(text), Err(None), "{text}");
        }
    }
}
