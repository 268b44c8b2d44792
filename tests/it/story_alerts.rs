//! What stops the sending: probed, counted against nobody, and told to ops once when it begins and once when it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use shipby::catcher::{Answer, Script};
use shipby::clock::Clock;
use shipby::digest::{Courier, gather};
use shipby::domain::pause::Scope;
use shipby::domain::reply::Phase;
use shipby::wiring;
use tokio_util::sync::CancellationToken;

use crate::support::app::{Differs, TestApp};
use crate::support::facts::order_of;

const START: &str = "2026-03-02T08:00:00Z";
const OPS: &str = "ops@tableware.example";
const KEYS: [(&str, &str); 2] = [("ALERTS__TO", OPS), ("ALERTS__DIGEST", "false")];

/// A relay that is at fault until it is mended; ops' own mail goes through where `ops_too` is false.
struct Fault(Arc<AtomicBool>);

impl Fault {
    fn new(phase: Phase, answer: &'static str, ops_too: bool) -> (Self, Script) {
        let lasts = Arc::new(AtomicBool::new(true));
        let asked = lasts.clone();
        let script = Script::new(move |d| {
            let concerned = d.phase == phase && (ops_too || d.to != OPS);
            match concerned && asked.load(Ordering::SeqCst) {
                true => Answer::reply(answer),
                false => Answer::Usual,
            }
        });
        (Self(lasts), script)
    }

    fn mend(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

async fn shop_with(script: Script) -> TestApp {
    TestApp::with(START, Differs { script, keys: &KEYS }).await
}

fn courier(shop: &TestApp) -> Courier {
    let clock = Clock::Simulated(shop.sim.hand.clone());
    wiring::courier(&shop.config, shop.store().clone(), clock).unwrap().unwrap()
}

/// What the courier's turns come to until it has nothing more to do now.
async fn tell_ops(shop: &TestApp) -> Vec<String> {
    let (courier, mut came) = (courier(shop), Vec::new());
    while let Some(state) = courier.turn(&CancellationToken::new()).await.unwrap() {
        came.push(state.to_string());
    }
    came
}

/// Subjects of the alerts that ops have.
fn alerts(shop: &TestApp) -> Vec<String> {
    let to_ops = shop.mails().into_iter().filter(|mail| mail.to == OPS);
    to_ops.map(|mail| mail.subject.replace("Fine Tableware: ", "")).collect()
}

fn customers(shop: &TestApp) -> usize {
    shop.mails().iter().filter(|mail| mail.to != OPS).count()
}

fn orders(many: usize) -> Vec<serde_json::Value> {
    (0..many).map(|n| order_of(&format!("{n:02}"), &format!("c@d{n}.example"))).collect()
}

#[tokio::test]
async fn a_relay_that_hangs_up_on_every_envelope_is_an_incident_and_wears_out_no_mail() {
    let lasts = Arc::new(AtomicBool::new(true));
    let asked = lasts.clone();
    let script = Script::new(move |d| match d.phase == Phase::Mail && asked.load(Ordering::SeqCst) {
        true => Answer::Close(Vec::new()),
        false => Answer::Usual,
    });
    let mut shop = shop_with(script).await;
    shop.facts(orders(30)).await;
    shop.travel(TimeDelta::days(6)).await;
    let incident = shop.store().untold_incidents(shop.now()).await.unwrap().pop().unwrap();
    assert!(incident.words.starts_with("20 mails in a row were not answered: "), "{}", incident.words);
    for number in ["00", "12", "29"] {
        let state = shop.state(number, "confirmation").await;
        assert!(["queued", "deferred"].contains(&state.as_str()), "{number}: {state}");
    }
    lasts.store(false, Ordering::SeqCst);
    shop.travel(TimeDelta::hours(6)).await;
    assert_eq!(customers(&shop), 30);
    tell_ops(&shop).await;
    assert_eq!(alerts(&shop).len(), 1, "{:?}", alerts(&shop));
}

#[tokio::test]
async fn refused_credentials_are_told_once_and_once_when_they_are_mended_and_nothing_is_counted() {
    let (fault, script) = Fault::new(Phase::Mail, "535 5.7.8 wrong password", true);
    let mut shop = shop_with(script).await;
    shop.facts(orders(5)).await;
    assert_eq!(tell_ops(&shop).await, ["deferred"]);
    for _ in 0..20 {
        shop.travel(TimeDelta::minutes(30)).await;
        tell_ops(&shop).await;
    }
    assert_eq!((alerts(&shop), customers(&shop)), (vec![], 0));
    fault.mend();
    shop.travel(TimeDelta::minutes(40)).await;
    assert_eq!(customers(&shop), 5);
    for n in 0..5 {
        assert_eq!(shop.kept(&format!("{n:02}"), "confirmation").await.attempts.len(), 1);
    }
    // What never left is told together with the end.
    assert_eq!(tell_ops(&shop).await, ["accepted"]);
    assert_eq!(alerts(&shop), ["the mail server can be used again"]);
    let text = shop.mails().pop().unwrap().text;
    assert!(
        text.contains("mail: 535 5.7.8 wrong password") || text.contains("535 5.7.8 wrong password"),
        "{text}"
    );
    assert!(text.contains("It was so from Monday 2 March 2026, 09:00 to "), "{text}");
    shop.travel(TimeDelta::days(1)).await;
    assert_eq!(tell_ops(&shop).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_relay_out_of_reach_is_no_incident_before_a_probe_has_failed_too_and_is_probed_less_and_less_often()
{
    let (fault, script) = Fault::new(Phase::Greeting, "421 4.3.2 not now", true);
    let mut shop = shop_with(script).await;
    shop.facts(orders(3)).await;
    assert_eq!(tell_ops(&shop).await, Vec::<String>::new());
    shop.travel(TimeDelta::minutes(2)).await;
    let before = shop.catcher.connections();
    assert_eq!(before, 2, "the first try and one probe");
    assert_eq!(tell_ops(&shop).await, ["deferred"]);
    fault.mend();
    shop.travel(TimeDelta::minutes(10)).await;
    tell_ops(&shop).await;
    assert_eq!((customers(&shop), alerts(&shop)), (3, vec!["the mail server can be used again".to_owned()]));

    let mut quick = shop_with(Script::first(1, Phase::Greeting, Answer::reply("421 restarting"))).await;
    quick.facts(orders(3)).await;
    quick.travel(TimeDelta::hours(1)).await;
    assert_eq!((customers(&quick), tell_ops(&quick).await), (3, vec![]));
}

#[tokio::test]
async fn an_incident_that_a_dead_daemon_saw_begin_is_over_when_the_next_one_reaches_the_relay() {
    let (fault, script) = Fault::new(Phase::Greeting, "554 5.7.1 go away", false);
    let mut shop = shop_with(script).await;
    shop.facts(orders(1)).await;
    fault.mend();
    assert_eq!(tell_ops(&shop).await, ["accepted"]);
    shop.restart().await;
    shop.travel(TimeDelta::minutes(1)).await;
    assert_eq!((customers(&shop), tell_ops(&shop).await), (1, vec!["accepted".to_owned()]));
    assert_eq!(alerts(&shop), ["the mail server cannot be used", "the mail server can be used again"]);
}

#[tokio::test]
async fn refusals_by_policy_in_a_row_trip_the_breaker_which_is_probed_with_one_mail_at_a_time() {
    let tried = Arc::new(Mutex::new(Vec::new()));
    let (seen, lasts) = (tried.clone(), Arc::new(AtomicBool::new(true)));
    let asked = lasts.clone();
    let script = Script::new(move |d| {
        if d.phase != Phase::Body || d.to == OPS {
            return Answer::Usual;
        }
        seen.lock().unwrap().push(d.to.to_owned());
        if asked.load(Ordering::SeqCst) { Answer::reply("554 5.7.1 blocked") } else { Answer::Usual }
    });
    let mut shop =
        TestApp::with(START, Differs { script, keys: &[KEYS[0], KEYS[1], ("DELIVERY__BREAKER", "4")] }).await;
    shop.facts(orders(10)).await;
    assert_eq!(tried.lock().unwrap().len(), 4);
    let counts = shop.store().counts().await.unwrap().notices.remove("confirmation").unwrap();
    assert_eq!((counts["failed"], counts["queued"]), (3, 7), "the fourth proves that it is about all");
    assert_eq!(tell_ops(&shop).await, ["accepted"]);
    assert_eq!(alerts(&shop), ["the mail server cannot be used"]);
    let text = shop.mails().pop().unwrap().text;
    assert!(
        text.contains("4 mails in a row were refused by a rule, the last one with 554 5.7.1; see"),
        "{text}"
    );
    shop.travel(TimeDelta::minutes(30)).await;
    let probes = tried.lock().unwrap().len() - 4;
    assert!((2..=3).contains(&probes), "{probes}");
    lasts.store(false, Ordering::SeqCst);
    shop.travel(TimeDelta::hours(4)).await;
    assert_eq!(customers(&shop), 7);
    tell_ops(&shop).await;
    assert_eq!(alerts(&shop).len(), 2);
}

#[tokio::test]
async fn an_alert_that_is_refused_for_what_it_is_about_gets_there_when_that_is_mended() {
    let (fault, script) = Fault::new(Phase::Mail, "553 5.1.8 your domain does not exist", true);
    let mut shop = shop_with(script).await;
    shop.facts(orders(2)).await;
    assert_eq!(tell_ops(&shop).await, ["deferred"]);
    shop.travel(TimeDelta::hours(3)).await;
    assert_eq!(tell_ops(&shop).await, ["deferred"]);
    fault.mend();
    shop.travel(TimeDelta::hours(3)).await;
    assert_eq!((tell_ops(&shop).await, customers(&shop)), (vec!["accepted".to_owned()], 0));
    assert_eq!(alerts(&shop), ["all mail is held back"]);
    let text = shop.last_mail().text;
    assert!(
        text.contains("nothing of it is lost. To do: mend what is the matter, then shipby resume --all."),
        "{text}"
    );
    shop.store().resume(&Scope::All, shop.now()).await.unwrap();
    shop.travel(TimeDelta::hours(3)).await;
    assert_eq!((tell_ops(&shop).await, customers(&shop)), (vec!["accepted".to_owned()], 2));
}

#[tokio::test]
async fn mail_held_back_is_told_once_and_once_when_it_is_resumed_with_what_to_do() {
    let (fault, script) = Fault::new(Phase::Body, "550 5.7.26 <ana@gmx.example>: unauthenticated", false);
    let mut shop = shop_with(script).await;
    shop.fact(order_of("1", "ana@gmx.example")).await;
    assert_eq!(tell_ops(&shop).await, ["accepted"]);
    let mail = shop.last_mail();
    assert_eq!(mail.subject, "Fine Tableware: mail to gmx.example is held back");
    assert_eq!(mail.kind, "alert");
    for words in [
        "Mail to gmx.example is held back, since Monday 2 March 2026, 09:00:",
        "its mail server does not trust us: 550 5.7.26, see shipby show ",
        "nothing of it is lost; all other mail goes out.",
        "then shipby resume domain:gmx.example.",
    ] {
        assert!(mail.text.contains(words), "{words}: {}", mail.text);
    }
    assert!(!mail.text.contains("ana@"), "{}", mail.text);
    shop.travel(TimeDelta::days(2)).await;
    assert_eq!(tell_ops(&shop).await, Vec::<String>::new());
    let courier = courier(&shop);
    let digest = gather(shop.store(), shop.now(), courier.asked).await.unwrap();
    let head = shipby::digest::Masthead {
        shop: "Fine Tableware",
        mode: &courier.mode,
        zone: courier.asked.zone,
        digest_at: None,
    };
    let text = shipby::digest::write(&digest, head).1;
    assert!(
        text.contains(
            "- Mail to gmx.example, since 2 March by shipby itself: its mail server does not trust us: \
             550 5.7.26, see shipby show "
        ),
        "{text}"
    );
    assert!(text.contains(" (shipby resume domain:gmx.example)\n") && !text.contains("ana@"), "{text}");
    fault.mend();
    shop.store().resume(&Scope::Domain("gmx.example".to_owned()), shop.now()).await.unwrap();
    assert_eq!(tell_ops(&shop).await, ["accepted"]);
    assert_eq!(alerts(&shop)[1..], ["mail to gmx.example is not held back any more"]);
    shop.travel(TimeDelta::hours(4)).await;
    assert_eq!(customers(&shop), 1);
}
