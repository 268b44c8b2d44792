//! A Maildir that bounces are dropped into: what is new is taken in once and moved to what was seen.
//!
//! What always holds: no mail is lost, for a file is moved only after what it reports is in the database; and none is
//! taken twice, for one that cannot be moved is not looked at again.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{Ignored, Outcome, take};
use crate::clock::Clock;
use crate::domain::policy::Policy;
use crate::mail::{MAX_RETURNED, Verp};
use crate::store::{Store, StoreError};

/// Mails taken in one turn.
const TURN: usize = 100;

/// The Maildir, and what reading it takes.
#[derive(Debug)]
pub struct Maildir {
    pub folder: PathBuf,
    pub store: Store,
    pub verp: Option<Verp>,
    pub clock: Clock,
    pub policy: Policy,
    /// Files that are where they are for good, whatever we do.
    stuck: HashSet<OsString>,
    /// It could not be read, and that was said.
    missing: bool,
}

/// What a turn came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    /// Mails that changed something.
    pub applied: usize,
    /// There is more to take at once.
    pub more: bool,
}

/// What became of one mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Applied,
    Nothing,
    /// It stays where it is for now.
    Waits,
}

impl Maildir {
    /// A Maildir of which nothing was seen yet.
    pub fn new(folder: PathBuf, store: Store, verp: Option<Verp>, clock: Clock, policy: Policy) -> Self {
        Self { folder, store, verp, clock, policy, stuck: HashSet::new(), missing: false }
    }

    /// Takes in what is new.
    ///
    /// # Errors
    /// If the database cannot be used: what was not taken stays where it is.
    pub async fn turn(&mut self) -> Result<Turn, StoreError> {
        let mut turn = Turn::default();
        let names = match self.names() {
            Ok(names) => names,
            Err(error) => {
                if !std::mem::replace(&mut self.missing, true) {
                    tracing::error!(folder = %self.folder.display(), %error,
                        "[bounces] maildir cannot be read; it is tried again every second");
                }
                return Ok(turn);
            }
        };
        self.missing = false;
        let mut moved = 0;
        for name in names {
            if moved == TURN {
                turn.more = true;
                break;
            }
            let taken = self.take(&name).await?;
            moved += usize::from(taken != Taken::Waits);
            turn.applied += usize::from(taken == Taken::Applied);
        }
        Ok(turn)
    }

    /// The files in `new`, in the order of their names, which is about that of their arrival.
    fn names(&self) -> std::io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.folder.join("new"))? {
            let name = entry?.file_name();
            if !self.stuck.contains(&name) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Takes in one mail and moves it.
    async fn take(&mut self, name: &OsStr) -> Result<Taken, StoreError> {
        let path = self.folder.join("new").join(name);
        let file = path.display();
        let mail = match read(&path) {
            Ok(mail) => mail,
            // Somebody else moved it.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Taken::Nothing),
            Err(error) => {
                tracing::warn!(%file, %error, "a mail that came back cannot be read; it is moved to cur, unseen");
                self.put_away(name, "");
                return Ok(Taken::Nothing);
            }
        };
        let (verp, now) = (self.verp.as_ref(), self.clock.now());
        let outcome = take(&self.store, verp, &mail, None, now, &self.policy).await?;
        match &outcome {
            Outcome::Later => return Ok(Taken::Waits),
            Outcome::Applied { notice, order, fate, unheard, suppressed } => {
                tracing::info!(order, notice, %fate, unheard, suppressed, "a mail came back");
            }
            Outcome::Ignored(Ignored::Forged) => {
                tracing::warn!(%file, "a mail came back with a token that is not ours; it changes nothing");
            }
            Outcome::Ignored(why) => tracing::debug!(%file, why = why.words(), "a mail changes nothing"),
        }
        self.put_away(name, "S");
        Ok(if matches!(outcome, Outcome::Applied { .. }) { Taken::Applied } else { Taken::Nothing })
    }

    /// Moves a mail to `cur`, under a name that nobody has.
    fn put_away(&mut self, name: &OsStr, flags: &str) {
        let bare = name.to_string_lossy();
        let bare = bare.split_once(":2,").map_or(&*bare, |(bare, _)| bare);
        let target = |again: u32| {
            let again = if again == 0 { String::new() } else { format!(".{again}") };
            self.folder.join("cur").join(format!("{bare}{again}:2,{flags}"))
        };
        let free = (0..).map(target).find(|path| std::fs::symlink_metadata(path).is_err());
        let from = self.folder.join("new").join(name);
        let moved = free.map_or(Ok(()), |free| std::fs::rename(&from, free));
        if let Err(error) = moved {
            tracing::error!(file = %from.display(), %error,
                "a mail that came back cannot be moved to cur; it stays where it is and is not read again");
            self.stuck.insert(name.to_owned());
        }
    }
}

/// The beginning of a file, which is all that is looked at. A pipe or a link is no mail.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut mail = Vec::new();
    std::fs::File::open(path)?.take(MAX_RETURNED as u64).read_to_end(&mut mail)?;
    Ok(mail)
}
