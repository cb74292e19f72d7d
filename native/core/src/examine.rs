//! Whether stored bytes are those that were written, found out without handing them to anybody, in little memory.

use std::hash::Hasher;
use std::path::Path;

use twox_hash::xxhash3_64;

use crate::batch::{Call, Checksums, Disjoint, collect_each, for_each_record};
use crate::checksum;
use crate::error::{Failure, Limits, Result};
use crate::source::{Cursor, Extents, Found, Io, Place, Source};

const NO_LIMITS: Limits = Limits { pixels: 0, bytes: u64::MAX };

/// Bytes read and hashed at once: they stay in a core's nearest cache.
const PIECE: usize = 256 << 10;

/// Compare every record with its checksum, whatever its size.
pub fn check(place: &Place, checksums: Checksums, call: Call) -> Vec<Failure> {
    let source = Source::new(place, call.io, Limits { bytes: u64::MAX, ..call.limits });
    for_each_record(&source, place.len(), call.threads, |cursor, record| {
        let found = cursor.find(record)?;
        let hash = hash(cursor, &found, checksums.seeds[record])?;
        checksum::compare(hash, checksums.expected[record])
    })
}

/// The hash of a found record, read in pieces where it is large.
pub(crate) fn hash<'a>(cursor: &mut Cursor<'a>, found: &Found<'a>, seed: u64) -> Result<u64> {
    match *found {
        Found::File { offset, length } if length > PIECE => hash_in_pieces(cursor, offset, length, seed),
        _ => Ok(checksum::hash(cursor.first_bytes(found, usize::MAX)?, seed)),
    }
}

fn hash_in_pieces(cursor: &mut Cursor, offset: u64, length: usize, seed: u64) -> Result<u64> {
    let mut hasher = xxhash3_64::Hasher::with_seed(seed);
    for start in (0..length).step_by(PIECE) {
        let piece = Found::File { offset: offset + start as u64, length: PIECE.min(length - start) };
        hasher.write(cursor.first_bytes(&piece, PIECE)?);
    }
    Ok(hasher.finish())
}

/// Hashes of the tiles of a file, the last one shorter.
pub fn hash_file_tiles(path: &Path, tile_bytes: usize, threads: usize) -> Result<Vec<u64>> {
    let size = crate::source::open(path)?.1.len();
    let tiles: Vec<u64> = (0..size.div_ceil(tile_bytes.max(1) as u64)).collect();
    let none = Records { offset: &[], length: &[], checksums: Checksums { expected: &[], seeds: &[] } };
    let (hashes, failures, _) = check_tiles(path, tile_bytes, &tiles, none, threads);
    match failures.into_iter().next() {
        Some(failure) => Err(failure.error),
        None => Ok(hashes),
    }
}

/// Records of one file, with their checksums.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    pub offset: &'a [i64],
    pub length: &'a [i64],
    pub checksums: Checksums<'a>,
}

/// Hash these tiles of a file and compare its records with their checksums, all in one reading where the records begin in the tiles.
/// Return the hashes, which tiles could not be read, and which records are not those that were written.
pub fn check_tiles(
    path: &Path,
    tile_bytes: usize,
    tiles: &[u64],
    records: Records,
    threads: usize,
) -> (Vec<u64>, Vec<Failure>, Vec<Failure>) {
    let count = records.offset.len();
    assert!(tiles.windows(2).all(|pair| pair[0] < pair[1]), "tiles ascend");
    let paths = [path.to_owned()];
    let whole = Place::Extents(Extents { paths: &paths, file: &[0], offset: &[0], length: &[-1] });
    let source = Source::new(&whole, Io::Pread, NO_LIMITS);
    let mut order: Vec<u32> = (0..count as u32).collect();
    order.sort_by_key(|&record| records.offset[record as usize]);
    let mut hashes: Vec<Option<u64>> = vec![None; count];
    let slots = Disjoint(hashes.as_mut_ptr());
    let (tile_hashes, tile_failures) = collect_each(tiles.len(), threads, |number| {
        let mut cursor = source.cursor();
        let size = cursor.find(0)?.length() as u64;
        let start = tiles[number].saturating_mul(tile_bytes as u64);
        let end = start.saturating_add(tile_bytes as u64).min(size);
        let begin = |at: u64| order.partition_point(|&record| (records.offset[record as usize]) < at.min(i64::MAX as u64) as i64);
        let mut pass = Pass { records, order: &order[begin(start)..begin(end).max(begin(start))], size, open: None };
        // SAFETY: within the vector, and a record begins in one tile alone; no tile is asked for twice.
        pass.read(&mut cursor, start, end, |record, hash| unsafe { *slots.get(record) = Some(hash) })
    });
    let left: Vec<usize> = (0..count).filter(|&record| hashes[record].is_none()).collect();
    let mut failures = check_singly(&paths, records, &left, threads);
    let differs = |(record, hash): (usize, &Option<u64>)| {
        let error = checksum::compare((*hash)?, records.checksums.expected[record]).err()?;
        Some(Failure { record, error })
    };
    failures.extend(hashes.iter().enumerate().filter_map(differs));
    failures.sort_by_key(|failure| failure.record);
    (tile_hashes, tile_failures, failures)
}

/// Compare these records, whose reading was not part of a tile's.
fn check_singly(paths: &[std::path::PathBuf], records: Records, left: &[usize], threads: usize) -> Vec<Failure> {
    let take = |values: &[i64]| left.iter().map(|&record| values[record]).collect::<Vec<_>>();
    let take_hashes = |values: &[u64]| left.iter().map(|&record| values[record]).collect::<Vec<_>>();
    let (offset, length) = (take(records.offset), take(records.length));
    let (expected, seeds) = (take_hashes(records.checksums.expected), take_hashes(records.checksums.seeds));
    let place = Place::Extents(Extents { paths, file: &vec![0; left.len()], offset: &offset, length: &length });
    let call = Call { io: Io::Pread, threads, limits: NO_LIMITS };
    let mut failures = check(&place, Checksums { expected: &expected, seeds: &seeds }, call);
    failures.iter_mut().for_each(|failure| failure.record = left[failure.record]);
    failures
}

/// One reading of a tile and of the records that begin in it, of which `order` has the numbers by offset.
struct Pass<'a> {
    records: Records<'a>,
    order: &'a [u32],
    /// Bytes of the file.
    size: u64,
    /// The record that goes on in the next piece: its number, its end, its hash so far.
    open: Option<(usize, u64, xxhash3_64::Hasher)>,
}

impl Pass<'_> {
    /// Return the tile's hash and tell those of its records; of records that overlap, the first one's alone.
    fn read(&mut self, cursor: &mut Cursor, start: u64, end: u64, mut tell: impl FnMut(usize, u64)) -> Result<u64> {
        let mut tile = xxhash3_64::Hasher::with_seed(0);
        let mut at = start;
        loop {
            let is_tile = at < end;
            let last = self.open.as_ref().map_or(end, |(_, record_end, _)| if is_tile { end } else { *record_end });
            if at >= last {
                return Ok(tile.finish());
            }
            let stop = last.min(at + PIECE as u64);
            let piece = cursor.first_bytes(&Found::File { offset: at, length: (stop - at) as usize }, PIECE)?;
            if is_tile {
                tile.write(piece);
            }
            self.go_on(piece, at, &mut tell);
            self.begin(piece, at, &mut tell);
            at = stop;
        }
    }

    fn go_on(&mut self, piece: &[u8], at: u64, tell: &mut impl FnMut(usize, u64)) {
        let Some((record, end, hasher)) = &mut self.open else { return };
        let rest = (*end - at) as usize;
        hasher.write(&piece[..rest.min(piece.len())]);
        if rest <= piece.len() {
            tell(*record, hasher.finish());
            self.open = None;
        }
    }

    fn begin(&mut self, piece: &[u8], at: u64, tell: &mut impl FnMut(usize, u64)) {
        while let Some((&record, others)) = self.order.split_first() {
            let record = record as usize;
            let from = self.records.offset[record] as u64 - at;
            if from >= piece.len() as u64 {
                return;
            }
            self.order = others;
            let Ok(length) = usize::try_from(self.records.length[record]) else { continue };
            let (bytes, seed) = (&piece[from as usize..], self.records.checksums.seeds[record]);
            if (at + from).saturating_add(length as u64) > self.size {
                continue;
            }
            if length <= bytes.len() {
                tell(record, checksum::hash(&bytes[..length], seed));
            } else if self.open.is_none() {
                let mut hasher = xxhash3_64::Hasher::with_seed(seed);
                hasher.write(bytes);
                self.open = Some((record, at + from + length as u64, hasher));
            }
        }
    }
}
