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

/// Copy C·H·W samples of any size to H·W·C.
pub fn interleave(bytes: &[u8], shape: Shape, slot: &mut [u8]) -> Result<()> {
    check_size(bytes.len(), slot.len())?;
    let channels = shape.channels as usize;
    let pixels = shape.height as usize * shape.width as usize;
    match shape.samples() {
        Some(samples) if samples > 0 && slot.len().is_multiple_of(samples) => match slot.len() / samples {
            1 => interleave_samples::<1>(bytes, pixels, channels, slot),
            2 => interleave_samples::<2>(bytes, pixels, channels, slot),
            4 => interleave_samples::<4>(bytes, pixels, channels, slot),
            8 => interleave_samples::<8>(bytes, pixels, channels, slot),
            size => return Err(Error::unsupported(format!("samples of {size} bytes"))),
        },
        _ if slot.is_empty() => {}
        _ => {
            return Err(Error::mismatch(format!("{} bytes are not {shape:?}", slot.len())));
        }
    }
    Ok(())
}

fn interleave_samples<const SIZE: usize>(bytes: &[u8], pixels: usize, channels: usize, slot: &mut [u8]) {
    let (planes, _) = bytes.as_chunks::<SIZE>();
    let (out, _) = slot.as_chunks_mut::<SIZE>();
    match channels {
        3 => interleave_three(planes, pixels, out),
        _ => {
            for (channel, plane) in planes.chunks_exact(pixels).enumerate() {
                for (pixel, sample) in plane.iter().enumerate() {
                    out[pixel * channels + channel] = *sample;
                }
            }
        }
    }
}

fn interleave_three<const SIZE: usize>(planes: &[[u8; SIZE]], pixels: usize, out: &mut [[u8; SIZE]]) {
    let (red, rest) = planes.split_at(pixels);
    let (green, blue) = rest.split_at(pixels);
    for (((pixel, red), green), blue) in out.chunks_exact_mut(3).zip(red).zip(green).zip(blue) {
        pixel[0] = *red;
        pixel[1] = *green;
        pixel[2] = *blue;
    }
}
