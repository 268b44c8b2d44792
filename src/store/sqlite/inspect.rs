//! Looking at a database without changing it: for `check`, beside a running daemon or before the first start.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::domain::calendar::Instant;
use crate::domain::notice::NoticeKind;
use crate::domain::pause::Pause;
use crate::store::orders::record::to_json;
use crate::store::outbox::pauses::all_pauses;
use crate::store::sqlite::schema;
use crate::store::{Result, StoreError, instant, plain};

/// The schema that brought pauses as they are read here.
const WITH_PAUSES: i64 = 10;

/// How a database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The version of its schema; 0 for a file nothing was written to yet.
    pub schema: i64,
    /// The version this shipby writes.
    pub known: i64,
    /// What the quick integrity check found; None when all is well.
    pub damage: Option<String>,
    /// Orders that still wait or are open.
    pub open_orders: i64,
    /// Notices that a person must look at: held, or given up in doubt.
    pub for_a_person: i64,
    /// Pauses, also those that have ended by themselves.
    pub pauses: Vec<Pause>,
    /// When the last set of templates passed that a daemon would go on with; None if none is kept.
    pub templates_passed: Option<Instant>,
}

/// Reads how the database at `path` stands. Makes nothing, migrates nothing.
///
/// # Errors
/// [`StoreError::Missing`], [`StoreError::Newer`], or [`StoreError::Open`] for a file that is no database.
pub async fn inspect(path: &Path) -> Result<Inspection> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let opening = |error: sqlx::Error| StoreError::Open { path: path.to_owned(), message: plain(&error) };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(10))
        .pragma("query_only", "ON");
    let mut conn = options.connect().await.map_err(opening)?;
    let found = look(&mut conn, path).await;
    // Nothing was written, so there is nothing that closing could lose.
    let _ = conn.close().await;
    match found {
        Err(StoreError::Sql(error)) => Err(opening(error)),
        other => other,
    }
}

async fn look(conn: &mut SqliteConnection, path: &Path) -> Result<Inspection> {
    // An older house has no such table.
    const KEEPS_SETS: &str = "select count(*) from sqlite_master where name = 'template_sets'";
    const OPEN: &str = "select count(*) from orders where status in ('waiting', 'open')";
    // An older house has not written down what must be known.
    const PERSON: &str = "select count(*) from notices where state = 'held' or (state = 'in_doubt'
        and next_try_at is null and kind in (select value from json_each($1)))";
    let known = schema::known();
    let schema = schema::found(conn).await?.unwrap_or(0);
    if schema > known {
        return Err(StoreError::Newer { path: path.to_owned(), found: schema, known });
    }
    let verdict: String = sqlx::query_scalar("pragma quick_check(1)").fetch_one(&mut *conn).await?;
    let (mut open_orders, mut for_a_person, mut pauses, mut passed) = (0, 0, Vec::new(), None);
    let keeps_sets: i64 = sqlx::query_scalar(KEEPS_SETS).fetch_one(&mut *conn).await?;
    if keeps_sets > 0 {
        passed = sqlx::query_scalar("select max(kept_at) from template_sets").fetch_one(&mut *conn).await?;
    }
    if schema > 0 {
        open_orders = sqlx::query_scalar(OPEN).fetch_one(&mut *conn).await?;
        let kinds = NoticeKind::ALL.iter().filter(|kind| kind.rules().must_be_known);
        let kinds = to_json(&kinds.collect::<Vec<_>>());
        for_a_person = sqlx::query_scalar(PERSON).bind(kinds).fetch_one(&mut *conn).await?;
    }
    if schema >= WITH_PAUSES {
        pauses = all_pauses(&mut *conn).await?;
    }
    let damage = Some(verdict).filter(|verdict| verdict != "ok");
    let templates_passed = passed.map(instant);
    Ok(Inspection { schema, known, damage, open_orders, for_a_person, pauses, templates_passed })
}
