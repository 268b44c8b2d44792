//! Every mail as it goes out, and every way in which a folder of templates can be wrong.

mod conformance;
mod languages;
mod looks;
mod snapshots;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use shipby::domain::notice::NoticeKind;
use shipby::templates::samples::{self, Sample};
use shipby::templates::{
    COMPILED_IN, MailContext, Rendered, Shop, Source, TemplateError, TemplateSet, load_within,
};

/// What is compiled in; the mails are tried in each of them.
const LANGUAGES: [&str; 4] = ["en", "de", "es", "fr"];

/// The set as it is compiled in.
static SET: LazyLock<TemplateSet> = LazyLock::new(|| TemplateSet::compiled_in().unwrap());

/// What the sample's mail may say, in English.
fn mail(sample: &Sample, shop: &Shop) -> MailContext {
    mail_in("en", sample, shop)
}

fn mail_in(language: &str, sample: &Sample, shop: &Shop) -> MailContext {
    sample.mail(shop, SET.language(sample.notice.kind, Some(language), "en"))
}

/// Every sample in `language`, for a shop with pages and for one without.
fn rendered_in(language: &str) -> Vec<(String, MailContext, Rendered)> {
    let mut all = Vec::new();
    for sample in samples::samples() {
        for (shop, how) in samples::shops().iter().zip(["", ", no pages"]) {
            let mail = mail_in(language, &sample, shop);
            let rendered = SET.render(&mail).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
            all.push((format!("{} ({language}{how})", sample.name), mail, rendered));
        }
    }
    all
}

/// The words of an html part, as far as the tests need them.
fn words_of(html: &str) -> String {
    let body = html.split_once("<body").unwrap().1;
    let mut out = String::new();
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap();
        let inline = ["bdi", "/bdi", "strong", "/strong", "span", "/span", "a ", "/a"];
        if !inline.iter().any(|name| tag.starts_with(name)) {
            out.push('\n');
        }
        out.push_str(text);
    }
    out.replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// The dates a text states, as `20 March`.
fn dates_in(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let dates = words.windows(2).filter(|pair| ["March", "April"].contains(&pair[1]));
    dates.map(|pair| pair.join(" ")).collect()
}

#[test]
fn the_samples_cover_every_kind_and_have_names_of_their_own() {
    let samples = samples::samples();
    for kind in NoticeKind::ALL {
        assert!(samples.iter().any(|sample| sample.notice.kind == *kind), "{kind}");
    }
    let names: BTreeSet<_> = samples.iter().map(|sample| &sample.name).collect();
    assert_eq!(names.len(), samples.len());
}

#[test]
fn no_mail_is_vague_or_shows_a_gap_in_what_we_know() {
    for (name, _, Rendered { subject, text, html }) in rendered_in("en") {
        let html = html.as_deref().map(words_of).unwrap_or_default();
        for part in [&subject, &text, &html] {
            let lower = format!(" {} ", part.to_lowercase().replace("as soon as", ""));
            for word in ["None", "null", "NaN", "undefined"] {
                assert!(!part.contains(word), "{name} says {word}:\n{part}");
            }
            for word in [" soon", "shortly", "asap", " ,", " .", "..", "()", "by .", ": ."] {
                assert!(!lower.contains(word), "{name} says {word:?}:\n{part}");
            }
        }
        let indented = |line: &str| line.trim_start_matches("  ").contains("  ");
        assert!(!subject.contains("  ") && !text.lines().any(indented), "{name} has a gap:\n{text}");
        assert!(!text.contains("\n\n\n") && !text.contains(" \n") && text.ends_with('\n'), "{name}:\n{text}");
        assert!(!subject.is_empty() && subject.chars().count() < 150, "{name}: {subject}");
        assert!(!html.lines().any(|line| line.trim().contains("  ")), "{name} has a gap:\n{html}");
    }
}

#[test]
fn text_and_html_state_the_same_dates_and_the_date_they_state_is_in_the_subject_or_above_the_lists() {
    for (name, mail, Rendered { text, html, .. }) in rendered_in("en") {
        if let Some(html) = html {
            assert_eq!(dates_in(&text), dates_in(&words_of(&html)), "{name}");
        }
        let stated = mail.waiting.items.iter().filter_map(|line| line.date);
        for date in stated {
            let date = date.format("%-d %B").to_string();
            assert!(dates_in(&text).contains(&date) || mail.in_house > 0, "{name} does not state {date}");
        }
    }
}

#[test]
fn every_mail_names_the_order_and_leads_somewhere_and_no_link_is_dead() {
    for (name, mail, Rendered { text, html, .. }) in rendered_in("en") {
        assert!(
            text.to_lowercase().contains("just reply to this mail") && text.contains(&mail.order.number),
            "{name}"
        );
        assert_eq!(text.contains("https://tableware.example/status"), mail.links.status.is_some(), "{name}");
        let can_cancel = text.to_lowercase().contains("cancel here") || text.contains("To cancel");
        assert_eq!(can_cancel, mail.order.open, "{name}:\n{text}");
        let Some(html) = html else { continue };
        assert_eq!(html.contains(">Cancel "), mail.order.open, "{name}");
        assert!(
            html.to_lowercase().contains("just reply to this mail") && html.contains("lang=\"en\""),
            "{name}"
        );
        for link in html.split("href=\"").skip(1) {
            let url = link.split('"').next().unwrap();
            assert!(
                url.starts_with("https://") || url.starts_with("mailto:help@tableware.example?"),
                "{name}: {url}"
            );
        }
        for remote in ["<img", "src=", "url(", "@import", "<link", "<script", "javascript:"] {
            assert!(
                !html.replace("&lt;", "").contains(remote) || name.contains("inject"),
                "{name}: {remote}"
            );
        }
        assert!(html.len() < 100_000, "{name}");
    }
}

#[test]
fn what_customers_and_shops_write_is_data() {
    let all = rendered_in("en");
    let (_, mail, rendered) = all.iter().find(|(name, ..)| name.contains("inject")).unwrap();
    let html = rendered.html.as_deref().unwrap();
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; Bcc: x@example.com"), "{html}");
    assert!(html.contains("{{ shop }}{% raw %}&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"), "{html}");
    assert!(!html.contains("<script") && !html.contains("<img"));
    assert!(!rendered.text.contains("\nBcc"), "{}", rendered.text);
    assert!(!rendered.text.contains('\u{202e}'));
    assert!(!mail.waiting.items[0].title.contains('\u{202e}'));
    let (_, _, weekly) =
        all.iter().find(|(name, ..)| name.starts_with("shipped in part, a bad link")).unwrap();
    assert!(weekly.html.as_deref().unwrap().contains("&lt;b&gt;DHL&lt;/b&gt;"));
}

#[test]
fn a_subject_is_one_line_whatever_the_title_holds() {
    let mut sample = samples::samples().into_iter().find(|s| s.name == "weekly status, on track").unwrap();
    sample.order.lines[0].title = format!("Kettle\r\nBcc: x@example.com\u{85}{}", "very ".repeat(60));
    let [shop, _] = samples::shops();
    let rendered = TemplateSet::compiled_in().unwrap().render(&mail(&sample, &shop)).unwrap();
    let expected =
        "Update on your backorder: Kettle Bcc: x@example.com very very very very very very…, still 20 March";
    assert_eq!(rendered.subject, expected);
}

#[test]
fn what_happens_to_the_money_of_a_cancelled_order_follows_from_where_it_is() {
    use shipby::domain::fact::Payment;
    let says = [
        (Some(Payment::Authorized), "No charge will be made for it."),
        (Some(Payment::Paid), "What you paid for it will be refunded."),
        (Some(Payment::Pending), "If you have been charged for it, that money will be refunded."),
        (None, "If you have been charged for it, that money will be refunded."),
    ];
    let set = TemplateSet::compiled_in().unwrap();
    let [shop, _] = samples::shops();
    for name in ["cancelled, authorized", "cancelled in part, paid"] {
        let mut sample = samples::samples().into_iter().find(|sample| sample.name == name).unwrap();
        for (payment, sentence) in says {
            sample.order.payment = payment;
            let Rendered { text, html, .. } = set.render(&mail(&sample, &shop)).unwrap();
            for part in [text, words_of(&html.unwrap())] {
                assert!(part.contains(sentence), "{name}, {payment:?}:\n{part}");
                let others = says.iter().filter(|(_, other)| *other != sentence);
                assert!(others.into_iter().all(|(_, other)| !part.contains(other)), "{name}, {payment:?}");
            }
        }
    }
}

#[test]
fn an_order_of_ten_thousand_lines_is_a_mail_of_a_hundred() {
    let mut sample = samples::samples().into_iter().find(|s| s.name == "date slip").unwrap();
    let (line, stated) = (sample.order.lines[0].clone(), sample.notice.content.lines[0].clone());
    sample.order.lines.clear();
    sample.notice.content.lines.clear();
    for id in 0..10_000 {
        let mut line = line.clone();
        (line.key, line.reason.reason) = (id.to_string(), Some(format!("Reason {}", id % 50)));
        let mut stated = stated.clone();
        stated.line.clone_from(&line.key);
        sample.order.lines.push(line);
        sample.notice.content.lines.push(stated);
    }
    let [shop, _] = samples::shops();
    let mail = mail(&sample, &shop);
    assert_eq!((mail.waiting.items.len(), mail.waiting.more), (100, 9900));
    assert_eq!((mail.slip.lines, mail.reasons.len()), (10_000, 20));
    let rendered = TemplateSet::compiled_in().unwrap().render(&mail).unwrap();
    assert!(rendered.text.contains("- and 9900 more") && rendered.html.unwrap().len() < 50_000);
}

#[test]
fn no_kind_fails_on_an_order_that_is_odd_for_it() {
    let set = TemplateSet::compiled_in().unwrap();
    for sample in samples::samples() {
        for (kind, lines) in NoticeKind::ALL.iter().flat_map(|kind| [(kind, true), (kind, false)]) {
            let mut odd = sample.clone();
            odd.notice.kind = *kind;
            odd.notice.content.lines.retain(|_| lines);
            let rendered = set.render(&mail(&odd, &samples::shops()[0]));
            let Rendered { subject, text, .. } =
                rendered.unwrap_or_else(|e| panic!("{} as {kind}: {e}", sample.name));
            assert!(!subject.contains("  ") && text.contains("1042"), "{} as {kind}: {subject}", sample.name);
        }
    }
}

mod folder {
    use super::*;
    use crate::template_check::{self, LIMIT};

    fn load(dir: &Path) -> Result<TemplateSet, TemplateError> {
        load_within(LIMIT, Source::Folder(dir.to_owned()), None).into_set()
    }

    /// A folder with the compiled-in files of English, changed by `change`.
    fn folder(change: impl Fn(&Path)) -> Result<TemplateSet, String> {
        folder_of(&[], change)
    }

    /// The same with other `languages`.
    pub fn folder_of(languages: &[&str], change: impl Fn(&Path)) -> Result<TemplateSet, String> {
        let dir = template_check::folder_of(languages);
        change(dir.path());
        load(dir.path()).map_err(|error| error.to_string())
    }

    fn with(file: &'static str, text: &'static str) -> String {
        folder(|dir| std::fs::write(dir.join(file), text).unwrap()).unwrap_err()
    }

    #[test]
    fn the_compiled_in_files_are_those_of_the_folder_and_make_the_same_set() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("README.md") {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        let mut compiled_in: Vec<_> = COMPILED_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        compiled_in.sort();
        assert_eq!(found, compiled_in);
        let loaded = load(&root).unwrap();
        assert_eq!(loaded.hash(), SET.hash());
        let edited = folder(|dir| {
            std::fs::write(dir.join("overdue/subject.txt"), "Late: {{ order.number }}").unwrap()
        });
        assert_ne!(edited.unwrap().hash(), loaded.hash());
    }

    #[test]
    fn an_unknown_name_is_refused_with_its_place_and_the_nearest_known_one() {
        assert_eq!(
            with("date_slip/subject.txt", "New date:\n{{ promisd | short_date }}"),
            "date_slip/subject.txt:2:4 Variable `promisd` is not defined; the nearest known is `promise`"
        );
        assert_eq!(
            with("overdue/body.txt", "{% if false %}{{ order.numbr }}{% endif %}"),
            "overdue/body.txt:1:24 Field `numbr` is not defined; the nearest known is `number`"
        );
        assert_eq!(
            with("restock/body.txt", "a\n{{ today | dat }}"),
            "restock/body.txt:2:12 Unknown filter `dat`"
        );
        assert_eq!(
            with("restock/body.txt", "{{ customer.number }}"),
            "restock/body.txt:1:13 Field `number` is not defined; the nearest known is `name` (in the sample `restock`)"
        );
    }

    #[test]
    fn a_syntax_error_is_refused_with_its_place() {
        assert_eq!(
            with("shipped/body.txt", "one\n{% if waited %}two"),
            "shipped/body.txt:2:19 Unexpected end of input"
        );
        assert_eq!(
            with("shipped/body.txt", "{% extends \"bse.txt\" %}"),
            "shipped/body.txt:1:1 extends `bse.txt`, which is not among the templates"
        );
    }

    #[test]
    fn what_is_missing_or_unknown_is_refused() {
        let without =
            |file: &'static str| folder(|dir| std::fs::remove_file(dir.join(file)).unwrap()).unwrap_err();
        assert_eq!(without("overdue/body.txt"), "overdue/body.txt:1:1 is missing");
        assert_eq!(without("overdue/subject.txt"), "overdue/subject.txt:1:1 is missing");
        let with_folder =
            |name: &'static str| folder(|dir| std::fs::create_dir(dir.join(name)).unwrap()).unwrap_err();
        assert_eq!(
            with_folder("dateslip"),
            "dateslip:1:1 is not a kind of notice; the nearest known is `date_slip`"
        );
        assert_eq!(with("bse.txt", ""), "bse.txt:1:1 is not a template; the nearest known is `base.txt`");
        assert_eq!(
            with("overdue/body.htm", ""),
            "overdue/body.htm:1:1 is not a template; the nearest known is `body.html`"
        );
        assert_eq!(
            with("update_48h/body.html", ""),
            "update_48h/body.html:1:1 this kind is plain text only; the nearest known is `body.txt`"
        );
        let nowhere = load(Path::new("/nonexistent")).unwrap_err().to_string();
        assert_eq!(nowhere, ".:1:1 cannot be read: No such file or directory (os error 2)");
    }

    #[test]
    fn links_long_files_and_other_encodings_are_refused() {
        let linked = folder(|dir| {
            let file = dir.join("overdue/subject.txt");
            std::fs::remove_file(&file).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", file).unwrap();
        });
        assert_eq!(linked.unwrap_err(), "overdue/subject.txt:1:1 is a link; put the file itself here");
        let long = folder(|dir| std::fs::write(dir.join("base.txt"), "x".repeat((1 << 20) + 1)).unwrap());
        assert_eq!(long.unwrap_err(), "base.txt:1:1 is longer than 1 MiB");
        let latin1 = folder(|dir| std::fs::write(dir.join("base.txt"), b"a\nb\xe9").unwrap());
        assert_eq!(latin1.unwrap_err(), "base.txt:2:2 is not valid UTF-8");
    }

    #[test]
    fn a_mail_without_the_order_or_a_way_out_or_with_a_bad_subject_is_refused() {
        assert_eq!(
            with("restock/body.txt", "Hello, reply to {{ shop.support_email }}"),
            "restock/body.txt:1:1 does not name the order; use {{ order.number }} (in the sample `restock`)"
        );
        assert_eq!(
            with("restock/body.html", "{{ order.number }}"),
            "restock/body.html:1:1 offers no way out; use {{ links.cancel }}, {{ links.cancel_mail }} or \
             {{ shop.support_email }} (in the sample `restock`)"
        );
        assert_eq!(
            with("restock/subject.txt", "{% if missed %}x{% endif %}"),
            "restock/subject.txt:1:1 renders to nothing (in the sample `restock`)"
        );
        assert_eq!(
            with("restock/subject.txt", "{% for n in range(end=151) %}x{% endfor %}"),
            "restock/subject.txt:1:1 is 151 characters long; 150 is the most (in the sample `restock`)"
        );
    }

    #[test]
    fn a_template_without_end_stops_at_a_mebibyte() {
        let text = "{% for n in range(end=90000) %}a long line that is written again and again{% endfor %}";
        assert_eq!(
            with("restock/body.txt", text),
            "restock/body.txt:1:1 renders to more than 1 MiB (in the sample `restock`)"
        );
    }
}
