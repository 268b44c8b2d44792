//! The schema: made where there is none, brought up to date where it is older, refused where it is newer.
//!
//! What always holds: all that is missing is applied in one transaction, over a copy of the database as it was; and only
//! who holds the database's lock changes what another shipby may be working on.

use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};

use crate::store::{Lock, Result, StoreError, plain};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The version this shipby writes.
pub(in crate::store) fn known() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The version a database has; None where nothing was made yet.
pub(in crate::store) async fn found(conn: &mut SqliteConnection) -> Result<Option<i64>, sqlx::Error> {
    const TABLES: &str = "select count(*) from sqlite_master where name = '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(TABLES).fetch_one(&mut *conn).await?;
    if tables == 0 {
        return Ok(None);
    }
    sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(conn).await
}

/// Makes the schema, or brings it up to date. `owner` is the lock, where the caller holds it already.
///
/// # Errors
/// [`StoreError::Newer`]; [`StoreError::Older`] where a daemon works on an older one; [`StoreError::Open`] where a step
/// fails, and then nothing has changed.
pub(in crate::store) async fn bring_up_to_date(
    conn: &mut SqliteConnection,
    path: &Path,
    owner: Option<&Lock>,
) -> Result<()> {
    let known = known();
    let opening = |error: sqlx::Error| StoreError::Open { path: path.to_owned(), message: plain(&error) };
    match found(conn).await.map_err(opening)? {
        None => apply(conn, path).await,
        Some(found) if found > known => Err(StoreError::Newer { path: path.to_owned(), found, known }),
        Some(found) if found == known => Ok(()),
        Some(found) => {
            let _lock = match owner {
                Some(_) => None,
                None => Some(Lock::take(path).map_err(|error| match error {
                    StoreError::Locked { path } => StoreError::Older { path, found, known },
                    other => other,
                })?),
            };
            let kept = keep_copy(conn, path, found).await?;
            tracing::info!(found, known, copy = %kept.display(),
                "the database is brought up to date; the copy is as it was");
            apply(conn, path).await
        }
    }
}

/// All steps that are missing, or none.
async fn apply(conn: &mut SqliteConnection, path: &Path) -> Result<()> {
    let refused = |why: String| StoreError::Open {
        path: path.to_owned(),
        message: format!("the schema cannot be brought up to date, and nothing was changed: {why}"),
    };
    // Another process may be making it: who comes second finds it made.
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(|error| refused(plain(&error)))?;
    MIGRATIONS.run_direct(None, &mut *tx, false).await.map_err(|error| refused(error.to_string()))?;
    tx.commit().await.map_err(|error| refused(plain(&error)))
}

/// Copies the database into a file beside it that names the schema; one of an earlier try is replaced.
async fn keep_copy(conn: &mut SqliteConnection, path: &Path, schema: i64) -> Result<PathBuf> {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".schema-{schema}.{ending}"));
        PathBuf::from(name)
    };
    let (part, whole) = (beside("part"), beside("bak"));
    let failed = |why: String| StoreError::Open {
        path: path.to_owned(),
        message: format!(
            "its schema is {schema} and must be brought up to date, but no copy of it can be kept at {}: {why}; \
             nothing was changed",
            whole.display()
        ),
    };
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error.to_string())),
        _ => {}
    }
    let copy = sqlx::query("vacuum into $1").bind(part.display().to_string());
    copy.execute(conn).await.map_err(|error| failed(plain(&error)))?;
    std::fs::rename(&part, &whole).map_err(|error| failed(error.to_string()))?;
    Ok(whole)
}
