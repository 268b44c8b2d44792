//! A mail server that misbehaves in every way we know of, through the real dispatcher and a real database: the state each
//! fault leaves, and the next try. Where it matters in clear, over STARTTLS and over TLS, with a password.
//!
//! | fault | proved by |
//! | --- | --- |
//! | 14 down at start | `session::a_relay_that_is_down_at_the_start…`, `session::a_daemon_whose_relay_is_down…` |
//! | 15 outage | `story_delivery::after_three_weeks_without_a_relay…` |
//! | 16 greylisting | `before_the_body::a_message_not_taken…`, `story_delivery::a_greylisted_mail…` |
//! | 17 421 | `limits::a_421_is_never_the_messages_fault…`, `dispatcher::a_relay_that_takes_two_connections…` |
//! | 18 cut before the dot | `before_the_body::…`, amid a large body `smtp::acceptance::a_connection_lost_amid…` |
//! | 19 cut after the dot | `after_the_body::a_mail_taken_without_a_word…` |
//! | 20 tarpit | `after_the_body::a_relay_that_thinks_long_over_one_mail…` |
//! | 21 no reply ever | `after_the_body::a_relay_that_never_answers…` |
//! | 22 half, garbage, endless | `after_the_body::whatever_is_unclear…`, `smtp::acceptance::an_endless_reply…` |
//! | 23 many-line, dripped | `after_the_body::a_reply_of_many_lines…`, `smtp::acceptance::a_dripped_reply…` |
//! | 24 STARTTLS missing, refused, garbage | `session::without_the_encryption_that_was_asked_for…` |
//! | 25 certificate | `session::a_certificate_that_is_not_to_be_trusted…` |
//! | 26 AUTH 535, 27 AUTH 454 | `session::refused_credentials…`, `dispatcher::a_relay_that_refuses_our_credentials…` |
//! | 28 dead address | `story_refusals::a_dead_address_fails_once…` |
//! | 29 policy | `story_refusals::three_recipients_of_a_domain…`, the breaker in `story_alerts` |
//! | 30 mailbox full | `story_refusals::a_full_mailbox…` |
//! | 31 rate limit | `limits::a_rate_limit_puts_off_what_it_meets…`, `dispatcher::a_relay_that_asks_for_less…` |
//! | | `story_refusals::a_domain_that_goes_on_putting_off…` |
//! | 32 421 after so many | `dispatcher::a_relay_that_ends_each_connection_after_three_mails…` |
//! | 33 too large | `story_relay::a_mail_larger_than_the_relay_takes…` |
//! | 34 no SMTPUTF8 | `story_relay::an_address_that_is_not_ascii…` |
//! | 35 no 8BITMIME | `limits::a_relay_that_takes_seven_bits_only…`, `templates::conformance` |
//! | 36 4xx for days | `after_the_body::a_relay_that_never_makes_up_its_mind…` |
//! | 37 451 but stored | `after_the_body::a_mail_that_was_stored_and_refused…` |

mod after_the_body;
mod before_the_body;
mod limits;
mod session;

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use shipby::catcher::{Answer, Script};
use shipby::domain::reply::Phase;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::{order, supply};
use crate::support::front::{Door, Way};

const START: &str = "2026-03-02T08:00:00Z";
/// In clear, and through both doors.
const WAYS: [Option<Way>; 3] = [None, Some(Way::StartTls), Some(Way::Tls)];

/// State, counted tries, and the wait until the next one.
type Stands = (String, i64, &'static str);

/// A relay that answers well until a fault is set, and a shop before it.
struct Trap {
    /// The fault, and how often it is still to happen.
    set: Arc<Mutex<Option<(Phase, Answer, u32)>>>,
    shop: TestApp,
    orders: u32,
}

impl Trap {
    async fn of(way: Option<Way>) -> Self {
        let set = Arc::new(Mutex::new(None));
        let armed: Arc<Mutex<Option<(Phase, Answer, u32)>>> = set.clone();
        let script = Script::new(move |dialogue| match armed.lock().unwrap().as_mut() {
            Some((phase, answer, times)) if *phase == dialogue.phase && *times > 0 => {
                *times -= 1;
                answer.clone()
            }
            _ => Answer::Usual,
        });
        Self { set, shop: shop(way.map(Door::of), script, &[]).await, orders: 0 }
    }

    /// The next order's confirmation meets the fault so often.
    async fn springs(&mut self, phase: Phase, fault: &Answer, times: u32) -> Stands {
        *self.set.lock().unwrap() = Some((phase, fault.clone(), times));
        self.orders += 1;
        self.shop.fact(order(&self.orders.to_string())).await;
        self.stands().await
    }

    async fn stands(&self) -> Stands {
        stands(&self.shop, &self.orders.to_string()).await
    }

    async fn kept(&self) -> shipby::store::Kept {
        self.shop.kept(&self.orders.to_string(), "confirmation").await
    }
}

/// A shop that comes to its relay this way; kettles are on their way.
async fn shop(door: Option<Door>, script: Script, keys: &[(&str, &str)]) -> TestApp {
    let mut shop = TestApp::behind(door, START, Differs { script, keys }).await;
    shop.fact(supply("2026-03-16")).await;
    shop
}

/// How an order's confirmation stands.
async fn stands(shop: &TestApp, order: &str) -> Stands {
    let entry = shop.kept(order, "confirmation").await.entry;
    let next = match entry.next_try() {
        Some(_) => shop.sim.dispatcher.next_due().await.unwrap(),
        None => None,
    };
    (entry.state, entry.attempts, wait(shop.now(), next))
}

/// The wait in words; those after a temporary failure are a tenth more or less.
fn wait(now: DateTime<Utc>, next: Option<DateTime<Utc>>) -> &'static str {
    let about = |seconds: i64, minutes: i64| (seconds - minutes * 60).abs() <= minutes * 6;
    match next.map(|next| (next - now).num_seconds()) {
        None => "never",
        Some(900) => "15 minutes to the second",
        Some(seconds) if about(seconds, 1) => "a minute",
        Some(seconds) if about(seconds, 5) => "five minutes",
        Some(seconds) => panic!("the next try is in {seconds} seconds"),
    }
}

fn came(state: &str, tries: i64, next: &'static str) -> Stands {
    (state.to_owned(), tries, next)
}
