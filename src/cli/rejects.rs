//! The rows that an import did not take, in a file that can be mended and imported again.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file of rejects; it is there only if there are any.
pub(super) struct Rejects {
    path: PathBuf,
    file: BufWriter<File>,
    header: Option<String>,
    rows: usize,
}

impl Rejects {
    /// Makes the file before anything is applied, so that no row is lost to a folder that cannot be written.
    pub fn create(path: &Path, header: Option<&str>) -> anyhow::Result<Self> {
        let file =
            OpenOptions::new().write(true).create_new(true).open(path).with_context(|| {
                format!("--rejects {}: it is made anew and replaces nothing", path.display())
            })?;
        let header = header.map(str::to_owned);
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), header, rows: 0 })
    }

    /// Adds the rows of one fact, as they stood in their file.
    pub fn add(&mut self, raw: &str) -> anyhow::Result<()> {
        let header = self.header.take();
        let write = |file: &mut BufWriter<File>| {
            if let Some(header) = header {
                writeln!(file, "{header}")?;
            }
            writeln!(file, "{raw}")
        };
        write(&mut self.file).with_context(|| format!("--rejects {}", self.path.display()))?;
        self.rows += 1;
        Ok(())
    }

    /// Finishes the file, or removes it if it stayed empty.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let path = self.path.display().to_string();
        if self.rows == 0 {
            return std::fs::remove_file(&self.path).with_context(|| format!("--rejects {path}"));
        }
        self.file.flush().with_context(|| format!("--rejects {path}"))
    }
}
