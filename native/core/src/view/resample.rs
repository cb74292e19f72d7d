//! A box of a picture at another size, equal to Pillow's `resize(box=)` for bytes: antialiased, or the nearest pixel.

use std::f64::consts::PI;

use super::convolve::{Convolver, Side};
use super::{Layout, Picture};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Nearest,
    Bilinear,
    Bicubic,
    Lanczos,
}

impl Filter {
    /// How many pixels of the smaller picture away a pixel still counts.
    pub fn reach(self) -> f64 {
        match self {
            Filter::Nearest => 0.0,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    /// What a pixel this far away counts: the tent, the cubic of Catmull and Rom, the sinc under a sinc of three lobes.
    pub fn weight(self, distance: f64) -> f64 {
        let far = distance.abs();
        match self {
            Filter::Nearest => 0.0,
            Filter::Bilinear => (1.0 - far).max(0.0),
            Filter::Bicubic if far < 1.0 => (1.5 * far - 2.5) * far * far + 1.0,
            Filter::Bicubic if far < 2.0 => (((far - 5.0) * far + 8.0) * far - 4.0) * -0.5,
            Filter::Lanczos if (-3.0..3.0).contains(&distance) => sinc(distance) * sinc(distance / 3.0),
            _ => 0.0,
        }
    }
}

fn sinc(value: f64) -> f64 {
    if value == 0.0 { 1.0 } else { (value * PI).sin() / (value * PI) }
}

/// Rows and columns of a picture, in fractions of a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub top: f64,
    pub left: f64,
    pub height: f64,
    pub width: f64,
}

impl Area {
    pub fn bottom(self) -> f64 {
        self.top + self.height
    }

    pub fn right(self) -> f64 {
        self.left + self.width
    }

    pub fn vertical(self, to: Layout) -> Side {
        Side { start: self.top, end: self.bottom(), to: to.height }
    }

    pub fn horizontal(self, to: Layout) -> Side {
        Side { start: self.left, end: self.right(), to: to.width }
    }

    /// The area cut to the picture; None where it is empty or beyond it by more than rounding.
    pub fn within(self, layout: Layout) -> Option<Self> {
        const ROUNDING: f64 = 1e-3;
        let (height, width) = (layout.height as f64, layout.width as f64);
        let fits =
            self.top >= -ROUNDING && self.left >= -ROUNDING && self.bottom() <= height + ROUNDING && self.right() <= width + ROUNDING;
        // Pillow takes boxes in single precision.
        let single = |value: f64, most: f64| f64::from(value.clamp(0.0, most) as f32);
        let (top, left) = (single(self.top, height), single(self.left, width));
        let area = Area { top, left, height: single(self.bottom(), height) - top, width: single(self.right(), width) - left };
        (fits && area.height > 0.0 && area.width > 0.0).then_some(area)
    }

    pub fn is_whole(self, layout: Layout) -> bool {
        self == Area { top: 0.0, left: 0.0, height: layout.height as f64, width: layout.width as f64 }
    }
}

/// How a box is scaled. Colours count by their alpha where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resample {
    pub area: Area,
    pub filter: Filter,
    pub has_alpha: bool,
}

/// What a thread keeps from picture to picture.
#[derive(Debug, Default)]
pub struct Resampler {
    convolver: Convolver,
    premultiplied: Vec<u8>,
}

impl Resampler {
    pub fn buffers(&mut self) -> [&mut Vec<u8>; 2] {
        [self.convolver.buffer(), &mut self.premultiplied]
    }
}

pub fn resample(input: Picture, how: Resample, to: Layout, resampler: &mut Resampler, out: &mut [u8]) {
    let Resampler { convolver, premultiplied } = resampler;
    match how.filter {
        Filter::Nearest => nearest(input, how.area, to, out),
        _ if how.has_alpha => with_alpha(input, how, to, convolver, premultiplied, out),
        filter => convolver.scale(input, filter, how.area.vertical(to), how.area.horizontal(to), out),
    }
}

/// Pillow adds up the places of the pixels, rounding included.
fn nearest(input: Picture, area: Area, to: Layout, out: &mut [u8]) {
    let places = |start: f64, length: f64, count: usize, size: usize| {
        let step = length / count as f64;
        let places = std::iter::successors(Some(start + step * 0.5), move |place| Some(place + step));
        places.take(count).map(move |place| (place as usize).min(size - 1))
    };
    let pixel = to.pixel_bytes();
    let rows = places(area.top, area.height, to.height, input.layout.height);
    for (line, row) in out.chunks_exact_mut(to.row_bytes()).zip(rows) {
        let row = input.row(row);
        let columns = places(area.left, area.width, to.width, input.layout.width);
        line.chunks_exact_mut(pixel).zip(columns).for_each(|(to, column)| to.copy_from_slice(&row[column * pixel..][..pixel]));
    }
}

/// What is transparent has no colour that could spread: colours are scaled as they show, and set free of alpha afterwards.
fn with_alpha(input: Picture, how: Resample, to: Layout, convolver: &mut Convolver, kept: &mut Vec<u8>, out: &mut [u8]) {
    let layout = input.layout;
    let premultiplied = super::sized(kept, layout.bytes());
    input.copy_to(premultiplied);
    each_pixel(layout, premultiplied, |colour, alpha, most| (colour * alpha + most / 2) / most);
    convolver.scale(Picture::whole(layout, premultiplied), how.filter, how.area.vertical(to), how.area.horizontal(to), out);
    each_pixel(layout, out, |colour, alpha, most| (colour * most).checked_div(alpha).map_or(colour, |free| free.min(most)));
}

/// Change each colour of pixels that end with alpha, knowing alpha and the most that it can be.
fn each_pixel(layout: Layout, pixels: &mut [u8], change: impl Fn(u32, u32, u32) -> u32) {
    for pixel in pixels.chunks_exact_mut(layout.pixel_bytes()) {
        if layout.sample_bytes == 1 {
            let (&mut alpha, colours) = pixel.split_last_mut().expect("pixels have samples");
            colours.iter_mut().for_each(|colour| *colour = change((*colour).into(), alpha.into(), 255) as u8);
        } else {
            let (&mut alpha, colours) = pixel.as_chunks_mut::<2>().0.split_last_mut().expect("pixels have samples");
            let number = |bytes| u32::from(u16::from_ne_bytes(bytes));
            colours.iter_mut().for_each(|colour| *colour = (change(number(*colour), number(alpha), 65535) as u16).to_ne_bytes());
        }
    }
}
