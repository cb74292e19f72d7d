//! The passes over bytes in AVX2, with the same results: exact sums of halves of the weights in multiplications of 16 bits.

use std::arch::x86_64::*;

use super::{PRECISION, Picture, Sample, Taps, put_pixel};

/// Bytes of a row that are done at once.
pub const COLUMNS: usize = 16;

/// Rows have at least COLUMNS bytes.
#[target_feature(enable = "avx2")]
pub fn down(taps: &Taps, input: Picture, out: &mut [u8]) {
    let line = input.layout.row_bytes();
    for (number, line) in out.chunks_exact_mut(line).enumerate() {
        let (first, weights) = taps.of::<u8>(number);
        let rows = input.lines(first, weights.len());
        let last = line.len() - COLUMNS;
        // The last columns may be done twice.
        for start in (0..last).step_by(COLUMNS).chain([last]) {
            // SAFETY: rows and line have COLUMNS bytes from `start` on.
            unsafe { _mm_storeu_si128(line.as_mut_ptr().add(start).cast(), add_up_rows(rows, weights, start)) };
        }
    }
}

/// # Safety
/// Each row has COLUMNS bytes from `start` on.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn add_up_rows(rows: Picture, weights: &[i32], start: usize) -> __m128i {
    let mut sums = [_mm256_setzero_si256(); 4];
    for (pair, weights) in weights.chunks(2).enumerate() {
        let (weight, next) = (weights[0], weights.get(1).copied().unwrap_or(0));
        let upper = _mm256_set1_epi32((weight >> LOWER) & 0xFFFF | (next >> LOWER) << 16);
        let lower = _mm256_set1_epi32(weight & BELOW | (next & BELOW) << 16);
        // SAFETY: there is a row for each weight; where a second one is missing, the first stands in, without weight.
        let (row, beside) = unsafe {
            let row = rows.bytes.as_ptr().add(2 * pair * rows.stride + start);
            let beside = row.add((weights.len() - 1) * rows.stride);
            (_mm256_cvtepu8_epi16(_mm_loadu_si128(row.cast())), _mm256_cvtepu8_epi16(_mm_loadu_si128(beside.cast())))
        };
        for (sums, samples) in sums.chunks_exact_mut(2).zip([_mm256_unpacklo_epi16(row, beside), _mm256_unpackhi_epi16(row, beside)]) {
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(samples, upper));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(samples, lower));
        }
    }
    let half = _mm256_set1_epi32(u8::HALF);
    let whole = |upper, lower| {
        let sum = _mm256_add_epi32(_mm256_slli_epi32::<{ LOWER as i32 }>(upper), _mm256_add_epi32(lower, half));
        _mm256_srai_epi32::<{ PRECISION as i32 }>(sum)
    };
    // Both packings keep to halves of the register, as the unpacking did.
    let words = _mm256_packs_epi32(whole(sums[0], sums[1]), whole(sums[2], sums[3]));
    let bytes = _mm256_packus_epi16(words, words);
    _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b1000>(bytes))
}

/// Taps that are added up at once.
const GROUP: usize = 4;

/// Bits of a weight's lower half; both halves times a byte are exact in the multiplications of 16 bits.
const LOWER: u32 = 11;
const BELOW: i32 = (1 << LOWER) - 1;

/// Weights as the multiplications of 16 bits want them.
#[derive(Debug, Default)]
pub struct Halves {
    /// For each group of taps of each pixel the upper halves of its weights and the lower ones: each as the first two taps for
    /// four channels, then the other two.
    weights: Vec<i16>,
    groups: usize,
}

impl Halves {
    pub fn set(&mut self, taps: &Taps) {
        self.groups = taps.count.iter().max().map_or(1, |most| most.div_ceil(GROUP).max(1));
        self.weights.clear();
        for weights in taps.fixed.chunks_exact(taps.per_pixel) {
            for group in 0..self.groups {
                let [a, b, c, d] = std::array::from_fn(|tap| weights.get(GROUP * group + tap).copied().unwrap_or(0));
                for half in [|weight: i32| (weight >> LOWER) as i16, |weight: i32| (weight & BELOW) as i16] {
                    let [a, b, c, d] = [half(a), half(b), half(c), half(d)];
                    self.weights.extend([a, b, a, b, a, b, a, b, c, d, c, d, c, d, c, d]);
                }
            }
        }
    }
}

#[target_feature(enable = "avx2")]
pub fn across<const CHANNELS: usize>(taps: &Taps, halves: &Halves, input: Picture, out: &mut [u8]) {
    match halves.groups {
        1 => across_groups::<CHANNELS, 1>(taps, halves, input, out),
        2 => across_groups::<CHANNELS, 2>(taps, halves, input, out),
        _ => across_groups::<CHANNELS, 0>(taps, halves, input, out),
    }
}

/// GROUPS is how many groups of taps each pixel has; 0 is any number.
#[inline]
#[target_feature(enable = "avx2")]
fn across_groups<const CHANNELS: usize, const GROUPS: usize>(taps: &Taps, halves: &Halves, input: Picture, out: &mut [u8]) {
    let groups = if GROUPS == 0 { halves.groups } else { GROUPS };
    let width = taps.first.len();
    let line = width * CHANNELS;
    // Pixels whose last group of 16 bytes ends within the row; four bytes are written, so the last pixel is not among them.
    let seen = |first: usize| (first + (groups - 1) * GROUP) * CHANNELS + 16 <= input.layout.row_bytes();
    let fast = taps.first.iter().take(width - 1).take_while(|&&first| seen(first)).count();
    let order = order::<CHANNELS>();
    for (pair, lines) in out.chunks_mut(2 * line).enumerate() {
        let last = lines.len() / line - 1;
        let rows = [input.row(2 * pair), input.row(2 * pair + last)];
        let starts = lines.as_mut_ptr();
        for (pixel, (&first, weights)) in taps.first.iter().zip(halves.weights.chunks_exact(groups * 8 * GROUP)).take(fast).enumerate() {
            // SAFETY: `fast` pixels are within the row and the line, and `weights` has 32 numbers for each group. Where there is
            // only one row, it is done twice.
            unsafe {
                let [one, two] = rows.map(|row| add_up::<CHANNELS>(row.as_ptr().add(first * CHANNELS), weights.as_ptr(), groups, order));
                let sums = _mm256_add_epi32(_mm256_permute2x128_si256::<0x20>(one, two), _mm256_permute2x128_si256::<0x31>(one, two));
                let sums = _mm256_srai_epi32::<{ PRECISION as i32 }>(_mm256_add_epi32(sums, _mm256_set1_epi32(u8::HALF)));
                let words = _mm256_packs_epi32(sums, sums);
                let bytes = _mm256_packus_epi16(words, words);
                let to = starts.add(pixel * CHANNELS);
                to.cast::<i32>().write_unaligned(_mm256_extract_epi32::<0>(bytes));
                to.add(last * line).cast::<i32>().write_unaligned(_mm256_extract_epi32::<4>(bytes));
            }
        }
        for (row, line) in rows.iter().zip(lines.chunks_exact_mut(line)) {
            for pixel in fast..width {
                put_pixel::<u8, CHANNELS>(taps, pixel, row, &mut line[pixel * CHANNELS..][..CHANNELS]);
            }
        }
    }
}

/// The samples of two taps beside each other, as 16 bits; the higher half has the third and fourth tap.
#[target_feature(enable = "avx2")]
fn order<const CHANNELS: usize>() -> __m256i {
    const NONE: i8 = -1;
    let place = |at: usize| {
        let (tap, channel) = (at / 16 * 2 + at % 4 / 2, at % 16 / 4);
        if at % 2 == 1 || channel >= CHANNELS { NONE } else { (tap * CHANNELS + channel) as i8 }
    };
    let order: [i8; 32] = std::array::from_fn(place);
    // SAFETY: 32 bytes are read from an array of 32.
    unsafe { _mm256_loadu_si256(order.as_ptr().cast()) }
}

/// # Safety
/// Each group's 16 bytes and 32 numbers can be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn add_up<const CHANNELS: usize>(samples: *const u8, weights: *const i16, groups: usize, order: __m256i) -> __m256i {
    let (mut upper, mut lower) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    for group in 0..groups {
        // SAFETY: as above.
        unsafe {
            let bytes = _mm_loadu_si128(samples.add(group * GROUP * CHANNELS).cast());
            let samples = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), order);
            let weights: *const __m256i = weights.add(group * 8 * GROUP).cast();
            upper = _mm256_add_epi32(upper, _mm256_madd_epi16(samples, _mm256_loadu_si256(weights)));
            lower = _mm256_add_epi32(lower, _mm256_madd_epi16(samples, _mm256_loadu_si256(weights.add(1))));
        }
    }
    _mm256_add_epi32(_mm256_slli_epi32::<{ LOWER as i32 }>(upper), lower)
}
