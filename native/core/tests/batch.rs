//! Whole batches: every form of a place, order, failures, limits.

mod common;

use std::path::{Path, PathBuf};

use common::Random;
use pixstore_core::batch::{self, Call, Checksums, Encoding, Slots, Wanted};
use pixstore_core::checksum;
use pixstore_core::codec::{self, OTHER, PNG, RAW, RAW_PLANAR, Shape};
use pixstore_core::error::{Kind, Limits};
use pixstore_core::source::{Extents, Io, Place};

const CALL: Call = Call { io: Io::Map, threads: 2, limits: Limits { pixels: 1 << 24, bytes: 1 << 24 } };

/// Every way of reading.
fn calls() -> impl Iterator<Item = Call> {
    [Io::Map, Io::Pread].into_iter().flat_map(|io| [1, 2, 5].map(|threads| Call { io, threads, ..CALL }))
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pixstore-core-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn kinds(failures: &[pixstore_core::error::Failure]) -> Vec<(usize, Kind)> {
    failures.iter().map(|failure| (failure.record, failure.error.kind)).collect()
}

#[derive(Default)]
struct Records {
    paths: Vec<PathBuf>,
    file: Vec<u32>,
    offset: Vec<i64>,
    length: Vec<i64>,
    expected: Vec<Vec<u8>>,
}

/// Records of random places in a few files, small and large, some of them whole files.
fn random_records(folder: &Folder, random: &mut Random) -> Records {
    let contents: Vec<Vec<u8>> = [10, 5_000, 2_000_000, 300_000].map(|size| random.bytes(size)).into();
    let paths = contents.iter().enumerate().map(|(number, bytes)| folder.file(&format!("{number}.bin"), bytes)).collect();
    let mut records = Records { paths, ..Records::default() };
    for record in 0..300 {
        let number = random.below(4) as usize;
        let size = contents[number].len() as u64;
        let whole = record % 50 == 0;
        let start = if whole { 0 } else { random.below(size) };
        let count = if whole { size } else { random.below((size - start).min(4000) + 1) };
        records.file.push(number as u32);
        records.offset.push(start as i64);
        records.length.push(if whole { -1 } else { count as i64 });
        records.expected.push(contents[number][start as usize..(start + count) as usize].to_vec());
    }
    records
}

#[test]
fn extents_give_the_same_bytes_in_order_however_they_are_read() {
    let folder = Folder::new("extents");
    let Records { paths, file, offset, length, expected } = random_records(&folder, &mut Random(1));
    let place = Place::Extents(Extents { paths: &paths, file: &file, offset: &offset, length: &length });
    let seeds: Vec<u64> = (0..expected.len() as u64).collect();
    let hashes: Vec<u64> = expected.iter().zip(&seeds).map(|(bytes, &seed)| checksum::hash(bytes, seed)).collect();
    for call in calls() {
        assert_eq!(batch::fetch(&place, Some(Checksums { expected: &hashes, seeds: &seeds }), call), (expected.clone(), vec![]));
        assert_eq!(batch::checksums(&place, &seeds, call), (hashes.clone(), vec![]));
    }
}

#[test]
fn records_that_follow_each_other_are_read_ahead_and_stay_right() {
    let folder = Folder::new("ahead");
    let bytes = Random(2).bytes(3_000_000);
    let paths = [folder.file("shard", &bytes)];
    let record = 1000;
    let count = bytes.len() / record;
    let offset: Vec<i64> = (0..count).map(|number| (number * record) as i64).collect();
    let place = Place::Extents(Extents { paths: &paths, file: &vec![0; count], offset: &offset, length: &vec![record as i64; count] });
    for call in calls() {
        let mut out = vec![0; bytes.len()];
        let shapes = [Shape { height: 1, width: 1000, channels: 1 }];
        let slots = Slots::equal(&mut out, count).unwrap();
        assert_eq!(batch::decode(&place, Wanted { codecs: &[RAW], shapes: &shapes }, &slots, None, call), []);
        assert!(out == bytes);
    }
}

#[test]
fn many_small_files_are_read_whole_or_in_part() {
    let folder = Folder::new("files");
    let mut random = Random(3);
    let contents: Vec<Vec<u8>> = (0..200).map(|_| random.below(3000) as usize).map(|size| Random(size as u64 + 1).bytes(size)).collect();
    let paths: Vec<PathBuf> = contents.iter().enumerate().map(|(number, bytes)| folder.file(&number.to_string(), bytes)).collect();
    let file: Vec<u32> = (0..200).rev().collect();
    let known: Vec<i64> = file.iter().map(|&number| contents[number as usize].len() as i64).collect();
    for length in [vec![-1; 200], known] {
        let place = Place::Extents(Extents { paths: &paths, file: &file, offset: &[0; 200], length: &length });
        for call in calls() {
            let (records, failures) = batch::fetch(&place, None, call);
            assert_eq!(failures, []);
            assert!(records.iter().rev().eq(contents.iter()));
        }
    }
}

#[test]
fn every_kind_of_failure_is_told_in_ascending_order_and_its_slot_is_zeroed() {
    let folder = Folder::new("failures");
    let good = folder.file("good", b"0123456789");
    let paths = [good, folder.0.join("absent"), folder.0.clone()];
    let file = [0, 1, 2, 0, 0, 0, 0, 9, 0];
    let offset = [0, 0, 0, 8, 3, i64::MAX, -1, 0, 4];
    let length = [4, 4, 4, 4, 4, 4, 0, 4, -7];
    let place = Place::Extents(Extents { paths: &paths, file: &file, offset: &offset, length: &length });
    let seeds = [0; 9];
    let mut hashes = [checksum::hash(b"0123", 0); 9];
    hashes[0] = checksum::hash(b"0123", 0);
    for call in calls() {
        let mut out = [7; 36];
        let slots = Slots::equal(&mut out, 9).unwrap();
        let shapes = [Shape { height: 1, width: 4, channels: 1 }];
        let wanted = Wanted { codecs: &[RAW], shapes: &shapes };
        let failures = batch::decode(&place, wanted, &slots, Some(Checksums { expected: &hashes, seeds: &seeds }), call);
        let expected = [
            (1, Kind::Missing),
            (2, Kind::Read),
            (3, Kind::Truncated),
            (4, Kind::Checksum),
            (5, Kind::Truncated),
            (6, Kind::Missing),
            (7, Kind::Missing),
            (8, Kind::Truncated),
        ];
        assert_eq!(kinds(&failures), expected, "{call:?}");
        assert_eq!(out[..4], *b"0123");
        assert_eq!(out[4..], [0; 32]);
    }
}

#[test]
fn a_named_pipe_is_refused_without_waiting() {
    let folder = Folder::new("pipe");
    let path = folder.0.join("pipe");
    let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: a terminated string.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let place = Place::Extents(Extents { paths: &[path], file: &[0], offset: &[0], length: &[-1] });
    for call in calls() {
        let (_, failures) = batch::fetch(&place, None, call);
        assert_eq!(failures[0].error.detail, "not a regular file");
    }
}

#[test]
fn a_file_that_was_replaced_is_mapped_anew() {
    let folder = Folder::new("replaced");
    for version in 0..3u8 {
        let bytes = vec![version; (2 << 20) + usize::from(version)];
        let paths = [folder.file("shard", &bytes)];
        let place = Place::Extents(Extents { paths: &paths, file: &[0], offset: &[5], length: &[3] });
        assert_eq!(batch::fetch(&place, None, CALL), (vec![vec![version; 3]], vec![]));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_map_of_a_removed_file_is_let_go_with_the_next_one() {
    let folder = Folder::new("removed");
    for name in ["first", "second"] {
        let paths = [folder.file(name, &vec![1; 2 << 20])];
        let place = Place::Extents(Extents { paths: &paths, file: &[0], offset: &[5], length: &[3] });
        assert_eq!(batch::fetch(&place, None, CALL), (vec![vec![1; 3]], vec![]));
        std::fs::remove_file(&paths[0]).unwrap();
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let first = folder.0.join("first");
    assert!(!maps.contains(first.to_str().unwrap()));
}

#[test]
fn records_above_the_limit_are_refused_before_they_are_read() {
    let folder = Folder::new("limit");
    let path = folder.0.join("sparse");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let place = Place::Extents(Extents { paths: &[path], file: &[0, 0], offset: &[0, 0], length: &[-1, 100] });
    for call in calls() {
        let (records, failures) = batch::fetch(&place, None, call);
        assert_eq!(kinds(&failures), [(0, Kind::Limit)]);
        assert_eq!(records[1], [0; 100]);
    }
}

#[test]
fn slices_hold_missing_and_impossible_records() {
    let place = Place::Slices { data: b"abcdef", offset: &[2, 0, 4, -1], length: &[3, -1, 3, 2] };
    let (records, failures) = batch::fetch(&place, None, CALL);
    assert_eq!(records[0], b"cde");
    assert_eq!(kinds(&failures), [(1, Kind::Missing), (2, Kind::Truncated), (3, Kind::Truncated)]);
}

#[test]
fn raw_copies_of_every_size_and_alignment_are_exact() {
    let data = Random(5).bytes(2000);
    for past_caches in [false, true] {
        for size in (0..200).chain([511, 640, 1000]) {
            for (from, to) in [(0, 0), (0, 16), (3, 1), (31, 32), (7, 40)] {
                let mut out = vec![0; size + 64];
                codec::raw::copy(&data[from..from + size], &mut out[to.min(64)..to.min(64) + size], past_caches).unwrap();
                codec::raw::finish_copies();
                let start = to.min(64);
                assert!(out[start..start + size] == data[from..from + size] && out[..start].iter().all(|&byte| byte == 0));
                assert!(out[start + size..].iter().all(|&byte| byte == 0));
            }
        }
    }
}

#[test]
fn planar_records_are_interleaved_for_any_sample_size() {
    for (channels, sample) in [1, 2, 3, 4, 5].into_iter().flat_map(|channels| [1, 2, 4, 8].map(|sample| (channels, sample))) {
        let shape = Shape { height: 3, width: 4, channels };
        let channels = channels as usize;
        let planar = Random(6).bytes(12 * channels * sample);
        let mut out = vec![0; planar.len()];
        let slots = Slots::equal(&mut out, 1).unwrap();
        let place = Place::Buffers(vec![&planar]);
        assert_eq!(batch::decode(&place, Wanted { codecs: &[RAW_PLANAR], shapes: &[shape] }, &slots, None, CALL), []);
        for (pixel, channel) in (0..12).flat_map(|pixel| (0..channels).map(move |channel| (pixel, channel))) {
            let (from, to) = ((channel * 12 + pixel) * sample, (pixel * channels + channel) * sample);
            assert_eq!(planar[from..from + sample], out[to..to + sample]);
        }
    }
}

#[test]
fn what_is_encoded_in_a_batch_is_probed_and_decoded_in_order() {
    let mut random = Random(8);
    let shapes: Vec<Shape> = (0..40)
        .map(|_| Shape { height: 1 + random.below(9) as u32, width: 1 + random.below(9) as u32, channels: 1 + random.below(4) as u32 })
        .collect();
    let images: Vec<Vec<u8>> = shapes.iter().map(|shape| random.smooth(shape.samples().unwrap())).collect();
    let encoding = Encoding { codec: PNG, bytes_per_sample: 1, level: 1, quality: 90, is_lossless: false };
    let (records, failures) = batch::encode(images.iter().map(Vec::as_slice).collect(), &shapes, encoding, 3);
    assert_eq!(failures, []);
    let place = Place::Buffers(records.iter().map(Vec::as_slice).collect());
    let (headers, failures) = batch::probe(&place, batch::Look::Header, CALL);
    assert_eq!(failures, []);
    assert!(headers.iter().map(|header| header.shape).eq(shapes.iter().copied()));
    let mut out: Vec<Vec<u8>> = images.iter().map(|image| vec![0; image.len()]).collect();
    let slots = Slots::each(out.iter_mut().map(Vec::as_mut_slice).collect());
    assert_eq!(batch::decode(&place, Wanted { codecs: &[PNG], shapes: &shapes }, &slots, None, CALL), []);
    assert_eq!(out, images);
}

#[test]
fn a_checksum_guards_encoded_records_too() {
    let shape = Shape { height: 1, width: 1, channels: 1 };
    let file = codec::png::encode(&[5], shape, 1, 1).unwrap();
    let place = Place::Buffers(vec![&file, &file]);
    let hash = checksum::hash(&file, 9);
    let mut out = [1; 2];
    let slots = Slots::equal(&mut out, 2).unwrap();
    let wanted = Wanted { codecs: &[PNG], shapes: &[shape] };
    let failures = batch::decode(&place, wanted, &slots, Some(Checksums { expected: &[hash, hash], seeds: &[9, 8] }), CALL);
    assert_eq!(kinds(&failures), [(1, Kind::Checksum)]);
    assert_eq!(out, [5, 0]);
}

#[test]
fn what_is_no_image_is_probed_as_other_without_a_failure() {
    let place = Place::Buffers(vec![b"", b"GIF89a", b"\x89PNG"]);
    let (headers, failures) = batch::probe(&place, batch::Look::Header, CALL);
    assert!(headers.iter().all(|header| header.codec == OTHER && header.shape == Shape::default()));
    assert_eq!(failures, []);
}

#[test]
fn empty_calls_do_nothing() {
    let place = Place::Buffers(vec![]);
    assert_eq!(batch::fetch(&place, None, CALL), (vec![], vec![]));
    let slots = Slots::equal(&mut [], 0).unwrap();
    assert_eq!(batch::decode(&place, Wanted { codecs: &[], shapes: &[] }, &slots, None, CALL), []);
    assert!(Slots::equal(&mut [0; 3], 2).is_none());
}

#[test]
fn tiles_and_strings_are_hashed_as_single_calls_would() {
    let data = Random(10).bytes(10_000);
    let tiles: Vec<u64> = data.chunks(999).map(|tile| checksum::hash(tile, 0)).collect();
    assert_eq!(batch::hash_tiles(&data, 999, 3), tiles);
    assert_eq!(batch::hash_tiles(&[], 999, 3), [0; 0]);
    let hashes = checksum::hash_strings(b"image\0", b"cat.pngdog", &[0, 7, 7, 10]).unwrap();
    assert_eq!(hashes, [b"image\0cat.png".as_slice(), b"image\0", b"image\0dog"].map(|text| checksum::hash(text, 0)));
    assert_eq!(checksum::hash_strings(b"", b"abc", &[0, 4]), None);
    assert_eq!(checksum::hash_strings(b"", b"abc", &[2, 1]), None);
}

#[test]
fn a_missing_folder_is_missing_and_names_nothing_else() {
    let paths = [Path::new("/nowhere/at/all").to_path_buf()];
    let place = Place::Extents(Extents { paths: &paths, file: &[0], offset: &[0], length: &[-1] });
    assert_eq!(kinds(&batch::fetch(&place, None, CALL).1), [(0, Kind::Missing)]);
}
