//! The last set of templates that passed: one row, so that a start with a broken folder has something to go on with.

use std::collections::BTreeMap;

use crate::domain::calendar::Instant;
use crate::store::orders::record::{json, to_json};
use crate::store::outbox::bodies::{compress, decompress};
use crate::store::{Result, Store, StoreError, instant, millis};

/// The name of the value in `meta`.
const FAULT: &str = "template_fault";

/// A set as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSet {
    pub hash: String,
    pub kept_at: Instant,
    /// Path below the folder, and text.
    pub files: BTreeMap<String, String>,
}

impl Store {
    /// Keeps a set that passed in place of the one before. The same set again changes nothing.
    pub async fn keep_template_set(
        &self,
        hash: &str,
        files: &BTreeMap<String, String>,
        now: Instant,
    ) -> Result<()> {
        const KEEP: &str = "insert into template_sets (hash, kept_at, files) values ($1, $2, $3)
            on conflict (hash) do nothing";
        let mut tx = self.begin("keep_template_set").await?;
        let files = compress(to_json(files).as_bytes());
        sqlx::query("delete from template_sets where hash <> $1").bind(hash).execute(&mut *tx).await?;
        sqlx::query(KEEP).bind(hash).bind(millis(now)).bind(files).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps what is wrong with the template folder, for those who ask; None: nothing.
    pub async fn note_template_fault(&self, fault: Option<&str>) -> Result<()> {
        self.set_meta(FAULT, fault.unwrap_or_default()).await
    }

    /// What a daemon found wrong with the template folder, in place of which it uses the last set that passed.
    pub async fn template_fault(&self) -> Result<Option<String>> {
        Ok(self.meta(FAULT).await?.filter(|fault| !fault.is_empty()))
    }

    /// The last set that passed, if one was ever kept.
    pub async fn last_template_set(&self) -> Result<Option<KeptSet>> {
        const LAST: &str = "select hash, kept_at, files from template_sets order by kept_at desc limit 1";
        let row: Option<(String, i64, Vec<u8>)> =
            sqlx::query_as(LAST).fetch_optional(&mut *self.readers.acquire().await?).await?;
        let Some((hash, kept_at, files)) = row else { return Ok(None) };
        let broken = || StoreError::Value { what: "template_sets.files", value: hash.clone() };
        let text = String::from_utf8(decompress(&files, None)?).map_err(|_| broken())?;
        Ok(Some(KeptSet { files: json("template_sets.files", &text)?, kept_at: instant(kept_at), hash }))
    }
}
