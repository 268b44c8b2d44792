//! A small disk of its own, in memory: one that can be filled without harm to anybody. It needs root.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A mounted disk. Dropping it takes it away.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// One of so many MiB. None only where nobody promised one: CI (`CI=true`) can mount or fails.
    pub fn small(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        if !mounted.is_ok_and(|said| said.status.success()) {
            let mend = "no disk could be mounted: a full one was not tried; run the tests as root, where mount may be used";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{mend}");
            eprintln!("{mend}");
            return None;
        }
        Some(Self { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Something that takes all the room there is.
    pub fn filler(&self) -> Filler {
        Filler { path: self.folder.path().join("filler") }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

#[derive(Clone)]
pub struct Filler {
    path: PathBuf,
}

impl Filler {
    pub fn fill(&self) {
        let mut file = File::create(&self.path).unwrap();
        for block in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![1; block]).is_ok() {}
        }
    }

    pub fn clear(&self) {
        std::fs::remove_file(&self.path).unwrap();
    }
}
