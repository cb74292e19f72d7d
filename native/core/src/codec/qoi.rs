//! QOI, the "Quite OK Image" format: RGB and RGBA of one byte.

use qoi::{Channels, decode_header, decode_to_buf, encode_to_vec};

use super::{Header, Probe, QOI, Shape, be32};
use crate::error::{Error, Limits, Result};

const HEADER: usize = 14;
const END: &[u8; 8] = &[0, 0, 0, 0, 0, 0, 0, 1];
/// One byte repeats a pixel at most so often.
const LONGEST_RUN: u64 = 62;

pub fn recognises(start: &[u8]) -> bool {
    start.starts_with(b"qoif")
}

fn truncated(total: usize) -> Error {
    Error::corrupt(format!("QOI: truncated, {total} bytes are there"))
}

pub fn probe(start: &[u8], total: usize, limits: &Limits) -> Result<Probe> {
    if start.len() < HEADER {
        return if total < HEADER { Err(truncated(total)) } else { Ok(Probe::Needs(HEADER)) };
    }
    let (width, height) = (be32(start, 4).unwrap_or(0), be32(start, 8).unwrap_or(0));
    if width == 0 || height == 0 {
        return Err(Error::unsupported(format!("QOI: {width} × {height} pixels")));
    }
    limits.check_pixels(width.into(), height.into())?;
    let header = decode_header(start).map_err(|error| Error::corrupt(format!("QOI: {error}")))?;
    if u64::from(width) * u64::from(height) > LONGEST_RUN * total as u64 {
        return Err(Error::corrupt(format!("QOI: {total} bytes cannot hold {width} × {height} pixels")));
    }
    let shape = Shape { height, width, channels: header.channels.as_u8().into() };
    Ok(Probe::Found(Header { codec: QOI, shape, bytes_per_sample: 1, orientation: 1 }))
}

/// Where the image ends: its chunks are as many pixels as the header says, and the end mark follows them.
pub fn find_end(bytes: &[u8], shape: Shape) -> Result<usize> {
    let (mut left, mut at) = (u64::from(shape.height) * u64::from(shape.width), HEADER);
    while left > 0 {
        let chunk = *bytes.get(at).ok_or_else(|| truncated(bytes.len()))?;
        let (length, pixels) = match chunk {
            0xFE => (4, 1),
            0xFF if shape.channels == 3 => return Err(Error::corrupt(format!("QOI: alpha at byte {at} of an image without"))),
            0xFF => (5, 1),
            0xC0.. => (1, u64::from(chunk & 0x3F) + 1),
            0x80.. => (2, 1),
            _ => (1, 1),
        };
        (at, left) = (at + length, left.saturating_sub(pixels));
    }
    match bytes.get(at..at + END.len()) {
        Some(end) if end == END => Ok(at + END.len()),
        Some(_) => Err(Error::corrupt(format!("QOI: no end mark at byte {at}, where the pixels end"))),
        None => Err(truncated(bytes.len())),
    }
}

pub fn decode(bytes: &[u8], shape: Shape, slot: &mut [u8], limits: &Limits) -> Result<()> {
    let Probe::Found(header) = (if recognises(bytes) { probe(bytes, bytes.len(), limits)? } else { Probe::Needs(0) }) else {
        return Err(Error::corrupt("not a QOI image"));
    };
    header.expect(shape, slot.len())?;
    decode_to_buf(slot, bytes).map_err(|error| Error::corrupt(format!("QOI: {error}"))).map(|_| ())
}

/// Encode 3 or 4 channels of 1 byte.
pub fn encode(pixels: &[u8], shape: Shape) -> Result<Vec<u8>> {
    let channels = Channels::try_from(shape.channels as u8);
    if channels.is_err() || shape.samples() != Some(pixels.len()) || pixels.is_empty() {
        return Err(Error::unsupported(format!("QOI holds images of 3 or 4 channels of 1 byte, not {shape:?} in {} bytes", pixels.len())));
    }
    encode_to_vec(pixels, shape.width, shape.height).map_err(|error| Error::unsupported(format!("QOI: {error}")))
}
