//! PNG against the png crate, and files that are not what they seem.

mod common;

use common::{Random, png_file, png_header, zlib};
use pixstore_core::codec::{self, PNG, Probe, Shape};
use pixstore_core::error::{Kind, Limits, Result};

fn shape(height: u32, width: u32, channels: u32) -> Shape {
    Shape { height, width, channels }
}

fn decode(file: &[u8], shape: Shape, bytes_per_sample: usize) -> Result<Vec<u8>> {
    let mut pixels = vec![0xAA; shape.samples().unwrap() * bytes_per_sample];
    codec::decode(PNG, file, shape, &mut pixels, &Limits::default()).map(|()| pixels)
}

/// What the png crate makes of a file, palettes expanded, 16 bits in native order.
fn reference(file: &[u8]) -> (Shape, Vec<u8>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    if info.bit_depth == png::BitDepth::Sixteen {
        pixels.chunks_exact_mut(2).for_each(|sample| {
            let value = u16::from_be_bytes([sample[0], sample[1]]);
            sample.copy_from_slice(&value.to_ne_bytes());
        });
    }
    (shape(info.height, info.width, info.color_type.samples() as u32), pixels)
}

fn written_by_png_crate(
    width: u32,
    height: u32,
    colour: png::ColorType,
    depth: png::BitDepth,
    filter: png::Filter,
    random: &mut Random,
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    encoder.set_filter(filter);
    if colour == png::ColorType::Indexed {
        encoder.set_palette(random.bytes(3 << depth as u8));
        if random.below(2) == 0 {
            let colours = 1 + random.below(1 << depth as u8) as usize;
            encoder.set_trns(random.bytes(colours));
        }
    }
    let row_bytes = (width as usize * colour.samples() * depth as usize).div_ceil(8);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&random.smooth(row_bytes * height as usize)).unwrap();
    writer.finish().unwrap();
    file
}

#[test]
fn every_colour_depth_and_filter_decodes_as_in_the_png_crate() {
    use png::{BitDepth::*, ColorType::*, Filter};
    let mut random = Random(7);
    let kinds = [
        (Grayscale, vec![One, Two, Four, Eight, Sixteen]),
        (Rgb, vec![Eight, Sixteen]),
        (Indexed, vec![One, Two, Four, Eight]),
        (GrayscaleAlpha, vec![Eight, Sixteen]),
        (Rgba, vec![Eight, Sixteen]),
    ];
    for (colour, depths) in kinds {
        for depth in depths {
            for filter in [Filter::NoFilter, Filter::Sub, Filter::Up, Filter::Avg, Filter::Paeth, Filter::Adaptive] {
                for _ in 0..6 {
                    let (width, height) = (1 + random.below(70) as u32, 1 + random.below(9) as u32);
                    let file = written_by_png_crate(width, height, colour, depth, filter, &mut random);
                    let (expected_shape, expected) = reference(&file);
                    let Probe::Found(header) = codec::probe(&file, file.len(), &Limits::default()).unwrap() else { panic!("not found") };
                    assert_eq!(header.shape, expected_shape, "{colour:?} {depth:?}");
                    let bytes = usize::from(header.bytes_per_sample);
                    assert_eq!(decode(&file, header.shape, bytes).unwrap(), expected, "{colour:?} {depth:?} {filter:?} {width}×{height}");
                }
            }
        }
    }
}

#[test]
fn what_is_encoded_decodes_here_and_in_the_png_crate() {
    let mut random = Random(3);
    for channels in 1..=4 {
        for bytes_per_sample in [1, 2] {
            for level in [1, 6, 12] {
                let shape = shape(1 + random.below(20) as u32, 1 + random.below(50) as u32, channels);
                let pixels = random.smooth(shape.samples().unwrap() * bytes_per_sample);
                let file = codec::png::encode(&pixels, shape, bytes_per_sample, level).unwrap();
                assert_eq!(reference(&file), (shape, pixels.clone()));
                assert_eq!(decode(&file, shape, bytes_per_sample).unwrap(), pixels);
            }
        }
    }
}

/// Rows of the seven passes, unfiltered.
fn interlace(pixels: &[u8], width: usize, height: usize, pixel_bytes: usize) -> Vec<u8> {
    let passes = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)];
    let mut out = Vec::new();
    for (left, columns, top, rows) in passes {
        for row in (top..height).step_by(rows).filter(|_| left < width) {
            out.push(0);
            for column in (left..width).step_by(columns) {
                out.extend(&pixels[(row * width + column) * pixel_bytes..][..pixel_bytes]);
            }
        }
    }
    out
}

#[test]
fn interlaced_images_of_any_size_decode() {
    let mut random = Random(11);
    for (width, height) in (1..12).flat_map(|width| (1..12).map(move |height| (width, height))) {
        let pixels = random.bytes(width * height * 3);
        let header = png_header(width as u32, height as u32, 8, 2, 1);
        let file = png_file(&[(b"IHDR", &header), (b"IDAT", &zlib(&interlace(&pixels, width, height, 3))), (b"IEND", &[])]);
        assert_eq!(decode(&file, shape(height as u32, width as u32, 3), 1).unwrap(), pixels, "{width}×{height}");
    }
}

#[test]
fn image_data_in_many_chunks_is_put_together() {
    let pixels = Random(5).bytes(300);
    let rows: Vec<u8> = pixels.chunks(30).flat_map(|row| [&[0], row].concat()).collect();
    let data = zlib(&rows);
    let mut chunks: Vec<(&[u8; 4], &[u8])> = vec![];
    let header = png_header(10, 10, 8, 2, 0);
    chunks.push((b"IHDR", &header));
    data.chunks(7).for_each(|piece| chunks.push((b"IDAT", piece)));
    chunks.push((b"tEXt", b"after"));
    chunks.push((b"IEND", &[]));
    let mut file = png_file(&chunks);
    file.extend(b"trailing bytes");
    assert_eq!(decode(&file, shape(10, 10, 3), 1).unwrap(), pixels);
}

#[test]
fn every_flipped_byte_and_every_cut_is_an_error() {
    let pixels = Random(9).smooth(8 * 8 * 3);
    let file = codec::png::encode(&pixels, shape(8, 8, 3), 1, 1).unwrap();
    for place in 0..file.len() {
        let mut damaged = file.clone();
        damaged[place] ^= 0x10;
        assert!(decode(&damaged, shape(8, 8, 3), 1).is_err(), "byte {place}");
        let error = decode(&file[..place], shape(8, 8, 3), 1).unwrap_err();
        assert_eq!(error.kind, Kind::Corrupt, "cut at {place}: {error}");
    }
}

#[test]
fn a_wrong_checksum_names_chunk_and_place() {
    let mut file = codec::png::encode(&[1, 2, 3], shape(1, 1, 3), 1, 1).unwrap();
    file[42] ^= 1;
    let error = decode(&file, shape(1, 1, 3), 1).unwrap_err();
    assert_eq!(error.detail, "PNG: checksum of chunk IDAT at byte 33 does not match");
}

#[test]
fn random_bytes_between_right_checksums_never_panic() {
    let mut random = Random(13);
    for _ in 0..3000 {
        let header = png_header(
            1 + random.below(9) as u32,
            1 + random.below(9) as u32,
            1 << random.below(5),
            random.below(7) as u8,
            random.below(2) as u8,
        );
        let (palette_size, data_size) = (random.below(20) as usize, random.below(200) as usize);
        let palette = random.bytes(palette_size);
        let data = zlib(&random.bytes(data_size));
        let file = png_file(&[(b"IHDR", &header), (b"PLTE", &palette), (b"tRNS", &palette), (b"IDAT", &data), (b"IEND", &[])]);
        if let Ok(Probe::Found(header)) = codec::probe(&file, file.len(), &Limits::default()) {
            let _ = decode(&file, header.shape, usize::from(header.bytes_per_sample));
        }
    }
}

#[test]
fn pixels_that_the_data_cannot_hold_are_refused_from_the_header() {
    let header = png_header(12_000, 12_000, 8, 2, 0);
    let file = png_file(&[(b"IHDR", &header), (b"IDAT", &zlib(&[0; 100])), (b"IEND", &[])]);
    let error = codec::probe(&file, file.len(), &Limits::default()).unwrap_err();
    assert_eq!(error.kind, Kind::Corrupt);
    assert!(error.detail.contains("cannot hold 12000 × 12000 pixels"), "{error}");
}

#[test]
fn sizes_above_the_limit_or_zero_are_refused() {
    for (width, height, kind) in
        [(20_000, 20_000, Kind::Limit), (u32::MAX, 1, Kind::Limit), (0, 5, Kind::Unsupported), (5, 0, Kind::Unsupported)]
    {
        let file = png_file(&[(b"IHDR", &png_header(width, height, 8, 2, 0)), (b"IDAT", &zlib(&[0; 100])), (b"IEND", &[])]);
        assert_eq!(codec::probe(&file, file.len(), &Limits::default()).unwrap_err().kind, kind, "{width}×{height}");
    }
}

#[test]
fn another_shape_or_depth_than_asked_is_a_mismatch() {
    let file = codec::png::encode(&[0; 24], shape(2, 4, 3), 1, 1).unwrap();
    for (wanted, bytes) in [(shape(4, 2, 3), 1), (shape(2, 4, 1), 1), (shape(2, 4, 3), 2)] {
        assert_eq!(decode(&file, wanted, bytes).unwrap_err().kind, Kind::Mismatch);
    }
}

#[test]
fn a_header_is_found_from_the_bytes_before_the_image_data() {
    let palette = Random(1).bytes(768);
    let profile = vec![7; 100_000];
    let header = png_header(3, 2, 8, 3, 0);
    let data = zlib(&[0; 8]);
    let file = png_file(&[(b"IHDR", &header), (b"iCCP", &profile), (b"PLTE", &palette), (b"tRNS", &[1]), (b"IDAT", &data), (b"IEND", &[])]);
    let mut seen = 16;
    let header = loop {
        match codec::probe(&file[..seen], file.len(), &Limits::default()).unwrap() {
            Probe::Found(header) => break header,
            Probe::Needs(bytes) => {
                assert!(bytes > seen);
                seen = bytes;
            }
        }
    };
    assert_eq!(header.shape, shape(2, 3, 4));
    assert!(seen < file.len());
}
