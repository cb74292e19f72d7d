//! Files mapped into memory, and kept so from call to call within bounds.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::pool::PerProcess;
use crate::source::open;

/// A read-only mapping of a whole file.
pub(crate) struct Map {
    start: *const u8,
    length: usize,
}

// SAFETY: the mapping is read-only and stays until drop.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

/// Bytes mapped at this moment, a parent's from before a fork included: those stay mapped in the child.
static MAPPED: AtomicU64 = AtomicU64::new(0);

impl Map {
    fn new(file: &File, length: usize) -> io::Result<Self> {
        if length == 0 {
            return Ok(Map { start: std::ptr::NonNull::dangling().as_ptr(), length });
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice; the result is checked.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        MAPPED.fetch_add(length as u64, Ordering::Relaxed);
        Ok(Map { start: start.cast(), length })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for as long as self lives. Sealed files do not change; whoever reads files that may uses Io::Pread.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: mapped in new, with this length, and nobody borrows from a dropped value.
            unsafe { libc::munmap(self.start.cast_mut().cast(), self.length) };
            MAPPED.fetch_sub(self.length as u64, Ordering::Relaxed);
        }
    }
}

/// A file's content, as far as the system can tell: another size or time is another content.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    pub(crate) size: u64,
    modified: (i64, i64),
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Identity { device: metadata.dev(), inode: metadata.ino(), size: metadata.size(), modified }
    }
}

/// Maps kept from call to call, so that reading single rows does not map a shard each time.
#[derive(Default)]
struct MapCache {
    maps: HashMap<Identity, Kept>,
    clock: u64,
}

struct Kept {
    map: Arc<Map>,
    path: PathBuf,
    used: u64,
}

pub(crate) const MAPS_KEPT: usize = 64;

static MAPS: PerProcess<Mutex<MapCache>> = PerProcess::new();

fn cache() -> MutexGuard<'static, MapCache> {
    MAPS.get().lock().unwrap_or_else(PoisonError::into_inner)
}

impl MapCache {
    fn get(&mut self, identity: &Identity) -> Option<Arc<Map>> {
        self.clock += 1;
        let kept = self.maps.get_mut(identity)?;
        kept.used = self.clock;
        Some(kept.map.clone())
    }

    /// Let go of maps until there are few, and room for one of so many bytes; return whether there is.
    fn make_room(&mut self, bytes: u64) -> bool {
        // A mapping holds the disk space of a file that was removed.
        self.maps.retain(|identity, kept| std::fs::metadata(&kept.path).is_ok_and(|now| Identity::of(&now) == *identity));
        let most = most_mapped();
        if bytes > most {
            return false;
        }
        loop {
            let fits = MAPPED.load(Ordering::Relaxed).saturating_add(bytes) <= most;
            if fits && self.maps.len() < MAPS_KEPT {
                return true;
            }
            let Some(oldest) = self.maps.iter().min_by_key(|(_, kept)| kept.used).map(|(identity, _)| identity.clone()) else {
                return fits;
            };
            self.maps.remove(&oldest);
        }
    }
}

/// How many bytes may be mapped: half of what is left of the address space (`ulimit -v`) by all else, which needs some more as it goes.
fn most_mapped() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is valid for the call. Where it fails, there is no limit.
    unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) };
    if limit.rlim_cur == libc::RLIM_INFINITY {
        return u64::MAX;
    }
    let others = address_space_used().unwrap_or(0).saturating_sub(MAPPED.load(Ordering::Relaxed));
    limit.rlim_cur.saturating_sub(others) / 2
}

fn address_space_used() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').next()?.parse().ok()?;
    // SAFETY: no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page).ok()?)
}

/// Let go of the maps of files below this folder; whoever reads from one at this moment keeps it as long as that takes.
pub(crate) fn release(folder: &Path) {
    cache().maps.retain(|_, kept| !kept.path.starts_with(folder));
}

/// The file mapped; None where the system does not map it or there is no room: such a file is read instead.
pub(crate) fn mapped(path: &Path, known: &Identity) -> Result<Option<Arc<Map>>> {
    if let Some(map) = cache().get(known) {
        return Ok(Some(map));
    }
    let (file, metadata) = open(path)?;
    let Ok(length) = usize::try_from(metadata.size()) else { return Ok(None) };
    let mut cache = cache();
    if !cache.make_room(length as u64) {
        return Ok(None);
    }
    let Ok(map) = Map::new(&file, length).map(Arc::new) else { return Ok(None) };
    let used = cache.clock;
    cache.maps.insert(Identity::of(&metadata), Kept { map: map.clone(), path: path.to_owned(), used });
    Ok(Some(map))
}
