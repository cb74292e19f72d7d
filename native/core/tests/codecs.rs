//! zstd, LZ4, QOI and WebP: what is encoded comes back, what is damaged or too large is refused.

use pixstore_core::codec::{self, LZ4, Probe, QOI, Shape, WEBP, ZSTD, lz4, qoi, webp, zstd};
use pixstore_core::error::{Kind, Limits};

const SHAPE: Shape = Shape { height: 13, width: 17, channels: 4 };

fn pixels(shape: Shape) -> Vec<u8> {
    (0..shape.samples().unwrap()).map(|sample| (sample * sample / 7 % 251) as u8).collect()
}

fn encoded(number: u8, array: &[u8]) -> Vec<u8> {
    match number {
        ZSTD => zstd::encode(array, 3),
        LZ4 => lz4::encode(array),
        QOI => qoi::encode(array, SHAPE),
        _ => webp::encode(array, SHAPE, 75, true),
    }
    .unwrap()
}

#[test]
fn every_codec_gives_back_what_it_was_given() {
    let array = pixels(SHAPE);
    for number in [ZSTD, LZ4, QOI, WEBP] {
        let mut slot = vec![9; array.len()];
        codec::decode(number, &encoded(number, &array), SHAPE, &mut slot, &Limits::default()).unwrap();
        assert_eq!(slot, array, "codec {number}");
    }
}

#[test]
fn every_codec_refuses_records_that_are_cut_short() {
    let array = pixels(SHAPE);
    let mut slot = vec![0; array.len()];
    for number in [ZSTD, LZ4, QOI, WEBP] {
        let record = encoded(number, &array);
        for length in 0..record.len() {
            let error = codec::decode(number, &record[..length], SHAPE, &mut slot, &Limits::default()).unwrap_err();
            assert_eq!(error.kind, Kind::Corrupt, "codec {number}, {length} bytes");
        }
    }
}

#[test]
fn arrays_of_no_bytes_and_of_several_blocks_come_back() {
    for size in [0, 1, 65_537, 9_000_000] {
        let array: Vec<u8> = (0..size).map(|at| (at / 300) as u8).collect();
        for number in [ZSTD, LZ4] {
            let mut slot = vec![9; size];
            codec::decode(number, &encoded(number, &array), Shape::default(), &mut slot, &Limits::default()).unwrap();
            assert!(slot == array, "codec {number}, {size} bytes");
        }
    }
}

#[test]
fn a_frame_of_another_size_is_a_mismatch() {
    for number in [ZSTD, LZ4] {
        let record = encoded(number, &[7; 5000]);
        let error = codec::decode(number, &record, Shape::default(), &mut [0; 4999], &Limits::default()).unwrap_err();
        assert_eq!(error.kind, Kind::Mismatch, "codec {number}");
    }
}

#[test]
fn pixels_above_the_limit_are_refused_by_the_header() {
    let array = pixels(SHAPE);
    let limits = Limits { pixels: 13 * 17 - 1, ..Limits::default() };
    for number in [QOI, WEBP] {
        let record = encoded(number, &array);
        assert_eq!(codec::probe(&record, record.len(), &limits).unwrap_err().kind, Kind::Limit, "codec {number}");
    }
}

#[test]
fn headers_are_found_in_the_first_bytes() {
    let array = pixels(SHAPE);
    for number in [QOI, WEBP] {
        let record = encoded(number, &array);
        let needed = match codec::probe(&record[..12], record.len(), &Limits::default()).unwrap() {
            Probe::Needs(bytes) => bytes,
            Probe::Found(header) => panic!("{header:?} in 12 bytes"),
        };
        match codec::probe(&record[..needed], record.len(), &Limits::default()).unwrap() {
            Probe::Found(header) => assert_eq!((header.codec, header.shape), (number, SHAPE)),
            Probe::Needs(bytes) => panic!("{bytes} bytes are asked for after {needed}"),
        }
    }
}

#[test]
fn what_a_codec_cannot_hold_is_refused() {
    for shape in [Shape { channels: 1, ..SHAPE }, Shape { channels: 5, ..SHAPE }, Shape { width: 0, ..SHAPE }] {
        let array = vec![0; shape.samples().unwrap()];
        assert_eq!(qoi::encode(&array, shape).unwrap_err().kind, Kind::Unsupported);
        assert_eq!(webp::encode(&array, shape, 75, false).unwrap_err().kind, Kind::Unsupported);
    }
}
