//! The mails in every language: what they say, that nothing of another language is left in them, and which language a
//! customer gets.

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::support::app::TestApp;
use crate::support::facts::order;

/// Beside English, whose mails have tests of their own.
const OTHERS: [&str; 3] = ["de", "es", "fr"];

/// What ops wrote into the samples stays in their words.
fn without_reasons(mail: &MailContext, text: &str) -> String {
    let mut text = text.to_owned();
    for said in &mail.reasons {
        for words in [&said.reason, &said.alternative, &said.goodwill].into_iter().flatten() {
            text = text.replace(words.as_str(), "");
        }
    }
    for words in mail.cancellations.items.iter().filter_map(|cancellation| cancellation.reason.as_ref()) {
        text = text.replace(words.as_str(), "");
    }
    text
}

#[test]
fn no_mail_has_words_of_another_language_or_a_gap() {
    const ENGLISH: [&str; 9] = ["your", "the", "ships", "order", "we", "and", "when", "its", "for"];
    for language in OTHERS {
        for (name, mail, Rendered { subject, text, html }) in rendered_in(language) {
            let html = html.as_deref().map(words_of).unwrap_or_default();
            for part in [&subject, &text, &html] {
                let part = without_reasons(&mail, part);
                let said = part.split_whitespace().filter(|word| !word.contains("://"));
                let mut words = said.flat_map(|word| word.split(|c: char| !c.is_alphanumeric()));
                let foreign = words.find(|word| ENGLISH.contains(&word.to_lowercase().as_str()));
                assert_eq!(foreign, None, "{name}:\n{part}");
                for gap in ["null", "  ·", " .", "..", "()", " ,", ": ."] {
                    assert!(!part.contains(gap), "{name} says {gap:?}:\n{part}");
                }
            }
            assert!(!subject.contains("  ") && subject.chars().count() < 150, "{name}: {subject}");
            let indented = |line: &str| line.trim_start_matches("  ").contains("  ");
            assert!(!text.lines().any(indented) && !text.contains("\n\n\n"), "{name} has a gap:\n{text}");
        }
    }
}

#[test]
fn no_mail_is_vague_in_its_language() {
    let vague = [
        ("de", [" bald", "demnächst", "in kürze", "zeitnah"]),
        ("es", ["pronto", "próximamente", "en breve", "lo antes posible"]),
        ("fr", ["bientôt", "prochainement", "sous peu", "dès que possible"]),
    ];
    for (language, words) in vague {
        for (name, _, Rendered { subject, text, .. }) in rendered_in(language) {
            let said = format!("{subject}\n{text}").to_lowercase();
            assert_eq!(words.iter().find(|word| said.contains(**word)), None, "{name}:\n{text}");
        }
    }
}

#[test]
fn text_and_html_state_the_same_dates_in_every_language() {
    for language in OTHERS {
        for (name, mail, Rendered { text, html, .. }) in rendered_in(language) {
            let months = ["März", "April", "marzo", "abril", "mars", "avril"];
            let dates = |text: &str| -> BTreeSet<String> {
                let text = text.replace('\u{a0}', " ").replace(" de ", " ");
                let words: Vec<&str> =
                    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
                let dates = words.windows(2).filter(|pair| months.contains(&pair[1]));
                dates.map(|pair| pair[0].to_owned()).collect()
            };
            if let Some(html) = html {
                assert_eq!(dates(&text), dates(&words_of(&html)), "{name}");
            }
            for date in mail.waiting.items.iter().filter_map(|line| line.date) {
                let day = date.format("%-d").to_string();
                assert!(dates(&text).contains(&day) || mail.in_house > 0, "{name} does not state {date}");
            }
        }
    }
}

#[test]
fn every_mail_of_an_open_order_says_how_to_cancel_in_its_language() {
    let ways = [("de", "ornieren", "Stornieren"), ("es", "ancel", "Cancel"), ("fr", "nnul", "Annule")];
    for (language, text_way, html_way) in ways {
        for (name, mail, Rendered { text, html, .. }) in rendered_in(language) {
            if !mail.order.open {
                continue;
            }
            assert!(text.contains(text_way) && text.contains("help@tableware.example"), "{name}:\n{text}");
            let Some(html) = html else { continue };
            let labels = html.split("<a ").skip(1).filter_map(|link| link.split(['>', '<']).nth(1));
            let label = labels.into_iter().find(|label| label.to_lowercase().contains(text_way));
            assert!(label.is_some(), "{name}: no link is called {html_way}");
        }
    }
}

#[test]
fn french_signs_stand_after_a_blank_that_does_not_break() {
    for (name, mail, Rendered { text, html, .. }) in rendered_in("fr") {
        if name.contains("inject") {
            continue;
        }
        let html = html.as_deref().map(words_of).unwrap_or_default();
        for part in [&text, &html] {
            let part = without_reasons(&mail, part);
            let loose = [" :", " ;", " ?", " !", "« ", " »"].into_iter().find(|loose| part.contains(loose));
            assert_eq!(loose, None, "{name}:\n{part}");
            let tight = part.split_whitespace().filter(|word| !word.contains("://"));
            let tight = tight.into_iter().find(|word| word.len() > 1 && word.ends_with([':', ';', '?', '!']));
            assert_eq!(tight, None, "{name}:\n{part}");
        }
    }
}

#[test]
fn some_items_of_an_order_and_their_verb_agree() {
    let named = |sample: &Sample| sample.name == "date slip of one line of two";
    let mut sample = samples::samples().into_iter().find(named).unwrap();
    let (mut line, mut stated) = (sample.order.lines[0].clone(), sample.notice.content.lines[0].clone());
    (line.key, stated.line) = ("more".to_owned(), "more".to_owned());
    sample.order.lines.push(line);
    sample.notice.content.lines.push(stated);
    for (language, says) in [
        ("en", "that Kettle and 1 more in your order 1042 would ship by"),
        (
            "de",
            "dass Kettle und 1 weiterer Artikel aus Ihrer Bestellung 1042 bis Freitag, 20.\u{a0}März 2026 verschickt werden.",
        ),
        ("es", "que Kettle y 1 artículo más de su pedido 1042 se enviarían a más tardar"),
        ("fr", "que Kettle et 1 autre article de votre commande 1042 partiraient au plus tard"),
    ] {
        let text = SET.render(&mail_in(language, &sample, &samples::shops()[0])).unwrap().text;
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_ready_made_cancellation_and_a_nameless_item_are_in_the_language_too() {
    let mut sample = samples::samples().into_iter().find(|sample| sample.name == "date slip").unwrap();
    sample.order.lines[0].title = " \u{200b} ".to_owned();
    let [_, no_pages] = samples::shops();
    let mail = mail_in("de", &sample, &no_pages);
    assert_eq!(mail.waiting.items[0].title, "Artikel");
    let html = SET.render(&mail).unwrap().html.unwrap();
    assert!(html.contains(
        "?subject=Bestellung%201042%20stornieren&amp;body=Bitte%20stornieren%20Sie%20meine%20Bestellung%201042."
    ));
    assert!(html.contains("<html lang=\"de\" dir=\"ltr\">"));
}

#[test]
fn a_refund_is_written_in_the_figures_of_the_language() {
    let sample = samples::samples().into_iter().find(|sample| sample.name == "refunded").unwrap();
    let subject =
        |language: &str| SET.render(&mail_in(language, &sample, &samples::shops()[0])).unwrap().subject;
    assert_eq!(subject("de"), "Erstattung zu Ihrer Bestellung 1042: 49,90 EUR");
    assert_eq!(subject("fr"), "Remboursement de votre commande 1042 : 49,90 EUR");
    assert_eq!(subject("en"), "Refund for your order 1042: 49.90 EUR");
}

#[test]
fn a_customer_gets_their_language_else_its_base_else_the_shops_else_english() {
    let kind = NoticeKind::DateSlip;
    let tag = |customer, shop| SET.language(kind, customer, shop).tag.clone();
    assert_eq!(tag(Some("de"), "en"), "de");
    assert_eq!(tag(Some("de-AT"), "fr"), "de");
    assert_eq!(tag(Some("ES-mx"), "fr"), "es");
    assert_eq!(tag(Some("nl"), "fr-CA"), "fr");
    assert_eq!(tag(Some("nl"), "pt"), "en");
    assert_eq!(tag(None, "de"), "de");
    assert_eq!(tag(Some("en-GB"), "de"), "en", "a customer who reads English is not written to in German");
}

#[tokio::test]
async fn each_customer_is_written_to_in_their_own_language() {
    let mut shop = TestApp::start("2026-03-02T08:00:00Z").await;
    for (number, locale) in [("1", "de-AT"), ("2", "fr"), ("3", "nl")] {
        let mut order = order(number);
        order["customer"]["locale"] = json!(locale);
        order["lines"][0]["promised"] = json!("2026-03-20");
        shop.fact(order).await;
    }
    shop.travel(TimeDelta::minutes(1)).await;
    let mut subjects: Vec<_> = shop.mails().into_iter().map(|mail| mail.subject).collect();
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "Bestellung 1 bestätigt: Versand bis 20. März",
            "Commande 2 confirmée : expédition au plus tard le 20 mars",
            "Order 3 confirmed: ships by 20 March",
        ]
    );
}

mod folder {
    use super::super::folder::folder_of;
    use super::*;

    /// English and German, changed by `change`.
    fn folder(change: impl Fn(&Path)) -> Result<TemplateSet, String> {
        folder_of(&["de"], change)
    }

    /// A mail of `kind` from `set` for a customer who reads `language`: its language and subject.
    fn said(set: &TemplateSet, name: &str, language: &str) -> (String, String) {
        let sample = samples::samples().into_iter().find(|sample| sample.name == name).unwrap();
        let language = set.language(sample.notice.kind, Some(language), "en");
        let rendered = set.render(&sample.mail(&samples::shops()[0], language)).unwrap();
        // What follows is of one piece.
        assert!(rendered.html.unwrap().contains(&format!("lang=\"{}\"", language.tag)));
        (language.tag.clone(), rendered.subject)
    }

    #[test]
    fn a_kind_that_a_language_does_not_have_is_written_whole_in_the_next() {
        let set = folder(|dir| std::fs::remove_dir_all(dir.join("de/overdue")).unwrap()).unwrap();
        let english = "Your order 1042 is late: we missed 20 March";
        assert_eq!(said(&set, "overdue", "de"), ("en".to_owned(), english.to_owned()));
        assert_eq!(said(&set, "restock", "de").0, "de");
    }

    #[test]
    fn a_region_needs_only_what_differs_from_its_language() {
        let set = folder(|dir| {
            std::fs::create_dir_all(dir.join("de-AT/overdue")).unwrap();
            std::fs::copy(dir.join("de/overdue/body.txt"), dir.join("de-AT/overdue/body.txt")).unwrap();
            std::fs::write(dir.join("de-AT/overdue/subject.txt"), "Verspätet: {{ order.number }}").unwrap();
            let words = std::fs::read_to_string(dir.join("de/language.toml")).unwrap();
            std::fs::write(dir.join("de-AT/language.toml"), words.replace("\"Januar\"", "\"Jänner\""))
                .unwrap();
        })
        .unwrap();
        assert_eq!(said(&set, "overdue", "de-AT"), ("de-AT".to_owned(), "Verspätet: 1042".to_owned()));
        assert_eq!(said(&set, "restock", "de-AT").0, "de-AT");
        assert_eq!(said(&set, "overdue", "de-CH").0, "de");
    }

    #[test]
    fn a_folder_is_all_that_a_new_language_takes() {
        let set = folder(|dir| {
            for file in ["say.txt", "refunded/subject.txt", "refunded/body.txt"] {
                let to = dir.join("nl").join(file);
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(dir.join(file), to).unwrap();
            }
            let words = std::fs::read_to_string(dir.join("language.toml")).unwrap();
            std::fs::write(dir.join("nl/language.toml"), words.replace("\"March\"", "\"maart\"")).unwrap();
            std::fs::write(dir.join("nl/refunded/subject.txt"), "Terugbetaling op {{ today | date }}")
                .unwrap();
        })
        .unwrap();
        let dutch = ("nl".to_owned(), "Terugbetaling op Thursday 12 maart 2026".to_owned());
        assert_eq!(said(&set, "refunded", "nl-BE"), dutch);
    }

    #[test]
    fn a_body_of_html_takes_the_place_of_the_one_made_from_the_text() {
        let html = "<html lang=\"de\">Bestellung {{ order.number }}, <a href=\"{{ links.cancel_mail }}\">Storno</a>\
            {% for line in waiting.items %}{% if line.date %}{{ line.date | date }}{% elif not line.in_house %}Noch kein Termin.\
            {% endif %}{% endfor %}";
        let set = folder(|dir| std::fs::write(dir.join("de/restock/body.html"), html).unwrap()).unwrap();
        let sample = samples::samples().into_iter().find(|sample| sample.name == "restock").unwrap();
        let language = set.language(sample.notice.kind, Some("de"), "en");
        let mail = sample.mail(&samples::shops()[0], language);
        assert!(set.render(&mail).unwrap().html.unwrap().starts_with("<html lang=\"de\">Bestellung 1042"));
    }

    #[test]
    fn half_a_language_is_refused() {
        let without =
            |file: &'static str| folder(|dir| std::fs::remove_file(dir.join(file)).unwrap()).unwrap_err();
        assert_eq!(without("de/say.txt"), "de/say.txt:1:1 is missing");
        assert_eq!(without("de/language.toml"), "de/language.toml:1:1 is missing");
        assert_eq!(without("de/overdue/subject.txt"), "de/overdue/subject.txt:1:1 is missing");
        let with = |file: &'static str, text: &'static str| {
            let write = |dir: &Path| {
                std::fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
                std::fs::write(dir.join(file), text).unwrap();
            };
            folder(write).unwrap_err()
        };
        assert_eq!(
            with("de/overdue/subject.txt", "{{ order.numbr }}"),
            "de/overdue/subject.txt:1:10 Field `numbr` is not defined; the nearest known is `number`"
        );
        assert_eq!(
            with("de/overdue/body.txt", "\n{% if missed %}"),
            "de/overdue/body.txt:2:16 Unexpected end of input"
        );
        assert_eq!(
            with("de/restock/subject.txt", "{% if missed %}x{% endif %}"),
            "de/restock/subject.txt:1:1 renders to nothing (in the sample `restock`)"
        );
        assert_eq!(
            with("de/dateslip/x", ""),
            "de/dateslip:1:1 is not a kind of notice; the nearest known is `date_slip`"
        );
        assert_eq!(with("en/say.txt", ""), "en:1:1 English stands at the top, not in a folder of its own");
    }
}
