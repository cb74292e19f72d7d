//! The eight orientations of EXIF: mirrored, turned, both.

use super::{Layout, Picture};

/// Rows and columns afterwards.
pub fn layout(code: u8, layout: Layout) -> Layout {
    if code >= 5 { Layout { height: layout.width, width: layout.height, ..layout } } else { layout }
}

/// Make a picture of this EXIF orientation upright.
pub fn orient(input: Picture, code: u8, out: &mut [u8]) {
    match input.layout.pixel_bytes() {
        1 => pixels::<1>(input, code, out),
        2 => pixels::<2>(input, code, out),
        3 => pixels::<3>(input, code, out),
        4 => pixels::<4>(input, code, out),
        6 => pixels::<6>(input, code, out),
        8 => pixels::<8>(input, code, out),
        size => unreachable!("pixels of {size} bytes are refused by the plan"),
    }
}

fn pixels<const SIZE: usize>(input: Picture, code: u8, out: &mut [u8]) {
    let Layout { height, width, .. } = input.layout;
    if code >= 5 {
        return turn::<SIZE>(input, code, out);
    }
    let upside_down = matches!(code, 3 | 4);
    for (number, line) in out.chunks_exact_mut(width * SIZE).enumerate() {
        let row = input.row(if upside_down { height - 1 - number } else { number });
        if matches!(code, 2 | 3) {
            mirror::<SIZE>(row, line);
        } else {
            line.copy_from_slice(row);
        }
    }
}

fn mirror<const SIZE: usize>(row: &[u8], line: &mut [u8]) {
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if SIZE == 3 && std::arch::is_x86_feature_detected!("ssse3") {
        // SAFETY: this machine has the instructions, and both have the same length.
        done = unsafe { mirror_rgb(row, line) };
    }
    let rest = line.len() - done * SIZE;
    let pairs = line[..rest].as_chunks_mut::<SIZE>().0.iter_mut().zip(row[done * SIZE..].as_chunks::<SIZE>().0.iter().rev());
    pairs.for_each(|(to, from)| *to = *from);
}

/// Five pixels at a time; says how many are done.
///
/// # Safety
/// Both have the same length.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "ssse3")]
unsafe fn mirror_rgb(row: &[u8], line: &mut [u8]) -> usize {
    use std::arch::x86_64::*;
    const PIXELS: usize = 5;
    // The byte in front belongs to a pixel that is written after this one.
    let order = _mm_setr_epi8(-1, 12, 13, 14, 9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2);
    let mut start = 0;
    while start + 16 <= row.len() {
        // SAFETY: 16 bytes from `start` on are within the row, and as many before its counterpart within the line.
        unsafe {
            let pixels = _mm_shuffle_epi8(_mm_loadu_si128(row.as_ptr().add(start).cast()), order);
            _mm_storeu_si128(line.as_mut_ptr().add(line.len() - start - 16).cast(), pixels);
        }
        start += 3 * PIXELS;
    }
    start / 3
}

/// Rows become columns. In squares, so that the rows read and written stay in the nearest cache.
fn turn<const SIZE: usize>(input: Picture, code: u8, out: &mut [u8]) {
    const SQUARE: usize = 32;
    let Layout { height, width, .. } = input.layout;
    let (from_bottom, from_right) = (matches!(code, 6 | 7), matches!(code, 7 | 8));
    let out = out.as_chunks_mut::<SIZE>().0;
    for first_row in (0..height).step_by(SQUARE) {
        for first_column in (0..width).step_by(SQUARE) {
            for row in first_row..height.min(first_row + SQUARE) {
                let to_column = if from_bottom { height - 1 - row } else { row };
                let pixels = input.row(row).as_chunks::<SIZE>().0;
                for (column, pixel) in pixels.iter().enumerate().take(first_column + SQUARE).skip(first_column) {
                    let to_row = if from_right { width - 1 - column } else { column };
                    out[to_row * height + to_column] = *pixel;
                }
            }
        }
    }
}
