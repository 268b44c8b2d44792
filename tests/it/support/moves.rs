//! The moves of notices from state to state, watched in a test's own database: what the domain does not call legal
//! ([`NoticeState::may_become`]) fails the statement that tries it.

use std::path::Path;

use shipby::domain::notice::NoticeState;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

/// Watches the database at `path` from now on.
pub async fn watch(path: &Path) {
    let all = NoticeState::ALL;
    let legal = all.iter().flat_map(|from| all.iter().map(move |to| (*from, *to)));
    let legal: Vec<String> =
        legal.filter(|(from, to)| from.may_become(*to)).map(|(from, to)| format!("'{from} {to}'")).collect();
    let watch = format!(
        "create trigger moves after update of state on notices
        when new.state <> old.state and old.state || ' ' || new.state not in ({})
        begin select raise(abort, 'a move that is not legal'); end",
        legal.join(", ")
    );
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query(AssertSqlSafe(watch)).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}
