//! Many files by their paths, without opening them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::batch::collect_each;
use crate::error::{Error, Failure, Kind, Result};
use crate::source::Stamp;

/// n paths: a list, or strings that follow each other in one buffer and all begin alike.
pub enum Paths<'a> {
    List(&'a [PathBuf]),
    /// Path i is `prefix` followed by `data[offsets[i]..offsets[i + 1]]`.
    Joined {
        prefix: &'a [u8],
        data: &'a [u8],
        offsets: &'a [i64],
    },
}

impl Paths<'_> {
    pub fn len(&self) -> usize {
        match self {
            Paths::List(paths) => paths.len(),
            Paths::Joined { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Path number `number`; None where its offsets lead out of the buffer.
    pub fn get(&self, number: usize) -> Option<PathBuf> {
        match self {
            Paths::List(paths) => paths.get(number).cloned(),
            Paths::Joined { prefix, data, offsets } => {
                let range = usize::try_from(*offsets.get(number)?).ok()?..usize::try_from(*offsets.get(number + 1)?).ok()?;
                let path = [prefix, data.get(range)?].concat();
                Some(PathBuf::from(OsStr::from_bytes(&path)))
            }
        }
    }
}

impl Default for Stamp {
    /// The stamp of no file.
    fn default() -> Self {
        Stamp { size: -1, modified: -1 }
    }
}

/// Size and time of each file; links are followed, as they are where the file is read.
pub fn stat_files(paths: &Paths, threads: usize) -> (Vec<Stamp>, Vec<Failure>) {
    collect_each(paths.len(), threads, |number| match paths.get(number) {
        Some(path) => stat(&path),
        None => Err(Error::new(Kind::Missing, format!("no path number {number}"))),
    })
}

pub(crate) fn stat(path: &Path) -> Result<Stamp> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Error::new(Kind::Read, "not a regular file"));
    }
    Ok(Stamp::of(&metadata))
}
