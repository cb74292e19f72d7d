//! Pixels to PNG bytes.

use std::cell::RefCell;

use libdeflater::{CompressionLvl, Compressor};

use super::SIGNATURE;
use super::filter::RowFilter;
use crate::codec::Shape;
use crate::error::{Error, Result};

/// What a thread keeps from image to image.
#[derive(Default)]
struct Encoder {
    compressor: Option<(u8, Compressor)>,
    filter: RowFilter,
    swapped: Vec<u8>,
    filtered: Vec<u8>,
    compressed: Vec<u8>,
}

thread_local! {
    static ENCODER: RefCell<Encoder> = RefCell::default();
}

/// Encode 1 to 4 channels of 1 or 2 bytes (native order).
pub fn encode(pixels: &[u8], shape: Shape, bytes_per_sample: usize, level: u8) -> Result<Vec<u8>> {
    let size = shape.samples().and_then(|samples| samples.checked_mul(bytes_per_sample));
    if size != Some(pixels.len()) || pixels.is_empty() || !matches!(bytes_per_sample, 1 | 2) || shape.channels > 4 {
        let detail = format!("PNG holds images of 1 to 4 channels of 1 or 2 bytes, not {shape:?} in {} bytes", pixels.len());
        return Err(Error::unsupported(detail));
    }
    ENCODER.with_borrow_mut(|encoder| encoder.encode(pixels, shape, bytes_per_sample, level.clamp(1, 12)))
}

impl Encoder {
    fn encode(&mut self, pixels: &[u8], shape: Shape, bytes_per_sample: usize, level: u8) -> Result<Vec<u8>> {
        let pixels = if bytes_per_sample == 2 { big_endian(pixels, &mut self.swapped) } else { pixels };
        let distance = shape.channels as usize * bytes_per_sample;
        let row_bytes = distance * shape.width as usize;
        self.filtered.clear();
        self.filter.begin(row_bytes);
        pixels.chunks_exact(row_bytes).for_each(|row| self.filter.append(distance, row, &mut self.filtered));
        let compressor = match &mut self.compressor {
            Some((kept, compressor)) if *kept == level => compressor,
            other => {
                let valid = CompressionLvl::new(i32::from(level)).unwrap_or_default();
                &mut other.insert((level, Compressor::new(valid))).1
            }
        };
        let bound = compressor.zlib_compress_bound(self.filtered.len());
        if self.compressed.len() < bound {
            self.compressed.resize(bound, 0);
        }
        let length = compressor
            .zlib_compress(&self.filtered, &mut self.compressed)
            .map_err(|error| Error::corrupt(format!("internal error: deflate: {error}")))?;
        Ok(file(shape, bytes_per_sample, &self.compressed[..length]))
    }
}

fn big_endian<'a>(pixels: &[u8], swapped: &'a mut Vec<u8>) -> &'a [u8] {
    swapped.clear();
    swapped.extend(pixels.chunks_exact(2).flat_map(|sample| u16::from_ne_bytes([sample[0], sample[1]]).to_be_bytes()));
    swapped
}

/// Chunks have 31-bit lengths; larger data goes into several.
const LONGEST_CHUNK: usize = 1 << 30;

fn file(shape: Shape, bytes_per_sample: usize, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 57);
    out.extend_from_slice(SIGNATURE);
    let colour = [0, 4, 2, 6][shape.channels as usize - 1];
    let mut header = [0u8; 13];
    header[..4].copy_from_slice(&shape.width.to_be_bytes());
    header[4..8].copy_from_slice(&shape.height.to_be_bytes());
    header[8..10].copy_from_slice(&[8 * bytes_per_sample as u8, colour]);
    append_chunk(b"IHDR", &header, &mut out);
    data.chunks(LONGEST_CHUNK).for_each(|data| append_chunk(b"IDAT", data, &mut out));
    append_chunk(b"IEND", &[], &mut out);
    out
}

fn append_chunk(name: &[u8; 4], data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(data.len() as u32).to_be_bytes());
    let start = out.len();
    out.extend_from_slice(name);
    out.extend_from_slice(data);
    let crc = libdeflater::crc32(&out[start..]);
    out.extend_from_slice(&crc.to_be_bytes());
}
