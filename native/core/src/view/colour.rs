//! Grey, RGB, RGBA and CMYK into each other, as Pillow converts them; alpha is laid over white.

use super::{Layout, Picture, read_u16};
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Grey,
    Rgb,
    Rgba,
}

impl Colour {
    pub fn channels(self) -> usize {
        match self {
            Colour::Grey => 1,
            Colour::Rgb => 3,
            Colour::Rgba => 4,
        }
    }
}

/// Refuse what is no colour.
pub fn layout(to: Colour, is_cmyk: bool, layout: Layout) -> Result<Layout> {
    if !(1..=4).contains(&layout.channels) || is_cmyk && layout.sample_bytes != 1 {
        return Err(Error::unsupported(format!("{} channels of {} bytes are no colours", layout.channels, layout.sample_bytes)));
    }
    Ok(Layout { channels: to.channels(), ..layout })
}

/// A sample of 1 or 2 bytes, as a number.
trait Sample: Copy {
    const WHITE: u32;
    const BYTES: usize;
    fn read(row: &[u8], sample: usize) -> u32;
    fn write(value: u32, to: &mut [u8]);
}

impl Sample for u8 {
    const WHITE: u32 = 255;
    const BYTES: usize = 1;
    fn read(row: &[u8], sample: usize) -> u32 {
        u32::from(row[sample])
    }
    fn write(value: u32, to: &mut [u8]) {
        to[0] = value as u8;
    }
}

impl Sample for u16 {
    const WHITE: u32 = 65535;
    const BYTES: usize = 2;
    fn read(row: &[u8], sample: usize) -> u32 {
        u32::from(read_u16(row, sample))
    }
    fn write(value: u32, to: &mut [u8]) {
        to[..2].copy_from_slice(&(value as u16).to_ne_bytes());
    }
}

/// The luma of ITU-R 601-2 in 16 bits of fraction, as Pillow has it.
pub fn luma(red: u32, green: u32, blue: u32) -> u32 {
    (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
}

/// Ink taken from white: 255 - `ink` is how much of the light `rest` stays. Rounded as Pillow does.
fn under_ink(ink: u32, rest: u32) -> u32 {
    let product = ink * rest + 128;
    rest.saturating_sub((product + (product >> 8)) >> 8)
}

pub fn convert(input: Picture, to: Colour, is_cmyk: bool, out: &mut [u8]) {
    match (input.layout.sample_bytes, input.layout.channels) {
        (2, 1) => between::<u16, 1>(input, to, out),
        (2, 2) => between::<u16, 2>(input, to, out),
        (2, 3) => between::<u16, 3>(input, to, out),
        (2, _) => between::<u16, 4>(input, to, out),
        (_, 1) => between::<u8, 1>(input, to, out),
        (_, 2) => between::<u8, 2>(input, to, out),
        (_, 3) => between::<u8, 3>(input, to, out),
        (_, _) if is_cmyk => from_cmyk(input, to, out),
        (_, _) => between::<u8, 4>(input, to, out),
    }
}

fn between<S: Sample, const FROM: usize>(input: Picture, to: Colour, out: &mut [u8]) {
    match to {
        Colour::Grey => each_pixel::<S, FROM, 1>(input, out, |pixel| [grey_of::<S, FROM>(over_white::<S, FROM>(pixel))]),
        Colour::Rgb => each_pixel::<S, FROM, 3>(input, out, |pixel| rgb_of(over_white::<S, FROM>(pixel))),
        Colour::Rgba => each_pixel::<S, FROM, 4>(input, out, |pixel| {
            let [red, green, blue] = rgb_of(pixel);
            let alpha = if FROM.is_multiple_of(2) { pixel[FROM - 1] } else { S::WHITE };
            [red, green, blue, alpha]
        }),
    }
}

fn from_cmyk(input: Picture, to: Colour, out: &mut [u8]) {
    let rgb = |[cyan, magenta, yellow, black]: [u32; 4]| {
        let rest = 255 - black;
        [under_ink(cyan, rest), under_ink(magenta, rest), under_ink(yellow, rest)]
    };
    match to {
        Colour::Grey => each_pixel::<u8, 4, 1>(input, out, |pixel| [grey_of::<u8, 3>(rgb(pixel))]),
        Colour::Rgb => each_pixel::<u8, 4, 3>(input, out, rgb),
        Colour::Rgba => each_pixel::<u8, 4, 4>(input, out, |pixel| {
            let [red, green, blue] = rgb(pixel);
            [red, green, blue, 255]
        }),
    }
}

fn each_pixel<S: Sample, const FROM: usize, const TO: usize>(input: Picture, out: &mut [u8], convert: impl Fn([u32; FROM]) -> [u32; TO]) {
    let mut pixels = out.chunks_exact_mut(TO * S::BYTES);
    for run in input.runs() {
        for (pixel, to) in run.chunks_exact(FROM * S::BYTES).zip(&mut pixels) {
            let converted = convert(std::array::from_fn(|channel| S::read(pixel, channel)));
            to.chunks_exact_mut(S::BYTES).zip(converted).for_each(|(sample, value)| S::write(value, sample));
        }
    }
}

/// Where there is alpha, the colours as they look on white.
fn over_white<S: Sample, const FROM: usize>(mut pixel: [u32; FROM]) -> [u32; FROM] {
    if FROM.is_multiple_of(2) {
        let alpha = u64::from(pixel[FROM - 1]);
        let white = u64::from(S::WHITE);
        for colour in &mut pixel[..FROM - 1] {
            *colour = ((u64::from(*colour) * alpha + white * (white - alpha) + white / 2) / white) as u32;
        }
    }
    pixel
}

fn grey_of<S: Sample, const FROM: usize>(pixel: [u32; FROM]) -> u32 {
    if FROM >= 3 { luma(pixel[0], pixel[1], pixel[2]) } else { pixel[0] }
}

fn rgb_of<const FROM: usize>(pixel: [u32; FROM]) -> [u32; 3] {
    if FROM >= 3 { [pixel[0], pixel[1], pixel[2]] } else { [pixel[0]; 3] }
}

/// Luma of a picture of 1 to 4 channels of a byte, without its alpha, once or three times.
pub fn gray(input: Picture, channels: usize, out: &mut [u8]) {
    let from = input.layout.channels;
    let mut pixels = out.chunks_exact_mut(channels);
    for run in input.runs() {
        for (pixel, to) in run.chunks_exact(from).zip(&mut pixels) {
            let grey = if from < 3 { pixel[0] } else { luma(pixel[0].into(), pixel[1].into(), pixel[2].into()) as u8 };
            to.fill(grey);
        }
    }
}
