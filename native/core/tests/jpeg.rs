//! JPEG: round trips, damage, limits.

mod common;

use common::Random;
use pixstore_core::codec::{self, JPEG, Probe, Shape};
use pixstore_core::error::{Kind, Limits, Result};

fn decode(file: &[u8], shape: Shape) -> Result<Vec<u8>> {
    let mut pixels = vec![0xAA; shape.samples().unwrap()];
    codec::decode(JPEG, file, shape, &mut pixels, &Limits::default()).map(|()| pixels)
}

/// Brightness that rises from left to right and from top to bottom.
fn gradient(shape: Shape) -> Vec<u8> {
    let pixel = |row: u32, column: u32| (2 * row + 3 * column + 20) as u8;
    (0..shape.height)
        .flat_map(|row| (0..shape.width).flat_map(move |column| std::iter::repeat_n(pixel(row, column), shape.channels as usize)))
        .collect()
}

#[test]
fn grey_and_colour_come_back_nearly_as_they_were() {
    for channels in [1, 3] {
        let shape = Shape { height: 21, width: 35, channels };
        let pixels = gradient(shape);
        let file = codec::jpeg::encode(&pixels, shape, 95).unwrap();
        let Probe::Found(header) = codec::probe(&file, file.len(), &Limits::default()).unwrap() else { panic!("not found") };
        assert_eq!((header.codec, header.shape, header.bytes_per_sample), (JPEG, shape, 1));
        let decoded = decode(&file, shape).unwrap();
        let furthest = decoded.iter().zip(&pixels).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(furthest <= 4, "differs by {furthest}");
    }
}

#[test]
fn a_lower_quality_makes_a_smaller_file() {
    let shape = Shape { height: 64, width: 64, channels: 3 };
    let pixels = Random(1).smooth(64 * 64 * 3);
    let size = |quality| codec::jpeg::encode(&pixels, shape, quality).unwrap().len();
    assert!(size(30) < size(60) && size(60) < size(95));
}

#[test]
fn every_cut_is_corrupt_and_says_truncated() {
    let shape = Shape { height: 16, width: 16, channels: 3 };
    let file = codec::jpeg::encode(&gradient(shape), shape, 90).unwrap();
    for length in 3..file.len() {
        let error = decode(&file[..length], shape).unwrap_err();
        assert_eq!(error.kind, Kind::Corrupt, "cut at {length}: {error}");
        assert!(error.detail.contains("truncated"), "cut at {length}: {error}");
    }
}

#[test]
fn bytes_after_the_end_are_passed_over() {
    let shape = Shape { height: 8, width: 8, channels: 1 };
    let file = codec::jpeg::encode(&gradient(shape), shape, 90).unwrap();
    let longer = [&file[..], &[0; 1000]].concat();
    assert_eq!(decode(&longer, shape).unwrap(), decode(&file, shape).unwrap());
}

#[test]
fn flipped_bytes_never_panic_nor_write_beyond_the_slot() {
    let shape = Shape { height: 24, width: 24, channels: 3 };
    let file = codec::jpeg::encode(&Random(2).smooth(24 * 24 * 3), shape, 90).unwrap();
    let mut random = Random(4);
    for place in 0..file.len() {
        let mut damaged = file.clone();
        damaged[place] ^= 1 + random.below(255) as u8;
        let _ = decode(&damaged, shape);
        if let Ok(Probe::Found(header)) = codec::probe(&damaged, damaged.len(), &Limits { pixels: 1 << 20, bytes: 1 << 20 }) {
            let _ = header.shape.samples();
        }
    }
}

/// A progressive 8 × 8 image whose first scan comes `scans` times.
fn progressive(scans: usize) -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
    file.extend([1; 64]);
    file.extend([0xFF, 0xC2, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    // One code, of one bit, for "no change".
    file.extend([0xFF, 0xC4, 0, 20, 0, 1]);
    file.extend([0; 15]);
    file.push(0);
    for _ in 0..scans {
        file.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0, 0x7F]);
    }
    file.extend([0xFF, 0xD9]);
    file
}

#[test]
fn more_scans_than_real_files_have_are_refused() {
    let shape = Shape { height: 8, width: 8, channels: 1 };
    assert_eq!(decode(&progressive(10), shape).unwrap(), [128; 64]);
    let error = decode(&progressive(1000), shape).unwrap_err();
    assert_eq!((error.kind, error.detail.as_str()), (Kind::Limit, "JPEG: more than 100 scans"));
}

#[test]
fn pixels_above_the_limit_or_beyond_the_data_are_refused_from_the_header() {
    let shape = Shape { height: 8, width: 8, channels: 1 };
    let file = codec::jpeg::encode(&[9; 64], shape, 90).unwrap();
    let at = file.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap() + 5;
    let sized = |height: u16, width: u16| {
        let mut file = file.clone();
        file[at..at + 2].copy_from_slice(&height.to_be_bytes());
        file[at + 2..at + 4].copy_from_slice(&width.to_be_bytes());
        codec::probe(&file, file.len(), &Limits::default()).unwrap_err()
    };
    assert_eq!(sized(60_000, 60_000).kind, Kind::Limit);
    assert_eq!(sized(12_000, 12_000).kind, Kind::Corrupt);
    assert_eq!(sized(0, 8).kind, Kind::Unsupported);
}

#[test]
fn another_shape_than_asked_is_a_mismatch_and_the_decoder_goes_on() {
    let shape = Shape { height: 8, width: 16, channels: 3 };
    let file = codec::jpeg::encode(&gradient(shape), shape, 90).unwrap();
    for wanted in [Shape { height: 16, width: 8, channels: 3 }, Shape { channels: 1, ..shape }] {
        assert_eq!(decode(&file, wanted).unwrap_err().kind, Kind::Mismatch);
    }
    assert!(decode(&file, shape).is_ok());
}

#[test]
fn what_jpeg_cannot_hold_is_not_encoded() {
    for channels in [2, 4] {
        let shape = Shape { height: 2, width: 2, channels };
        assert_eq!(codec::jpeg::encode(&vec![0; 4 * channels as usize], shape, 90).unwrap_err().kind, Kind::Unsupported);
    }
    let wide = Shape { height: 1, width: 70_000, channels: 1 };
    assert!(codec::jpeg::encode(&vec![0; 70_000], wide, 90).is_err());
}
