//! Statements over rows that go to SQLite in one go: each way to its thread and back costs time of its own.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{Result, millis};
use crate::domain::calendar::Instant;

/// Statements in their order, with their rows.
#[derive(Default)]
pub(super) struct Statements {
    sql: String,
    rows: Vec<String>,
}

impl Statements {
    /// Adds a statement, in which `$1` are its rows and `$2` is the time. Without rows it is left out.
    pub fn add(&mut self, statement: &str, rows: Option<String>) {
        let Some(rows) = rows else { return };
        self.rows.push(rows);
        let own = self.rows.len() + 1;
        let mut parts = statement.split('$');
        self.sql.extend(parts.next());
        for part in parts {
            // The time is the first value of all.
            match (part.strip_prefix('1'), part.strip_prefix('2')) {
                (Some(rest), _) => self.sql.extend([&format!("${own}"), rest]),
                (_, Some(rest)) => self.sql.extend(["$1", rest]),
                _ => self.sql.extend(["$", part]),
            }
        }
        self.sql.push(';');
    }

    /// How many rows the statement before changed becomes part of the answer.
    pub fn count(&mut self) {
        self.sql.push_str("select changes();");
    }

    /// Runs them all; says what was counted.
    pub async fn run(self, conn: &mut SqliteConnection, now: Instant) -> Result<Vec<i64>> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let all = sqlx::query_scalar(AssertSqlSafe(self.sql)).bind(millis(now));
        let all = self.rows.into_iter().fold(all, |all, rows| all.bind(rows));
        Ok(all.fetch_all(conn).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Connection;

    #[tokio::test]
    async fn each_statement_has_its_own_rows_and_all_the_same_time() {
        const SAVE: &str = "insert into things select value ->> '$.id', $2 from json_each($1)";
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("create table things (id, at)").execute(&mut conn).await.unwrap();
        let mut all = Statements::default();
        all.add(SAVE, Some(r#"[{"id": 1}, {"id": 2}]"#.to_owned()));
        all.count();
        all.add("update nothing set like = this", None);
        all.add("delete from things where id in (select value from json_each($1))", Some("[2]".to_owned()));
        all.add(SAVE, Some(r#"[{"id": 3}]"#.to_owned()));
        let now = "2026-03-02T08:00:00Z".parse().unwrap();
        assert_eq!(all.run(&mut conn, now).await.unwrap(), [2]);
        let things: Vec<(i64, i64)> =
            sqlx::query_as("select id, at from things order by id").fetch_all(&mut conn).await.unwrap();
        assert_eq!(things, [(1, millis(now)), (3, millis(now))]);
        assert!(Statements::default().run(&mut conn, now).await.unwrap().is_empty());
    }
}
