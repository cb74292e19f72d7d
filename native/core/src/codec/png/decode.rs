//! PNG bytes to pixels.

use std::cell::RefCell;

use libdeflater::{DecompressionError, Decompressor};

use super::chunks::{self, Colour, Image};
use super::filter::unfilter;
use crate::codec::Shape;
use crate::error::{Error, Kind, Limits, Result};

/// What a thread keeps from image to image.
struct Decoder {
    decompressor: Decompressor,
    joined: Vec<u8>,
    inflated: Vec<u8>,
    row: Vec<u8>,
    above: Vec<u8>,
}

thread_local! {
    static DECODER: RefCell<Decoder> = RefCell::new(Decoder {
        decompressor: Decompressor::new(),
        joined: Vec::new(),
        inflated: Vec::new(),
        row: Vec::new(),
        above: Vec::new(),
    });
}

/// A buffer larger than this is not kept by its thread.
const KEPT: usize = 32 << 20;

/// Decode into a slot of exactly the image's size; 16-bit samples in native order. Data after the end is accepted.
pub fn decode(bytes: &[u8], shape: Shape, slot: &mut [u8], limits: &Limits) -> Result<()> {
    DECODER.with_borrow_mut(|decoder| {
        let result = decoder.decode(bytes, shape, slot, limits);
        for buffer in [&mut decoder.joined, &mut decoder.inflated] {
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
        }
        result
    })
}

impl Decoder {
    fn decode(&mut self, bytes: &[u8], shape: Shape, slot: &mut [u8], limits: &Limits) -> Result<()> {
        if !super::recognises(bytes) {
            return Err(Error::corrupt("PNG: the signature is missing"));
        }
        let (image, data) = chunks::parse(bytes, limits, &mut self.joined)?;
        image.header().expect(shape, slot.len())?;
        let inflated = inflate(&mut self.decompressor, &image, data, &mut self.inflated)?;
        if image.depth == 8 && image.colour != Colour::Palette && !image.interlaced {
            return unfilter_straight(&image, inflated, slot, &mut self.above);
        }
        let mut rows = Rows { image: &image, row: &mut self.row, above: &mut self.above };
        rows.expand_passes(inflated, slot)
    }
}

/// Width and height of each pass with the place of its pixels: first column, step, first row, step.
fn passes(image: &Image) -> impl Iterator<Item = Pass> {
    const ADAM7: [(u32, u32, u32, u32); 7] =
        [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)];
    const WHOLE: [(u32, u32, u32, u32); 1] = [(0, 1, 0, 1)];
    let (width, height) = (image.width, image.height);
    let places: &[(u32, u32, u32, u32)] = if image.interlaced { &ADAM7 } else { &WHOLE };
    let pass = move |&(column, columns_apart, row, rows_apart): &(u32, u32, u32, u32)| Pass {
        width: width.saturating_sub(column).div_ceil(columns_apart),
        height: height.saturating_sub(row).div_ceil(rows_apart),
        column,
        columns_apart,
        row,
        rows_apart,
    };
    places.iter().map(pass).filter(|pass| pass.width > 0 && pass.height > 0)
}

struct Pass {
    width: u32,
    height: u32,
    column: u32,
    columns_apart: u32,
    row: u32,
    rows_apart: u32,
}

/// Inflate to exactly the size that the header tells, which its parser has held against the size of the data.
fn inflate<'a>(decompressor: &mut Decompressor, image: &Image, data: &[u8], out: &'a mut Vec<u8>) -> Result<&'a [u8]> {
    let size: usize = passes(image).map(|pass| pass.height as usize * (1 + image.row_bytes(pass.width))).sum();
    // Of the zlib wrapper only the header is looked at: the chunks' own checksums have covered every byte.
    let compressed = match data {
        [method, flags, rest @ ..] if method & 0x0F == 8 && flags & 0x20 == 0 && u16::from_be_bytes([*method, *flags]) % 31 == 0 => rest,
        _ => return Err(Error::corrupt("PNG: the image data is damaged")),
    };
    let mut room = size;
    loop {
        if out.len() < room {
            out.resize(room, 0);
        }
        match decompressor.deflate_decompress(compressed, &mut out[..room]) {
            Ok(inflated) if inflated >= size => return Ok(&out[..size]),
            Ok(inflated) => {
                return Err(Error::corrupt(format!("PNG: {inflated} bytes of pixels where {size} belong")));
            }
            Err(DecompressionError::BadData) => {
                return Err(Error::corrupt("PNG: the image data is damaged"));
            }
            // Some encoders append bytes that every reader passes over.
            Err(DecompressionError::InsufficientSpace) if room < size + (1 << 20) => room = size + (1 << 20),
            Err(DecompressionError::InsufficientSpace) => {
                return Err(Error::corrupt("PNG: more pixels than the header tells"));
            }
        }
    }
}

/// Rows whose stored form is that of the slot: from the inflated bytes straight into it.
fn unfilter_straight(image: &Image, inflated: &[u8], slot: &mut [u8], zeros: &mut Vec<u8>) -> Result<()> {
    let row_bytes = image.row_bytes(image.width);
    zeros.clear();
    zeros.resize(row_bytes, 0);
    let mut above: &[u8] = zeros;
    for (stored, row) in inflated.chunks_exact(1 + row_bytes).zip(slot.chunks_exact_mut(row_bytes)) {
        unfilter(stored[0], image.filter_distance(), &stored[1..], above, row).map_err(bad_filter)?;
        above = row;
    }
    Ok(())
}

fn bad_filter(number: u8) -> Error {
    Error::new(Kind::Corrupt, format!("PNG: filter {number} does not exist"))
}

/// Rows that change form on their way: sub-byte samples, palettes, 16 bits, interlaced.
struct Rows<'a> {
    image: &'a Image<'a>,
    row: &'a mut Vec<u8>,
    above: &'a mut Vec<u8>,
}

impl Rows<'_> {
    fn expand_passes(&mut self, inflated: &[u8], slot: &mut [u8]) -> Result<()> {
        let image = self.image;
        let header = image.header();
        let pixel_bytes = header.shape.channels as usize * usize::from(header.bytes_per_sample);
        let mut rest = inflated;
        for pass in passes(image) {
            let row_bytes = image.row_bytes(pass.width);
            self.above.clear();
            self.above.resize(row_bytes, 0);
            self.row.resize(row_bytes, 0);
            for line in 0..pass.height {
                let stored;
                (stored, rest) = rest.split_at(1 + row_bytes);
                unfilter(stored[0], image.filter_distance(), &stored[1..], self.above, self.row).map_err(bad_filter)?;
                let first = (pass.row + line * pass.rows_apart) as usize * image.width as usize + pass.column as usize;
                let out = &mut slot[first * pixel_bytes..];
                expand_row(image, self.row, pass.width, out, pass.columns_apart as usize * pixel_bytes)?;
                std::mem::swap(self.row, self.above);
            }
        }
        Ok(())
    }
}

/// Write a row's pixels, `step` bytes apart.
fn expand_row(image: &Image, row: &[u8], width: u32, out: &mut [u8], step: usize) -> Result<()> {
    let samples = image.stored_samples();
    let pixels = out.chunks_mut(step).take(width as usize);
    match (image.colour, image.depth) {
        (Colour::Palette, depth) => {
            for (number, pixel) in pixels.enumerate() {
                look_up(image, usize::from(small_sample(row, number, depth)), pixel)?;
            }
        }
        (_, 8) => pixels.zip(row.chunks_exact(samples)).for_each(|(pixel, stored)| pixel[..samples].copy_from_slice(stored)),
        (_, 16) => {
            for (pixel, stored) in pixels.zip(row.chunks_exact(2 * samples)) {
                for (sample, stored) in pixel.chunks_exact_mut(2).zip(stored.chunks_exact(2)) {
                    sample.copy_from_slice(&u16::from_be_bytes([stored[0], stored[1]]).to_ne_bytes());
                }
            }
        }
        (_, depth) => {
            let scale = 255 / ((1u16 << depth) - 1) as u8;
            pixels.enumerate().for_each(|(number, pixel)| pixel[0] = small_sample(row, number, depth) * scale);
        }
    }
    Ok(())
}

/// Sample of at most 8 bits, counted from the row's start.
fn small_sample(row: &[u8], number: usize, depth: u8) -> u8 {
    let depth = usize::from(depth);
    let bit = number * depth;
    let shift = 8 - depth - bit % 8;
    (row[bit / 8] >> shift) & ((1u16 << depth) - 1) as u8
}

fn look_up(image: &Image, index: usize, pixel: &mut [u8]) -> Result<()> {
    // A colour that the palette does not have is black, as Pillow has it.
    let colour = image.palette.get(3 * index..3 * index + 3).unwrap_or(&[0, 0, 0]);
    pixel[..3].copy_from_slice(colour);
    if let Some(opacity) = image.opacity {
        pixel[3] = opacity.get(index).copied().unwrap_or(255);
    }
    Ok(())
}
