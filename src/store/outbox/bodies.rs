//! How mails lie in the database: compressed after a pattern, an example of what mails of this shop look like, so that
//! only what is a mail's own takes room.
//!
//! What always holds: a pattern that a kept mail refers to is kept with it, and a mail comes back byte for byte.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;
use zstd::bulk::Compressor;
use zstd::dict::DecoderDictionary;

use crate::store::{Result, Store, StoreError};

/// Higher levels make little of so small a text.
const LEVEL: i32 = 3;

/// The pattern in use.
pub(in crate::store) struct Pattern {
    id: String,
    /// Made once: to make it takes longer than to compress a mail.
    compressor: Mutex<Compressor<'static>>,
}

/// A place for it, shared by all clones of a store.
pub(in crate::store) type InUse = Arc<RwLock<Option<Arc<Pattern>>>>;

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pattern").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A mail as it lies in the database.
#[derive(Debug)]
pub struct Packed {
    pub(in crate::store) bytes: Vec<u8>,
    /// The pattern it was compressed after.
    pub(in crate::store) pattern: Option<String>,
}

/// A kept mail as it comes from the database.
#[derive(sqlx::FromRow)]
pub(in crate::store) struct Body {
    pub notice_id: String,
    pub bytes: Vec<u8>,
    pub pattern: Option<String>,
}

impl Store {
    /// Has mails compressed after `example` from now on: text that mails have in common.
    pub async fn learn(&self, example: &[u8]) -> Result<()> {
        const KEEP: &str = "insert into patterns (id, bytes) values ($1, $2) on conflict do nothing";
        let pattern = Pattern::of(example)?;
        sqlx::query(KEEP).bind(&pattern.id).bind(example).execute(&mut *self.writer.acquire().await?).await?;
        if let Ok(mut in_use) = self.pattern.write() {
            *in_use = Some(Arc::new(pattern));
        }
        Ok(())
    }

    /// Compresses a mail.
    #[must_use]
    pub fn pack(&self, mail: &[u8]) -> Packed {
        match self.pattern.read().ok().and_then(|in_use| in_use.clone()) {
            Some(pattern) => pattern.pack(mail),
            None => Packed { bytes: compress(mail), pattern: None },
        }
    }
}

impl Pattern {
    fn of(example: &[u8]) -> Result<Self> {
        let id = Sha256::digest(example).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let compressor = Compressor::with_dictionary(LEVEL, example).map_err(sqlx::Error::Io)?;
        Ok(Self { id, compressor: Mutex::new(compressor) })
    }

    /// Compresses a mail after it. Memory is all that it can run out of; then the bytes are kept as they are.
    fn pack(&self, mail: &[u8]) -> Packed {
        // Each mail begins anew, whatever became of the one before.
        let mut compressor = self.compressor.lock().unwrap_or_else(PoisonError::into_inner);
        match compressor.compress(mail) {
            Ok(packed) => Packed { bytes: packed, pattern: Some(self.id.clone()) },
            Err(_) => Packed { bytes: mail.to_vec(), pattern: None },
        }
    }
}

/// Compresses what follows no pattern.
pub(in crate::store) fn compress(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, LEVEL).unwrap_or_else(|_| bytes.to_vec())
}

/// Mails as they were sent, by the ids of their notices.
pub(in crate::store) async fn unpack(
    conn: &mut SqliteConnection,
    kept: Vec<Body>,
) -> Result<Vec<(String, Vec<u8>)>> {
    const PATTERN: &str = "select bytes from patterns where id = $1";
    let mut patterns: HashMap<String, DecoderDictionary<'static>> = HashMap::new();
    let mut mails = Vec::with_capacity(kept.len());
    for body in kept {
        if let Some(id) = &body.pattern
            && !patterns.contains_key(id)
        {
            let bytes: Vec<u8> = sqlx::query_scalar(PATTERN).bind(id).fetch_one(&mut *conn).await?;
            patterns.insert(id.clone(), DecoderDictionary::copy(&bytes));
        }
        let pattern = body.pattern.as_ref().and_then(|id| patterns.get(id));
        mails.push((body.notice_id, decompress(&body.bytes, pattern)?));
    }
    Ok(mails)
}

pub(in crate::store) fn decompress(bytes: &[u8], pattern: Option<&DecoderDictionary<'_>>) -> Result<Vec<u8>> {
    const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let damaged = |_| StoreError::Value { what: "a kept mail", value: "damaged bytes".to_owned() };
    if !bytes.starts_with(&FRAME) {
        return Ok(bytes.to_vec());
    }
    let mut mail = Vec::new();
    match pattern {
        None => zstd::stream::copy_decode(bytes, &mut mail).map_err(damaged)?,
        Some(pattern) => {
            let mut decoder =
                zstd::stream::read::Decoder::with_prepared_dictionary(bytes, pattern).map_err(damaged)?;
            std::io::copy(&mut decoder, &mut mail).map_err(damaged)?;
        }
    }
    Ok(mail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(number: usize) -> Vec<u8> {
        let sentence =
            |line: usize| format!("Line {} of what every mail of this shop says.\r\n", line * 7919);
        let own = format!("Your order {number} has a new date.\r\n").repeat(number % 3);
        ((0..40).map(sentence).collect::<String>() + &own).into_bytes()
    }

    #[test]
    fn mails_packed_by_several_threads_after_one_pattern_come_back_and_take_little_room() {
        let pattern = Pattern::of(&mail(0)).unwrap();
        let decoder = DecoderDictionary::copy(&mail(0));
        let batch = |from: usize| {
            for mail in (from..from + 50).map(mail) {
                let packed = pattern.pack(&mail);
                assert_eq!(packed.pattern.as_ref(), Some(&pattern.id));
                assert_eq!(decompress(&packed.bytes, Some(&decoder)).unwrap(), mail);
                assert!(4 * packed.bytes.len() < compress(&mail).len(), "{}", packed.bytes.len());
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let batch = &batch;
                scope.spawn(move || batch(thread * 1000));
            }
        });
    }
}
