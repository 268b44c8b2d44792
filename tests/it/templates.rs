//! Every mail as it goes out, and every way in which a folder of templates can be wrong.

use std::path::Path;

use shipby::templates::samples::{self, Sample};
use shipby::templates::{COMPILED_IN, MailContext, Rendered, Shop, TemplateSet, context};

fn mail(sample: &Sample, shop: &Shop) -> MailContext {
    context(&sample.order, &sample.notice, shop, &samples::policy(), sample.next_news, sample.now)
}

/// Every sample, rendered for a shop with pages and for one without.
fn all_rendered() -> Vec<(String, MailContext, Rendered)> {
    let set = TemplateSet::compiled_in().unwrap();
    let mut all = Vec::new();
    for sample in samples::samples() {
        for (shop, how) in samples::shops().iter().zip(["", ", no pages"]) {
            let mail = mail(&sample, shop);
            let rendered = set.render(&mail).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
            all.push((format!("{}{how}", sample.name), mail, rendered));
        }
    }
    all
}

#[test]
fn every_mail_reads_as_it_was_written() {
    let set = TemplateSet::compiled_in().unwrap();
    let [pages, none] = samples::shops();
    let mut texts = String::new();
    for (at, sample) in samples::samples().iter().enumerate() {
        let shop = if at % 2 == 0 { &pages } else { &none };
        let rendered = set.render(&mail(sample, shop)).unwrap();
        texts += &format!("==== {}\nSubject: {}\n\n{}\n", sample.name, rendered.subject, rendered.text);
        if let Some(html) = rendered.html {
            let name = sample.name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            insta::assert_snapshot!(format!("html_{name}"), html);
        }
    }
    insta::assert_snapshot!("texts", texts);
}
