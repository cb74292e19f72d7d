//! The orientation in the EXIF data of JPEG and PNG images.

mod common;

use common::{Random, png_file, png_header, zlib};
use pixstore_core::codec::{self, Probe, Shape, exif};
use pixstore_core::error::Limits;

/// A TIFF directory with one other entry and the orientation.
fn tiff(big_endian: bool, kind: u16, count: u32, code: u16) -> Vec<u8> {
    let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut data = if big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    data.extend(long(8));
    data.extend(short(2));
    for (tag, kind, count, value) in [(0x010F, 2, 1, 65), (0x0112, kind, count, code)] {
        data.extend([short(tag), short(kind)].concat());
        data.extend(long(count));
        data.extend([short(value), short(0)].concat());
    }
    data.extend(long(0));
    data
}

fn found(file: &[u8]) -> u8 {
    let mut seen = 64;
    loop {
        match codec::probe(&file[..seen.min(file.len())], file.len(), &Limits::default()).unwrap() {
            Probe::Found(header) => return header.orientation,
            Probe::Needs(bytes) => seen = bytes,
        }
    }
}

fn jpeg_with(segments: &[&[u8]]) -> Vec<u8> {
    let shape = Shape { height: 8, width: 8, channels: 1 };
    let file = codec::jpeg::encode(&[7; 64], shape, 90).unwrap();
    let mut whole = file[..2].to_vec();
    for segment in segments {
        whole.extend([0xFF, 0xE1]);
        whole.extend((segment.len() as u16 + 2).to_be_bytes());
        whole.extend(*segment);
    }
    [&whole[..], &file[2..]].concat()
}

#[test]
fn every_orientation_is_found_in_either_byte_order() {
    for code in 1..=8 {
        for big_endian in [false, true] {
            let data = tiff(big_endian, 3, 1, code.into());
            assert_eq!(exif::orientation(&data), code);
            assert_eq!(found(&jpeg_with(&[&[b"Exif\0\0", &data[..]].concat()])), code);
            let chunks: [(&[u8; 4], &[u8]); 4] =
                [(b"IHDR", &png_header(1, 1, 8, 0, 0)), (b"eXIf", &data), (b"IDAT", &zlib(&[0, 9])), (b"IEND", &[])];
            assert_eq!(found(&png_file(&chunks)), code);
        }
    }
}

#[test]
fn what_is_no_single_short_from_one_to_eight_counts_as_upright() {
    for (kind, count, code) in [(3, 1, 0), (3, 1, 9), (3, 2, 6), (2, 1, 6), (4, 1, 6), (3, 1, 0x0600)] {
        assert_eq!(exif::orientation(&tiff(false, kind, count, code)), 1);
    }
}

#[test]
fn the_first_exif_segment_counts_wherever_it_stands() {
    let six = [b"Exif\0\0", &tiff(true, 3, 1, 6)[..]].concat();
    let eight = [b"Exif\0\0", &tiff(true, 3, 1, 8)[..]].concat();
    let other = [b"http://ns.adobe.com/xap/1.0/\0".as_slice(), &vec![1; 60_000]].concat();
    assert_eq!(found(&jpeg_with(&[&other, &six, &eight])), 6);
    assert_eq!(found(&jpeg_with(&[&other])), 1);
}

#[test]
fn damaged_data_never_panic() {
    let mut random = Random(5);
    let whole = tiff(false, 3, 1, 6);
    for cut in 0..whole.len() {
        exif::orientation(&whole[..cut]);
    }
    for _ in 0..20_000 {
        let mut damaged = whole.clone();
        for _ in 0..=random.below(3) {
            let place = random.below(damaged.len() as u64) as usize;
            damaged[place] = [0, 1, 0x7F, 0xFF, random.next() as u8][random.below(5) as usize];
        }
        assert!((1..=8).contains(&exif::orientation(&damaged)));
        found(&jpeg_with(&[&[b"Exif\0\0", &damaged[..]].concat()]));
    }
}
