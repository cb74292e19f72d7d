//! Whole batches: every record of a call, in threads, with every failure told.

use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use crate::checksum;
use crate::codec::{self, Header, Probe, Shape, jpeg, lz4, png, qoi, raw, webp, zstd};
use crate::error::{Error, Failure, Limits, Result};
use crate::examine;
use crate::pool::{LARGEST_CHUNK, guarded, run_ranges};
use crate::source::{Cursor, Found, Io, Place, Source};

/// What holds for a whole call. `threads` 0 is all usable CPUs.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub io: Io,
    pub threads: usize,
    pub limits: Limits,
}

/// The hash that each record must have, and the seed it was made with.
#[derive(Clone, Copy)]
pub struct Checksums<'a> {
    pub expected: &'a [u64],
    pub seeds: &'a [u64],
}

impl Checksums<'_> {
    pub(crate) fn check(&self, record: usize, bytes: &[u8]) -> Result<()> {
        checksum::compare(checksum::hash(bytes, self.seeds[record]), self.expected[record])
    }
}

/// Codec and shape of each record, or one of each for all.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub codecs: &'a [u8],
    pub shapes: &'a [Shape],
}

impl Wanted<'_> {
    pub(crate) fn of(&self, record: usize) -> (u8, Shape) {
        (one_or_each(self.codecs, record), one_or_each(self.shapes, record))
    }
}

pub(crate) fn one_or_each<T: Copy>(values: &[T], record: usize) -> T {
    if values.len() == 1 { values[0] } else { values[record] }
}

/// n writable places that do not overlap.
pub struct Slots<'a> {
    slots: SlotList,
    borrowed: PhantomData<&'a mut [u8]>,
}

enum SlotList {
    Equal { start: *mut u8, size: usize, count: usize },
    Each(Vec<(*mut u8, usize)>),
}

// SAFETY: the pointers come from exclusive borrows that last as long as the value; `slot` says who may use them.
unsafe impl Sync for Slots<'_> {}
// SAFETY: as above.
unsafe impl Send for Slots<'_> {}

impl<'a> Slots<'a> {
    /// One buffer of `count` equal slots; None where it does not divide.
    pub fn equal(buffer: &'a mut [u8], count: usize) -> Option<Self> {
        let size = buffer.len().checked_div(count).unwrap_or(0);
        if size * count != buffer.len() {
            return None;
        }
        advise_huge_pages(buffer);
        Some(Slots { slots: SlotList::Equal { start: buffer.as_mut_ptr(), size, count }, borrowed: PhantomData })
    }

    pub fn each(buffers: Vec<&'a mut [u8]>) -> Self {
        let slots = buffers.into_iter().map(|buffer| (buffer.as_mut_ptr(), buffer.len())).collect();
        Slots { slots: SlotList::Each(slots), borrowed: PhantomData }
    }

    pub fn len(&self) -> usize {
        match &self.slots {
            SlotList::Equal { count, .. } => *count,
            SlotList::Each(slots) => slots.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn is_larger_than_caches(&self) -> bool {
        // Output that is read later, after the next calls' output: the caches nearest to a core hold about this much, and what goes past them
        // need not be fetched before it is written.
        const CACHES: usize = 4 << 20;
        let bytes = match &self.slots {
            SlotList::Equal { size, count, .. } => size * count,
            SlotList::Each(slots) => slots.iter().map(|(_, size)| size).sum(),
        };
        bytes > CACHES
    }

    /// # Safety
    /// No slot may be borrowed twice at the same time.
    #[allow(clippy::mut_from_ref, reason = "the caller keeps the borrows of each slot apart")]
    pub(crate) unsafe fn slot(&self, number: usize) -> &mut [u8] {
        assert!(number < self.len());
        let (start, size) = match &self.slots {
            // SAFETY: number < count, so the slot lies within the buffer of count · size bytes.
            SlotList::Equal { start, size, .. } => (unsafe { start.add(number * size) }, *size),
            SlotList::Each(slots) => slots[number],
        };
        // SAFETY: within an exclusive borrow that outlives self; the caller borrows it once.
        unsafe { std::slice::from_raw_parts_mut(start, size) }
    }
}

/// Fewer page faults for a large buffer that is written for the first time; the kernel may ignore it.
#[cfg(target_os = "linux")]
fn advise_huge_pages(buffer: &mut [u8]) {
    const HUGE_PAGE: usize = 2 << 20;
    if buffer.len() >= 2 * HUGE_PAGE {
        let start = buffer.as_mut_ptr();
        let first = start.align_offset(HUGE_PAGE);
        let length = (buffer.len() - first) / HUGE_PAGE * HUGE_PAGE;
        // SAFETY: whole pages inside the buffer, and advice changes no content.
        unsafe { libc::madvise(start.add(first).cast(), length, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_buffer: &mut [u8]) {}

/// Run `work` on every record; return every failure in ascending order. A panic is a failure of its record alone.
pub(crate) fn for_each_record<'a>(
    source: &'a Source<'a>,
    count: usize,
    threads: usize,
    work: impl Fn(&mut Cursor<'a>, usize) -> Result<()> + Sync,
) -> Vec<Failure> {
    for_each_record_in_pieces(source, count, threads, LARGEST_CHUNK, work)
}

/// How many records ahead of its turn a record is asked for.
const AHEAD: usize = 3;

/// The same, each thread taking so many records at once.
pub(crate) fn for_each_record_in_pieces<'a>(
    source: &'a Source<'a>,
    count: usize,
    threads: usize,
    largest: usize,
    work: impl Fn(&mut Cursor<'a>, usize) -> Result<()> + Sync,
) -> Vec<Failure> {
    let failures = Failures::default();
    run_ranges(count, threads, largest, |range| {
        let mut cursor = source.cursor();
        for position in range.clone() {
            if position == range.start {
                (position + 1..range.end.min(position + AHEAD)).for_each(|next| cursor.prefetch(source.record_at(next)));
            }
            if position + AHEAD < range.end {
                cursor.prefetch(source.record_at(position + AHEAD));
            }
            let record = source.record_at(position);
            failures.note(record, guarded(|| work(&mut cursor, record)));
        }
        raw::finish_copies();
    });
    failures.in_order()
}

/// Failures of one call, from all its threads.
#[derive(Default)]
struct Failures(Mutex<Vec<Failure>>);

impl Failures {
    fn note(&self, record: usize, result: Result<()>) {
        if let Err(error) = result {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Failure { record, error });
        }
    }

    fn in_order(self) -> Vec<Failure> {
        let mut failures = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        failures.sort_by_key(|failure| failure.record);
        failures
    }
}

/// Run `work` on every number below `count` and collect what it returns; the default stands for one that failed.
pub(crate) fn collect_each<T: Clone + Default + Send>(
    count: usize,
    threads: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> (Vec<T>, Vec<Failure>) {
    let mut results = vec![T::default(); count];
    let slots = Disjoint(results.as_mut_ptr());
    let failures = Failures::default();
    run_ranges(count, threads, LARGEST_CHUNK, |range| {
        assert!(range.end <= count);
        for number in range {
            // SAFETY: within the vector, and run_ranges gives each number once.
            failures.note(number, guarded(|| work(number)).map(|result| unsafe { *slots.get(number) = result }));
        }
    });
    (results, failures.in_order())
}

/// Run `work` on every record and collect what it returns; the default stands for a record that failed.
pub(crate) fn collect<'a, T: Clone + Default + Send>(
    source: &'a Source<'a>,
    count: usize,
    threads: usize,
    work: impl Fn(&mut Cursor<'a>, usize) -> Result<T> + Sync,
) -> (Vec<T>, Vec<Failure>) {
    let mut results = vec![T::default(); count];
    let slots = Disjoint(results.as_mut_ptr());
    let failures = for_each_record(source, count, threads, |cursor, record| {
        assert!(record < count);
        let result = work(cursor, record)?;
        // SAFETY: within the vector, and for_each_record comes to each record once.
        unsafe { *slots.get(record) = result };
        Ok(())
    });
    (results, failures)
}

/// A pointer that threads may share because each writes elsewhere.
pub(crate) struct Disjoint<T>(pub(crate) *mut T);

// SAFETY: see `get`.
unsafe impl<T: Send> Sync for Disjoint<T> {}

impl<T> Disjoint<T> {
    /// # Safety
    /// Within the allocation, and no other thread uses the same place.
    pub(crate) unsafe fn get(&self, number: usize) -> *mut T {
        // SAFETY: within the allocation.
        unsafe { self.0.add(number) }
    }
}

/// xxh3_64 of each record, seeded.
pub fn checksums(place: &Place, seeds: &[u64], call: Call) -> (Vec<u64>, Vec<Failure>) {
    let source = Source::new(place, call.io, call.limits);
    collect(&source, place.len(), call.threads, |cursor, record| {
        let found = cursor.find(record)?;
        examine::hash(cursor, &found, seeds[record])
    })
}

/// Hashes of the tiles of a buffer, the last one shorter.
pub fn hash_tiles(data: &[u8], tile_bytes: usize, threads: usize) -> Vec<u64> {
    let tiles: Vec<&[u8]> = data.chunks(tile_bytes.max(1)).collect();
    let seeds = vec![0; tiles.len()];
    let limits = Limits { pixels: 0, bytes: u64::MAX };
    checksums(&Place::Buffers(tiles), &seeds, Call { io: Io::Map, threads, limits }).0
}

/// Each record's bytes, checked; a failed record is empty.
pub fn fetch(place: &Place, checksums: Option<Checksums>, call: Call) -> (Vec<Vec<u8>>, Vec<Failure>) {
    let source = Source::new(place, call.io, call.limits);
    collect(&source, place.len(), call.threads, |cursor, record| {
        let bytes = cursor.bytes(record)?;
        checksums.map_or(Ok(()), |checksums| checksums.check(record, bytes))?;
        Ok(bytes.to_vec())
    })
}

/// Enough for the header of nearly every image without reading the pixels of large ones.
const HEADER_BYTES: usize = 16 << 10;

/// How much of an image is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Not at all: what it is is known.
    Nothing,
    Header,
    /// The header, and all parts to the end of the image; pixels are not decoded.
    Structure,
}

/// Codec, shape and depth of each record.
pub fn probe(place: &Place, look: Look, call: Call) -> (Vec<Header>, Vec<Failure>) {
    match look {
        Look::Nothing => (vec![Header::default(); place.len()], Vec::new()),
        Look::Header => probe_headers(place, call),
        Look::Structure => {
            let source = Source::new(place, call.io, call.limits);
            let examine = |cursor: &mut Cursor, record| Ok(codec::examine(cursor.bytes(record)?, &call.limits)?.header);
            collect(&source, place.len(), call.threads, examine)
        }
    }
}

fn probe_headers(place: &Place, call: Call) -> (Vec<Header>, Vec<Failure>) {
    // Only headers are read, so records of any size may be looked at.
    let source = Source::new(place, call.io, Limits { bytes: u64::MAX, ..call.limits });
    collect(&source, place.len(), call.threads, |cursor, record| {
        let found = cursor.find(record)?;
        let mut wanted = HEADER_BYTES;
        loop {
            let start = cursor.first_bytes(&found, wanted)?;
            match codec::probe(start, found.length(), &call.limits)? {
                Probe::Found(header) => return Ok(header),
                Probe::Needs(bytes) if bytes <= start.len() => {
                    return Err(Error::corrupt("internal error: header not found in bytes seen"));
                }
                Probe::Needs(bytes) => {
                    call.limits.check_bytes(bytes as u64)?;
                    wanted = bytes.max(2 * wanted);
                }
            }
        }
    })
}

/// Read, check and decode each record into its slot; the slot of a failed record is zeroed.
pub fn decode(place: &Place, wanted: Wanted, slots: &Slots, checksums: Option<Checksums>, call: Call) -> Vec<Failure> {
    let source = Source::new(place, call.io, call.limits);
    let past_caches = slots.is_larger_than_caches();
    for_each_record(&source, place.len(), call.threads, |cursor, record| {
        // SAFETY: for_each_record comes to each record once.
        let slot = unsafe { slots.slot(record) };
        let result = guarded(|| {
            let found = cursor.find(record)?;
            let check = |bytes: &[u8]| checksums.map_or(Ok(()), |checksums| checksums.check(record, bytes));
            decode_record(cursor, found, wanted.of(record), slot, past_caches, &call.limits, check)
        });
        if result.is_err() {
            slot.fill(0);
        }
        result
    })
}

/// Read, check and decode a found record into a slot.
pub(crate) fn decode_record<'a>(
    cursor: &mut Cursor<'a>,
    found: Found<'a>,
    (codec, shape): (u8, Shape),
    slot: &mut [u8],
    past_caches: bool,
    limits: &Limits,
    check: impl Fn(&[u8]) -> Result<()>,
) -> Result<()> {
    if codec == codec::RAW {
        return copy_record(cursor, found, slot, past_caches, check);
    }
    let bytes = cursor.first_bytes(&found, usize::MAX)?;
    check(bytes)?;
    codec::decode(codec, bytes, shape, slot, limits)
}

/// A raw record goes into its slot without a stop.
fn copy_record<'a>(
    cursor: &mut Cursor<'a>,
    found: Found<'a>,
    slot: &mut [u8],
    past_caches: bool,
    check: impl Fn(&[u8]) -> Result<()>,
) -> Result<()> {
    match found {
        Found::Memory(bytes) => {
            raw::copy(bytes, slot, past_caches)?;
            // Copying has just brought these bytes into the nearest cache.
            check(bytes)
        }
        Found::File { length, .. } if cursor.reads_on(&found) => {
            raw::check_size(length, slot.len())?;
            let bytes = cursor.first_bytes(&found, length)?;
            raw::copy(bytes, slot, past_caches)?;
            check(bytes)
        }
        Found::File { offset, length } => {
            raw::check_size(length, slot.len())?;
            cursor.read_into(offset, slot)?;
            check(slot)
        }
    }
}

/// How images are to be encoded.
#[derive(Clone, Copy, Debug)]
pub struct Encoding {
    pub codec: u8,
    pub bytes_per_sample: usize,
    pub level: u8,
    pub quality: u8,
    /// Of WebP.
    pub is_lossless: bool,
}

/// Encode each image; a failed one is empty.
pub fn encode(images: Vec<&[u8]>, shapes: &[Shape], encoding: Encoding, threads: usize) -> (Vec<Vec<u8>>, Vec<Failure>) {
    let count = images.len();
    let place = Place::Buffers(images);
    let source = Source::new(&place, Io::Map, Limits { pixels: u64::MAX, bytes: u64::MAX });
    collect(&source, count, threads, |cursor, record| {
        let (pixels, shape) = (cursor.bytes(record)?, one_or_each(shapes, record));
        match encoding.codec {
            codec::PNG => png::encode(pixels, shape, encoding.bytes_per_sample, encoding.level),
            codec::ZSTD => zstd::encode(pixels, encoding.level),
            codec::LZ4 => lz4::encode(pixels),
            codec::JPEG | codec::WEBP | codec::QOI if encoding.bytes_per_sample != 1 => {
                Err(Error::unsupported("JPEG, WebP and QOI hold samples of 1 byte"))
            }
            codec::JPEG => jpeg::encode(pixels, shape, encoding.quality),
            codec::WEBP => webp::encode(pixels, shape, encoding.quality, encoding.is_lossless),
            codec::QOI => qoi::encode(pixels, shape),
            other => Err(Error::unsupported(format!("codec number {other} is not encoded here"))),
        }
    })
}
