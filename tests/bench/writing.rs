//! What it costs one core to write a mail: gathering what it may say, rendering, and making the bytes of a mail of it.

use std::hint::black_box;

use divan::Bencher;
use shipby::domain::calendar::Instant;
use shipby::domain::notice::NoticeKind;
use shipby::mail::{Letter, Mailbox, compose};
use shipby::templates::samples::{self, Sample};
use shipby::templates::{MailContext, Rendered, Shop, TemplateSet};

fn main() {
    divan::main();
}

const KINDS: [NoticeKind; 3] = [NoticeKind::Confirmation, NoticeKind::WeeklyStatus, NoticeKind::Shipped];

fn sample(kind: NoticeKind) -> Sample {
    samples::samples().into_iter().find(|sample| sample.notice.kind == kind).expect("every kind has a sample")
}

fn gathered(set: &TemplateSet, shop: &Shop, sample: &Sample) -> MailContext {
    sample.mail(shop, set.language(sample.notice.kind, None, &shop.locale))
}

fn composed(mail: &Rendered, from: &Mailbox) -> Vec<u8> {
    let letter = Letter {
        from,
        reply_to: Some(from),
        to_address: "ana@example.com",
        to_name: Some("Ana"),
        subject: &mail.subject,
        text: &mail.text,
        html: mail.html.as_deref(),
        date: Instant::UNIX_EPOCH,
        message_id: "0123456789abcdef@shop.example",
        references: &[],
        notice: "0123456789abcdef",
        order: "1001",
        kind: "confirmation",
    };
    compose(&letter).expect("a mail")
}

#[divan::bench(args = KINDS)]
fn gather(bencher: Bencher, kind: NoticeKind) {
    let (set, shop, sample) =
        (TemplateSet::compiled_in().expect("a set"), samples::shops()[0].clone(), sample(kind));
    bencher.bench(|| gathered(&set, &shop, black_box(&sample)));
}

#[divan::bench(args = KINDS)]
fn render(bencher: Bencher, kind: NoticeKind) {
    let set = TemplateSet::compiled_in().expect("a set");
    let mail = gathered(&set, &samples::shops()[0], &sample(kind));
    bencher.bench(|| set.render(black_box(&mail)));
}

#[divan::bench(args = KINDS)]
fn make_bytes(bencher: Bencher, kind: NoticeKind) {
    let set = TemplateSet::compiled_in().expect("a set");
    let mail = set.render(&gathered(&set, &samples::shops()[0], &sample(kind))).expect("a mail");
    let from = Mailbox::new("sender", Some("Kettle & Co"), "orders@shop.example").expect("an address");
    bencher.bench(|| composed(black_box(&mail), &from));
}
