//! From stored bytes through steps into slots: every step, JPEG regions, failures by record.

mod common;

use common::Random;
use pixstore_core::batch::{Call, Checksums, Slots, Wanted};
use pixstore_core::checksum;
use pixstore_core::codec::{self, JPEG, PNG, RAW, RAW_PLANAR, Shape};
use pixstore_core::error::{Failure, Kind, Limits};
use pixstore_core::load::{Loading, load};
use pixstore_core::source::{Io, Place};
use pixstore_core::view::{Colour, Dtype, Filter, Order, Step, Tensor};

const CALL: Call = Call { io: Io::Map, threads: 2, limits: Limits { pixels: 1 << 20, bytes: 1 << 24 } };

/// A stored image.
#[derive(Clone, Copy)]
struct Stored<'a> {
    codec: u8,
    shape: Shape,
    sample_bytes: u8,
    bytes: &'a [u8],
    exact: bool,
}

fn raw(bytes: &[u8], height: usize, width: usize, channels: usize) -> Stored<'_> {
    let shape = Shape { height: height as u32, width: width as u32, channels: channels as u32 };
    Stored { codec: RAW, shape, sample_bytes: 1, bytes, exact: false }
}

impl Stored<'_> {
    fn attempt(self, steps: &[Step], size: usize) -> (Vec<u8>, Vec<Failure>) {
        let mut out = vec![0xAA; size];
        let place = Place::Buffers(vec![self.bytes]);
        let wanted = Wanted { codecs: &[self.codec], shapes: &[self.shape] };
        let loading = Loading { wanted, sample_bytes: &[self.sample_bytes], steps, exact: self.exact };
        let failures = load(&place, loading, &Slots::equal(&mut out, 1).unwrap(), None, CALL);
        (out, failures)
    }

    fn load(self, steps: &[Step], size: usize) -> Vec<u8> {
        let (out, failures) = self.attempt(steps, size);
        assert_eq!(failures, []);
        out
    }

    /// The kind of failure; the slot must be zeroed.
    fn fails(self, steps: &[Step], size: usize) -> Kind {
        let (out, failures) = self.attempt(steps, size);
        assert!(out.iter().all(|&byte| byte == 0));
        failures[0].error.kind
    }
}

const FILTERS: [Filter; 4] = [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];

fn one_channel(pixels: &[u8], channels: usize, channel: usize) -> Vec<u8> {
    pixels.iter().skip(channel).step_by(channels).copied().collect()
}

// ---- geometry ----

#[test]
fn a_crop_takes_what_is_within_and_zeros_elsewhere() {
    let mut random = Random(1);
    for _ in 0..300 {
        let [height, width, channels, depth] = [9, 11, 4, 2].map(|most| 1 + random.below(most) as usize);
        let pixel = channels * depth;
        let bytes = random.bytes(height * width * pixel);
        let [top, left] = [0; 2].map(|_| random.below(30) as i32 - 15);
        let [rows, columns] = [0; 2].map(|_| 1 + random.below(20) as i32);
        let image = Stored { sample_bytes: depth as u8, ..raw(&bytes, height, width, channels) };
        let found = image.load(&[Step::Crop { origins: &[[top, left]], sizes: &[[rows, columns]] }], (rows * columns) as usize * pixel);
        let mut places = (top..top + rows).flat_map(|row| (left..left + columns).map(move |column| (row, column)));
        assert!(found.chunks_exact(pixel).all(|found| {
            let (row, column) = places.next().unwrap();
            let within = (0..height as i32).contains(&row) && (0..width as i32).contains(&column);
            let start = if within { (row as usize * width + column as usize) * pixel } else { 0 };
            found == if within { &bytes[start..start + pixel] } else { &[0; 8][..pixel] }
        }));
    }
}

#[test]
fn orientations_are_those_of_exif() {
    // Rows 12, 34, 56.
    let upright = [(1, [1, 2, 3, 4, 5, 6]), (2, [2, 1, 4, 3, 6, 5]), (3, [6, 5, 4, 3, 2, 1]), (4, [5, 6, 3, 4, 1, 2])];
    let turned = [(5, [1, 3, 5, 2, 4, 6]), (6, [5, 3, 1, 6, 4, 2]), (7, [6, 4, 2, 5, 3, 1]), (8, [2, 4, 6, 1, 3, 5])];
    for (code, expected) in upright.into_iter().chain(turned) {
        assert_eq!(raw(&[1, 2, 3, 4, 5, 6], 3, 2, 1).load(&[Step::Orient(&[code])], 6), expected, "code {code}");
    }
}

#[test]
fn an_orientation_and_its_opposite_change_nothing() {
    let mut random = Random(2);
    for (channels, depth) in [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (3, 2), (4, 2)] {
        let bytes = random.bytes(70 * 45 * channels * depth);
        let image = Stored { sample_bytes: depth as u8, ..raw(&bytes, 70, 45, channels) };
        for (code, back) in [(2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)] {
            assert_eq!(image.load(&[Step::Orient(&[code]), Step::Orient(&[back])], bytes.len()), bytes);
        }
    }
}

fn resample(image: Stored, area: [f64; 4], size: [i32; 2], filter: Filter) -> Vec<u8> {
    let bytes = (size[0] * size[1]) as usize * image.shape.channels as usize * usize::from(image.sample_bytes);
    image.load(&[Step::Resample { boxes: &[area], sizes: &[size], filter }], bytes)
}

#[test]
fn one_colour_stays_as_it_is_at_every_size() {
    let mut random = Random(3);
    for filter in FILTERS {
        for channels in 1..=4 {
            let colour = [200, 3, 90, 255];
            let bytes = colour[4 - channels..].repeat(23 * 31);
            let size = [1 + random.below(50) as i32, 1 + random.below(50) as i32];
            let found = resample(raw(&bytes, 23, 31, channels), [1.3, 0.2, 20.1, 30.5], size, filter);
            assert!(found.chunks_exact(channels).all(|pixel| pixel == &colour[4 - channels..]), "{filter:?} {channels}");
        }
    }
}

#[test]
fn channels_are_scaled_as_if_each_stood_alone() {
    let mut random = Random(4);
    for number in 0..200 {
        let [height, width] = [1 + random.below(60) as usize, 1 + random.below(60) as usize];
        // Without alpha, so that channels do not depend on each other.
        let bytes = random.bytes(height * width * 3);
        let size = [1 + random.below(70) as i32, 1 + random.below(70) as i32];
        let start = random.below(100) as f64 / 101.0;
        let area = [start * height as f64, 0.0, (1.0 - start) * height as f64, width as f64];
        let filter = FILTERS[number % 4];
        let found = resample(raw(&bytes, height, width, 3), area, size, filter);
        for channel in 0..3 {
            let alone = one_channel(&bytes, 3, channel);
            let expected = resample(raw(&alone, height, width, 1), area, size, filter);
            assert_eq!(one_channel(&found, 3, channel), expected, "{height} × {width} → {size:?}, {filter:?}");
        }
    }
}

#[test]
fn a_column_alone_is_scaled_as_within_a_wide_picture() {
    let bytes = Random(5).bytes(50 * 40);
    for filter in FILTERS {
        let wide = resample(raw(&bytes, 50, 40, 1), [3.7, 0.0, 40.9, 40.0], [17, 40], filter);
        for column in [0, 7, 39] {
            let alone = one_channel(&bytes, 40, column);
            assert_eq!(one_channel(&wide, 40, column), resample(raw(&alone, 50, 1, 1), [3.7, 0.0, 40.9, 1.0], [17, 1], filter));
        }
    }
}

#[test]
fn sixteen_bits_are_scaled_like_eight_but_finer() {
    let bytes = Random(6).smooth(40 * 30 * 3);
    let wide: Vec<u8> = bytes.iter().flat_map(|&byte| (u16::from(byte) * 256).to_ne_bytes()).collect();
    for filter in FILTERS {
        let area = [0.5, 1.5, 39.0, 28.0];
        let bytes = resample(raw(&bytes, 40, 30, 3), area, [11, 50], filter);
        let wide = resample(Stored { sample_bytes: 2, ..raw(&wide, 40, 30, 3) }, area, [11, 50], filter);
        for (byte, wide) in bytes.iter().zip(wide.chunks_exact(2)) {
            let wide = f64::from(u16::from_ne_bytes([wide[0], wide[1]])) / 256.0;
            assert!((wide - f64::from(*byte)).abs() <= 1.6, "{filter:?}: {byte} and {wide}");
        }
    }
}

#[test]
fn transparent_pixels_lend_no_colour() {
    let bytes = [255, 0, 0, 0, 10, 20, 30, 255].repeat(8);
    let found = resample(raw(&bytes, 8, 2, 4), [0.0, 0.0, 8.0, 2.0], [1, 1], Filter::Bilinear);
    // 5, 10 and 15 under an alpha of 128, and cut off as Pillow does.
    assert_eq!(found, [9, 19, 29, 128]);
}

#[test]
fn right_angles_turn_squares_exactly_and_circles_stay() {
    let bytes = Random(7).bytes(33 * 33 * 3);
    let square = raw(&bytes, 33, 33, 3);
    let rotate = |degrees: f64, filter| square.load(&[Step::Rotate { degrees: &[degrees], filter }], bytes.len());
    for filter in [Filter::Nearest, Filter::Bilinear] {
        for (degrees, code) in [(90.0, 8), (180.0, 3), (-90.0, 6), (630.0, 6), (720.0, 1)] {
            assert_eq!(rotate(degrees, filter), square.load(&[Step::Orient(&[code])], bytes.len()), "{degrees}");
        }
        let turned = rotate(45.0, filter);
        assert_eq!(turned[..3], [0; 3]);
        assert_eq!(turned[16 * 33 * 3 + 48..][..3], bytes[16 * 33 * 3 + 48..][..3]);
    }
}

// ---- colours ----

#[test]
fn colours_become_each_other_as_in_pillow() {
    let change = |bytes: &[u8], to: Colour| raw(bytes, 1, 1, bytes.len()).load(&[Step::Colour(to)], to.channels());
    assert_eq!(change(&[77], Colour::Rgb), [77; 3]);
    assert_eq!(change(&[77], Colour::Rgba), [77, 77, 77, 255]);
    assert_eq!(change(&[255, 0, 0], Colour::Grey), [76]);
    assert_eq!(change(&[0, 0, 0, 0], Colour::Rgb), [255; 3]);
    assert_eq!(change(&[100, 200, 0, 128], Colour::Rgb), [177, 227, 127]);
    assert_eq!(change(&[100, 128], Colour::Grey), [177]);
    assert_eq!(change(&[1, 2, 3, 4], Colour::Rgba), [1, 2, 3, 4]);
    let wide: Vec<u8> = [65535_u16, 0, 0].iter().flat_map(|sample| sample.to_ne_bytes()).collect();
    let grey = Stored { sample_bytes: 2, ..raw(&wide, 1, 1, 3) }.load(&[Step::Colour(Colour::Grey)], 2);
    assert_eq!(u16::from_ne_bytes([grey[0], grey[1]]), 19595);
}

#[test]
fn a_cut_before_or_after_colours_is_the_same() {
    let bytes = Random(8).bytes(20 * 20 * 4);
    let crop = || Step::Crop { origins: &[[3, 4]], sizes: &[[10, 9]] };
    let cut = raw(&bytes, 20, 20, 4).load(&[crop()], 360);
    let expected = raw(&cut, 10, 9, 4).load(&[Step::Colour(Colour::Rgb)], 270);
    assert_eq!(raw(&bytes, 20, 20, 4).load(&[Step::Colour(Colour::Rgb), crop()], 270), expected);
}

#[test]
fn gray_and_threshold_look_at_colours_alone() {
    let bytes = [255, 0, 0, 9, 0, 0, 255, 200];
    assert_eq!(raw(&bytes, 1, 2, 4).load(&[Step::Gray(1)], 2), [76, 29]);
    assert_eq!(raw(&bytes, 1, 2, 4).load(&[Step::Gray(3), Step::Threshold(29.0)], 6), [1, 1, 1, 0, 0, 0]);
}

fn jitter(bytes: &[u8], factors: [f32; 4], order: [u8; 4]) -> Vec<u8> {
    raw(bytes, 1, bytes.len() / 3, 3).load(&[Step::Jitter { factors: &[factors], orders: &[order] }], bytes.len())
}

#[test]
fn jitter_has_its_fixed_points() {
    let bytes = Random(9).bytes(300);
    assert_eq!(jitter(&bytes, [1.0, 1.0, 1.0, 0.0], [3, 2, 1, 0]), bytes);
    assert_eq!(jitter(&bytes, [0.0, 1.0, 1.0, 0.0], [0, 1, 2, 3]), [0; 300]);
    let grey = jitter(&bytes, [1.0, 1.0, 0.0, 0.0], [0, 1, 2, 3]);
    assert!(grey.chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
    let flat = jitter(&bytes, [1.0, 0.0, 1.0, 0.0], [0, 1, 2, 3]);
    assert!(flat.iter().all(|&sample| sample == flat[0]) && (100..160).contains(&flat[0]));
    assert_eq!(jitter(&[100, 200, 10], [1.5, 1.0, 1.0, 0.0], [0, 1, 2, 3]), [150, 255, 15]);
    // A third of a turn makes red green.
    let turned = jitter(&[200, 0, 0, 50, 50, 50], [1.0, 1.0, 1.0, 1.0 / 3.0], [0, 1, 2, 3]);
    assert!(turned[0] <= 1 && turned[1].abs_diff(200) <= 1 && turned[2] <= 1 && turned[3..] == [50; 3], "{turned:?}");
}

#[test]
fn the_order_of_jitter_matters_and_is_kept() {
    let bytes = [10, 250, 90, 200, 30, 60];
    let factors = [1.8, 0.4, 1.0, 0.0];
    let by_hand = jitter(&jitter(&bytes, [1.8, 1.0, 1.0, 0.0], [0, 1, 2, 3]), [1.0, 0.4, 1.0, 0.0], [0, 1, 2, 3]);
    assert_eq!(jitter(&bytes, factors, [0, 1, 2, 3]), by_hand);
    assert_ne!(jitter(&bytes, factors, [1, 0, 2, 3]), by_hand);
}

// ---- tensors ----

fn half_to_float(half: u16) -> f64 {
    let (sign, exponent, fraction) = (half >> 15, i32::from(half >> 10 & 31), f64::from(half & 1023));
    let size = if exponent == 0 { fraction * 2f64.powi(-24) } else { (1024.0 + fraction) * 2f64.powi(exponent - 25) };
    if sign == 1 { -size } else { size }
}

/// Nearest, and even where two are as near.
fn is_nearest_half(half: u16, value: f64) -> bool {
    let off = |half: u16| (half_to_float(half) - value).abs();
    [half.wrapping_sub(1), half.wrapping_add(1)]
        .iter()
        .all(|&other| other & 0x7FFF >= 0x7C00 || off(half) < off(other) || (off(half) == off(other) && half & 1 == 0))
}

#[test]
fn tensors_hold_scaled_samples_in_the_layout_asked_for() {
    let mut random = Random(10);
    for (height, width, channels, depth) in [(5, 7, 1, 1), (31, 17, 2, 1), (64, 50, 3, 1), (9, 9, 4, 1), (1, 1, 3, 1), (20, 13, 3, 2)] {
        let pixels = height * width;
        let bytes = random.bytes(pixels * channels * depth);
        let image = Stored { sample_bytes: depth as u8, ..raw(&bytes, height, width, channels) };
        let scale: Vec<f32> = (0..channels).map(|channel| 0.0037 * (channel + 1) as f32 / (depth * depth) as f32).collect();
        let offset = [-0.45];
        for order in [Order::Hwc, Order::Chw] {
            let value = |at: usize| {
                let (pixel, channel) = if order == Order::Hwc { (at / channels, at % channels) } else { (at % pixels, at / pixels) };
                let sample = &bytes[(pixel * channels + channel) * depth..][..depth];
                let sample = if depth == 1 { f32::from(sample[0]) } else { f32::from(u16::from_ne_bytes([sample[0], sample[1]])) };
                (sample, sample * scale[channel] + offset[0])
            };
            let tensor =
                |dtype, scale: &[f32], offset: &[f32]| Step::Tensor(Tensor { order, dtype, scale: scale.into(), offset: offset.into() });
            let samples = pixels * channels;
            let floats = image.load(&[tensor(Dtype::Float32, &scale, &offset)], samples * 4);
            let halves = image.load(&[tensor(Dtype::Float16, &scale, &offset)], samples * 2);
            let brains = image.load(&[tensor(Dtype::Bfloat16, &scale, &offset)], samples * 2);
            let wide = image.load(&[tensor(Dtype::Uint16, &[1.0], &[0.0])], samples * 2);
            let short = |bytes: &[u8], at: usize| u16::from_ne_bytes([bytes[2 * at], bytes[2 * at + 1]]);
            for at in 0..samples {
                let (sample, expected) = value(at);
                assert_eq!(floats[4 * at..][..4], expected.to_ne_bytes());
                assert!(is_nearest_half(short(&halves, at), expected.into()));
                let brain = f32::from_bits(u32::from(short(&brains, at)) << 16);
                assert!((brain - expected).abs() <= expected.abs() / 256.0);
                assert_eq!(f32::from(short(&wide, at)), sample);
            }
        }
    }
}

#[test]
fn halves_round_to_even_overflow_to_infinity_and_go_down_to_the_smallest() {
    let half = |value: f32| {
        let tensor = Tensor { order: Order::Hwc, dtype: Dtype::Float16, scale: vec![0.0], offset: vec![value] };
        // As many samples as are done at once, and some more.
        let found = raw(&[1; 29], 1, 29, 1).load(&[Step::Tensor(tensor)], 58);
        assert!(found.chunks_exact(2).all(|half| half == &found[..2]));
        u16::from_ne_bytes([found[0], found[1]])
    };
    for (value, expected) in
        [(1.0, 0x3C00), (2049.0, 0x6800), (2051.0, 0x6802), (65519.0, 0x7BFF), (65520.0, 0x7C00), (-1e9, 0xFC00), (0.0, 0)]
    {
        assert_eq!(half(value), expected, "{value}");
    }
    assert_eq!(half(2f32.powi(-24)), 1);
    assert_eq!(half(2f32.powi(-25)), 0);
    assert_eq!(half(-3.0 * 2f32.powi(-25)), 0x8002);
}

// ---- codecs ----

/// A file of 4:2:0, or of one channel.
fn jpeg(height: usize, width: usize, channels: usize) -> (Vec<u8>, Shape) {
    let shape = Shape { height: height as u32, width: width as u32, channels: channels as u32 };
    let pixels: Vec<u8> = (0..height * width * channels)
        .map(|at| {
            let (row, column, channel) = (at / channels / width, at / channels % width, at % channels);
            (128.0 + 100.0 * ((row as f64 / 9.0 + channel as f64).sin() * (column as f64 / 7.0).cos())) as u8
        })
        .collect();
    (codec::jpeg::encode(&pixels, shape, 92).unwrap(), shape)
}

#[test]
fn a_region_of_a_jpeg_is_what_the_whole_has_there_at_every_alignment() {
    for channels in [1, 3] {
        let (bytes, shape) = jpeg(75, 83, channels);
        let image = Stored { codec: JPEG, shape, ..raw(&bytes, 0, 0, 0) };
        let whole = image.load(&[], shape.samples().unwrap());
        for top in 0..40 {
            for left in 0..40 {
                let size = [75 - top - top % 7, 83 - left - left % 5];
                let origins = [[top, left]];
                let sizes = [size];
                let steps = [Step::Crop { origins: &origins, sizes: &sizes }];
                let bytes = (size[0] * size[1]) as usize * channels;
                let expected = raw(&whole, 75, 83, channels).load(&steps, bytes);
                assert_eq!(image.load(&steps, bytes), expected, "from {top}, {left}, size {size:?}");
            }
        }
    }
}

#[test]
fn a_crop_beyond_a_jpeg_is_padded() {
    let (bytes, shape) = jpeg(40, 50, 3);
    let image = Stored { codec: JPEG, shape, ..raw(&bytes, 0, 0, 0) };
    for origin in [[-5, -7], [20, 30], [-100, 0]] {
        let (origins, sizes) = ([origin], [[45, 33]]);
        let steps = [Step::Crop { origins: &origins, sizes: &sizes }];
        assert_eq!(image.load(&steps, 45 * 33 * 3), Stored { exact: true, ..image }.load(&steps, 45 * 33 * 3));
    }
}

#[test]
fn a_jpeg_decoded_smaller_looks_like_the_whole_scaled() {
    let (bytes, shape) = jpeg(400, 480, 3);
    let image = Stored { codec: JPEG, shape, ..raw(&bytes, 0, 0, 0) };
    for size in [[300, 300], [180, 190], [90, 100], [40, 50], [7, 9]] {
        for area in [[0.0, 0.0, 400.0, 480.0], [13.3, 40.0, 360.5, 430.9], [5.0, 7.0, 391.0, 466.0]] {
            let (crop_origin, crop_size) = ([[area[0] as i32, area[1] as i32]], [[area[2] as i32, area[3] as i32]]);
            let whole = [[0.0, 0.0, f64::from(crop_size[0][0]), f64::from(crop_size[0][1])]];
            let (boxes, sizes) = ([area], [size]);
            let direct = vec![Step::Resample { boxes: &boxes, sizes: &sizes, filter: Filter::Bilinear }];
            let cut = Step::Crop { origins: &crop_origin, sizes: &crop_size };
            let by_crop = vec![cut, Step::Resample { boxes: &whole, sizes: &sizes, filter: Filter::Bicubic }];
            for steps in [direct, by_crop] {
                let count = (size[0] * size[1] * 3) as usize;
                let (scaled, exact) = (image.load(&steps, count), Stored { exact: true, ..image }.load(&steps, count));
                let difference: u32 = scaled.iter().zip(&exact).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
                assert!(f64::from(difference) / (count as f64) < 4.0, "{size:?} of {area:?}: {}", f64::from(difference) / count as f64);
            }
        }
    }
}

#[test]
fn damage_below_the_region_is_seen_by_exact_loading_alone() {
    let (bytes, shape) = jpeg(256, 64, 3);
    let cut = &bytes[..bytes.len() * 3 / 4];
    let image = Stored { codec: JPEG, shape, ..raw(cut, 0, 0, 0) };
    let top = [Step::Crop { origins: &[[0, 0]], sizes: &[[64, 64]] }];
    let whole = Stored { bytes: &bytes, ..image };
    assert_eq!(image.load(&top, 64 * 64 * 3), whole.load(&top, 64 * 64 * 3));
    assert_eq!(Stored { exact: true, ..image }.fails(&top, 64 * 64 * 3), Kind::Corrupt);
    assert_eq!(image.fails(&[Step::Crop { origins: &[[192, 0]], sizes: &[[64, 64]] }], 64 * 64 * 3), Kind::Corrupt);
}

#[test]
fn every_codec_goes_through_the_same_steps() {
    let mut random = Random(11);
    let pixels = random.smooth(30 * 40 * 3);
    let shape = Shape { height: 30, width: 40, channels: 3 };
    let planar: Vec<u8> = (0..3).flat_map(|channel| one_channel(&pixels, 3, channel)).collect();
    let png = codec::png::encode(&pixels, shape, 1, 3).unwrap();
    let (boxes, sizes) = ([[2.5, 3.0, 20.0, 30.0]], [[16, 24]]);
    let tensor = Tensor { order: Order::Chw, dtype: Dtype::Uint8, scale: vec![1.0], offset: vec![0.0] };
    let steps = [Step::Resample { boxes: &boxes, sizes: &sizes, filter: Filter::Bicubic }, Step::Orient(&[2]), Step::Tensor(tensor)];
    let expected = raw(&pixels, 30, 40, 3).load(&steps, 16 * 24 * 3);
    for (codec, bytes) in [(RAW_PLANAR, &planar), (PNG, &png)] {
        assert_eq!(Stored { codec, shape, ..raw(bytes, 0, 0, 0) }.load(&steps, 16 * 24 * 3), expected);
    }
}

// ---- failures ----

#[test]
fn what_does_not_fit_fails_with_its_kind() {
    let bytes = [5; 10 * 10 * 3];
    let image = raw(&bytes, 10, 10, 3);
    let scale = |area: [f64; 4], size: [i32; 2]| {
        let (boxes, sizes) = ([area], [size]);
        image.fails(&[Step::Resample { boxes: &boxes, sizes: &sizes, filter: Filter::Bilinear }], 12)
    };
    assert_eq!(scale([0.0, 0.0, 10.1, 10.0], [2, 2]), Kind::Mismatch);
    assert_eq!(scale([-0.5, 0.0, 5.0, 10.0], [2, 2]), Kind::Mismatch);
    assert_eq!(scale([0.0, f64::NAN, 5.0, 10.0], [2, 2]), Kind::Mismatch);
    assert_eq!(scale([10.0, 0.0, 1e-9, 10.0], [2, 2]), Kind::Mismatch);
    assert_eq!(scale([0.0, 0.0, 10.0, 10.0], [2, 3]), Kind::Mismatch);
    assert_eq!(scale([0.0, 0.0, 10.0, 10.0], [i32::MAX, i32::MAX]), Kind::Limit);
    assert_eq!(scale([0.0, 0.0, 10.0, 10.0], [0, 4]), Kind::Mismatch);
    assert_eq!(image.fails(&[Step::Crop { origins: &[[i32::MIN, 0]], sizes: &[[i32::MAX, 1 << 20]] }], 12), Kind::Limit);
    assert_eq!(image.fails(&[Step::Orient(&[9])], 300), Kind::Unsupported);
    let tensor = Tensor { order: Order::Hwc, dtype: Dtype::Float32, scale: vec![1.0; 2], offset: vec![0.0] };
    assert_eq!(image.fails(&[Step::Tensor(tensor)], 1200), Kind::Mismatch);
    assert_eq!(Stored { bytes: &bytes[1..], ..image }.fails(&[Step::Orient(&[2])], 300), Kind::Mismatch);
    assert_eq!(raw(&bytes, 10, 6, 5).fails(&[Step::Orient(&[2])], 300), Kind::Unsupported);
    let jitter = Step::Jitter { factors: &[[2.0, 1.0, 1.0, 0.0]], orders: &[[0, 1, 2, 3]] };
    assert_eq!(raw(&bytes, 15, 10, 2).fails(std::slice::from_ref(&jitter), 300), Kind::Unsupported);
    let wide = Stored { sample_bytes: 2, ..raw(&bytes, 5, 10, 3) };
    for step in [jitter, Step::Gray(1), Step::Threshold(1.0), Step::Rotate { degrees: &[1.0], filter: Filter::Nearest }] {
        assert_eq!(wide.fails(&[step], 300), Kind::Unsupported);
    }
}

#[test]
fn a_bad_record_leaves_the_others_as_they_are() {
    let good = vec![3; 16 * 16 * 3];
    let (mut photo, shape) = jpeg(16, 16, 3);
    photo.truncate(photo.len() / 2);
    let buffers: Vec<&[u8]> = (0..40).map(|number| if number % 4 == 1 { &photo[..] } else { &good[..] }).collect();
    let codecs: Vec<u8> = (0..40).map(|number| if number % 4 == 1 { JPEG } else { RAW }).collect();
    let seeds: Vec<u64> = (0..40).collect();
    let mut hashes: Vec<u64> = buffers.iter().zip(&seeds).map(|(bytes, &seed)| checksum::hash(bytes, seed)).collect();
    hashes[7] ^= 1;
    let mut out = vec![9; 40 * 8 * 8 * 3];
    let steps = [Step::Crop { origins: &[[4, 4]], sizes: &[[8, 8]] }, Step::Orient(&[3])];
    let wanted = Wanted { codecs: &codecs, shapes: &[shape] };
    let loading = Loading { wanted, sample_bytes: &[1], steps: &steps, exact: true };
    let checksums = Checksums { expected: &hashes, seeds: &seeds };
    let failures = load(&Place::Buffers(buffers), loading, &Slots::equal(&mut out, 40).unwrap(), Some(checksums), CALL);
    let expected: Vec<(usize, Kind)> = (0..40)
        .filter(|&record| record % 4 == 1 || record == 7)
        .map(|record| (record, if record == 7 { Kind::Checksum } else { Kind::Corrupt }))
        .collect();
    assert_eq!(failures.iter().map(|failure| (failure.record, failure.error.kind)).collect::<Vec<_>>(), expected);
    for (record, slot) in out.chunks_exact(8 * 8 * 3).enumerate() {
        let sample = if expected.iter().any(|&(failed, _)| failed == record) { 0 } else { 3 };
        assert!(slot.iter().all(|&byte| byte == sample), "record {record}");
    }
}

#[test]
fn random_steps_on_damaged_images_never_panic() {
    let mut random = Random(12);
    let (photo, photo_shape) = jpeg(60, 52, 3);
    for round in 0..3000 {
        let mut bytes = photo.clone();
        for _ in 0..random.below(3) {
            let place = random.below(bytes.len() as u64) as usize;
            bytes[place] = random.next() as u8;
        }
        let raw_shape =
            Shape { height: 1 + random.below(20) as u32, width: 1 + random.below(20) as u32, channels: 1 + random.below(4) as u32 };
        let raw_bytes = random.bytes(raw_shape.samples().unwrap());
        let (codec, shape, bytes) = if round % 2 == 0 { (JPEG, photo_shape, &bytes) } else { (RAW, raw_shape, &raw_bytes) };
        let number = |random: &mut Random, most: u64| 1 + random.below(most) as i32;
        let [origins, sizes, scaled] = [0; 3].map(|_| [[number(&mut random, 40) - 12, number(&mut random, 40) - 12]]);
        let boxes = [[
            random.below(30) as f64 / 3.0,
            random.below(30) as f64 / 3.0,
            number(&mut random, 50).into(),
            number(&mut random, 50).into(),
        ]];
        let (code, degrees) = ([1 + random.below(8) as u8], [random.below(720) as f64]);
        let colours = [Colour::Grey, Colour::Rgb, Colour::Rgba];
        let tensor = Tensor { order: Order::Chw, dtype: Dtype::Float16, scale: vec![0.1], offset: vec![0.0] };
        let all = [
            Step::Colour(colours[random.below(3) as usize]),
            Step::Crop { origins: &origins, sizes: &sizes },
            Step::Resample { boxes: &boxes, sizes: &scaled, filter: FILTERS[random.below(4) as usize] },
            Step::Orient(&code),
            Step::Rotate { degrees: &degrees, filter: Filter::Bilinear },
            Step::Gray(3),
            Step::Threshold(100.0),
            Step::Tensor(tensor),
        ];
        let steps: Vec<Step> = all.into_iter().filter(|_| random.below(2) == 0).collect();
        let image = Stored { codec, shape, ..raw(bytes, 0, 0, 0) };
        // The size of the result is found out from the complaint about the first attempt's slot.
        let (_, failures) = image.attempt(&steps, 1);
        let told =
            failures.first().and_then(|failure| failure.error.detail.strip_prefix("the result has ")?.split(' ').next()?.parse().ok());
        let (_, failures) = image.attempt(&steps, told.unwrap_or(1));
        assert!(failures.iter().all(|failure| !failure.error.detail.contains("internal error")), "{failures:?} {steps:?}");
    }
}
