//! Where the bytes of a batch come from: extents in mapped or plainly read files, slices of one buffer, or single buffers.

use std::cell::Cell;
use std::cmp::Reverse;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Kind, Limits, Result};
use crate::maps::{self, Identity, MAPS_KEPT, Map, mapped};

/// Where the n records of a call lie.
pub enum Place<'a> {
    Extents(Extents<'a>),
    /// Record i is `data[offset[i]..offset[i] + length[i]]`; a negative length is a missing record.
    Slices {
        data: &'a [u8],
        offset: &'a [i64],
        length: &'a [i64],
    },
    Buffers(Vec<&'a [u8]>),
}

/// Record i is `length[i]` bytes from `offset[i]` of `paths[file[i]]`; length -1 is the whole file, offset -1 a missing record.
pub struct Extents<'a> {
    pub paths: &'a [PathBuf],
    pub file: &'a [u32],
    pub offset: &'a [i64],
    pub length: &'a [i64],
}

const WHOLE_FILE: i64 = -1;

/// How files are read: through a mapping, or into buffers, which survives a file that shrinks meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    Map,
    Pread,
}

impl Place<'_> {
    pub fn len(&self) -> usize {
        match self {
            Place::Extents(extents) => extents.file.len(),
            Place::Slices { offset, .. } => offset.len(),
            Place::Buffers(buffers) => buffers.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Let go of the maps of files below this folder; whoever reads from one at this moment keeps it as long as that takes.
pub fn release(folder: &Path) {
    maps::release(folder);
}

/// Open a regular file for reading.
pub(crate) fn open(path: &Path) -> Result<(File, Metadata)> {
    // Without O_NONBLOCK opening a named pipe would wait for ever.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Error::new(Kind::Read, "not a regular file"));
    }
    Ok((file, metadata))
}

/// What is done with one of the call's files.
enum Access {
    Mapped(Arc<Map>),
    /// Opened by the thread that reads from it.
    Opened,
    Failed(Error),
}

/// Files asked for fewer records than this are mapped only if they are large and few.
const RECORDS_WORTH_A_MAP: u32 = 8;
const BYTES_WORTH_A_MAP: u64 = 1 << 20;

fn access(path: &Path, records: u32, few_files: bool) -> Access {
    let many_records = records >= RECORDS_WORTH_A_MAP;
    if !many_records && !few_files {
        return Access::Opened;
    }
    let identity = match std::fs::metadata(path) {
        Ok(metadata) => Identity::of(&metadata),
        Err(error) => return Access::Failed(error.into()),
    };
    if !many_records && identity.size < BYTES_WORTH_A_MAP {
        return Access::Opened;
    }
    match mapped(path, &identity) {
        Ok(Some(map)) => Access::Mapped(map),
        Ok(None) => Access::Opened,
        Err(error) => Access::Failed(error),
    }
}

/// A place made ready for reading: each file of the call looked at once.
pub struct Source<'a> {
    place: &'a Place<'a>,
    access: Vec<Access>,
    /// Records by file, where files are opened by the reading threads: each is opened few times.
    order: Option<Vec<u32>>,
    limits: Limits,
}

impl<'a> Source<'a> {
    pub fn new(place: &'a Place<'a>, io: Io, limits: Limits) -> Self {
        let Place::Extents(extents) = place else {
            return Source { place, access: Vec::new(), order: None, limits };
        };
        // Files read whole are not counted: they are read once, and mapping costs more than that.
        let mut records = vec![0u32; extents.paths.len()];
        for (&file, &length) in extents.file.iter().zip(extents.length) {
            if let (Some(count), true) = (records.get_mut(file as usize), length != WHOLE_FILE) {
                *count += 1;
            }
        }
        let few_files = extents.paths.len() <= MAPS_KEPT;
        let choose = |(path, &count): (&PathBuf, &u32)| match io {
            Io::Map if count > 0 => access(path, count, few_files),
            _ => Access::Opened,
        };
        let access: Vec<Access> = extents.paths.iter().zip(&records).map(choose).collect();
        let reopened = access.iter().zip(&records).any(|(access, &count)| count > 1 && matches!(access, Access::Opened));
        let order = (reopened && access.len() > 1).then(|| by_file(extents.file));
        Source { place, access, order, limits }
    }

    /// Do records of much work first, so that no thread is left with one in the end; unless their files tell the order.
    pub fn order_by_work(&mut self, count: usize, work: impl Fn(usize) -> u64) {
        self.order.get_or_insert_with(|| {
            let mut order: Vec<u32> = (0..count as u32).collect();
            order.sort_by_cached_key(|&record| Reverse(work(record as usize)));
            order
        });
    }

    /// The record to do at this position of the work.
    pub fn record_at(&self, position: usize) -> usize {
        self.order.as_ref().map_or(position, |order| order[position] as usize)
    }

    pub fn cursor(&self) -> Cursor<'_> {
        Cursor { source: self, opened: None, window: 0..0, next: None, scratch: SCRATCH.take() }
    }
}

fn by_file(file: &[u32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..file.len() as u32).collect();
    order.sort_by_key(|&record| file[record as usize]);
    order
}

/// A record found: in memory, or in the file that the cursor has open.
pub enum Found<'a> {
    Memory(&'a [u8]),
    File { offset: u64, length: usize },
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer larger than this is not kept by its thread.
const SCRATCH_KEPT: usize = 32 << 20;

/// Bytes read at once where records follow each other.
const READ_AHEAD: u64 = 256 << 10;

/// The most that is asked for ahead of a record's turn.
const PREFETCHED: usize = 4 << 10;
const CACHE_LINE: usize = 64;

fn bring_near(line: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction, and it changes nothing.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(line.as_ptr().cast())
    };
    let _ = line;
}

/// What tells whether a file is still the one that was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub size: i64,
    /// Nanoseconds since 1970.
    pub modified: i64,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Self {
        let modified = metadata.mtime().wrapping_mul(1_000_000_000).wrapping_add(metadata.mtime_nsec());
        Stamp { size: metadata.size() as i64, modified }
    }
}

/// The file that a cursor has open.
struct Opened {
    number: u32,
    file: File,
    stamp: Stamp,
}

impl Opened {
    fn size(&self) -> u64 {
        self.stamp.size as u64
    }
}

/// One thread's way through a source: the file it has open, and its buffer.
pub struct Cursor<'a> {
    source: &'a Source<'a>,
    opened: Option<Opened>,
    /// The bytes of the open file that the buffer holds.
    window: Range<u64>,
    /// Where a record that follows the one read last would begin.
    next: Option<u64>,
    scratch: Vec<u8>,
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        if self.scratch.capacity() <= SCRATCH_KEPT {
            SCRATCH.set(std::mem::take(&mut self.scratch));
        }
    }
}

impl<'a> Cursor<'a> {
    /// Find a record; its length is within the limits and within its file or buffer.
    pub fn find(&mut self, record: usize) -> Result<Found<'a>> {
        let limits = self.source.limits;
        match self.source.place {
            Place::Buffers(buffers) => {
                limits.check_bytes(buffers[record].len() as u64)?;
                Ok(Found::Memory(buffers[record]))
            }
            Place::Slices { data, offset, length } => {
                if length[record] < 0 {
                    return Err(Error::new(Kind::Missing, "no record"));
                }
                let (offset, length) = range(offset[record], length[record], data.len() as u64, &limits)?;
                Ok(Found::Memory(&data[offset as usize..][..length]))
            }
            Place::Extents(extents) => self.find_extent(extents, record),
        }
    }

    /// Ask for a record's first bytes to be brought near. Small records that lie anywhere are waited for longer than they are worked on.
    pub fn prefetch(&self, record: usize) {
        let at = |data: &'a [u8], offset: i64| data.get(usize::try_from(offset).ok()?..);
        let bytes = match self.source.place {
            Place::Buffers(buffers) => Some(buffers[record]),
            Place::Slices { data, offset, .. } => at(data, offset[record]),
            Place::Extents(extents) => match self.source.access.get(extents.file[record] as usize) {
                Some(Access::Mapped(map)) => at(map.bytes(), extents.offset[record]),
                _ => None,
            },
        };
        let length = match self.source.place {
            Place::Buffers(_) => i64::MAX,
            Place::Slices { length, .. } | Place::Extents(Extents { length, .. }) => length[record],
        };
        let length = usize::try_from(length).unwrap_or(PREFETCHED).min(PREFETCHED);
        bytes.into_iter().flat_map(|bytes| bytes[..length.min(bytes.len())].chunks(CACHE_LINE)).for_each(bring_near);
    }

    fn find_extent(&mut self, extents: &'a Extents<'a>, record: usize) -> Result<Found<'a>> {
        let (number, offset, length) = (extents.file[record], extents.offset[record], extents.length[record]);
        if offset < 0 {
            return Err(Error::new(Kind::Missing, "no record"));
        }
        let path = extents.paths.get(number as usize).ok_or_else(|| Error::new(Kind::Missing, format!("no file number {number}")))?;
        match &self.source.access[number as usize] {
            Access::Failed(error) => Err(error.clone()),
            Access::Mapped(map) => {
                let (offset, length) = range(offset, length, map.bytes().len() as u64, &self.source.limits)?;
                Ok(Found::Memory(&map.bytes()[offset as usize..][..length]))
            }
            Access::Opened => {
                let size = self.open(number, path)?;
                let (offset, length) = range(offset, length, size, &self.source.limits)?;
                Ok(Found::File { offset, length })
            }
        }
    }

    fn open(&mut self, number: u32, path: &Path) -> Result<u64> {
        if let Some(opened) = &self.opened
            && opened.number == number
        {
            return Ok(opened.size());
        }
        self.opened = None;
        self.window = 0..0;
        self.next = None;
        let (file, metadata) = open(path)?;
        self.opened = Some(Opened { number, file, stamp: Stamp::of(&metadata) });
        Ok(metadata.size())
    }

    fn opened(&self) -> &Opened {
        self.opened.as_ref().expect("only a found file is read")
    }

    /// The stamp of the open file as it was when it was opened, and as it is now.
    pub fn stamps(&self) -> Result<(Stamp, Stamp)> {
        let opened = self.opened();
        Ok((opened.stamp, Stamp::of(&opened.file.metadata()?)))
    }

    /// Read bytes of the open file straight into `out`, as many as it holds.
    pub fn read_into(&mut self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.next = Some(offset + out.len() as u64);
        self.read_exact(offset, out)
    }

    fn read_exact(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.opened().file.read_exact_at(out, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::new(Kind::Truncated, "the file became shorter while it was read"),
            _ => error.into(),
        })
    }

    /// A record's bytes: mapped, as handed in, or read into this thread's buffer.
    pub fn bytes(&mut self, record: usize) -> Result<&[u8]> {
        let whole = self.find(record)?;
        self.first_bytes(&whole, usize::MAX)
    }

    /// At least the first `wanted` bytes of a found record, or all where it is shorter.
    pub fn first_bytes(&mut self, found: &Found<'a>, wanted: usize) -> Result<&[u8]> {
        match *found {
            Found::Memory(bytes) => Ok(bytes),
            Found::File { offset, length } => {
                let length = length.min(wanted);
                let end = offset + length as u64;
                if offset < self.window.start || end > self.window.end {
                    self.read_window(offset, length)?;
                }
                self.next = Some(end);
                let start = (offset - self.window.start) as usize;
                Ok(&self.scratch[start..start + length])
            }
        }
    }

    /// Whether a found record follows the one read last, or was read along with it.
    pub fn reads_on(&self, found: &Found) -> bool {
        matches!(found, Found::File { offset, .. } if self.next == Some(*offset) || self.window.contains(offset))
    }

    /// Fill the buffer from `offset`: with `length` bytes, or more where records are read one after the other.
    fn read_window(&mut self, offset: u64, length: usize) -> Result<()> {
        let size = self.opened().size();
        let ahead = if self.next == Some(offset) { READ_AHEAD.min(size - offset) as usize } else { 0 };
        let wanted = length.max(ahead);
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.len() < wanted {
            scratch.resize(wanted, 0);
        }
        let result = self.read_exact(offset, &mut scratch[..wanted]);
        self.scratch = scratch;
        self.window = if result.is_ok() { offset..offset + wanted as u64 } else { 0..0 };
        result
    }
}

impl Found<'_> {
    pub fn length(&self) -> usize {
        match self {
            Found::Memory(bytes) => bytes.len(),
            Found::File { length, .. } => *length,
        }
    }
}

/// The range of a record in a file of `size` bytes, refused where it is too large or ends beyond the file.
fn range(offset: i64, length: i64, size: u64, limits: &Limits) -> Result<(u64, usize)> {
    let start = offset as u64;
    let length = if length == WHOLE_FILE { size.saturating_sub(start) } else { length as u64 };
    match start.checked_add(length) {
        Some(end) if offset >= 0 && length <= i64::MAX as u64 && end <= size => {}
        _ => {
            let detail = format!("bytes {offset} + {length} asked for, but only {size} are there");
            return Err(Error::new(Kind::Truncated, detail));
        }
    }
    limits.check_bytes(length)?;
    Ok((start, length as usize))
}
