//! Brightness, contrast, saturation and hue of bytes, as torchvision.transforms.v2.functional changes them.

use super::Picture;

/// Factors of brightness, contrast and saturation, turns of hue; and which of these comes when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    pub factors: [f32; 4],
    pub order: [u8; 4],
}

impl Jitter {
    pub fn changes_nothing(&self) -> bool {
        self.factors == [1.0, 1.0, 1.0, 0.0]
    }
}

/// Change a picture of 1 or 3 channels.
pub fn jitter(input: Picture, jitter: Jitter, out: &mut [u8]) {
    input.copy_to(out);
    let is_grey = input.layout.channels == 1;
    for change in jitter.order {
        let factor = jitter.factors[usize::from(change)];
        match change {
            0 if factor != 1.0 => brightness(out, factor),
            1 if factor != 1.0 => contrast(out, is_grey, factor),
            2 if factor != 1.0 && !is_grey => saturation(out, factor),
            3 if factor != 0.0 && !is_grey => out.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| *pixel = hue(*pixel, factor)),
            _ => {}
        }
    }
}

fn by_table(samples: &mut [u8], change: impl Fn(f32) -> f32) {
    // `as u8` cuts the fraction off and stops at 0 and 255.
    let table: [u8; 256] = std::array::from_fn(|value| change(value as f32) as u8);
    samples.iter_mut().for_each(|sample| *sample = table[usize::from(*sample)]);
}

fn brightness(samples: &mut [u8], factor: f32) {
    by_table(samples, |value| value * factor);
}

fn luma(pixel: [u8; 3]) -> f32 {
    (f32::from(pixel[0]) * 0.2989 + f32::from(pixel[1]) * 0.587 + f32::from(pixel[2]) * 0.114).floor()
}

fn contrast(samples: &mut [u8], is_grey: bool, factor: f32) {
    let (sum, count) = if is_grey {
        (samples.iter().map(|&sample| u64::from(sample)).sum::<u64>(), samples.len())
    } else {
        let (pixels, _) = samples.as_chunks::<3>();
        (pixels.iter().map(|&pixel| u64::from(luma(pixel) as u8)).sum(), pixels.len())
    };
    let mean = (sum as f64 / count as f64) as f32;
    by_table(samples, |value| value * factor + mean * (1.0 - factor));
}

fn saturation(samples: &mut [u8], factor: f32) {
    for pixel in samples.as_chunks_mut::<3>().0 {
        let grey = luma(*pixel) * (1.0 - factor);
        *pixel = pixel.map(|sample| (f32::from(sample) * factor + grey) as u8);
    }
}

/// Turn the hue of a pixel by way of hue, saturation and value.
fn hue(pixel: [u8; 3], turns: f32) -> [u8; 3] {
    let [red, green, blue] = pixel.map(|sample| f32::from(sample) / 255.0);
    let (least, value) = (red.min(green).min(blue), red.max(green).max(blue));
    let range = value - least;
    if range == 0.0 {
        return pixel;
    }
    let [from_red, from_green, from_blue] = [red, green, blue].map(|colour| (value - colour) / range);
    let sixths = if value == red {
        from_blue - from_green
    } else if value == green {
        2.0 + from_red - from_blue
    } else {
        4.0 + from_green - from_red
    };
    let turned = (((sixths / 6.0 + 1.0).fract() + turns).rem_euclid(1.0)) * 6.0;
    let (sector, part) = (turned.floor(), turned.fract());
    let saturation = range / value;
    let low = value * (1.0 - saturation);
    let falling = value * (1.0 - saturation * part);
    let rising = value * (1.0 - saturation + saturation * part);
    let turned = match sector as u8 {
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        5 => [value, low, falling],
        _ => [value, rising, low],
    };
    turned.map(|colour| (colour * 255.999) as u8)
}
