//! Pixels stored as they are.

use super::Shape;
use crate::error::{Error, Result};

pub(crate) fn check_size(bytes: usize, slot: usize) -> Result<()> {
    if bytes == slot {
        return Ok(());
    }
    Err(Error::mismatch(format!("the record has {bytes} bytes, the array {slot}")))
}

/// Copy a record of exactly the slot's size. `past_caches` is for output that is larger than they are: it need not first be read,
/// and pushes nothing else out.
pub fn copy(bytes: &[u8], slot: &mut [u8], past_caches: bool) -> Result<()> {
    check_size(bytes.len(), slot.len())?;
    #[cfg(target_arch = "x86_64")]
    if slot.len() >= x86::VECTOR && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: this machine has the instructions, and both have the same length.
        unsafe { if past_caches { x86::copy::<true>(bytes, slot) } else { x86::copy::<false>(bytes, slot) } };
        return Ok(());
    }
    let _ = past_caches;
    slot.copy_from_slice(bytes);
    Ok(())
}

/// Make what `copy` has written past the caches visible to other threads; each thread does so before it ends its part of a batch.
pub fn finish_copies() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction.
    unsafe {
        std::arch::x86_64::_mm_sfence()
    };
}

/// The C library's copy is up to four times slower where the addresses agree in their lowest 12 bits but for a few: then each load
/// seems to wait for the store before it. A mapped file copied into a fresh array is just that case.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    pub const VECTOR: usize = 32;

    /// # Safety
    /// Both slices have the same length, at least VECTOR.
    #[target_feature(enable = "avx2")]
    pub unsafe fn copy<const PAST_CACHES: bool>(bytes: &[u8], slot: &mut [u8]) {
        let (from, to) = (bytes.as_ptr(), slot.as_mut_ptr());
        let last = bytes.len() - VECTOR;
        // Streaming stores want whole vectors of memory; up to the first such place, and from the last, bytes are copied twice.
        let mut at = to.align_offset(VECTOR);
        // SAFETY: no access begins behind `last`, where one vector is left; those of `put` from `at` on are aligned.
        unsafe {
            // Both ends first: a plain store to a line that has just been streamed waits for memory.
            put::<false>(to.cast(), load(from));
            put::<false>(to.add(last).cast(), load(from.add(last)));
            while at + 4 * VECTOR <= bytes.len() {
                let first = load(from.add(at));
                let second = load(from.add(at + VECTOR));
                let third = load(from.add(at + 2 * VECTOR));
                let fourth = load(from.add(at + 3 * VECTOR));
                put::<PAST_CACHES>(to.add(at).cast(), first);
                put::<PAST_CACHES>(to.add(at + VECTOR).cast(), second);
                put::<PAST_CACHES>(to.add(at + 2 * VECTOR).cast(), third);
                put::<PAST_CACHES>(to.add(at + 3 * VECTOR).cast(), fourth);
                at += 4 * VECTOR;
            }
            while at <= last {
                put::<PAST_CACHES>(to.add(at).cast(), load(from.add(at)));
                at += VECTOR;
            }
        }
    }

    /// Swap the first and the last of each three bytes from the start on, as far as whole vectors go; return how many bytes that was.
    ///
    /// # Safety
    /// Both slices have the same length.
    #[target_feature(enable = "avx2")]
    pub unsafe fn swap_threes(bytes: &[u8], slot: &mut [u8]) -> usize {
        // Five threes of each 16 bytes; the last byte is written again by the next five.
        const FIVE: usize = 15;
        let order = _mm_setr_epi8(2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9, 14, 13, 12, 15);
        let mut at = 0;
        while at + 16 <= bytes.len() {
            // SAFETY: 16 bytes from `at` on are in both.
            unsafe {
                let five = _mm_loadu_si128(bytes.as_ptr().add(at).cast());
                _mm_storeu_si128(slot.as_mut_ptr().add(at).cast(), _mm_shuffle_epi8(five, order));
            }
            at += FIVE;
        }
        at
    }

    /// # Safety
    /// A vector can be read.
    #[target_feature(enable = "avx2")]
    unsafe fn load(from: *const u8) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    /// # Safety
    /// A vector can be written; `to` is aligned where PAST_CACHES.
    #[target_feature(enable = "avx2")]
    unsafe fn put<const PAST_CACHES: bool>(to: *mut __m256i, vector: __m256i) {
        // SAFETY: as above.
        unsafe { if PAST_CACHES { _mm256_stream_si256(to, vector) } else { _mm256_storeu_si256(to, vector) } }
    }
}

/// How samples lie that are no plain H·W·C in RGB. Blue comes first in arrays of 3 or 4 channels alone; alpha is always last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// C·H·W.
    pub is_planar: bool,
    pub is_blue_first: bool,
}

/// Copy samples of 1, 2, 4 or 8 bytes to H·W·C, red first.
pub fn rearrange(bytes: &[u8], shape: Shape, order: Order, slot: &mut [u8]) -> Result<()> {
    check_size(bytes.len(), slot.len())?;
    match shape.samples() {
        Some(samples) if samples > 0 && slot.len().is_multiple_of(samples) => match slot.len() / samples {
            1 if shape.channels == 3 && order == (Order { is_planar: false, is_blue_first: true }) => swap_bytes(bytes, slot),
            1 => rearrange_samples::<1>(bytes, shape, order, slot),
            2 => rearrange_samples::<2>(bytes, shape, order, slot),
            4 => rearrange_samples::<4>(bytes, shape, order, slot),
            8 => rearrange_samples::<8>(bytes, shape, order, slot),
            size => return Err(Error::unsupported(format!("samples of {size} bytes"))),
        },
        _ if slot.is_empty() => {}
        _ => {
            return Err(Error::mismatch(format!("{} bytes are not {shape:?}", slot.len())));
        }
    }
    Ok(())
}

fn rearrange_samples<const SIZE: usize>(bytes: &[u8], shape: Shape, order: Order, slot: &mut [u8]) {
    let (samples, _) = bytes.as_chunks::<SIZE>();
    let (out, _) = slot.as_chunks_mut::<SIZE>();
    let (channels, pixels) = (shape.channels as usize, shape.height as usize * shape.width as usize);
    let is_blue_first = order.is_blue_first && (3..=4).contains(&channels);
    let from = |channel: usize| if is_blue_first && channel < 3 { 2 - channel } else { channel };
    if !order.is_planar {
        for (to, pixel) in out.chunks_exact_mut(channels).zip(samples.chunks_exact(channels)) {
            to.iter_mut().enumerate().for_each(|(channel, sample)| *sample = pixel[from(channel)]);
        }
        return;
    }
    let plane = |channel: usize| &samples[from(channel) * pixels..][..pixels];
    if channels == 3 {
        return interleave_three([plane(0), plane(1), plane(2)], out);
    }
    for channel in 0..channels {
        for (pixel, sample) in plane(channel).iter().enumerate() {
            out[pixel * channels + channel] = *sample;
        }
    }
}

fn interleave_three<const SIZE: usize>([red, green, blue]: [&[[u8; SIZE]]; 3], out: &mut [[u8; SIZE]]) {
    for (((pixel, red), green), blue) in out.chunks_exact_mut(3).zip(red).zip(green).zip(blue) {
        pixel[0] = *red;
        pixel[1] = *green;
        pixel[2] = *blue;
    }
}

/// Swap the first and the last of each three bytes.
fn swap_bytes(bytes: &[u8], slot: &mut [u8]) {
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: this machine has the instructions, and both have the same length.
        done = unsafe { x86::swap_threes(bytes, slot) };
    }
    let (pixels, _) = bytes[done..].as_chunks::<3>();
    let (out, _) = slot[done..].as_chunks_mut::<3>();
    for (to, [blue, green, red]) in out.iter_mut().zip(pixels) {
        *to = [*red, *green, *blue];
    }
}
