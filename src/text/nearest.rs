//! The name that a misspelt one was meant to be.
//!
//! What is counted: letters put in, left out or changed, and neighbours swapped, whatever their case.

/// Nobody misspells a longer name, and counting costs the product of both lengths.
const LONGEST: usize = 64;

/// The known name nearest to `word`, if it is near enough to be meant: a third of its
/// letters may differ, four at most.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let (edits, near) = ranked(word, known)?;
    let letters = word.chars().count().max(near.chars().count());
    (edits <= (letters / 3).clamp(1, 4)).then_some(near)
}

/// The known name nearest to `word`, however far it is; None if none is known.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    ranked(word, known).map(|(_, near)| near)
}

fn ranked<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<(usize, &'a str)> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(&word, &known.to_lowercase()), known))
        .min_by_key(|(edits, _)| *edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_if_it_may_be_meant() {
        let known = ["concurrency", "mode", "rate", "retry", "quantity", "promised"];
        for (word, meant) in [
            ("concurency", Some("concurrency")),
            ("mdoe", Some("mode")),
            ("quantaty", Some("quantity")),
            ("Promissed", Some("promised")),
            ("blast_limit", None),
            ("concurrent_things", None),
            ("delivery_date", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn the_closest_may_be_far() {
        assert_eq!(closest("promisd", ["item", "promise", "place"]), Some("promise"));
        assert_eq!(closest("xyz", ["item", "promise"]), Some("item"));
        assert_eq!(closest("xyz", []), None);
    }
}
