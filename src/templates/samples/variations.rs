//! What an order may be besides its story: variations that are laid over the stories, so that every kind meets every one
//! of them.

use super::line::{SampleLine, line};
use super::story::Story;
use crate::domain::fact::Payment;
use crate::domain::notice::NoticeKind;
use crate::domain::supply::SupplyState;

/// Its name, and what it makes of a story.
type Variation = (&'static str, fn(Story) -> Story);

const VARIATIONS: &[Variation] = &[
    ("no date", |story| story.each(SampleLine::no_date)),
    ("thirty lines", |story| story.and((1..=30).map(|n| line(&format!("Plate no. {n}"))))),
    ("long names", |story| {
        let title = "Extraordinarily long-handled copper saucepan with lid, ".repeat(6);
        story.named(&"Maximiliana Theodora von und zu ".repeat(4)).titled(&title)
    }),
    ("from right to left", |story| story.named("نورة العتيبي").titled("إبريق شاي")),
    ("no name", Story::nameless),
    ("authorized", Story::authorized),
    ("paid", Story::paid),
    ("pending", |story| story.payment(Payment::Pending)),
    ("hold", Story::ship_together),
    ("preorder", |story| story.each(SampleLine::preorder)),
    ("one in stock", |story| story.in_stock("Cup", 4)),
    ("alternative and goodwill", |story| {
        story.each(|line| {
            later(line)
                .because("The factory needs two more weeks.")
                .or("The copper kettle is in stock.")
                .goodwill("The code SORRY10 takes 10% off.")
        })
    }),
    ("in transit, with a place", |story| story.each(|line| line.expected(28, 30).place(37, 54))),
    ("in production", |story| story.each(|line| line.supplied(SupplyState::InProduction, None))),
    ("planned", |story| story.each(|line| line.supplied(SupplyState::Planned, Some((30, 30))))),
    ("in the house", |story| story.each(SampleLine::in_house)),
    ("partly shipped", |story| story.each(SampleLine::partly_shipped)),
    ("overdue", |story| story.each(|line| line.was(1).missed())),
    ("mixed dates", |story| story.and([line("Teapot, blue").promised(27), line("Cake stand").no_date()])),
    ("withdrawn", |story| story.each(|line| line.was(30).withdrawn())),
    ("a first date", |story| story.each(|line| line.first_date(31))),
    ("an earlier date", |story| story.each(|line| line.was(31).now_ships(28))),
    ("next year", |story| story.each(|line| line.later_by(300))),
    ("no next mail", Story::no_next_news),
    ("two of three later", |story| {
        let reason = "The glaze failed our check.";
        let teapot = line("Teapot, blue").now_ships(31).because(reason);
        story.each(|line| later(line).because(reason)).and([teapot, cake_stand()])
    }),
    ("two of three later, by different days", |story| {
        story.each(later).and([line("Teapot, blue").promised(18).now_ships(30), cake_stand()])
    }),
    ("two later, together", |story| story.each(later).and([line("Teapot, blue").now_ships(31)])),
    ("two of three withdrawn", |story| {
        let teapot = line("Teapot, blue").promised(30).withdrawn();
        story.each(|line| line.was(30).withdrawn()).and([teapot, cake_stand()])
    }),
    ("two of three earlier", |story| {
        let teapot = line("Teapot, blue").promised(31).now_ships(28);
        story.each(|line| line.was(31).now_ships(28)).and([teapot, cake_stand()])
    }),
    ("two earlier, by different days", |story| {
        let teapot = line("Teapot, blue").promised(31).now_ships(29);
        story.each(|line| line.was(31).now_ships(28)).and([teapot])
    }),
    ("two of three with a first date", |story| {
        story.each(|line| line.first_date(31)).and([line("Teapot, blue").first_date(31), cake_stand()])
    }),
    ("two of three overdue", |story| {
        story.each(|line| line.was(1).missed()).and([line("Teapot, blue").was(1).missed(), cake_stand()])
    }),
    ("overdue, with a new date, together", |story| {
        story.ship_together().each(|line| line.was(1).missed_now_ships(31)).and([cake_stand()])
    }),
    ("overdue, with a new date", |story| story.each(|line| line.was(1).missed_now_ships(31))),
    ("one of two in the house", |story| story.each(SampleLine::in_house).and([cake_stand()])),
    ("one of two in the house, without a date", |story| {
        story.each(|line| line.no_date().in_house()).and([cake_stand()])
    }),
    ("two dates, together", |story| story.ship_together().and([line("Teapot, blue").promised(30)])),
    ("two dates", |story| story.and([line("Teapot, blue").promised(30)])),
    ("more than is listed", |story| {
        let cups = (1..=105).map(|n| line(&format!("Cup no. {n}")).in_stock(4));
        story.and(cups).again(25)
    }),
    ("an odd order number", |story| story.numbered("A/10 #7 & <b>")),
];

fn later(line: SampleLine) -> SampleLine {
    line.was(20).now_ships(31)
}

fn cake_stand() -> SampleLine {
    line("Cake stand").promised(30)
}

/// Every variation once, laid over the stories of `kind` in turn; every second one has another below it.
pub(super) fn of(kind: NoticeKind, stories: &[Story]) -> Vec<Story> {
    let of_kind = stories.iter().filter(|story| story.kind == kind).cycle();
    let varied = of_kind.zip(VARIATIONS).enumerate().map(|(at, (story, variation))| {
        let below = (at % 2 == 1).then(|| &VARIATIONS[(at + 7) % VARIATIONS.len()]);
        below.into_iter().chain([variation]).fold(story.clone(), with)
    });
    varied.collect()
}

/// Named as `overdue; hold; thirty lines`.
fn with(story: Story, (name, vary): &Variation) -> Story {
    let mut varied = vary(story);
    varied.name = format!("{}; {name}", varied.name);
    varied
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Sample, cases};
    use super::*;

    #[test]
    fn every_kind_meets_every_variation_and_no_name_comes_twice() {
        let cases = cases();
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
        for kind in NoticeKind::ALL {
            let of_kind: Vec<&Sample> = cases.iter().filter(|case| case.notice.kind == *kind).collect();
            assert!(of_kind.len() >= 20, "{kind}: {}", of_kind.len());
            for (name, _) in VARIATIONS {
                assert!(
                    of_kind.iter().any(|case| case.name.contains(&format!("; {name}"))),
                    "{kind}: {name}"
                );
            }
        }
    }
}
