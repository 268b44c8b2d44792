//! The database by another way than the store: what a test must see or do that no method of the store does, each under a
//! name of its own.
//!
//! What always holds: no other test speaks SQL, but for `database.rs`, which is about SQLite's own file.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
pub use sqlx::error::ErrorKind;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

/// A connection that is nobody's.
pub struct Raw(SqliteConnection);

/// Why the database did not take what was written.
#[derive(Debug)]
pub struct Refusal {
    pub kind: ErrorKind,
    pub words: String,
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        let kind = error.as_database_error().map_or(ErrorKind::Other, |error| error.kind());
        Self { kind, words: error.to_string() }
    }
}

/// What no row may say, and the statement that tries to have it say so, where one notice is queued.
const FORBIDDEN: [(&str, &str); 11] = [
    ("a notice in nobody's hands is being sent", "update notices set state = 'sending'"),
    ("a notice that waits is in somebody's hands", "update notices set owner = 'nobody'"),
    ("a notice waits for no moment", "update notices set next_try_at = null"),
    (
        "a notice was accepted and nobody knows when",
        "update notices set state = 'accepted', next_try_at = null",
    ),
    (
        "an acceptance is written down without the server's words",
        "insert into ledger (notice_id, what, at) values ('x', 'accepted', 1)",
    ),
    (
        "something is written down that is not known",
        "insert into ledger (notice_id, what, at) values ('x', 'sent', 1)",
    ),
    ("a notice is in a state that is not known", "update notices set state = 'sent'"),
    ("more of a line is open than was ordered", "update lines set open_units = 5"),
    ("a debounce has an end and no beginning", "update orders set settling_first = null"),
    (
        "a notice that is not there was tried",
        "insert into attempts (notice_id, number, started_at) values ('nothing', 1, 1)",
    ),
    ("a notice has no order", "delete from orders"),
];

impl Raw {
    /// The database at a path, as it is found.
    pub async fn at(path: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10));
        Self(options.connect().await.unwrap())
    }

    pub async fn close(self) {
        self.0.close().await.unwrap();
    }

    // What is to be seen.

    /// How many rows a table has.
    pub async fn count(&mut self, table: &str) -> usize {
        let count = AssertSqlSafe(format!("select count(*) from {table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut self.0).await.unwrap();
        usize::try_from(count).unwrap()
    }

    /// All rows of a table, each with all its columns.
    pub async fn rows(&mut self, table: &str) -> Vec<String> {
        let columns = sqlx::query_scalar("select name from pragma_table_info($1)").bind(table);
        let columns: Vec<String> = columns.fetch_all(&mut self.0).await.unwrap();
        let rows = AssertSqlSafe(format!("select json_array({}) from {table}", columns.join(", ")));
        sqlx::query_scalar(rows).fetch_all(&mut self.0).await.unwrap()
    }

    /// The facts of a kind that were recorded and not refused, in the order of recording.
    pub async fn facts(&mut self, kind: &str) -> Vec<Value> {
        const FACTS: &str = "select body from facts where kind = $1 and refused is null order by seq";
        let bodies: Vec<String> = sqlx::query_scalar(FACTS).bind(kind).fetch_all(&mut self.0).await.unwrap();
        bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    pub async fn order_numbers(&mut self) -> BTreeSet<String> {
        let numbers = sqlx::query_scalar("select number from orders").fetch_all(&mut self.0).await;
        numbers.unwrap().into_iter().collect()
    }

    /// The state of each notice that was tried, has its bytes, and was accepted or written down: as it is entered, or as it
    /// was written down last.
    pub async fn written_down(&mut self) -> HashMap<String, String> {
        const WRITTEN_DOWN: &str =
            "select n.id, coalesce((select what from ledger where notice_id = n.id order by seq desc), n.state)
            from notices n join messages m on m.notice_id = n.id join attempts a on a.notice_id = n.id
            where n.state = 'accepted' or n.id in (select notice_id from ledger)";
        let written: Vec<(String, String)> =
            sqlx::query_as(WRITTEN_DOWN).fetch_all(&mut self.0).await.unwrap();
        written.into_iter().collect()
    }

    /// What the database finds wrong with itself; `ok`: nothing.
    pub async fn faults(&mut self) -> String {
        sqlx::query_scalar("pragma integrity_check").fetch_one(&mut self.0).await.unwrap()
    }

    // What is to be done.

    /// Nobody else can write from now on.
    pub async fn lock_writes(&mut self) {
        sqlx::query("begin immediate").execute(&mut self.0).await.unwrap();
    }

    pub async fn unlock_writes(&mut self) {
        sqlx::query("rollback").execute(&mut self.0).await.unwrap();
    }

    /// As if the disk were full once a body is to begin.
    pub async fn no_room_for_beginnings(&mut self) {
        self.no_room("no_beginnings", "before insert on ledger when new.what = 'begun'").await;
    }

    /// As if it were full once a server has accepted a mail.
    pub async fn no_room_for_acceptances(&mut self) {
        self.no_room("no_acceptances", "before insert on ledger when new.what = 'accepted'").await;
        self.no_room(
            "no_acceptances_at_once",
            "before update of state on notices when new.state = 'accepted'",
        )
        .await;
    }

    async fn no_room(&mut self, name: &str, when: &str) {
        let full = format!(
            "create trigger {name} {when} begin select raise(abort, 'database or disk is full'); end"
        );
        sqlx::query(AssertSqlSafe(full)).execute(&mut self.0).await.unwrap();
    }

    /// There is room again.
    pub async fn make_room(&mut self) {
        const ROOM: &str = "drop trigger if exists no_beginnings;
            drop trigger if exists no_acceptances;
            drop trigger if exists no_acceptances_at_once";
        sqlx::raw_sql(ROOM).execute(&mut self.0).await.unwrap();
    }

    /// From now on a move of a notice from state to state fails that is none of these: `queued sending`.
    pub async fn watch_moves(&mut self, legal: &[String]) {
        let legal: Vec<String> = legal.iter().map(|legal| format!("'{legal}'")).collect();
        let watch = format!(
            "create trigger moves after update of state on notices
            when new.state <> old.state and old.state || ' ' || new.state not in ({})
            begin select raise(abort, 'a move that is not legal'); end",
            legal.join(", ")
        );
        sqlx::query(AssertSqlSafe(watch)).execute(&mut self.0).await.unwrap();
    }

    /// Makes all past mails such as were mailed in a mode.
    pub async fn set_past_mode(&mut self, mode: &str) {
        sqlx::query("update notices set mode = $1").bind(mode).execute(&mut self.0).await.unwrap();
    }

    /// Puts an accepted mail down as if it were held, which it never is: past the watch over moves.
    pub async fn hold_accepted(&mut self, order: &str, kind: &str) {
        const HOLD: &str = "update notices set state = 'held' where order_number = $1 and kind = $2";
        sqlx::query("drop trigger moves").execute(&mut self.0).await.unwrap();
        sqlx::query(HOLD).bind(order).bind(kind).execute(&mut self.0).await.unwrap();
    }

    /// Puts all notices down as if they had come back.
    pub async fn bounce_all(&mut self) -> Result<(), Refusal> {
        const BOUNCE: &str = "update notices set state = 'bounced', next_try_at = null";
        sqlx::query(BOUNCE).execute(&mut self.0).await?;
        Ok(())
    }

    /// Puts a second notice beside the only one, the same but for its id and what differs: columns and their values.
    pub async fn copy_notice(&mut self, differs: &[(&str, Option<&str>)]) -> Result<(), Refusal> {
        const COPY: &str = "drop table if exists temp.copy;
            create temp table copy as select * from notices; update temp.copy set id = 'copy'";
        sqlx::raw_sql(COPY).execute(&mut self.0).await?;
        for (column, value) in differs {
            let set = AssertSqlSafe(format!("update temp.copy set {column} = $1"));
            sqlx::query(set).bind(value).execute(&mut self.0).await?;
        }
        sqlx::query("insert into notices select * from temp.copy").execute(&mut self.0).await?;
        Ok(())
    }

    /// Tries to write what must never be: what it is, and what came of it.
    pub async fn write_the_forbidden(&mut self) -> Vec<(&'static str, Result<(), Refusal>)> {
        let mut tried = Vec::new();
        for (what, statement) in FORBIDDEN {
            let came = sqlx::query(statement).execute(&mut self.0).await;
            tried.push((what, came.map(|_| ()).map_err(Refusal::from)));
        }
        tried
    }
}
