//! A fact as the object it is read from: what is written here is read back as the same fact.

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use crate::domain::calendar::Instant;
use crate::domain::customer::Customer;
use crate::domain::fact::{Fact, LineFact, LineUnits, OrderFact, ShipmentFact, SupplyFact};
use crate::store::Entry;

/// The object that states this fact; what is not said is left out.
pub fn to_json(fact: &Fact) -> Value {
    match fact {
        Fact::Order(f) => order(f),
        Fact::Supply(f) => supply(f),
        Fact::Receipt(f) => object(json!({
            "fact": "receipt", "at": instant(f.at), "id": f.id, "sku": f.sku, "supply": f.supply, "quantity": f.quantity,
        })),
        Fact::Shipment(f) => shipment(f),
        Fact::Cancel(f) => object(json!({
            "fact": "cancel", "at": instant(f.at), "id": f.id, "order": f.order, "lines": f.lines,
            "by": f.by, "reason": f.reason,
        })),
        Fact::Refund(f) => object(json!({
            "fact": "refund", "at": instant(f.at), "id": f.id, "order": f.order, "amount": f.amount,
            "reference": f.reference,
        })),
    }
}

impl From<&Fact> for Entry {
    fn from(fact: &Fact) -> Self {
        Self { fact: fact.clone(), body: to_json(fact).to_string() }
    }
}

impl From<Fact> for Entry {
    fn from(fact: Fact) -> Self {
        Self { body: to_json(&fact).to_string(), fact }
    }
}

fn instant(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Leaves out what is null: it means the same, and a record is kept for long.
fn object(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter(|(_, v)| !v.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn order(f: &OrderFact) -> Value {
    object(json!({
        "fact": "order", "at": instant(f.at), "order": f.order, "placed_at": instant(f.placed_at),
        "channel": f.channel, "payment": f.payment, "currency": f.currency, "partial": f.partial,
        "customer": customer(&f.customer), "lines": f.lines.iter().map(line).collect::<Vec<_>>(),
    }))
}

fn customer(c: &Customer) -> Value {
    object(json!({
        "email": c.email.as_ref().map(|e| e.as_str()), "name": c.name, "locale": c.locale,
        "timezone": c.timezone.map(|zone| zone.name()), "country": c.country,
    }))
}

fn line(l: &LineFact) -> Value {
    object(json!({
        "id": l.id, "sku": l.sku, "title": l.title, "quantity": l.quantity, "unit_price": l.unit_price,
        "kind": l.kind, "promised": l.promised.map(|day| day.to_string()),
    }))
}

fn supply(f: &SupplyFact) -> Value {
    let change = &f.change;
    object(json!({
        "fact": "supply", "at": instant(f.at), "sku": f.sku,
        "supply": Some(&f.supply).filter(|name| !name.is_empty()), "quantity": f.quantity,
        "eta": f.eta.map(|eta| eta.to_string()), "state": f.state, "supplier": f.supplier,
        "confirmed": f.confirmed, "cause": change.cause, "reason": change.reason,
        "alternative": change.alternative, "goodwill": change.goodwill,
    }))
}

fn shipment(f: &ShipmentFact) -> Value {
    let units = |line: &LineUnits| object(json!({ "id": line.id, "quantity": line.quantity }));
    object(json!({
        "fact": "shipment", "at": instant(f.at), "id": f.id, "order": f.order,
        "lines": f.lines.as_ref().map(|lines| lines.iter().map(units).collect::<Vec<_>>()),
        "carrier": f.carrier, "tracking": f.tracking, "url": f.url, "handed_over": f.handed_over,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::customer::EmailAddress;
    use crate::domain::fact::{
        By, CancelFact, Cause, ChangeReason, LineKind, Partial, Payment, ReceiptFact, RefundFact,
    };
    use crate::domain::supply::{Eta, SupplyState};
    use crate::intake::fact;
    use chrono::NaiveDate;
    use proptest::option::of;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn text() -> impl Strategy<Value = String> {
        "[A-Za-z0-9é漢\"'<>{};,/-]{1,12}( [a-zß😀\\\\]{1,8})?"
    }
    fn at() -> impl Strategy<Value = Instant> {
        (946_684_800_000i64..7_258_118_399_999).prop_map(|ms| Instant::from_timestamp_millis(ms).unwrap())
    }
    fn day() -> impl Strategy<Value = NaiveDate> {
        (730_120i32..803_000).prop_map(|n| NaiveDate::from_num_days_from_ce_opt(n).unwrap())
    }
    fn eta() -> impl Strategy<Value = Eta> {
        (day(), day()).prop_map(|(a, b)| Eta { from: a.min(b), to: a.max(b) })
    }
    fn customer() -> impl Strategy<Value = Customer> {
        let zones = vec![chrono_tz::Europe::Berlin, chrono_tz::UTC, chrono_tz::America::Sao_Paulo];
        (
            of("[a-z]{1,9}@[a-z]{1,9}\\.example"),
            of(text()),
            of("[a-z]{2}(-[A-Z]{2})?"),
            of(select(zones)),
            of("[A-Z]{2}"),
        )
            .prop_map(|(email, name, locale, timezone, country)| {
                let email = email.map(|e| EmailAddress::parse(&e).unwrap());
                Customer { email, name, locale, timezone, country }
            })
    }
    fn line() -> impl Strategy<Value = LineFact> {
        (text(), text(), 1u32..=1_000_000, of(text()), select(LineKind::ALL), of(day())).prop_map(
            |(sku, title, quantity, unit_price, kind, promised)| LineFact {
                id: String::new(),
                sku,
                title,
                quantity,
                unit_price,
                kind,
                promised,
            },
        )
    }
    fn order() -> impl Strategy<Value = Fact> {
        let words = (of(text()), of(select(Payment::ALL)), of("[A-Z]{3}"), of(select(Partial::ALL)));
        (at(), text(), at(), words, customer(), prop::collection::vec(line(), 1..5)).prop_map(
            |(at, order, placed_at, (channel, payment, currency, partial), customer, mut lines)| {
                lines.iter_mut().zip(1..).for_each(|(line, n)| line.id = n.to_string());
                Fact::Order(OrderFact {
                    at,
                    order,
                    placed_at,
                    channel,
                    payment,
                    currency,
                    partial,
                    customer,
                    lines,
                })
            },
        )
    }
    fn supply() -> impl Strategy<Value = Fact> {
        let name = of(text()).prop_map(Option::unwrap_or_default);
        let change = (of(select(Cause::ALL)), of(text()), of(text()), of(text()));
        let rest = (select(SupplyState::ALL), of(text()), any::<bool>(), change);
        (at(), text(), name, of(0u32..=1_000_000_000), of(eta()), rest).prop_map(
            |(
                at,
                sku,
                supply,
                quantity,
                eta,
                (state, supplier, confirmed, (cause, reason, alternative, goodwill)),
            )| {
                let change = ChangeReason { cause, reason, alternative, goodwill };
                Fact::Supply(SupplyFact {
                    at,
                    sku,
                    supply,
                    quantity,
                    eta,
                    state,
                    supplier,
                    confirmed,
                    change,
                })
            },
        )
    }
    fn shipment() -> impl Strategy<Value = Fact> {
        let lines = of(prop::collection::vec(of(1u32..99), 1..4)).prop_map(|lines| {
            let id = |(quantity, n): (_, u32)| LineUnits { id: n.to_string(), quantity };
            lines.map(|lines| lines.into_iter().zip(1..).map(id).collect())
        });
        let way = (of(text()), of(text()), of("https?://[a-z]{1,9}\\.example/[a-z?=&]{0,9}"), any::<bool>());
        (at(), text(), text(), lines, way).prop_map(
            |(at, id, order, lines, (carrier, tracking, url, handed_over))| {
                Fact::Shipment(ShipmentFact { at, id, order, lines, carrier, tracking, url, handed_over })
            },
        )
    }
    fn rest() -> impl Strategy<Value = Fact> {
        let moved = prop_oneof![-1_000_000_000i64..0, 1i64..=1_000_000_000];
        let lines =
            of(prop::collection::btree_set(text(), 1..4)).prop_map(|l| l.map(|l| l.into_iter().collect()));
        prop_oneof![
            (at(), text(), text(), of(text()), moved).prop_map(|(at, id, sku, supply, quantity)| {
                Fact::Receipt(ReceiptFact { at, id, sku, supply, quantity })
            }),
            (at(), text(), text(), lines, select(By::ALL), of(text())).prop_map(
                |(at, id, order, lines, by, reason)| Fact::Cancel(CancelFact {
                    at,
                    id,
                    order,
                    lines,
                    by,
                    reason
                })
            ),
            (at(), text(), text(), text(), of(text())).prop_map(|(at, id, order, amount, reference)| {
                Fact::Refund(RefundFact { at, id, order, amount, reference })
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_as_the_same_fact(written in prop_oneof![order(), supply(), shipment(), rest()]) {
            let text = to_json(&written).to_string();
            let read = fact(serde_json::from_str(&text).unwrap(), Instant::MAX_UTC);
            prop_assert_eq!(read, Ok(written), "{}", text);
        }
    }
}
