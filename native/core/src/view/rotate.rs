//! Rotation about the centre, the size kept, in Pillow's arithmetic.

use super::resample::Filter;
use super::{Layout, Picture, orient};

/// Turn counter-clockwise; 0 comes from outside. The filter is nearest or bilinear.
pub fn rotate(input: Picture, degrees: f64, filter: Filter, out: &mut [u8]) {
    let Layout { height, width, .. } = input.layout;
    let degrees = degrees.rem_euclid(360.0);
    // Right angles need no arithmetic where the size stays.
    match (degrees, height == width) {
        (0.0, _) => return input.copy_to(out),
        (180.0, _) => return orient::orient(input, 3, out),
        (90.0, true) => return orient::orient(input, 8, out),
        (270.0, true) => return orient::orient(input, 6, out),
        _ => {}
    }
    let matrix = Affine::about_centre(degrees, height, width);
    match filter {
        Filter::Nearest if matrix.is_small(height, width) => nearest_fixed(input, matrix, out),
        Filter::Nearest => each_pixel(input.layout, matrix, out, |x, y, pixel| {
            pixel.copy_from_slice(at(&input, y as usize, x as usize));
        }),
        _ => each_pixel(input.layout, matrix, out, |x, y, pixel| bilinear(&input, x - 0.5, y - 0.5, pixel)),
    }
}

/// Where a pixel of the output comes from: x = xx · x + xy · y + x0, y = yx · x + yy · y + y0.
#[derive(Clone, Copy)]
struct Affine {
    xx: f64,
    xy: f64,
    x0: f64,
    yx: f64,
    yy: f64,
    y0: f64,
}

impl Affine {
    fn about_centre(degrees: f64, height: usize, width: usize) -> Self {
        let round = |value: f64| (value * 1e15).round() / 1e15;
        let (sine, cosine) = (-degrees.to_radians()).sin_cos();
        let (sine, cosine) = (round(sine), round(cosine));
        let (x, y) = (width as f64 / 2.0, height as f64 / 2.0);
        Affine { xx: cosine, xy: sine, x0: cosine * -x + sine * -y + x, yx: -sine, yy: cosine, y0: -sine * -x + cosine * -y + y }
    }

    fn of(&self, x: f64, y: f64) -> (f64, f64) {
        (self.xx * x + self.xy * y + self.x0, self.yx * x + self.yy * y + self.y0)
    }

    /// Whether 16 bits hold every place that the output asks for.
    fn is_small(&self, height: usize, width: usize) -> bool {
        let (width, height) = (width as f64, height as f64);
        [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)].iter().all(|&(x, y)| {
            let (x, y) = self.of(x, y);
            x.abs() < 32768.0 && y.abs() < 32768.0
        })
    }
}

fn at<'a>(input: &Picture<'a>, row: usize, column: usize) -> &'a [u8] {
    &input.row(row)[column * input.layout.channels..][..input.layout.channels]
}

/// In numbers with 16 bits of fraction, which is what Pillow does with pictures of usual sizes.
fn nearest_fixed(input: Picture, matrix: Affine, out: &mut [u8]) {
    let Layout { height, width, channels, .. } = input.layout;
    let fix = |value: f64| (value * 65536.0 + 0.5).floor() as i32;
    let (x0, y0) = matrix.of(0.5, 0.5);
    let (mut first_x, mut first_y) = (fix(x0), fix(y0));
    for line in out.chunks_exact_mut(width * channels) {
        let (mut x, mut y) = (first_x, first_y);
        for pixel in line.chunks_exact_mut(channels) {
            let (column, row) = (x >> 16, y >> 16);
            if (0..width as i32).contains(&column) && (0..height as i32).contains(&row) {
                pixel.copy_from_slice(at(&input, row as usize, column as usize));
            } else {
                pixel.fill(0);
            }
            (x, y) = (x.wrapping_add(fix(matrix.xx)), y.wrapping_add(fix(matrix.yx)));
        }
        (first_x, first_y) = (first_x.wrapping_add(fix(matrix.xy)), first_y.wrapping_add(fix(matrix.yy)));
    }
}

fn each_pixel(layout: Layout, matrix: Affine, out: &mut [u8], fill: impl Fn(f64, f64, &mut [u8])) {
    let (width, height) = (layout.width as f64, layout.height as f64);
    for (row, line) in out.chunks_exact_mut(layout.row_bytes()).enumerate() {
        for (column, pixel) in line.chunks_exact_mut(layout.channels).enumerate() {
            let (x, y) = matrix.of(column as f64 + 0.5, row as f64 + 0.5);
            if (0.0..width).contains(&x) && (0.0..height).contains(&y) {
                fill(x, y, pixel);
            } else {
                pixel.fill(0);
            }
        }
    }
}

fn bilinear(input: &Picture, x: f64, y: f64, pixel: &mut [u8]) {
    let Layout { height, width, .. } = input.layout;
    let (left, top) = (x.floor(), y.floor());
    let (right_part, lower_part) = (x - left, y - top);
    let clip = |place: f64, size: usize| (place.max(0.0) as usize).min(size - 1);
    let (left, right) = (clip(left, width), clip(left + 1.0, width));
    let (top, bottom) = (clip(top, height), clip(top + 1.0, height));
    let between = |from: f64, to: f64, part: f64| from + (to - from) * part;
    let corners = [at(input, top, left), at(input, top, right), at(input, bottom, left), at(input, bottom, right)];
    for (channel, sample) in pixel.iter_mut().enumerate() {
        let [a, b, c, d] = corners.map(|corner| f64::from(corner[channel]));
        *sample = between(between(a, b, right_part), between(c, d, right_part), lower_part) as u8;
    }
}
