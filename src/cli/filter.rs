//! The one grammar of filters: `state:failed kind:weekly_status to:@gmx.de`, of which all must match.

use super::format::Local;
use super::output::Stop;
use crate::domain::calendar::start_of;
use crate::domain::notice::{NoticeKind, NoticeState};
use crate::domain::supply::iso_date;
use crate::store::NoticeFilter;
use crate::text::list;

/// Reads the words of a filter.
pub(super) fn read(words: &[String], local: Local) -> anyhow::Result<NoticeFilter> {
    let mut filter = NoticeFilter::default();
    for word in words {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let wrong = |mend: &str| Stop::usage(format!("filter {word:?}: {mend}"));
        let text = Some(value.to_owned()).filter(|value| !value.is_empty());
        let twice = match name {
            // As `queue list` and `history` call what another mode than live accepted.
            "state" if value == "captured" || value == "redirected" => {
                filter.mode = Some(if value == "captured" { "capture" } else { "redirect" }.to_owned());
                filter.state.replace(NoticeState::Accepted.to_string()).is_some()
            }
            "state" => {
                let known: Vec<_> = NoticeState::ALL.iter().map(|state| (*state).to_string()).collect();
                if !known.iter().any(|known| known == value) {
                    let known = list(&known);
                    return Err(wrong(&format!(
                        "states are {known}; of other modes captured and redirected"
                    )));
                }
                std::mem::replace(&mut filter.state, text).is_some()
            }
            "kind" => {
                let known: Vec<_> = NoticeKind::ALL.iter().map(|kind| (*kind).to_string()).collect();
                if !known.iter().any(|known| known == value) {
                    return Err(wrong(&format!("kinds are {}", list(&known))));
                }
                std::mem::replace(&mut filter.kind, text).is_some()
            }
            "to" if value.len() > 1 && value.contains('@') => {
                std::mem::replace(&mut filter.to, text).is_some()
            }
            "to" => return Err(wrong("write an address, or to:@example.com for all of a domain")),
            "order" if text.is_some() => std::mem::replace(&mut filter.order, text).is_some(),
            "order" => return Err(wrong("write the number of an order, as in order:1042")),
            "before" => {
                let day = iso_date(value).ok_or_else(|| wrong("write a day, as in before:2026-03-01"))?;
                filter.before.replace(start_of(day, local.zone)).is_some()
            }
            "sku" if text.is_some() => std::mem::replace(&mut filter.sku, text).is_some(),
            "sku" => return Err(wrong("write a SKU, as in sku:KETTLE-01")),
            "notice" if value.bytes().all(|byte| byte.is_ascii_hexdigit()) && !value.is_empty() => {
                filter.notice.replace(value.to_ascii_lowercase()).is_some()
            }
            "notice" => return Err(wrong("write an id or its beginning, as in notice:4f1a2b3c")),
            _ => return Err(wrong("filters are state:, kind:, to:, order:, sku:, before: and notice:")),
        };
        if twice {
            return Err(wrong(&format!("{name}: is given twice; all filters must match")));
        }
    }
    Ok(filter)
}
