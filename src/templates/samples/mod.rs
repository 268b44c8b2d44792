//! Orders to try a set of templates on: every kind, and what bites (no date, many lines, odd names, parts, misses).
//!
//! `load` renders them all, `check` and the tests too. They are made of the domain's own types and use no clock.

mod orders;
mod traits;

use chrono::{DateTime, NaiveDate, Utc};

use super::context::Shop;
use crate::domain::notice::{Notice, NoticeKind};
use crate::domain::order::Order;
use crate::domain::policy::Policy;
use orders::{line, made};
pub use traits::{Case, cases};

/// One order and the notice that is due about it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Unique, in words: `confirmation, no date`.
    pub name: &'static str,
    pub order: Order,
    pub notice: Notice,
    pub next_news: Option<NaiveDate>,
    pub now: DateTime<Utc>,
}

/// A shop with pages of its own, and one that has none.
pub fn shops() -> [Shop; 2] {
    let page = |path: &str| Some(format!("https://tableware.example/{path}?order={{order}}"));
    let with_pages = Shop {
        name: "Fine Tableware".to_owned(),
        support_email: "help@tableware.example".to_owned(),
        status_url: page("status"),
        cancel_url: page("cancel"),
        locale: "en".to_owned(),
    };
    let without = Shop { status_url: None, cancel_url: None, ..with_pages.clone() };
    [with_pages, without]
}

/// The default policy, in a zone that has summer time.
pub fn policy() -> Policy {
    let default = Policy::default();
    Policy { zone: "Europe/Berlin".parse().unwrap_or(default.zone), ..default }
}

/// Every sample, each kind at least once.
pub fn samples() -> Vec<Sample> {
    let mut all = confirmations();
    all.extend(routine());
    all.extend(changes());
    all.extend(goods());
    all.extend(endings());
    all.into_iter().flatten().collect()
}

fn confirmations() -> Vec<Option<Sample>> {
    use NoticeKind::{Confirmation, DateSlip, Overdue, Restock};
    vec![
        made("confirmation, one line with a date", Confirmation).authorized().sample(),
        made("confirmation, no date", Confirmation).lines([line("Kettle").no_date()]).paid().sample(),
        made("confirmation, mixed dates and an item in stock", Confirmation)
            .lines([line("Kettle"), line("Teapot, blue").promised(27), line("Cake stand").no_date()])
            .in_stock("Cup", 4)
            .authorized()
            .sample(),
        made("confirmation, hold", Confirmation)
            .lines([line("Kettle"), line("Teapot, blue").promised(27)])
            .in_stock("Cup", 4)
            .hold()
            .sample(),
        made("confirmation, preorder", Confirmation)
            .lines([line("Espresso Machine, third edition").preorder()])
            .authorized()
            .sample(),
        made("confirmation, preorder without a date", Confirmation)
            .lines([line("Espresso Machine, third edition").preorder().no_date()])
            .sample(),
        made("confirmation, preorder and backorder", Confirmation)
            .lines([line("Espresso Machine").preorder().promised(27), line("Kettle")])
            .sample(),
        made("confirmation that takes in a later date", Confirmation)
            .with([DateSlip])
            .lines([line("Kettle").now_ships(31).because("The factory needs two more weeks.")])
            .authorized()
            .sample(),
        made("confirmation that takes in a missed date", Confirmation)
            .with([Overdue])
            .on(21)
            .lines([line("Kettle").missed()])
            .paid()
            .sample(),
        made("confirmation, goods already in the house", Confirmation)
            .with([Restock])
            .lines([line("Kettle").in_house()])
            .authorized()
            .sample(),
        made("confirmation, more lines than are listed", Confirmation)
            .lines((1u32..=105).map(|n| line(&format!("Plate no. {n}")).promised(20 + n % 3)))
            .sample(),
        made("confirmation, long names", Confirmation)
            .named(&"Maximiliana Theodora von und zu ".repeat(4))
            .lines([line(&"Extraordinarily long-handled copper saucepan with lid, ".repeat(6))])
            .sample(),
        made("confirmation, names that run from right to left", Confirmation)
            .named("نورة العتيبي")
            .lines([line("إبريق شاي"), line("קומקום")])
            .sample(),
        made("confirmation, names that try to inject", Confirmation)
            .named("<script>alert(1)</script>\r\nBcc: x@example.com")
            .lines([line("{{ shop }}{% raw %}<img src=x onerror=alert(1)>\u{202e}\"'&")])
            .sample(),
        made("confirmation without a name", Confirmation).named(" ").sample(),
    ]
}

fn routine() -> Vec<Option<Sample>> {
    use NoticeKind::{Update48h, WeeklyStatus};
    let preorder = || line("Espresso Machine, third edition").preorder();
    vec![
        made("update after 48 hours", Update48h).on(4).sample(),
        made("update after 48 hours, no date", Update48h).on(4).lines([line("Kettle").no_date()]).sample(),
        made("update after 48 hours, preorder", Update48h).on(4).lines([preorder()]).sample(),
        made("update after 48 hours, mixed dates", Update48h)
            .on(4)
            .lines([line("Kettle"), line("Teapot, blue").promised(27), line("Cake stand").no_date()])
            .sample(),
        made("weekly status, on track", WeeklyStatus)
            .on(9)
            .lines([line("Kettle").expected(12, 16).place(37, 54)])
            .sample(),
        made("weekly status, several lines", WeeklyStatus)
            .on(9)
            .lines([
                line("Kettle").expected(16, 16).place(1, 3),
                line("Teapot, blue").promised(27).expected(23, 23),
                line("Cake stand").no_date().place(2, 8),
            ])
            .in_stock("Cup", 4)
            .hold()
            .sample(),
        made("weekly status, no date", WeeklyStatus).on(9).lines([line("Kettle").no_date()]).sample(),
        made("weekly status after a missed date", WeeklyStatus)
            .on(27)
            .lines([line("Kettle").no_date().was(20)])
            .sample(),
        made("weekly status, in the house", WeeklyStatus).on(9).lines([line("Kettle").in_house()]).sample(),
        made("weekly status, preorder", WeeklyStatus)
            .on(9)
            .lines([preorder().expected(16, 16).place(120, 800)])
            .sample(),
    ]
}

fn changes() -> Vec<Option<Sample>> {
    use NoticeKind::{DateImproved, DateSlip, Overdue};
    let late = || line("Kettle").now_ships(31).because("The factory needs two more weeks.");
    vec![
        made("date slip", DateSlip).on(12).lines([late()]).authorized().sample(),
        made("date slip with an alternative and goodwill", DateSlip)
            .on(12)
            .lines([late().or("The copper kettle is in stock.").goodwill("The code SORRY10 takes 10% off.")])
            .paid()
            .sample(),
        made("date slip of one line of two", DateSlip)
            .on(12)
            .lines([late(), line("Teapot, blue").promised(27)])
            .sample(),
        made("date slip of two lines, differently", DateSlip)
            .on(12)
            .lines([
                late(),
                line("Teapot, blue").promised(18).now_ships(27).because("The glaze failed our check."),
            ])
            .sample(),
        made("date slip after a missed date", DateSlip).on(24).lines([late()]).paid().sample(),
        made("date withdrawn", DateSlip)
            .on(12)
            .lines([line("Kettle").withdrawn().because("Our supplier went out of business.")])
            .authorized()
            .sample(),
        made("date improved", DateImproved).on(9).lines([line("Kettle").now_ships(16)]).authorized().sample(),
        made("first date", DateImproved).on(9).lines([line("Kettle").first_date(20)]).sample(),
        made("first date of one line of two", DateImproved)
            .on(9)
            .lines([line("Cake stand").first_date(27), line("Kettle")])
            .sample(),
        made("overdue", Overdue).on(21).lines([line("Kettle").missed()]).authorized().sample(),
        made("overdue, paid, one of two", Overdue)
            .on(21)
            .lines([line("Kettle").missed(), line("Teapot, blue").promised(27)])
            .paid()
            .sample(),
        made("overdue, in the house", Overdue).on(21).lines([line("Kettle").missed().in_house()]).sample(),
    ]
}

fn goods() -> Vec<Option<Sample>> {
    use NoticeKind::{DateSlip, Overdue, Restock, Shipped};
    let shipped = |title: &str| line(title).shipped();
    vec![
        made("restock", Restock).on(17).lines([line("Kettle").in_house()]).sample(),
        made("restock of a part", Restock)
            .on(17)
            .lines([line("Kettle").in_house(), line("Teapot, blue").promised(27)])
            .sample(),
        made("restock after a missed date", Restock)
            .with([Overdue])
            .on(21)
            .lines([line("Kettle").missed().in_house()])
            .sample(),
        made("shipped", Shipped)
            .on(18)
            .lines([shipped("Kettle")])
            .message_out(Some("DHL"), Some("JD0146000012"), Some("https://track.example/?id=JD0146000012"))
            .sample(),
        made("shipped, preorder, no tracking", Shipped)
            .on(18)
            .lines([shipped("Espresso Machine, third edition").preorder()])
            .message_out(None, None, None)
            .sample(),
        made("shipped in part, the rest slips", Shipped)
            .with([DateSlip])
            .on(18)
            .lines([
                shipped("Kettle"),
                line("Teapot, blue").now_ships(31).because("The glaze failed our check."),
            ])
            .message_out(Some("Post"), Some("RR 123 456"), None)
            .sample(),
        made("shipped in part, a bad link", Shipped)
            .on(18)
            .lines([shipped("Kettle"), line("Teapot, blue").no_date()])
            .message_out(Some("<b>DHL</b>"), None, Some("javascript:alert(1)"))
            .sample(),
    ]
}

fn endings() -> Vec<Option<Sample>> {
    use NoticeKind::{Cancelled, Refunded, Shipped};
    let gone = |title: &str| line(title).cancelled();
    vec![
        made("cancelled, authorized", Cancelled)
            .on(10)
            .lines([gone("Kettle")])
            .authorized()
            .called_off(None)
            .sample(),
        made("cancelled in part, paid", Cancelled)
            .on(10)
            .lines([gone("Kettle"), line("Teapot, blue").promised(27)])
            .paid()
            .called_off(Some("It is no longer made."))
            .sample(),
        made("cancelled in part, the rest ships", Cancelled)
            .with([Shipped])
            .on(10)
            .lines([gone("Kettle"), line("Teapot, blue").shipped()])
            .called_off(None)
            .message_out(Some("DHL"), Some("JD0146000012"), Some("https://track.example/?id=JD0146000012"))
            .sample(),
        made("cancelled and refunded", Cancelled)
            .with([Refunded])
            .on(10)
            .lines([gone("Kettle")])
            .paid()
            .called_off(Some("It is no longer made."))
            .refund("49.90 EUR", Some("re_123"))
            .sample(),
        made("refunded", Refunded)
            .on(12)
            .lines([gone("Kettle")])
            .paid()
            .refund("49.90 EUR", Some("re_123"))
            .sample(),
        made("refunded, the rest waits", Refunded)
            .on(12)
            .lines([gone("Kettle"), line("Teapot, blue").promised(27)])
            .refund("49.90 EUR", None)
            .sample(),
    ]
}
