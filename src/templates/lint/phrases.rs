//! Words that do not belong into a mail about waiting: the vague ones, and in `update_48h` those that sell.
//!
//! Read from the templates themselves, so that a branch no sample takes is read too. A list per language.

use super::tags::literals;

/// Phrases that hide a date, those that look like one of them and do not, and those that sell; a comma between them.
struct Lists {
    language: &'static str,
    vague: &'static str,
    innocent: &'static str,
    selling: &'static str,
}

const LISTS: &[Lists] = &[
    Lists {
        language: "en",
        vague: "soon, shortly, asap, as soon as possible, in due course, any day now, in no time",
        innocent: "as soon as, no sooner than",
        selling: "coupon, discount, sale, deal, deals, offer, offers, bargain, voucher, newsletter, promo, promo \
            code, exclusive, limited time, special price, shop now, buy now, % off",
    },
    Lists {
        language: "de",
        vague: "bald, baldigst, baldmöglichst, schnellstmöglich, demnächst, in kürze, zeitnah, so schnell wie \
            möglich, in absehbarer zeit",
        innocent: "so bald, sobald",
        selling: "gutschein, gutscheincode, rabatt, rabattcode, angebot, angebote, aktion, schnäppchen, \
            sonderpreis, newsletter, exklusiv, jetzt kaufen, jetzt shoppen, nur für kurze zeit",
    },
    Lists {
        language: "fr",
        vague: "bientôt, prochainement, sous peu, incessamment, dès que possible, au plus vite, dans les plus \
            brefs délais, dans les meilleurs délais",
        innocent: "aussitôt que, à bientôt",
        selling: "promo, promotion, promotions, remise, rabais, soldes, bon de réduction, code promo, offre, \
            offres, offre spéciale, newsletter, exclusif, exclusive, achetez maintenant",
    },
    Lists {
        language: "es",
        vague: "pronto, próximamente, en breve, cuanto antes, lo antes posible, a la brevedad, en los próximos \
            días",
        innocent: "tan pronto como, tan pronto",
        selling: "cupón, descuento, descuentos, oferta, ofertas, rebaja, rebajas, promoción, ganga, código \
            promocional, boletín, exclusivo, exclusiva, compra ahora, tiempo limitado",
    },
];

/// A phrase found in a template, and the byte it begins at.
pub(super) type Found = (usize, &'static str);

/// The vague words of a template in `language`; none in a language without a list.
pub(super) fn vague(language: &str, text: &str) -> Vec<Found> {
    lists(language).map_or_else(Vec::new, |lists| find(text, lists.vague, lists.innocent))
}

/// The marketing words of a template in `language`.
pub(super) fn selling(language: &str, text: &str) -> Vec<Found> {
    lists(language).map_or_else(Vec::new, |lists| find(text, lists.selling, ""))
}

/// What is held against a marketing word.
pub(super) fn sells(word: &str) -> String {
    format!("marketing word \"{word}\" in update_48h; keep that mail short and operational")
}

/// A region has the words of its language: `de-AT` those of `de`.
fn lists(language: &str) -> Option<&'static Lists> {
    let bare = language.split(['-', '_']).next().unwrap_or(language);
    LISTS.iter().find(|lists| lists.language.eq_ignore_ascii_case(bare))
}

/// The longest phrase wins where several begin at one word.
fn find(text: &str, bad: &'static str, innocent: &'static str) -> Vec<Found> {
    let words = words(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let longest = |phrases: &'static str| {
            let here = phrases.split(", ").map(|phrase| (length(&words[at..], phrase), phrase));
            here.filter(|(length, _)| *length > 0).max_by_key(|(length, _)| *length)
        };
        let harmless = longest(innocent).map_or(0, |(length, _)| length);
        match longest(bad) {
            Some((length, phrase)) if length > harmless => {
                found.push((words[at].0, phrase));
                at += length;
            }
            _ => at += harmless.max(1),
        }
    }
    found
}

/// How many words of `phrase` the text begins with: all of them, or 0.
fn length(text: &[(usize, String)], phrase: &str) -> usize {
    let wanted = phrase.split(' ').count();
    let same = text.len() >= wanted && phrase.split(' ').zip(text).all(|(word, (_, found))| word == found);
    if same { wanted } else { 0 }
}

/// The words of what a template writes itself, in small letters: no tag, comment or markup.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut in_markup = false;
    for (start, literal) in literals(text) {
        let mut word_open = false;
        for (offset, c) in literal.char_indices() {
            match c {
                // A tag, and not `5 < 6`.
                '<' if literal[offset + 1..].starts_with(|c: char| c.is_alphabetic() || "/!".contains(c)) => {
                    in_markup = true;
                }
                '>' => in_markup = false,
                _ => {}
            }
            let letter = !in_markup && (c.is_alphabetic() || c == '%');
            match words.last_mut() {
                Some((_, word)) if letter && word_open => word.extend(c.to_lowercase()),
                _ if letter => words.push((start + offset, c.to_lowercase().collect())),
                _ => {}
            }
            word_open = letter;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases(found: Vec<Found>) -> Vec<&'static str> {
        found.into_iter().map(|(_, phrase)| phrase).collect()
    }

    #[test]
    fn each_language_has_vague_words_of_its_own_and_says_them_harmlessly_too() {
        for (language, text, expected) in [
            (
                "en",
                "It ships soon. As soon as it does, we write as\nsoon as possible.",
                vec!["soon", "as soon as possible"],
            ),
            ("de", "Es kommt bald. Sobald es kommt, in Kürze.", vec!["bald", "in kürze"]),
            ("fr", "Il arrive bientôt. À bientôt !", vec!["bientôt"]),
            ("es", "Llega pronto. Tan pronto como llegue.", vec!["pronto"]),
            ("de-AT", "bald", vec!["bald"]),
            ("xx", "soon bald", vec![]),
            ("en", "<p class=\"soon\">{{ soon }}{# soon #}</p>", vec![]),
            ("en", "<3, 5 < 6, soon", vec!["soon"]),
            ("en", "{% if x %}{{ <say text=\"shortly\"/> }}{% endif %}", vec!["shortly"]),
        ] {
            assert_eq!(phrases(vague(language, text)), expected, "{text}");
        }
    }

    #[test]
    fn what_sells_is_found_with_its_place() {
        assert_eq!(selling("en", "Get 10 % off with\nthis coupon"), [(7, "% off"), (23, "coupon")]);
        assert_eq!(phrases(selling("de", "Ihr Gutschein")), ["gutschein"]);
        assert_eq!(phrases(selling("fr", "une remise")), ["remise"]);
        assert_eq!(phrases(selling("es", "un descuento")), ["descuento"]);
        assert_eq!(phrases(selling("en", "Your order is still on backorder.")), [""; 0]);
    }
}
