//! A small disk in memory, one that can be filled without harm to anybody: mounted, which needs root, or where that may
//! not be done, as in a container, the one of a few MiB that containers have.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A small disk. Dropping it takes it away.
pub struct Disk {
    folder: TempDir,
    is_mounted: bool,
}

/// The disk in memory that every system has; only a container's is small.
const SHARED: &str = "/dev/shm";
/// The most that is filled of it, in MiB.
const SMALL: u64 = 256;

impl Disk {
    /// One of so many MiB. None only where nobody promised one: CI (`CI=true`) can mount or fails.
    pub fn small(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        if mounted.is_ok_and(|said| said.status.success()) {
            return Some(Self { folder, is_mounted: true });
        }
        if room_of(SHARED).is_some_and(|room| room <= SMALL) {
            let folder = tempfile::tempdir_in(SHARED).unwrap();
            return Some(Self { folder, is_mounted: false });
        }
        let mend = "there is no small disk: a full one was not tried; run the tests as root, where mount may be used";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{mend}");
        eprintln!("{mend}");
        None
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
        if self.is_mounted {
            let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
        }
    }
}

/// The size of a disk, in MiB.
fn room_of(path: &str) -> Option<u64> {
    let said = Command::new("df").args(["-Pm", path]).output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    said.lines().nth(1)?.split_whitespace().nth(1)?.parse().ok()
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
