//! What is done to pixels between decoding and the slot: each file has one step, this one the picture they all work on.

mod colour;
mod convolve;
mod crop;
mod jitter;
mod orient;
mod plan;
mod region;
mod resample;
mod rotate;
mod run;
mod tensor;

pub use colour::Colour;
pub use plan::{Plan, Step};
pub use region::{Region, narrow};
pub use resample::Filter;
pub use run::{Tools, run, sized};
pub use tensor::{Dtype, Order, Tensor};

use crate::codec::Shape;
use crate::error::{Error, Result};

/// Rows, columns, channels and bytes per sample of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub sample_bytes: usize,
}

impl Layout {
    pub fn of(shape: Shape, sample_bytes: usize) -> Self {
        Layout { height: shape.height as usize, width: shape.width as usize, channels: shape.channels as usize, sample_bytes }
    }

    pub fn pixel_bytes(self) -> usize {
        self.channels * self.sample_bytes
    }

    pub fn row_bytes(self) -> usize {
        self.width * self.pixel_bytes()
    }

    /// Bytes of the whole. Pixels are within the limits before anybody asks, so this does not overflow.
    pub fn bytes(self) -> usize {
        self.height * self.row_bytes()
    }
}

/// Pixels that somebody else keeps: rows of H·W·C samples, `stride` bytes from one to the next.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    pub layout: Layout,
    bytes: &'a [u8],
    stride: usize,
}

/// Where a picture lies within the bytes that hold it.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub layout: Layout,
    start: usize,
    stride: usize,
}

impl Window {
    pub fn whole(layout: Layout) -> Self {
        Window { layout, start: 0, stride: layout.row_bytes() }
    }

    /// The part of this many rows and columns from (top, left) on, which lies within the window.
    pub fn part(self, top: usize, left: usize, height: usize, width: usize) -> Self {
        assert!(top + height <= self.layout.height && left + width <= self.layout.width, "a part lies within its window");
        let start = self.start + top * self.stride + left * self.layout.pixel_bytes();
        Window { layout: Layout { height, width, ..self.layout }, start, stride: self.stride }
    }

    pub fn of<'a>(&self, bytes: &'a [u8]) -> Picture<'a> {
        Picture { layout: self.layout, bytes: &bytes[self.start..], stride: self.stride }
    }
}

impl<'a> Picture<'a> {
    /// A picture whose rows follow each other.
    pub fn whole(layout: Layout, bytes: &'a [u8]) -> Self {
        Window::whole(layout).of(bytes)
    }

    pub fn row(&self, row: usize) -> &'a [u8] {
        &self.bytes[row * self.stride..][..self.layout.row_bytes()]
    }

    pub fn rows(&self) -> impl Iterator<Item = &'a [u8]> {
        let picture = *self;
        (0..self.layout.height).map(move |row| picture.row(row))
    }

    /// The rows, or all of them as one where they follow each other: what is done pixel by pixel needs no more.
    pub fn runs(&self) -> impl Iterator<Item = &'a [u8]> {
        let layout = self.layout;
        let joined = self.stride == layout.row_bytes();
        let run = if joined { layout.bytes() } else { layout.row_bytes() };
        let (bytes, stride) = (self.bytes, self.stride);
        (0..if joined { 1 } else { layout.height }).map(move |row| &bytes[row * stride..][..run])
    }

    /// Some rows and columns, which lie within the picture.
    pub fn part(&self, top: usize, left: usize, height: usize, width: usize) -> Self {
        Window { layout: self.layout, start: 0, stride: self.stride }.part(top, left, height, width).of(self.bytes)
    }

    /// Some rows.
    pub fn lines(&self, first: usize, height: usize) -> Self {
        self.part(first, 0, height, self.layout.width)
    }

    pub fn copy_to(&self, out: &mut [u8]) {
        let mut rest = out;
        for run in self.runs() {
            let (place, behind) = rest.split_at_mut(run.len());
            place.copy_from_slice(run);
            rest = behind;
        }
    }
}

/// Samples of 2 bytes take few steps.
fn only_bytes(step: &str, layout: Layout) -> Result<()> {
    if layout.sample_bytes == 1 {
        return Ok(());
    }
    Err(Error::unsupported(format!("samples of {} bytes do not take {step}", layout.sample_bytes)))
}

fn read_u16(bytes: &[u8], sample: usize) -> u16 {
    u16::from_ne_bytes([bytes[2 * sample], bytes[2 * sample + 1]])
}
