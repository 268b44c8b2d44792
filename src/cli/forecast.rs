//! What comes next: the forecast of one order, in words.

use serde::Serialize;

use super::format::Local;
use crate::domain::calendar::Instant;
use crate::domain::forecast::{HORIZON, forecast};
use crate::domain::notice::{Notice, NoticeKind, Topic};
use crate::domain::order::{Order, Status};
use crate::domain::policy::Policy;

/// A notice to come.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Next {
    pub at: Instant,
    pub order: String,
    pub kind: NoticeKind,
    pub occasion: String,
    /// On what it hangs.
    pub unless: String,
}

/// The next notices of an order, `most` at most; none is one that is under way already.
pub(super) fn coming(order: &Order, local: Local, policy: &Policy, most: usize) -> Vec<Next> {
    let until = local.now + HORIZON;
    let under_way = order.under_way.as_ref().map(|under_way| &under_way.notice.occasion);
    forecast(order, local.now, policy, until, most + 1)
        .into_iter()
        .filter(|coming| Some(&coming.notice.occasion) != under_way)
        .take(most)
        .map(|coming| Next {
            unless: unless(&coming.notice, local),
            at: coming.at,
            order: order.number.clone(),
            kind: coming.notice.kind,
            occasion: coming.notice.occasion,
        })
        .collect()
}

fn unless(notice: &Notice, local: Local) -> String {
    match notice.kind.rules().topic {
        Topic::Age | Topic::Silence => "unless shipped, cancelled or the date moves".to_owned(),
        Topic::Missed => {
            let missed = notice.content.lines.iter().filter(|line| line.missed).filter_map(|line| line.told);
            missed.max().map_or_else(String::new, |told| {
                format!("if {} passes without shipment and without a new date", local.day(told))
            })
        }
        Topic::Shift => "unless the date moves again".to_owned(),
        Topic::Goods => "unless it ships before".to_owned(),
        Topic::Event | Topic::Order => String::new(),
    }
}

/// Why nothing comes.
pub(super) fn silence(order: &Order) -> String {
    let status = order.status();
    if order.suppressed.is_some() && !order.is_mailable() {
        "the address gets no mail any more; ask the customer for another".to_owned()
    } else if order.under_way.is_some() {
        "what is under way comes first".to_owned()
    } else if order.customer.email.is_none() {
        "there is no address to write to; a person must reach the customer".to_owned()
    } else if !order.is_tracked() {
        "no line of it ever waited".to_owned()
    } else if status == Status::Open {
        "only lines in stock are open, until it ships".to_owned()
    } else {
        format!("the order is {status}")
    }
}
