//! The five row filters of PNG, in both directions.
//!
//! Undoing Sub, Average and Paeth is a chain from pixel to pixel; it is done in one vector register per pixel. Filtering has no
//! such chain and is written so that the compiler vectorises it.

const NONE: u8 = 0;
const SUB: u8 = 1;
const UP: u8 = 2;
const AVERAGE: u8 = 3;
const PAETH: u8 = 4;

/// What a byte is predicted to be from its neighbours to the left, above, and above to the left.
#[inline(always)]
fn predict<const FILTER: u8>(left: u8, above: u8, corner: u8) -> u8 {
    match FILTER {
        SUB => left,
        UP => above,
        AVERAGE => (left & above) + ((left ^ above) >> 1),
        PAETH => paeth(left, above, corner),
        _ => 0,
    }
}

#[inline(always)]
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(above), i16::from(corner));
    let (to_left, to_above, to_corner) = ((b - c).abs(), (a - c).abs(), (a + b - c - c).abs());
    // Without branches, so that it vectorises; on a tie left goes before above, above before corner.
    let nearest = to_left.min(to_above).min(to_corner);
    let other = if nearest == to_above { above } else { corner };
    if nearest == to_left { left } else { other }
}

/// Undo a row's filter; `above` is the row before it, all zeros for the first. `distance` is that of a byte to the one it is
/// predicted from. Err holds the number of a filter that does not exist.
pub fn unfilter(filter: u8, distance: usize, stored: &[u8], above: &[u8], row: &mut [u8]) -> Result<(), u8> {
    let size = row.len();
    let (stored, above) = (&stored[..size], &above[..size]);
    match distance {
        1 => unfilter_pixels::<1>(filter, stored, above, row),
        2 => unfilter_pixels::<2>(filter, stored, above, row),
        3 => unfilter_pixels::<3>(filter, stored, above, row),
        4 => unfilter_pixels::<4>(filter, stored, above, row),
        6 => unfilter_pixels::<6>(filter, stored, above, row),
        _ => unfilter_pixels::<8>(filter, stored, above, row),
    }
}

fn unfilter_pixels<const N: usize>(filter: u8, stored: &[u8], above: &[u8], row: &mut [u8]) -> Result<(), u8> {
    match filter {
        NONE => row.copy_from_slice(stored),
        SUB => unfilter_chain::<N, SUB>(stored, above, row),
        UP => row.iter_mut().zip(stored).zip(above).for_each(|((row, stored), above)| *row = stored.wrapping_add(*above)),
        AVERAGE => unfilter_chain::<N, AVERAGE>(stored, above, row),
        PAETH => unfilter_chain::<N, PAETH>(stored, above, row),
        _ => return Err(filter),
    }
    Ok(())
}

fn unfilter_chain<const N: usize, const FILTER: u8>(stored: &[u8], above: &[u8], row: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sse4.1") {
        // SAFETY: this machine has the instructions.
        unsafe { x86::unfilter_chain::<N, FILTER>(stored, above, row) };
        return;
    }
    unfilter_bytes::<N, FILTER>(0, stored, above, row);
}

/// Byte by byte from a pixel's start; what is before it is done.
fn unfilter_bytes<const N: usize, const FILTER: u8>(start: usize, stored: &[u8], above: &[u8], row: &mut [u8]) {
    for i in start..row.len() {
        let (left, corner) = if i < N { (0, 0) } else { (row[i - N], above[i - N]) };
        row[i] = stored[i].wrapping_add(predict::<FILTER>(left, above[i], corner));
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{AVERAGE, PAETH, SUB};

    /// One pixel of N bytes per step, in vectors of eight; the bytes beyond it are of no meaning and are written over by the next.
    #[target_feature(enable = "sse4.1")]
    pub fn unfilter_chain<const N: usize, const FILTER: u8>(stored: &[u8], above: &[u8], row: &mut [u8]) {
        let mut left = _mm_setzero_si128();
        let mut corner = _mm_setzero_si128();
        let mut start = 0;
        while start + 8 <= row.len() {
            let up = eight(above, start);
            let value = eight(stored, start);
            left = match FILTER {
                SUB => _mm_add_epi8(value, left),
                AVERAGE => _mm_add_epi8(value, average(left, up)),
                PAETH => {
                    let wide = _mm_cvtepu8_epi16(up);
                    let predicted = paeth(left, wide, corner);
                    corner = wide;
                    _mm_add_epi8(_mm_cvtepu8_epi16(value), predicted)
                }
                _ => value,
            };
            let bytes = if FILTER == PAETH { _mm_packus_epi16(left, left) } else { left };
            row[start..start + 8].copy_from_slice(&_mm_cvtsi128_si64(bytes).to_le_bytes());
            start += N;
        }
        super::unfilter_bytes::<N, FILTER>(start, stored, above, row);
    }

    #[target_feature(enable = "sse4.1")]
    fn eight(bytes: &[u8], start: usize) -> __m128i {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[start..start + 8]);
        _mm_cvtsi64_si128(i64::from_le_bytes(eight))
    }

    /// Rounded down; the instruction rounds up.
    #[target_feature(enable = "sse4.1")]
    fn average(left: __m128i, above: __m128i) -> __m128i {
        let odd = _mm_and_si128(_mm_xor_si128(left, above), _mm_set1_epi8(1));
        _mm_sub_epi8(_mm_avg_epu8(left, above), odd)
    }

    /// Of bytes widened to 16 bits.
    #[target_feature(enable = "sse4.1")]
    fn paeth(left: __m128i, above: __m128i, corner: __m128i) -> __m128i {
        let from_left = _mm_sub_epi16(above, corner);
        let from_above = _mm_sub_epi16(left, corner);
        let to_left = _mm_abs_epi16(from_left);
        let to_above = _mm_abs_epi16(from_above);
        let to_corner = _mm_abs_epi16(_mm_add_epi16(from_left, from_above));
        let nearest = _mm_min_epi16(_mm_min_epi16(to_left, to_above), to_corner);
        let other = _mm_blendv_epi8(corner, above, _mm_cmpeq_epi16(nearest, to_above));
        _mm_blendv_epi8(other, left, _mm_cmpeq_epi16(nearest, to_left))
    }
}

/// Bytes that are filtered together; rows are padded to a multiple of it, so that no byte is done alone.
const RUN: usize = 32;
/// Room before a row for the pixel that is not there.
const MARGIN: usize = 8;

/// Filters the rows of one image after the other, choosing the filter of each.
#[derive(Default)]
pub struct RowFilter {
    row: Vec<u8>,
    above: Vec<u8>,
    filtered: [Vec<u8>; 5],
}

impl RowFilter {
    /// Begin an image whose rows have this many bytes.
    pub fn begin(&mut self, row_bytes: usize) {
        let padded = row_bytes.next_multiple_of(RUN);
        for buffer in [&mut self.row, &mut self.above] {
            buffer.clear();
            buffer.resize(MARGIN + padded, 0);
        }
        self.filtered.iter_mut().for_each(|filtered| filtered.resize(padded, 0));
    }

    /// Filter the next row in the way whose bytes, taken as signed, have the smallest sum of absolute values; append number and bytes.
    pub fn append(&mut self, distance: usize, row: &[u8], out: &mut Vec<u8>) {
        std::mem::swap(&mut self.row, &mut self.above);
        self.row[MARGIN..MARGIN + row.len()].copy_from_slice(row);
        let costs = filter_five_ways(distance, &self.row, &self.above, &mut self.filtered);
        let best = (0..5).min_by_key(|&filter| costs[filter]).unwrap_or(0);
        out.push(best as u8);
        out.extend_from_slice(&self.filtered[best][..row.len()]);
    }
}

fn filter_five_ways(distance: usize, row: &[u8], above: &[u8], filtered: &mut [Vec<u8>; 5]) -> [u64; 5] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: this machine has the instructions.
        return unsafe { filter_five_ways_avx2(distance, row, above, filtered) };
    }
    filter_each_way(distance, row, above, filtered)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn filter_five_ways_avx2(distance: usize, row: &[u8], above: &[u8], filtered: &mut [Vec<u8>; 5]) -> [u64; 5] {
    filter_each_way(distance, row, above, filtered)
}

#[inline(always)]
fn filter_each_way(distance: usize, row: &[u8], above: &[u8], filtered: &mut [Vec<u8>; 5]) -> [u64; 5] {
    let neighbours = [&row[MARGIN..], &row[MARGIN - distance..], &above[MARGIN..], &above[MARGIN - distance..]];
    [
        filter_row::<NONE>(neighbours, &mut filtered[0]),
        filter_row::<SUB>(neighbours, &mut filtered[1]),
        filter_row::<UP>(neighbours, &mut filtered[2]),
        filter_row::<AVERAGE>(neighbours, &mut filtered[3]),
        filter_row::<PAETH>(neighbours, &mut filtered[4]),
    ]
}

/// Filter a padded row; return the sum of its absolute values. The neighbours are the row itself, left, above, corner.
#[inline(always)]
fn filter_row<const FILTER: u8>([row, left, above, corner]: [&[u8]; 4], filtered: &mut [u8]) -> u64 {
    let runs = filtered.as_chunks_mut::<RUN>().0.iter_mut();
    let (row, left) = (row.as_chunks::<RUN>().0, left.as_chunks::<RUN>().0);
    let (above, corner) = (above.as_chunks::<RUN>().0, corner.as_chunks::<RUN>().0);
    let mut cost = 0;
    for ((((filtered, row), left), above), corner) in runs.zip(row).zip(left).zip(above).zip(corner) {
        let mut sum = 0;
        for i in 0..RUN {
            let value = row[i].wrapping_sub(predict::<FILTER>(left[i], above[i], corner[i]));
            filtered[i] = value;
            sum += u16::from((value as i8).unsigned_abs());
        }
        cost += u64::from(sum);
    }
    cost
}
