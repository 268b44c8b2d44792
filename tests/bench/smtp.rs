//! How many messages a second are composed, and handed to a server on this machine.

use std::time::Duration;

use divan::{Bencher, counter::ItemsCount};
use shipby::catcher::Catcher;
use shipby::mail::{
    Connection, Envelope, Letter, Mailbox, Relay, RelaySettings, Security, Timeouts, compose,
};
use tokio::runtime::Runtime;

const EACH: usize = 500;
const SENDER: Option<&str> = Some("bounce+0123456789abcdef@shop.example");

fn main() {
    divan::main();
}

fn relay(catcher: &Catcher) -> Relay {
    Relay::new(RelaySettings {
        host: "127.0.0.1".to_owned(),
        port: catcher.addr().port(),
        security: Security::None,
        hello_name: "shop.example".to_owned(),
        credentials: None,
        ca_file: None,
        timeouts: Timeouts { connect: Duration::from_secs(5), ..Timeouts::default() },
    })
    .expect("the settings are good")
}

async fn send_all(mut connection: Connection, message: &'static [u8]) -> Connection {
    for _ in 0..EACH {
        connection
            .envelope(Envelope { from: SENDER, to: "kim@example.com", size: message.len() })
            .await
            .expect("taken");
        assert!(matches!(connection.body(message).await, shipby::domain::reply::Verdict::Accepted(_)));
    }
    connection
}

#[divan::bench(args = [1, 8], sample_count = 10, sample_size = 1)]
fn messages_of_4_kb(bencher: Bencher, connections: usize) {
    let runtime = Runtime::new().expect("a runtime");
    let line = "Your kettle left the factory later than we were told, and we are sorry.\r\n";
    let message: &'static [u8] = line.repeat(4096 / line.len()).into_bytes().leak();
    let catcher = runtime.block_on(Catcher::counting()).expect("a port");
    let relay = relay(&catcher);
    let mut open: Vec<Connection> =
        (0..connections).map(|_| runtime.block_on(Connection::open(&relay)).expect("open")).collect();
    bencher.counter(ItemsCount::new(EACH * connections)).bench_local(|| {
        runtime.block_on(async {
            let tasks: Vec<_> = open.drain(..).map(|it| tokio::spawn(send_all(it, message))).collect();
            for task in tasks {
                open.push(task.await.expect("sent"));
            }
        });
    });
}

#[divan::bench]
fn compose_both_parts(bencher: Bencher) {
    let line = "Your kettle left the factory later than we were told, <b>sorry</b> – Søren.\n";
    let (text, html) = (line.repeat(20), line.repeat(40));
    let from = Mailbox::new("sender", Some("Søren's shop"), "news@shop.example").expect("an address");
    let references = ["n-1@shop.example".to_owned(), "n-2@shop.example".to_owned()];
    let letter = Letter {
        from: &from,
        reply_to: None,
        to_address: "kim@example.com",
        to_name: Some("Kim Mustermann"),
        subject: "Your order 1042: a new date",
        text: &text,
        html: Some(&html),
        date: chrono::DateTime::UNIX_EPOCH,
        message_id: "n-3@shop.example",
        references: &references,
        notice: "n-3",
        order: "1042",
        kind: "date_slip",
    };
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| compose(&letter).expect("composed").len());
}
