//! Statements over rows that go to SQLite in one go: each way to its thread and back costs time of its own.

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::domain::calendar::Instant;
use crate::store::{Result, millis};

/// Statements in their order, with their values.
#[derive(Default)]
pub(in crate::store) struct Statements {
    sql: String,
    values: Vec<Value>,
}

enum Value {
    Rows(String),
    Number(Option<i64>),
}

impl Statements {
    /// Adds a statement, in which `$1` are its rows and `$2` is the time. Without rows it is left out.
    pub fn add(&mut self, statement: &str, rows: Option<String>) {
        if let Some(rows) = rows {
            self.add_with(statement, rows, &[]);
        }
    }

    /// The same with numbers that all its rows share, `$3` and so on.
    pub fn add_with(&mut self, statement: &str, rows: String, numbers: &[Option<i64>]) {
        // The time is the first value of all.
        let own = self.values.len() + 2;
        self.values.push(Value::Rows(rows));
        self.values.extend(numbers.iter().copied().map(Value::Number));
        let mut parts = statement.split('$');
        self.sql.extend(parts.next());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            self.sql.push('$');
            match number.parse() {
                Ok(1) => self.sql.push_str(&own.to_string()),
                Ok(2) => self.sql.push('1'),
                Ok(shared) => self.sql.push_str(&(own + shared - 2).to_string()),
                Err(_) => {}
            }
            self.sql.push_str(rest);
        }
        self.sql.push(';');
    }

    /// How many rows the statement before changed becomes part of the answer.
    pub fn count(&mut self) {
        self.sql.push_str("select changes();");
    }

    /// Runs them all; says what was counted.
    pub async fn run(self, conn: &mut SqliteConnection, now: Instant) -> Result<Vec<i64>> {
        if self.values.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = sqlx::query_scalar(AssertSqlSafe(self.sql)).bind(millis(now));
        for value in self.values {
            all = match value {
                Value::Rows(rows) => all.bind(rows),
                Value::Number(number) => all.bind(number),
            };
        }
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
        const MOVE: &str =
            "update things set at = at + coalesce($4, $3) where id in (select value from json_each($1))";
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("create table things (id, at)").execute(&mut conn).await.unwrap();
        let mut all = Statements::default();
        all.add(SAVE, Some(r#"[{"id": 1}, {"id": 2}]"#.to_owned()));
        all.count();
        all.add("update nothing set like = this", None);
        all.add("delete from things where id in (select value from json_each($1))", Some("[2]".to_owned()));
        all.add(SAVE, Some(r#"[{"id": 3}]"#.to_owned()));
        all.add_with(MOVE, "[3]".to_owned(), &[Some(1000), None]);
        let now = "2026-03-02T08:00:00Z".parse().unwrap();
        assert_eq!(all.run(&mut conn, now).await.unwrap(), [2]);
        let things: Vec<(i64, i64)> =
            sqlx::query_as("select id, at from things order by id").fetch_all(&mut conn).await.unwrap();
        assert_eq!(things, [(1, millis(now)), (3, millis(now) + 1000)]);
        assert!(Statements::default().run(&mut conn, now).await.unwrap().is_empty());
    }
}
