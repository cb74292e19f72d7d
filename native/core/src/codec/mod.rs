//! Turns stored bytes into pixels and back. A codec sees one record and one slot, never a batch.

pub mod exif;
pub mod jpeg;
pub mod jpeg_markers;
pub mod lz4;
pub mod png;
pub mod qoi;
pub mod raw;
pub mod webp;
pub mod zstd;

use self::raw::Order;
use crate::error::{Error, Limits, Result};

/// The codec numbers of the binding.
pub const RAW: u8 = 0;
pub const RAW_PLANAR: u8 = 1;
pub const PNG: u8 = 2;
pub const JPEG: u8 = 3;
pub const RAW_BGR: u8 = 4;
pub const RAW_PLANAR_BGR: u8 = 5;
pub const ZSTD: u8 = 6;
pub const LZ4: u8 = 7;
pub const QOI: u8 = 8;
pub const WEBP: u8 = 9;
pub const OTHER: u8 = 255;

/// Height, width and channels of an array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub height: u32,
    pub width: u32,
    pub channels: u32,
}

impl Shape {
    /// Samples in an array of this shape; None above what memory can address.
    pub fn samples(self) -> Option<usize> {
        let pixels = u64::from(self.height) * u64::from(self.width);
        usize::try_from(pixels.checked_mul(u64::from(self.channels))?).ok()
    }
}

/// What an image's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub codec: u8,
    pub shape: Shape,
    pub bytes_per_sample: u8,
    /// As EXIF numbers it, 1 to 8.
    pub orientation: u8,
}

impl Default for Header {
    /// The header of what is no image.
    fn default() -> Self {
        Header { codec: OTHER, shape: Shape::default(), bytes_per_sample: 0, orientation: 1 }
    }
}

impl Header {
    /// Refuse an image that is not what the slot was made for.
    fn expect(&self, shape: Shape, slot: usize) -> Result<()> {
        let found = self.shape;
        let bytes = found.samples().and_then(|samples| samples.checked_mul(usize::from(self.bytes_per_sample)));
        if found == shape && bytes == Some(slot) {
            return Ok(());
        }
        Err(Error::mismatch(format!(
            "is {} × {} × {} of {} bytes, not {} × {} × {} in {slot} bytes",
            found.height, found.width, found.channels, self.bytes_per_sample, shape.height, shape.width, shape.channels
        )))
    }
}

/// A header, or how many bytes from the record's start must be seen to find it.
#[derive(Debug, PartialEq, Eq)]
pub enum Probe {
    Found(Header),
    Needs(usize),
}

/// Read an image's header from the first bytes of a record of `total` bytes. What is none of PNG, JPEG, WebP and
/// QOI is `OTHER`, no error.
pub fn probe(start: &[u8], total: usize, limits: &Limits) -> Result<Probe> {
    if png::recognises(start) {
        return png::probe(start, total, limits);
    }
    if jpeg::recognises(start) {
        return jpeg::probe(start, total, limits);
    }
    if webp::recognises(start) {
        return webp::probe(start, total, limits);
    }
    if qoi::recognises(start) {
        return qoi::probe(start, total, limits);
    }
    Ok(Probe::Found(Header::default()))
}

/// What a whole image says of itself, and how many bytes follow its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    pub header: Header,
    pub trailing: usize,
}

/// Read an image's header and look at all its parts to its end, without decoding: every chunk and checksum of a PNG, every marker of a
/// JPEG, every chunk of a WebP and of a QOI. What is none of them is `OTHER`, no error.
pub fn examine(bytes: &[u8], limits: &Limits) -> Result<Examined> {
    let Probe::Found(header) = probe(bytes, bytes.len(), limits)? else {
        return Err(Error::corrupt(format!("truncated, {} bytes are there and the image has not begun", bytes.len())));
    };
    let end = match header.codec {
        PNG => png::find_end(bytes, limits)?,
        JPEG => jpeg_markers::find_end(bytes)?,
        WEBP => webp::find_end(bytes)?,
        QOI => qoi::find_end(bytes, header.shape)?,
        _ => bytes.len(),
    };
    Ok(Examined { header, trailing: bytes.len() - end })
}

/// Decode one record into its slot, which is written completely or not to be used.
pub fn decode(codec: u8, bytes: &[u8], shape: Shape, slot: &mut [u8], limits: &Limits) -> Result<()> {
    match codec {
        RAW => raw::copy(bytes, slot, false),
        RAW_PLANAR => raw::rearrange(bytes, shape, Order { is_planar: true, is_blue_first: false }, slot),
        RAW_BGR => raw::rearrange(bytes, shape, Order { is_planar: false, is_blue_first: true }, slot),
        RAW_PLANAR_BGR => raw::rearrange(bytes, shape, Order { is_planar: true, is_blue_first: true }, slot),
        PNG => png::decode(bytes, shape, slot, limits),
        JPEG => jpeg::decode(bytes, shape, slot, limits),
        ZSTD => zstd::decode(bytes, slot),
        LZ4 => lz4::decode(bytes, slot),
        QOI => qoi::decode(bytes, shape, slot, limits),
        WEBP => webp::decode(bytes, shape, slot, limits),
        _ => Err(Error::unsupported(format!("codec number {codec} is not decoded here"))),
    }
}

/// A big-endian number at this offset, if the bytes reach that far.
fn be32(bytes: &[u8], offset: usize) -> Option<u32> {
    let four = bytes.get(offset..offset.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_be_bytes)
}
