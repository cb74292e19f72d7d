//! Pixels stored as they are.

use super::Shape;
use crate::error::{Error, Result};

pub(crate) fn check_size(bytes: usize, slot: usize) -> Result<()> {
    if bytes == slot {
        return Ok(());
    }
    Err(Error::mismatch(format!("the record has {bytes} bytes, the array {slot}")))
}

/// Copy a record of exactly the slot's size.
pub fn copy(bytes: &[u8], slot: &mut [u8]) -> Result<()> {
    check_size(bytes.len(), slot.len())?;
    slot.copy_from_slice(bytes);
    Ok(())
}

/// Copy C·H·W samples of any size to H·W·C.
pub fn interleave(bytes: &[u8], shape: Shape, slot: &mut [u8]) -> Result<()> {
    check_size(bytes.len(), slot.len())?;
    let channels = shape.channels as usize;
    let pixels = shape.height as usize * shape.width as usize;
    match shape.samples() {
        Some(samples) if samples > 0 && slot.len() % samples == 0 => match slot.len() / samples {
            1 => interleave_samples::<1>(bytes, pixels, channels, slot),
            2 => interleave_samples::<2>(bytes, pixels, channels, slot),
            4 => interleave_samples::<4>(bytes, pixels, channels, slot),
            8 => interleave_samples::<8>(bytes, pixels, channels, slot),
            size => return Err(Error::unsupported(format!("samples of {size} bytes"))),
        },
        _ if slot.is_empty() => {}
        _ => return Err(Error::mismatch(format!("{} bytes are not {shape:?}", slot.len()))),
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
