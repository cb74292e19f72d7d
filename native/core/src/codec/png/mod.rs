//! PNG: libdeflate inflates and deflates, the filters are our own.

mod chunks;
mod decode;
mod encode;
mod filter;

pub use chunks::find_end;
pub use decode::decode;
pub use encode::encode;

use super::{Header, PNG, Probe, Shape};
use crate::error::{Limits, Result};
use chunks::{Image, Seen};

const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

pub fn recognises(start: &[u8]) -> bool {
    start.starts_with(SIGNATURE)
}

/// Read the header; a palette's transparency lies behind it, so chunks are walked up to the first image data.
pub fn probe(start: &[u8], total: usize, limits: &Limits) -> Result<Probe> {
    Ok(match chunks::parse_head(start, total, limits)? {
        Seen::All(image) => Probe::Found(image.header()),
        Seen::Needs(bytes) => Probe::Needs(bytes),
    })
}

impl Image<'_> {
    fn header(&self) -> Header {
        let shape = Shape { height: self.height, width: self.width, channels: self.channels() };
        Header { codec: PNG, shape, bytes_per_sample: if self.depth == 16 { 2 } else { 1 }, orientation: self.orientation }
    }
}
