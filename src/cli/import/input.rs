//! Where an import reads from: a file or standard input, and how it is written.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::super::output::Stop;
use super::super::progress::Progress;
use crate::domain::calendar::Instant;
use crate::intake::{CsvKind, Format, Spool, SpoolError, format_of};

pub(super) struct Input {
    path: PathBuf,
    format: Format,
}

impl Input {
    /// What `[KIND] FILE` means.
    pub fn of(what: &[PathBuf]) -> anyhow::Result<Self> {
        let (kind, path) = match what {
            [path] => (None, path),
            [kind, path] => (Some(kind_of(kind)?), path),
            _ => return Err(Stop::usage("write shipby import [orders|supply|receipts|shipments] FILE")),
        };
        let format =
            format_of(path, kind).map_err(|error| Stop::usage(format!("{}: {error}", path.display())))?;
        Ok(Self { path: path.clone(), format })
    }

    /// Its name in messages.
    pub fn shown(&self) -> String {
        if self.is_stdin() { "<stdin>".into() } else { self.path.display().to_string() }
    }

    fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Reads it through.
    pub fn spool(&self, now: Instant, quiet: bool) -> Result<Spool, SpoolError> {
        let input = |error| SpoolError::Input { after: 0, error };
        let mut progress = Progress::new("read", quiet);
        let mut rows = 0;
        let read = Cell::new(0);
        if self.is_stdin() {
            return Spool::read(io::stdin().lock(), self.format, now, || {
                rows += 1;
                progress.at(rows, None);
            });
        }
        let file = File::open(&self.path).map_err(input)?;
        let size = file.metadata().map_err(input)?.len();
        let counted = Counted { inner: file, read: &read };
        Spool::read(BufReader::with_capacity(1 << 16, counted), self.format, now, || {
            rows += 1;
            progress.at(rows, Some((read.get(), size)));
        })
    }
}

fn kind_of(word: &Path) -> anyhow::Result<CsvKind> {
    let known = word.to_str().and_then(CsvKind::from_word);
    known.ok_or_else(|| {
        Stop::usage(format!(
            "{}: write orders, supply, receipts or shipments, and then the file",
            word.display()
        ))
    })
}

/// A reader that says how far it has come.
struct Counted<'a, R> {
    inner: R,
    read: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}
