//! The stories that samples are made of: every kind, and what bites (no date, many lines, odd names, parts, misses).

use super::line::line;
use super::story::{Story, story};
use crate::domain::notice::NoticeKind;

/// The stories that every mail is looked at with, each kind at least once.
pub(super) fn stories() -> Vec<Story> {
    [confirmations(), routine(), changes(), goods(), endings()].concat()
}

fn confirmations() -> Vec<Story> {
    use NoticeKind::{Confirmation, DateSlip, Overdue, Restock};
    vec![
        story("confirmation, one line with a date", Confirmation).authorized(),
        story("confirmation, no date", Confirmation).lines([line("Kettle").no_date()]).paid(),
        story("confirmation, mixed dates and an item in stock", Confirmation)
            .lines([line("Kettle"), line("Teapot, blue").promised(27), line("Cake stand").no_date()])
            .in_stock("Cup", 4)
            .authorized(),
        story("confirmation, hold", Confirmation)
            .lines([line("Kettle"), line("Teapot, blue").promised(27)])
            .in_stock("Cup", 4)
            .ship_together(),
        story("confirmation, preorder", Confirmation)
            .lines([line("Espresso Machine, third edition").preorder()])
            .authorized(),
        story("confirmation, preorder without a date", Confirmation).lines([line(
            "Espresso Machine, third edition",
        )
        .preorder()
        .no_date()]),
        story("confirmation, preorder and backorder", Confirmation)
            .lines([line("Espresso Machine").preorder().promised(27), line("Kettle")]),
        story("confirmation that takes in a later date", Confirmation)
            .with([DateSlip])
            .lines([line("Kettle").now_ships(31).because("The factory needs two more weeks.")])
            .authorized(),
        story("confirmation that takes in a missed date", Confirmation)
            .with([Overdue])
            .on(21)
            .lines([line("Kettle").missed()])
            .paid(),
        story("confirmation, goods already in the house", Confirmation)
            .with([Restock])
            .lines([line("Kettle").in_house()])
            .authorized(),
        story("confirmation, more lines than are listed", Confirmation)
            .lines((1u32..=105).map(|n| line(&format!("Plate no. {n}")).promised(20 + n % 3))),
        story("confirmation, long names", Confirmation)
            .named(&"Maximiliana Theodora von und zu ".repeat(4))
            .lines([line(&"Extraordinarily long-handled copper saucepan with lid, ".repeat(6))]),
        story("confirmation, names that run from right to left", Confirmation)
            .named("نورة العتيبي")
            .lines([line("إبريق شاي"), line("קומקום")]),
        story("confirmation, names that try to inject", Confirmation)
            .named("<script>alert(1)</script>\r\nBcc: x@example.com")
            .lines([line("{{ shop }}{% raw %}<img src=x onerror=alert(1)>\u{202e}\"'&")]),
        story("confirmation without a name", Confirmation).named(" "),
    ]
}

fn routine() -> Vec<Story> {
    use NoticeKind::{Update48h, WeeklyStatus};
    let preorder = || line("Espresso Machine, third edition").preorder();
    vec![
        story("update after 48 hours", Update48h).on(4),
        story("update after 48 hours, no date", Update48h).on(4).lines([line("Kettle").no_date()]),
        story("update after 48 hours, preorder", Update48h).on(4).lines([preorder()]),
        story("update after 48 hours, mixed dates", Update48h).on(4).lines([
            line("Kettle"),
            line("Teapot, blue").promised(27),
            line("Cake stand").no_date(),
        ]),
        story("weekly status, on track", WeeklyStatus)
            .on(9)
            .lines([line("Kettle").expected(12, 16).place(37, 54)]),
        story("weekly status, several lines", WeeklyStatus)
            .on(9)
            .lines([
                line("Kettle").expected(16, 16).place(1, 3),
                line("Teapot, blue").promised(27).expected(23, 23),
                line("Cake stand").no_date().place(2, 8),
            ])
            .in_stock("Cup", 4)
            .ship_together(),
        story("weekly status, no date", WeeklyStatus).on(9).lines([line("Kettle").no_date()]),
        story("weekly status after a missed date", WeeklyStatus)
            .on(27)
            .lines([line("Kettle").no_date().was(20)]),
        story("weekly status, in the house", WeeklyStatus).on(9).lines([line("Kettle").in_house()]),
        story("weekly status, preorder", WeeklyStatus)
            .on(9)
            .lines([preorder().expected(16, 16).place(120, 800)]),
    ]
}

fn changes() -> Vec<Story> {
    use NoticeKind::{DateImproved, DateSlip, Overdue};
    let late = || line("Kettle").now_ships(31).because("The factory needs two more weeks.");
    vec![
        story("date slip", DateSlip).on(12).lines([late()]).authorized(),
        story("date slip with an alternative and goodwill", DateSlip)
            .on(12)
            .lines([late().or("The copper kettle is in stock.").goodwill("The code SORRY10 takes 10% off.")])
            .paid(),
        story("date slip of one line of two", DateSlip)
            .on(12)
            .lines([late(), line("Teapot, blue").promised(27)]),
        story("date slip of two lines, differently", DateSlip).on(12).lines([
            late(),
            line("Teapot, blue").promised(18).now_ships(27).because("The glaze failed our check."),
        ]),
        story("date slip after a missed date", DateSlip).on(24).lines([late()]).paid(),
        story("date withdrawn", DateSlip)
            .on(12)
            .lines([line("Kettle").withdrawn().because("Our supplier went out of business.")])
            .authorized(),
        story("date improved", DateImproved).on(9).lines([line("Kettle").now_ships(16)]).authorized(),
        story("first date", DateImproved).on(9).lines([line("Kettle").first_date(20)]),
        story("first date of one line of two", DateImproved)
            .on(9)
            .lines([line("Cake stand").first_date(27), line("Kettle")]),
        story("overdue", Overdue).on(21).lines([line("Kettle").missed()]).authorized(),
        story("overdue, paid, one of two", Overdue)
            .on(21)
            .lines([line("Kettle").missed(), line("Teapot, blue").promised(27)])
            .paid(),
        story("overdue, in the house", Overdue).on(21).lines([line("Kettle").missed().in_house()]),
    ]
}

fn goods() -> Vec<Story> {
    use NoticeKind::{DateSlip, Overdue, Restock, Shipped};
    let shipped = |title: &str| line(title).shipped();
    vec![
        story("restock", Restock).on(17).lines([line("Kettle").in_house()]),
        story("restock of a part", Restock)
            .on(17)
            .lines([line("Kettle").in_house(), line("Teapot, blue").promised(27)]),
        story("restock after a missed date", Restock)
            .with([Overdue])
            .on(21)
            .lines([line("Kettle").missed().in_house()]),
        story("shipped", Shipped).on(18).lines([shipped("Kettle")]).handed_over(
            Some("DHL"),
            Some("JD0146000012"),
            Some("https://track.example/?id=JD0146000012"),
        ),
        story("shipped, preorder, no tracking", Shipped)
            .on(18)
            .lines([shipped("Espresso Machine, third edition").preorder()])
            .handed_over(None, None, None),
        story("shipped in part, the rest slips", Shipped)
            .with([DateSlip])
            .on(18)
            .lines([
                shipped("Kettle"),
                line("Teapot, blue").now_ships(31).because("The glaze failed our check."),
            ])
            .handed_over(Some("Post"), Some("RR 123 456"), None),
        story("shipped in part, a bad link", Shipped)
            .on(18)
            .lines([shipped("Kettle"), line("Teapot, blue").no_date()])
            .handed_over(Some("<b>DHL</b>"), None, Some("javascript:alert(1)")),
    ]
}

fn endings() -> Vec<Story> {
    use NoticeKind::{Cancelled, Refunded, Shipped};
    let gone = |title: &str| line(title).cancelled();
    vec![
        story("cancelled, authorized", Cancelled)
            .on(10)
            .lines([gone("Kettle")])
            .authorized()
            .called_off(None),
        story("cancelled in part, paid", Cancelled)
            .on(10)
            .lines([gone("Kettle"), line("Teapot, blue").promised(27)])
            .paid()
            .called_off(Some("It is no longer made.")),
        story("cancelled in part, the rest ships", Cancelled)
            .with([Shipped])
            .on(10)
            .lines([gone("Kettle"), line("Teapot, blue").shipped()])
            .called_off(None)
            .handed_over(Some("DHL"), Some("JD0146000012"), Some("https://track.example/?id=JD0146000012")),
        story("cancelled and refunded", Cancelled)
            .with([Refunded])
            .on(10)
            .lines([gone("Kettle")])
            .paid()
            .called_off(Some("It is no longer made."))
            .refund("49.90 EUR", Some("re_123")),
        story("refunded", Refunded).on(12).lines([gone("Kettle")]).paid().refund("49.90 EUR", Some("re_123")),
        story("refunded, the rest waits", Refunded)
            .on(12)
            .lines([gone("Kettle"), line("Teapot, blue").promised(27)])
            .refund("49.90 EUR", None),
    ]
}

/// Stories that are only there to be rendered: what no variation makes of another one.
pub(super) fn more_stories() -> Vec<Story> {
    use NoticeKind::{Cancelled, Confirmation, DateSlip, Shipped, Update48h};
    vec![
        story("cancelled, two lines", Cancelled)
            .on(10)
            .lines([line("Kettle").cancelled(), line("Teapot, blue").cancelled()])
            .called_off(None),
        story("confirmation, one in stock", Confirmation).in_stock("Cup", 4),
        story("date withdrawn of two lines of three", DateSlip).on(12).lines([
            line("Kettle").withdrawn(),
            line("Teapot, blue").withdrawn(),
            line("Cake stand"),
        ]),
        story("date withdrawn after it had passed", DateSlip).on(24).lines([line("Kettle").withdrawn()]),
        story("update after 48 hours, preorder without a date", Update48h).on(4).lines([line(
            "Espresso Machine",
        )
        .preorder()
        .no_date()]),
        story("shipped, what was in stock", Shipped)
            .on(3)
            .lines([line("Kettle"), line("Cup").in_stock(1).shipped()])
            .handed_over(Some("DHL"), None, None),
        story("shipped, all of it was in stock", Shipped)
            .on(3)
            .lines([line("Cup").in_stock(1).shipped()])
            .handed_over(Some("DHL"), None, None),
        story("update after 48 hours, two preorders", Update48h)
            .on(4)
            .lines([line("Espresso Machine").preorder(), line("Grinder").preorder().promised(27)]),
    ]
}

/// Languages that change a sentence around their word for a preorder have branches for these.
pub(super) fn preorders() -> Vec<Story> {
    use NoticeKind::{Confirmation, DateImproved, DateSlip, Overdue, Restock};
    let press = || line("Espresso Machine").preorder();
    let mill = || line("Grinder").preorder();
    vec![
        story("confirmation, together with one in stock", Confirmation)
            .ship_together()
            .lines([press()])
            .in_stock("Cup", 4),
        story("date of a preorder withdrawn", DateSlip).on(12).lines([press().withdrawn()]),
        story("date slip of two preorders, differently", DateSlip)
            .on(12)
            .lines([press().now_ships(31), mill().now_ships(27)]),
        story("date slip of a preorder, taken back", DateSlip).on(12).lines([press()]),
        story("date slip of a preorder without a date", DateSlip).on(12).lines([press().no_date()]),
        story("first date of a preorder", DateImproved).on(9).lines([press().first_date(20)]),
        story("date improved of two preorders, differently", DateImproved)
            .on(9)
            .lines([press().now_ships(16), mill().now_ships(14)]),
        story("overdue preorder, no date missed", Overdue).on(21).lines([press()]),
        story("restock of a part of a preorder", Restock).on(17).lines([press().in_house(), mill()]),
    ]
}
