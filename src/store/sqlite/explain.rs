//! How SQLite goes about a statement: for tests that hold statements to their indexes.

use sqlx::{AssertSqlSafe, Row};

use crate::store::{Durability, Store};

/// The steps of a statement over an empty database, each on a line, its values all 1.
pub(in crate::store) async fn steps(statement: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("shipby.db"), Durability::None).await.unwrap();
    let asked = sqlx::query(AssertSqlSafe(format!("explain query plan {statement}")));
    let mut conn = store.readers.acquire().await.unwrap();
    let steps = asked.bind("1").bind("1").bind("1").fetch_all(&mut *conn).await.unwrap();
    steps.iter().map(|row| row.get("detail")).collect()
}
