//! What an order may be besides its story: traits that are laid over the samples, so that every kind meets every one of
//! them.

use chrono::{Days, NaiveDate};

use super::orders::{SampleLine, line, made};
use super::{Sample, samples};
use crate::domain::fact::{LineKind, Partial, Payment};
use crate::domain::notice::{NoticeKind, StatedLine};
use crate::domain::order::{Line, QueuePosition};
use crate::domain::supply::{Cover, Eta, SupplyState};

/// A sample with traits.
#[derive(Debug, Clone)]
pub struct Case {
    /// Unique: the sample's name and the traits, as `overdue; hold; thirty lines`.
    pub name: String,
    pub sample: Sample,
}

type Trait = (&'static str, fn(&mut Sample));

const TRAITS: &[Trait] = &[
    ("no date", |sample| {
        each(sample, |line, stated| {
            (line.promised, line.told, line.cover, line.ever_covered) = (None, None, Cover::Nothing, false);
            (stated.date, stated.told, stated.in_house, stated.missed) = (None, None, false, false);
        })
    }),
    ("thirty lines", |sample| (1u8..=30).for_each(|n| add(sample, line(&format!("Plate no. {n}"))))),
    ("long names", |sample| {
        sample.order.customer.name = Some("Maximiliana Theodora von und zu ".repeat(4));
        titles(sample, &"Extraordinarily long-handled copper saucepan with lid, ".repeat(6));
    }),
    ("from right to left", |sample| {
        sample.order.customer.name = Some("نورة العتيبي".to_owned());
        titles(sample, "إبريق شاي");
    }),
    ("no name", |sample| sample.order.customer.name = None),
    ("authorized", |sample| sample.order.payment = Some(Payment::Authorized)),
    ("paid", |sample| sample.order.payment = Some(Payment::Paid)),
    ("pending", |sample| sample.order.payment = Some(Payment::Pending)),
    ("hold", |sample| sample.order.partial = Some(Partial::ShipTogether)),
    ("preorder", |sample| each(sample, |line, _| line.kind = LineKind::Preorder)),
    ("one in stock", |sample| {
        let (line, _) = line("Cup").no_date().parts();
        let id = next_id(sample);
        sample.order.lines.push(Line { id, kind: LineKind::InStock, quantity: 4, ..line });
    }),
    ("alternative and goodwill", |sample| {
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told) = (Some(day(20)), Some(day(31)), Some(day(31)));
            (stated.in_house, stated.missed) = (false, false);
            line.reason.reason = Some("The factory needs two more weeks.".to_owned());
            line.reason.alternative = Some("The copper kettle is in stock.".to_owned());
            line.reason.goodwill = Some("The code SORRY10 takes 10% off.".to_owned());
        })
    }),
    ("in transit, with a place", |sample| {
        each(sample, |line, _| {
            let eta = Some(Eta { from: day(28), to: day(30) });
            line.cover = Cover::Supply { supply: "PO-77".to_owned(), eta, state: SupplyState::InTransit };
            (line.ever_covered, line.place) = (true, Some(QueuePosition { at: 37, of: 54 }));
        })
    }),
    ("in production", |sample| {
        each(sample, |line, _| {
            line.cover =
                Cover::Supply { supply: "PO-78".to_owned(), eta: None, state: SupplyState::InProduction };
            line.ever_covered = true;
        })
    }),
    ("planned", |sample| {
        each(sample, |line, _| {
            let eta = Some(Eta { from: day(30), to: day(30) });
            line.cover = Cover::Supply { supply: String::new(), eta, state: SupplyState::Planned };
        })
    }),
    ("in the house", |sample| {
        each(sample, |line, stated| {
            line.cover = Cover::Received { on: day(2) };
            stated.in_house = true;
        })
    }),
    ("partly shipped", |sample| {
        each(sample, |line, stated| {
            (line.quantity, line.shipped, stated.units) = (line.quantity + 2, 1, line.quantity + 1);
        })
    }),
    ("overdue", |sample| {
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told, stated.missed) = (Some(day(1)), None, Some(day(1)), true);
        })
    }),
    ("mixed dates", |sample| {
        add(sample, line("Teapot, blue").promised(27));
        add(sample, line("Cake stand").no_date());
    }),
    ("withdrawn", |sample| {
        each(sample, |line, stated| {
            (line.cover, line.ever_covered, line.told) = (Cover::Nothing, true, Some(day(30)));
            (stated.date, stated.told, stated.in_house, stated.missed) = (None, None, false, false);
        })
    }),
    ("a first date", |sample| {
        each(sample, |line, stated| {
            (line.told, line.promised) = (None, None);
            (stated.date, stated.told, stated.missed) = (Some(day(31)), Some(day(31)), false);
        })
    }),
    ("an earlier date", |sample| {
        each(sample, |line, stated| {
            line.told = Some(day(31));
            (stated.date, stated.told, stated.missed) = (Some(day(28)), Some(day(28)), false);
        })
    }),
    ("next year", |sample| {
        each(sample, |_, stated| {
            stated.date = stated.date.and_then(|date| date.checked_add_days(Days::new(300)));
            stated.told = stated.date;
        })
    }),
    ("no next mail", |sample| sample.next_news = None),
    ("two of three later", |sample| {
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told) = (Some(day(20)), Some(day(31)), Some(day(31)));
            (stated.in_house, stated.missed) = (false, false);
        });
        each(sample, |line, _| line.reason.reason = Some("The glaze failed our check.".to_owned()));
        add(sample, line("Teapot, blue").now_ships(31).because("The glaze failed our check."));
        add(sample, line("Cake stand").promised(30));
    }),
    ("two of three later, by different days", |sample| {
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told) = (Some(day(20)), Some(day(31)), Some(day(31)));
            (stated.in_house, stated.missed) = (false, false);
        });
        add(sample, line("Teapot, blue").promised(18).now_ships(30));
        add(sample, line("Cake stand").promised(30));
    }),
    ("two later, together", |sample| {
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told) = (Some(day(20)), Some(day(31)), Some(day(31)));
            (stated.in_house, stated.missed) = (false, false);
        });
        add(sample, line("Teapot, blue").now_ships(31));
    }),
    ("two of three withdrawn", |sample| {
        each(sample, |line, stated| {
            (line.cover, line.ever_covered, line.told) = (Cover::Nothing, true, Some(day(30)));
            (stated.date, stated.told, stated.in_house, stated.missed) = (None, None, false, false);
        });
        add(sample, line("Teapot, blue").promised(30).withdrawn());
        add(sample, line("Cake stand").promised(30));
    }),
    ("two of three earlier", |sample| {
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told) = (Some(day(31)), Some(day(28)), Some(day(28)));
            (stated.in_house, stated.missed) = (false, false);
        });
        add(sample, line("Teapot, blue").promised(31).now_ships(28));
        add(sample, line("Cake stand").promised(30));
    }),
    ("two earlier, by different days", |sample| {
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told) = (Some(day(31)), Some(day(28)), Some(day(28)));
            (stated.in_house, stated.missed) = (false, false);
        });
        add(sample, line("Teapot, blue").promised(31).now_ships(29));
    }),
    ("two of three with a first date", |sample| {
        each(sample, |line, stated| {
            (line.told, line.promised) = (None, None);
            (stated.date, stated.told, stated.missed) = (Some(day(31)), Some(day(31)), false);
        });
        add(sample, line("Teapot, blue").first_date(31));
        add(sample, line("Cake stand").promised(30));
    }),
    ("two of three overdue", |sample| {
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told, stated.missed) = (Some(day(1)), None, Some(day(1)), true);
        });
        add(sample, line("Teapot, blue").was(1).missed());
        add(sample, line("Cake stand").promised(30));
    }),
    ("overdue, with a new date, together", |sample| {
        sample.order.partial = Some(Partial::ShipTogether);
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told, stated.missed) =
                (Some(day(1)), Some(day(31)), Some(day(31)), true);
            stated.in_house = false;
        });
        add(sample, line("Cake stand").promised(30));
    }),
    ("overdue, with a new date", |sample| {
        each(sample, |line, stated| {
            (line.told, stated.date, stated.told, stated.missed) =
                (Some(day(1)), Some(day(31)), Some(day(31)), true);
            stated.in_house = false;
        })
    }),
    ("one of two in the house", |sample| {
        each(sample, |line, stated| {
            line.cover = Cover::Received { on: day(2) };
            (stated.in_house, stated.missed) = (true, false);
        });
        add(sample, line("Cake stand").promised(30));
    }),
    ("one of two in the house, without a date", |sample| {
        each(sample, |line, stated| {
            line.cover = Cover::Received { on: day(2) };
            (line.told, stated.date, stated.told) = (None, None, None);
            (stated.in_house, stated.missed) = (true, false);
        });
        add(sample, line("Cake stand").promised(30));
    }),
    ("two dates, together", |sample| {
        sample.order.partial = Some(Partial::ShipTogether);
        add(sample, line("Teapot, blue").promised(30));
    }),
    ("two dates", |sample| add(sample, line("Teapot, blue").promised(30))),
    ("more than is listed", |sample| {
        for n in 1..=105 {
            let (line, _) = line(&format!("Cup no. {n}")).no_date().parts();
            let id = next_id(sample);
            sample.order.lines.push(Line { id, kind: LineKind::InStock, quantity: 4, ..line });
        }
        for event in sample.order.events.clone() {
            for n in 1..=25 {
                let mut more = event.clone();
                more.id = format!("{}-{n}", more.id);
                sample.notice.content.events.push(more.key());
                sample.order.events.push(more);
            }
        }
    }),
    ("an odd order number", |sample| sample.order.number = "A/10 #7 & <b>".to_owned()),
];

/// Stories that are only there to be rendered: what no trait makes of another one.
fn more_samples() -> Vec<Option<Sample>> {
    use NoticeKind::{Cancelled, Confirmation, DateSlip, Shipped, Update48h};
    vec![
        made("cancelled, two lines", Cancelled)
            .on(10)
            .lines([line("Kettle").cancelled(), line("Teapot, blue").cancelled()])
            .called_off(None)
            .sample(),
        made("confirmation, one in stock", Confirmation).in_stock("Cup", 4).sample(),
        made("date withdrawn of two lines of three", DateSlip)
            .on(12)
            .lines([line("Kettle").withdrawn(), line("Teapot, blue").withdrawn(), line("Cake stand")])
            .sample(),
        made("date withdrawn after it had passed", DateSlip)
            .on(24)
            .lines([line("Kettle").withdrawn()])
            .sample(),
        made("update after 48 hours, preorder without a date", Update48h)
            .on(4)
            .lines([line("Espresso Machine").preorder().no_date()])
            .sample(),
        made("shipped, what was in stock", Shipped)
            .on(3)
            .lines([line("Kettle"), line("Cup").in_stock().shipped()])
            .message_out(Some("DHL"), None, None)
            .sample(),
        made("shipped, all of it was in stock", Shipped)
            .on(3)
            .lines([line("Cup").in_stock().shipped()])
            .message_out(Some("DHL"), None, None)
            .sample(),
        made("update after 48 hours, two preorders", Update48h)
            .on(4)
            .lines([line("Espresso Machine").preorder(), line("Grinder").preorder().promised(27)])
            .sample(),
    ]
}

/// Languages that change a sentence around their word for a preorder have branches for these.
fn preorders() -> Vec<Option<Sample>> {
    use NoticeKind::{Confirmation, DateImproved, DateSlip, Overdue, Restock};
    let press = || line("Espresso Machine").preorder();
    let mill = || line("Grinder").preorder();
    vec![
        made("confirmation, together with one in stock", Confirmation)
            .hold()
            .lines([press()])
            .in_stock("Cup", 4)
            .sample(),
        made("date of a preorder withdrawn", DateSlip).on(12).lines([press().withdrawn()]).sample(),
        made("date slip of two preorders, differently", DateSlip)
            .on(12)
            .lines([press().now_ships(31), mill().now_ships(27)])
            .sample(),
        made("date slip of a preorder, taken back", DateSlip).on(12).lines([press()]).sample(),
        made("date slip of a preorder without a date", DateSlip).on(12).lines([press().no_date()]).sample(),
        made("first date of a preorder", DateImproved).on(9).lines([press().first_date(20)]).sample(),
        made("date improved of two preorders, differently", DateImproved)
            .on(9)
            .lines([press().now_ships(16), mill().now_ships(14)])
            .sample(),
        made("overdue preorder, no date missed", Overdue).on(21).lines([press()]).sample(),
        made("restock of a part of a preorder", Restock).on(17).lines([press().in_house(), mill()]).sample(),
    ]
}

/// Every sample, and per kind every trait.
pub fn cases() -> Vec<Case> {
    let mut plain = samples();
    plain.extend(more_samples().into_iter().flatten());
    let mut cases: Vec<Case> =
        plain.iter().map(|sample| Case { name: sample.name.to_owned(), sample: sample.clone() }).collect();
    for kind in NoticeKind::ALL {
        let stories: Vec<&Sample> = plain.iter().filter(|sample| sample.notice.kind == *kind).collect();
        for (at, story) in stories.iter().cycle().take(TRAITS.len()).enumerate() {
            // Every second one has another below it.
            let below = (at % 2 == 1).then(|| &TRAITS[(at + 7) % TRAITS.len()]);
            let traits: Vec<&Trait> = below.into_iter().chain([&TRAITS[at]]).collect();
            cases.push(with(story, &traits));
        }
    }
    let named = |sample: Sample| Case { name: sample.name.to_owned(), sample };
    cases.extend(preorders().into_iter().flatten().map(named));
    cases
}

fn with(story: &Sample, traits: &[&Trait]) -> Case {
    let mut case = Case { name: story.name.to_owned(), sample: story.clone() };
    for (name, lay) in traits {
        case.name.push_str("; ");
        case.name.push_str(name);
        lay(&mut case.sample);
    }
    case
}

/// A day of March 2026.
fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap_or_default()
}

/// What the notice states, line by line.
fn each(sample: &mut Sample, change: impl Fn(&mut Line, &mut StatedLine)) {
    for stated in &mut sample.notice.content.lines {
        if let Some(line) = sample.order.lines.iter_mut().find(|line| line.key == stated.line) {
            change(line, stated);
        }
    }
}

fn titles(sample: &mut Sample, title: &str) {
    sample.order.lines.iter_mut().for_each(|line| title.clone_into(&mut line.title));
}

fn add(sample: &mut Sample, more: SampleLine) {
    let (mut line, mut stated) = more.parts();
    line.key = next_id(sample);
    stated.line.clone_from(&line.key);
    sample.order.lines.push(line);
    sample.notice.content.lines.push(stated);
}

fn next_id(sample: &Sample) -> String {
    format!("more-{}", sample.order.lines.len() + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_meets_every_trait_and_no_name_comes_twice() {
        let cases = cases();
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
        for kind in NoticeKind::ALL {
            let of_kind: Vec<&Case> = cases.iter().filter(|case| case.sample.notice.kind == *kind).collect();
            assert!(of_kind.len() >= 20, "{kind}: {}", of_kind.len());
            for (name, _) in TRAITS {
                assert!(
                    of_kind.iter().any(|case| case.name.contains(&format!("; {name}"))),
                    "{kind}: {name}"
                );
            }
        }
    }
}
