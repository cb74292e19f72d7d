//! Antialiased scaling in Pillow's arithmetic: along one side, then along the other, each pass rounded to samples.

#[cfg(target_arch = "x86_64")]
mod x86;

use super::resample::Filter;
use super::{Layout, Picture};

/// Which pixels, from where on, make each pixel of a line, and what they weigh.
#[derive(Debug, Default)]
struct Taps {
    first: Vec<usize>,
    count: Vec<usize>,
    /// As many as the widest pixel needs for each, behind its own zeros.
    weights: Vec<f64>,
    fixed: Vec<i32>,
    per_pixel: usize,
}

/// Bits behind the point of a weight of bytes: what is left of 32 when the sum may overshoot its 8 bits by 2.
const PRECISION: u32 = 32 - 8 - 2;

impl Taps {
    /// For `to` pixels made of start … end on a line of `size` pixels.
    fn set(&mut self, filter: Filter, size: usize, (start, end): (f64, f64), to: usize) {
        // Pillow takes places in single precision.
        let (start, end) = (start as f32, end as f32);
        let (start, scale) = (f64::from(start), f64::from(end - start) / to as f64);
        let filter_scale = scale.max(1.0);
        let support = filter.reach() * filter_scale;
        self.per_pixel = support.ceil() as usize * 2 + 1;
        self.first.clear();
        self.count.clear();
        self.weights.clear();
        self.weights.resize(to * self.per_pixel, 0.0);
        for (pixel, weights) in self.weights.chunks_exact_mut(self.per_pixel).enumerate() {
            let centre = start + (pixel as f64 + 0.5) * scale;
            // Above 2²⁴ single precision leaves whole pixels out.
            let first = ((centre - support + 0.5).max(0.0) as usize).min(size - 1);
            let count = ((centre + support + 0.5) as usize).clamp(first + 1, size) - first;
            for (tap, weight) in weights[..count].iter_mut().enumerate() {
                *weight = filter.weight(((tap + first) as f64 - centre + 0.5) * (1.0 / filter_scale));
            }
            let sum: f64 = weights[..count].iter().sum();
            if sum != 0.0 {
                weights[..count].iter_mut().for_each(|weight| *weight /= sum);
            }
            self.first.push(first);
            self.count.push(count);
        }
        let fixed = |weight: &f64| (weight * f64::from(1 << PRECISION) + 0.5_f64.copysign(*weight)) as i32;
        self.fixed.clear();
        self.fixed.extend(self.weights.iter().map(fixed));
    }

    /// First and end of all pixels that count.
    fn range(&self) -> (usize, usize) {
        let end = self.first.iter().zip(&self.count).map(|(first, count)| first + count).max();
        (self.first.iter().copied().min().unwrap_or(0), end.unwrap_or(0))
    }

    fn of<S: Sample>(&self, pixel: usize) -> (usize, &[S::Weight]) {
        let start = pixel * self.per_pixel;
        (self.first[pixel], &S::weights(self)[start..start + self.count[pixel]])
    }
}

/// Bytes are added up in whole numbers, 16 bits in floats, as Pillow does.
trait Sample: Copy {
    type Weight: Copy;
    type Sum: Copy;
    const BYTES: usize;
    const HALF: Self::Sum;
    fn weights(taps: &Taps) -> &[Self::Weight];
    fn add(sum: Self::Sum, sample: &[u8], weight: Self::Weight) -> Self::Sum;
    fn put(sum: Self::Sum, to: &mut [u8]);
}

impl Sample for u8 {
    type Weight = i32;
    type Sum = i32;
    const BYTES: usize = 1;
    const HALF: i32 = 1 << (PRECISION - 1);

    fn weights(taps: &Taps) -> &[i32] {
        &taps.fixed
    }

    #[inline(always)]
    fn add(sum: i32, sample: &[u8], weight: i32) -> i32 {
        sum.wrapping_add(i32::from(sample[0]).wrapping_mul(weight))
    }

    #[inline(always)]
    fn put(sum: i32, to: &mut [u8]) {
        to[0] = (sum >> PRECISION).clamp(0, 255) as u8;
    }
}

impl Sample for u16 {
    type Weight = f64;
    type Sum = f64;
    const BYTES: usize = 2;
    const HALF: f64 = 0.5;

    fn weights(taps: &Taps) -> &[f64] {
        &taps.weights
    }

    #[inline(always)]
    fn add(sum: f64, sample: &[u8], weight: f64) -> f64 {
        sum + f64::from(u16::from_ne_bytes([sample[0], sample[1]])) * weight
    }

    #[inline(always)]
    fn put(sum: f64, to: &mut [u8]) {
        // Conversion cuts the fraction off and stops at both ends.
        to[..2].copy_from_slice(&(sum as u16).to_ne_bytes());
    }
}

/// What a thread keeps from picture to picture.
#[derive(Debug, Default)]
pub struct Convolver {
    columns: Taps,
    rows: Taps,
    between: Vec<u8>,
    #[cfg(target_arch = "x86_64")]
    halves: x86::Halves,
}

/// Start and end of the area that is scaled, and to how many pixels, along one side.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    pub start: f64,
    pub end: f64,
    pub to: usize,
}

impl Side {
    fn is_copy(self) -> bool {
        self.start == 0.0 && self.end == self.to as f64
    }
}

/// Whether rows come before columns: where height shrinks by much more than width, as in Pillow from version 13 on.
fn is_lowered_first(height: usize, width: usize, to_height: usize, to_width: usize) -> bool {
    let [height, width, to_height, to_width] = [height, width, to_height, to_width].map(|size| size as i64);
    to_height < height && height - to_height > 2 * (width - to_width)
}

impl Convolver {
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.between
    }

    /// Scale an area into `out`.
    pub fn scale(&mut self, input: Picture, filter: Filter, vertical: Side, horizontal: Side, out: &mut [u8]) {
        if input.layout.sample_bytes == 1 {
            self.passes::<u8>(input, filter, vertical, horizontal, out);
        } else {
            self.passes::<u16>(input, filter, vertical, horizontal, out);
        }
    }

    fn passes<S: Sample>(&mut self, input: Picture, filter: Filter, vertical: Side, horizontal: Side, out: &mut [u8]) {
        let Layout { height, width, .. } = input.layout;
        let pixel = input.layout.pixel_bytes();
        let line = horizontal.to * pixel;
        self.rows.set(filter, height, (vertical.start, vertical.end), vertical.to);
        self.columns.set(filter, width, (horizontal.start, horizontal.end), horizontal.to);
        if vertical.is_copy() && vertical.to == height {
            return self.across::<S>(input, out);
        }
        if horizontal.is_copy() && horizontal.to == width {
            return down::<S>(&self.rows, input, out);
        }
        let mut between = std::mem::take(&mut self.between);
        if is_lowered_first(height, width, vertical.to, horizontal.to) {
            let (first, end) = self.columns.range();
            let kept = super::sized(&mut between, vertical.to * (end - first) * pixel);
            down::<S>(&self.rows, input.part(0, first, height, end - first), kept);
            self.columns.first.iter_mut().for_each(|place| *place -= first);
            let layout = Layout { height: vertical.to, width: end - first, ..input.layout };
            self.across::<S>(Picture::whole(layout, kept), out);
        } else {
            let (first, end) = self.rows.range();
            let kept = super::sized(&mut between, (end - first) * line);
            self.across::<S>(input.lines(first, end - first), kept);
            self.rows.first.iter_mut().for_each(|place| *place -= first);
            let layout = Layout { height: end - first, width: horizontal.to, ..input.layout };
            down::<S>(&self.rows, Picture::whole(layout, kept), out);
        }
        self.between = between;
    }

    /// Scale every row.
    fn across<S: Sample>(&mut self, input: Picture, out: &mut [u8]) {
        match input.layout.channels {
            1 => across::<S, 1>(&self.columns, input, out),
            2 => across::<S, 2>(&self.columns, input, out),
            #[cfg(target_arch = "x86_64")]
            channels if S::BYTES == 1 && std::arch::is_x86_feature_detected!("avx2") => {
                self.halves.set(&self.columns);
                let (taps, halves) = (&self.columns, &self.halves);
                // SAFETY: this machine has the instructions.
                unsafe {
                    if channels == 3 { x86::across::<3>(taps, halves, input, out) } else { x86::across::<4>(taps, halves, input, out) }
                }
            }
            3 => across::<S, 3>(&self.columns, input, out),
            _ => across::<S, 4>(&self.columns, input, out),
        }
    }
}

fn across<S: Sample, const CHANNELS: usize>(taps: &Taps, input: Picture, out: &mut [u8]) {
    let line = taps.first.len() * CHANNELS * S::BYTES;
    for (row, line) in input.rows().zip(out.chunks_exact_mut(line)) {
        for (pixel, to) in line.chunks_exact_mut(CHANNELS * S::BYTES).enumerate() {
            put_pixel::<S, CHANNELS>(taps, pixel, row, to);
        }
    }
}

#[inline(always)]
fn put_pixel<S: Sample, const CHANNELS: usize>(taps: &Taps, pixel: usize, row: &[u8], to: &mut [u8]) {
    let (first, weights) = taps.of::<S>(pixel);
    let mut sums = [S::HALF; CHANNELS];
    for (sample, &weight) in row[first * CHANNELS * S::BYTES..].chunks_exact(CHANNELS * S::BYTES).zip(weights) {
        for channel in 0..CHANNELS {
            sums[channel] = S::add(sums[channel], &sample[channel * S::BYTES..], weight);
        }
    }
    to.chunks_exact_mut(S::BYTES).zip(sums).for_each(|(to, sum)| S::put(sum, to));
}

/// Scale every column.
fn down<S: Sample>(taps: &Taps, input: Picture, out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if S::BYTES == 1 && input.layout.row_bytes() >= x86::COLUMNS && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: this machine has the instructions.
        return unsafe { x86::down(taps, input, out) };
    }
    let line = input.layout.row_bytes();
    for (number, line) in out.chunks_exact_mut(line).enumerate() {
        let (first, weights) = taps.of::<S>(number);
        for (column, to) in line.chunks_exact_mut(S::BYTES).enumerate() {
            let add = |sum, (tap, &weight): (usize, &S::Weight)| S::add(sum, &input.row(first + tap)[column * S::BYTES..], weight);
            S::put(weights.iter().enumerate().fold(S::HALF, add), to);
        }
    }
}
