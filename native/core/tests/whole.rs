//! Whole files and records: checked, stat'ed, taken in; images whose parts do not make a whole.

mod common;

use std::path::PathBuf;

use common::{Random, png_file, png_header, zlib};
use pixstore_core::batch::{self, Call, Checksums, Look};
use pixstore_core::checksum;
use pixstore_core::codec::{self, PNG};
use pixstore_core::error::{Kind, Limits};
use pixstore_core::examine::{self, Records};
use pixstore_core::files::{self, Paths};
use pixstore_core::ingest::{self, Wanted};
use pixstore_core::source::{Extents, Io, Place, Stamp};

const CALL: Call = Call { io: Io::Pread, threads: 3, limits: Limits { pixels: 1 << 24, bytes: 1 << 24 } };

struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("pixstore-core-whole-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn tiny_png() -> Vec<u8> {
    let rows = zlib(&[0, 1, 2, 0, 3, 4]);
    png_file(&[(b"IHDR", &png_header(2, 2, 8, 0, 0)), (b"IDAT", &rows[..4]), (b"IDAT", &rows[4..]), (b"IEND", b"")])
}

#[test]
fn tiles_and_records_of_a_file_are_checked_in_one_reading() {
    let bytes = Random(7).bytes(1_500_000);
    let file = File::new("tiles", &bytes);
    let offset: Vec<i64> = (0..15).map(|record| record * 100_000).collect();
    let (length, seeds) = (vec![100_000; 15], vec![3; 15]);
    let mut expected: Vec<u64> = bytes.chunks(100_000).map(|record| checksum::hash(record, 3)).collect();
    expected[11] ^= 1;
    let records = Records { offset: &offset, length: &length, checksums: Checksums { expected: &expected, seeds: &seeds } };
    for tiles in [vec![0, 1, 2], vec![1], vec![]] {
        let (hashes, unread, failures) = examine::check_tiles(&file.0, 600_000, &tiles, records, 2);
        let whole = batch::hash_tiles(&bytes, 600_000, 1);
        assert_eq!(hashes, tiles.iter().map(|&tile| whole[tile as usize]).collect::<Vec<_>>());
        assert!(unread.is_empty());
        assert_eq!(failures.iter().map(|failure| (failure.record, failure.error.kind)).collect::<Vec<_>>(), [(11, Kind::Checksum)]);
    }
    assert_eq!(examine::hash_file_tiles(&file.0, 600_000, 0).unwrap(), batch::hash_tiles(&bytes, 600_000, 1));
}

#[test]
fn a_record_that_ends_beyond_the_file_does_not_spoil_its_tile() {
    let file = File::new("beyond", &[5; 1000]);
    let records = Records { offset: &[900], length: &[101], checksums: Checksums { expected: &[0], seeds: &[0] } };
    let (hashes, unread, failures) = examine::check_tiles(&file.0, 4096, &[0], records, 1);
    assert_eq!((hashes, unread.len()), (vec![checksum::hash(&[5; 1000], 0)], 0));
    assert_eq!(failures[0].error.kind, Kind::Truncated);
}

#[test]
fn files_are_told_by_size_and_the_rest_by_failures() {
    let file = File::new("stat", b"12345");
    let list = [file.0.clone(), PathBuf::from("/nonexistent/file"), std::env::temp_dir()];
    let (stamps, failures) = files::stat_files(&Paths::List(&list), 2);
    assert_eq!(stamps.iter().map(|stamp| stamp.size).collect::<Vec<_>>(), [5, -1, -1]);
    assert_eq!(failures.iter().map(|failure| failure.error.kind).collect::<Vec<_>>(), [Kind::Missing, Kind::Read]);
    let outside = Paths::Joined { prefix: b"/", data: b"abc", offsets: &[0, 9] };
    assert_eq!(files::stat_files(&outside, 1).1[0].error.kind, Kind::Missing);
}

#[test]
fn records_are_taken_in_with_what_is_known_of_them() {
    let png = tiny_png();
    let file = File::new("ingest", &[png.as_slice(), b"tail"].concat());
    let paths = [file.0.clone()];
    let place = Place::Extents(Extents { paths: &paths, file: &[0], offset: &[0], length: &[-1] });
    let (stamps, _) = files::stat_files(&Paths::List(&paths), 1);
    let wanted = Wanted { look: Look::Structure, seeds: Some(&[9]), known: Some(&stamps) };
    let mut layout = ingest::lay_out(&place, &wanted, CALL);
    let mut out = vec![0; layout.total];
    let (found, failures) = ingest::ingest(&place, wanted, &mut layout, &mut out, CALL);
    assert!(failures.is_empty());
    assert_eq!((found[0].examined.header.codec, found[0].examined.trailing), (PNG, 4));
    assert_eq!(found[0].checksum, checksum::hash(&out, 9));

    let other = [Stamp { modified: stamps[0].modified + 1, ..stamps[0] }];
    let (_, failures) = ingest::ingest(&place, Wanted { known: Some(&other), ..wanted }, &mut layout, &mut out, CALL);
    assert_eq!(failures[0].error.kind, Kind::Changed);
}

#[test]
fn every_truncation_and_every_flipped_bit_of_a_png_is_found() {
    let whole = tiny_png();
    let limits = Limits::default();
    assert_eq!(codec::examine(&whole, &limits).unwrap().trailing, 0);
    for end in 8..whole.len() {
        assert!(codec::examine(&whole[..end], &limits).is_err(), "{end} bytes");
    }
    for bit in 64..8 * whole.len() {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(codec::examine(&damaged, &limits).is_err(), "bit {bit}");
    }
}
