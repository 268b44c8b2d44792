//! `shipby why`: the decisions about an order so far and the next ones, with their reasons.

use clap::Args;
use serde_json::json;

use super::batches::named;
use super::forecast::{Next, coming, silence};
use super::format::{Local, mode_line, uncovered};
use super::lookup::the_order;
use super::output;
use super::parsers::AsOf;
use super::pause;
use super::promise_breakdown::PromiseBreakdown;
use super::suppress;
use super::table::Table;
use super::timeline::Timeline;
use super::{Answer, Call, Exit};
use crate::domain::calendar::Instant;
use crate::domain::fact::Partial;
use crate::domain::notice::NoticeKind;
use crate::domain::order::{Line, Order};
use crate::domain::pause::Pause;
use crate::domain::policy::Policy;
use crate::domain::risk::Authorization;
use crate::store::{HeldChange, Needed};
use crate::text::{count, grouped, list};

#[derive(Debug, Args)]
pub(super) struct Why {
    /// The number of an order.
    order: String,
    #[command(flatten)]
    as_of: AsOf,
}

/// All that is known about why an order stands as it does.
struct Reasons {
    order: Order,
    past: Timeline,
    sums: Vec<(usize, PromiseBreakdown)>,
    next: Vec<Next>,
    goods: Vec<Goods>,
    /// The card's authorization, where it ends before long or has ended.
    authorization: Option<Authorization>,
    /// The blast guard holds a change back from it.
    held: Option<HeldChange>,
    /// What holds its mails back.
    pauses: Vec<Pause>,
    /// Since when facts about its SKUs are not worked in.
    uncovered_since: Option<Instant>,
}

/// Goods that an order waits for, and the notice that follows when they are there.
struct Goods {
    kind: NoticeKind,
    when: String,
}

pub(super) async fn run(call: &Call, why: &Why) -> Answer {
    let config = call.config()?;
    let store = call.store(&config).await?;
    let policy = config.policy();
    let local = Local { zone: policy.zone, now: why.as_of.now() };
    let number = why.order.trim();
    let order = the_order(&store, number).await?;
    let next = coming(&order, local, &policy, 3);
    let mut pauses = store.pauses(local.now).await?;
    let kind = order.under_way.as_ref().map(|u| u.notice.kind).or(next.first().map(|next| next.kind));
    pauses.retain(|pause| pause.scope.holds(&order, kind));
    let past = Timeline::of(&store, &order, &pauses).await?;
    let needed = store.needed(number).await?;
    let batches = store.held_changes().await?;
    let uncovered_since = store.uncovered_since(Some(number)).await?;
    store.close().await;
    let waiting = order.lines.iter().enumerate().filter(|(_, line)| line.waits());
    let sum =
        |line: &Line| PromiseBreakdown::of(&order, line, local, &policy, past.before(&line.id, line.told));
    let reasons = Reasons {
        sums: waiting.map(|(index, line)| (index, sum(line))).collect(),
        next,
        goods: goods(&order, &needed, &policy),
        authorization: Authorization::of(&order, local.zone, &config.watch)
            .filter(|held| held.is_due(local.today(), &config.watch)),
        held: order.blast_hold.and_then(|hold| batches.into_iter().find(|batch| batch.id == hold.batch)),
        past,
        order,
        pauses,
        uncovered_since,
    };
    if call.json {
        output::json("shipby.why/1", &reasons.json(config.delivery.mode.as_str(), local, &needed))?;
    } else {
        output::text(&(mode_line(&config) + &reasons.text(local)))?;
    }
    Ok(Exit::Done)
}

/// What follows once goods are there; no day can be named for it.
fn goods(order: &Order, needed: &[Needed], policy: &Policy) -> Vec<Goods> {
    if !order.is_mailable() {
        return Vec::new();
    }
    let missing: Vec<String> = needed
        .iter()
        .filter(|needed| needed.units > 0)
        .map(|needed| {
            let units = usize::try_from(needed.units).unwrap_or(0);
            let number = count(units, "unit", "units");
            (needed, format!("{number} of {}", needed.sku))
        })
        .filter(|(needed, _)| order.line(&needed.line).is_some_and(|line| !line.is_in_house()))
        .map(|(_, words)| words)
        .collect();
    let received = |words: &str| Goods {
        kind: NoticeKind::Restock,
        when: format!(
            "when {words} {} been received",
            if words.starts_with("1 unit of") && !words.contains(" and ") { "has" } else { "have" }
        ),
    };
    let mut goods = match order.partial(policy) {
        _ if missing.is_empty() => Vec::new(),
        Partial::Split => missing.iter().map(|words| received(words)).collect(),
        Partial::ShipTogether => vec![received(&list(&missing))],
    };
    if order.can_leave(policy) {
        goods.push(Goods { kind: NoticeKind::Shipped, when: "when it is handed to the carrier".to_owned() });
    }
    goods
}

impl Reasons {
    fn text(&self, local: Local) -> String {
        let order = &self.order;
        let email = order.customer.email.as_ref().map_or("no address", |email| email.as_str());
        let mut head = vec![format!("Order {}", order.number), email.to_owned(), order.status().to_string()];
        let mut places: Vec<String> = order
            .waiting()
            .filter_map(|line| line.place.map(|place| (line, place)))
            .map(|(line, place)| {
                let (at, of) = (grouped(place.at as usize), grouped(place.of as usize));
                format!("place {at} of {of} for {}", line.sku)
            })
            .collect();
        places.dedup();
        head.extend(places);
        let mut table = Table::new();
        table.row([head.join(" · ")]);
        for (index, sum) in &self.sums {
            let Some(line) = order.lines.get(*index) else { continue };
            let which = match self.sums.len() {
                1 => String::new(),
                _ => format!(" of line {} ({}):", line.id, line.sku),
            };
            table.row([format!("Promise{which} {}", sum.words)]);
        }
        if let Some(Authorization { since, until }) = self.authorization {
            let (since, last) = (local.day(since), local.day(until));
            let ends = if until < local.today() { "ended" } else { "ends" };
            table.row([format!(
                "The card's authorization of {since} {ends} on {last}: re-authorize before you ship"
            )]);
        }
        let mut text = table.text();
        text.push_str(&uncovered(self.uncovered_since, local));
        text.push_str(&suppress::line(order.suppressed.as_ref(), local));
        text.push_str(&pause::lines(&self.pauses, local));
        text.push('\n');
        let mut table = Table::new();
        for told in &self.past.told {
            let entry = &told.entry;
            table.row([local.time(entry.instant()), entry.kind.clone(), told.state(), told.news(local)]);
        }
        text.push_str(&table.text());
        text.push_str(if self.pauses.is_empty() { "Next\n" } else { "Next, once the pause is over\n" });
        let mut table = Table::new();
        if let Some(batch) = &self.held {
            let kind = order.blast_hold.and_then(|hold| hold.kind).map_or("a change", |kind| kind.as_str());
            let until = format!("in {}, until `shipby queue release {}`", named(batch), batch.id);
            table.row(["held".to_owned(), kind.to_owned(), until]);
        }
        for next in &self.next {
            table.row([local.time(next.at), next.kind.to_string(), next.unless.clone()]);
        }
        for goods in &self.goods {
            table.row(["no date yet".to_owned(), goods.kind.to_string(), goods.when.clone()]);
        }
        text.push_str(&table.text());
        if self.next.is_empty() && self.held.is_none() {
            text.push_str(&format!("nothing: {}\n", silence(order)));
        }
        text
    }

    fn json(&self, mode: &str, local: Local, needed: &[Needed]) -> serde_json::Value {
        let order = &self.order;
        let lines: Vec<_> = self
            .sums
            .iter()
            .filter_map(|(index, sum)| Some((order.lines.get(*index)?, sum)))
            .map(|(line, sum)| {
                let needed = needed.iter().find(|needed| needed.line == line.id).map(|needed| needed.units);
                json!({
                    "line": line.id, "sku": line.sku, "title": line.title, "units": line.open(),
                    "place": line.place, "cover": line.cover, "units_needed": needed, "promise": sum,
                })
            })
            .collect();
        json!({
            "mode": mode,
            "at": local.now,
            "order": order.number,
            "email": order.customer.email.as_ref().map(|email| email.as_str()),
            "suppressed": order.suppressed.as_ref().map(suppress::as_json),
            "status": order.status(),
            "authorization_due": self.authorization,
            "pauses": self.pauses,
            "uncovered_since": self.uncovered_since,
            "lines": lines,
            "decisions": self.past.told.iter().map(super::timeline::Told::json).collect::<Vec<_>>(),
            "next": self.next,
            "held": self.held.as_ref().map(super::batches::as_json),
        })
    }
}
