//! Connections that many take turns at, and transactions on them.
//!
//! What always holds: a connection is lent with no transaction of anybody else's open, whatever became of who had it.
//! The driver's own pool asks every connection that comes back whether it still lives, and its transactions are answered
//! twice over: each way to SQLite's thread and back costs as much as most of our statements.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::store::{Result, primary};

/// What SQLite says of a rollback without a transaction.
const ERROR: i32 = 1;

/// So long somebody waits for a connection.
const PATIENCE: Duration = Duration::from_secs(60);

/// Some connections to one file; made when they are needed. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: SqliteConnectOptions,
    most: usize,
    /// All that ever happens is one transaction.
    in_one: bool,
    free: Mutex<Vec<SqliteConnection>>,
    turns: Arc<Semaphore>,
}

impl Connections {
    /// `most` connections at one time, none of them made yet.
    pub fn new(options: SqliteConnectOptions, most: usize) -> Self {
        Self::of(options, most, false)
    }

    /// One connection, on which everything is one transaction from its opening to its closing. What is not committed is
    /// not taken back then, and what is not closed is lost: for what is thrown away.
    pub fn in_one_transaction(options: SqliteConnectOptions) -> Self {
        Self::of(options, 1, true)
    }

    fn of(options: SqliteConnectOptions, most: usize, in_one: bool) -> Self {
        let (free, turns) = (Mutex::default(), Arc::new(Semaphore::new(most)));
        Self(Arc::new(Shared { options, most, in_one, free, turns }))
    }

    /// Makes all of them now.
    pub async fn open_all(&self) -> Result<(), sqlx::Error> {
        let mut opened = Vec::new();
        for _ in 0..self.0.most {
            opened.push(self.acquire().await?);
        }
        Ok(())
    }

    /// A connection, as soon as one is free.
    pub async fn acquire(&self) -> Result<Lent, sqlx::Error> {
        let turn = timeout(PATIENCE, self.0.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let free = self.0.pop();
        let conn = match free {
            Some(conn) => conn,
            None => self.0.connect().await?,
        };
        Ok(self.lend(conn, turn))
    }

    /// One that was made already, if it is free now.
    pub fn try_acquire(&self) -> Option<Lent> {
        let turn = self.0.turns.clone().try_acquire_owned().ok()?;
        let conn = self.0.pop()?;
        Some(self.lend(conn, turn))
    }

    fn lend(&self, conn: SqliteConnection, turn: OwnedSemaphorePermit) -> Lent {
        Lent { conn: Some((conn, turn)), home: self.0.clone(), in_transaction: false }
    }

    /// A transaction that writes from its beginning: one that turns to writing later fails at once when another process
    /// writes. The log tells its name.
    pub async fn begin(&self, name: &'static str) -> Result<Transaction, sqlx::Error> {
        let mut lent = self.acquire().await?;
        if !self.0.in_one {
            lent.in_transaction = true;
            sqlx::query("begin immediate").execute(&mut *lent).await?;
        }
        Ok(Transaction { lent, name, began: Instant::now() })
    }

    /// Closes them, each when it is back; nobody gets one any more.
    pub async fn close(&self) -> Result<(), sqlx::Error> {
        let all = u32::try_from(self.0.most).unwrap_or(u32::MAX);
        // Fails where they are closed already.
        if let Ok(turns) = self.0.turns.acquire_many(all).await {
            turns.forget();
            self.0.turns.close();
        }
        while let Some(mut conn) = self.0.pop() {
            if self.0.in_one {
                sqlx::query("commit").execute(&mut conn).await?;
            }
            conn.close().await?;
        }
        Ok(())
    }
}

impl Shared {
    async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        let mut conn = self.options.connect().await?;
        if self.in_one {
            sqlx::query("begin immediate").execute(&mut conn).await?;
        }
        Ok(conn)
    }

    fn pop(&self) -> Option<SqliteConnection> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn push(&self, conn: SqliteConnection) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
    }
}

/// A connection in somebody's hands; it goes back when this is dropped.
pub(in crate::store) struct Lent {
    /// With the turn of who has it; None only while it goes back.
    conn: Option<(SqliteConnection, OwnedSemaphorePermit)>,
    home: Arc<Shared>,
    in_transaction: bool,
}

const THERE: &str = "a connection is there until it goes back";

impl Deref for Lent {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.conn.as_ref().expect(THERE).0
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.conn.as_mut().expect(THERE).0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some((mut conn, turn)) = self.conn.take() else { return };
        if !self.in_transaction {
            self.home.push(conn);
            return;
        }
        // Where nobody is left to do it, closing takes back what was not committed.
        let Ok(runtime) = Handle::try_current() else { return };
        let home = self.home.clone();
        runtime.spawn(async move {
            let taken_back = sqlx::query("rollback").execute(&mut conn).await;
            // There may be none any more: on a full disk SQLite itself takes it back. After any other failure nobody knows
            // what is open, and the connection is not lent again.
            if taken_back.map_or_else(|error| primary(&error) == Some(ERROR), |_| true) {
                home.push(conn);
            }
            drop(turn);
        });
    }
}

/// A transaction; what is not committed is taken back.
pub(in crate::store) struct Transaction {
    lent: Lent,
    name: &'static str,
    began: Instant,
}

impl Transaction {
    /// Makes it durable.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.lent.in_transaction {
            sqlx::query("commit").execute(&mut *self.lent).await?;
            self.lent.in_transaction = false;
        }
        tracing::debug!(transaction = self.name, took = ?self.began.elapsed(), "committed");
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.lent
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.lent
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(folder: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(folder.join("some.db"))
            .create_if_missing(true)
            .busy_timeout(Duration::ZERO)
    }

    async fn run(conn: &mut SqliteConnection, sql: &'static str) {
        sqlx::query(sql).execute(conn).await.unwrap();
    }

    async fn count(conn: &mut SqliteConnection) -> i64 {
        sqlx::query_scalar("select count(*) from things").fetch_one(conn).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_not_committed_is_taken_back_before_the_connection_is_lent_again() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Connections::new(file(folder.path()), 1);
        run(&mut writer.acquire().await.unwrap(), "create table things (id)").await;
        let mut tx = writer.begin("test").await.unwrap();
        run(&mut tx, "insert into things values (1)").await;
        tx.commit().await.unwrap();
        let mut tx = writer.begin("test").await.unwrap();
        run(&mut tx, "insert into things values (2)").await;
        drop(tx);
        assert_eq!(count(&mut writer.acquire().await.unwrap()).await, 1);
        // Another process could write meanwhile.
        let other = Connections::new(file(folder.path()), 1);
        other.begin("test").await.unwrap().commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_transaction_that_nobody_waits_for_any_more_leaves_nothing_open() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Connections::new(file(folder.path()), 1);
        for _ in 0..50 {
            tokio::select! {
                biased;
                begun = writer.begin("test") => drop(begun.unwrap()),
                () = tokio::task::yield_now() => {}
            }
            writer.begin("test").await.unwrap().commit().await.unwrap();
        }
        // It was refused, and so are not those after it.
        let held = writer.begin("test").await.unwrap();
        let other = Connections::new(file(folder.path()), 1);
        other.begin("test").await.err().expect("another process writes");
        drop(other.0.turns.acquire().await.unwrap());
        assert!(other.try_acquire().is_some(), "nothing is wrong with its connection");
        held.commit().await.unwrap();
        other.begin("test").await.unwrap().commit().await.unwrap();
    }

    #[tokio::test]
    async fn where_all_is_one_transaction_it_is_there_once_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let only = Connections::in_one_transaction(file(folder.path()));
        run(&mut only.acquire().await.unwrap(), "create table things (id)").await;
        for _ in 0..3 {
            let mut tx = only.begin("test").await.unwrap();
            run(&mut tx, "insert into things values (1)").await;
            tx.commit().await.unwrap();
        }
        only.close().await.unwrap();
        let after = Connections::new(file(folder.path()), 1);
        assert_eq!(count(&mut after.acquire().await.unwrap()).await, 3);
    }

    #[tokio::test]
    async fn closing_waits_for_those_who_have_one_and_then_none_is_lent() {
        let folder = tempfile::tempdir().unwrap();
        let two = Connections::new(file(folder.path()), 2);
        assert!(two.try_acquire().is_none(), "none is made yet");
        two.open_all().await.unwrap();
        let (one, other) = (two.try_acquire().unwrap(), two.try_acquire().unwrap());
        assert!(two.try_acquire().is_none());
        drop(other);
        let closing = tokio::spawn({
            let two = two.clone();
            async move { two.close().await }
        });
        tokio::task::yield_now().await;
        assert!(!closing.is_finished());
        drop(one);
        closing.await.unwrap().unwrap();
        assert!(matches!(two.acquire().await.err(), Some(sqlx::Error::PoolClosed)));
    }
}
