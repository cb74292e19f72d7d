//! Rows and columns from a picture, with zeros for what lies outside.

use super::{Layout, Picture};

/// Rows and columns from (top, left) on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    pub top: i64,
    pub left: i64,
    pub height: usize,
    pub width: usize,
}

impl Rectangle {
    /// The rows and columns that are within the picture, if any: top, left, height, width.
    pub fn within(self, layout: Layout) -> Option<(usize, usize, usize, usize)> {
        let (top, height) = overlap(self.top, self.height, layout.height)?;
        let (left, width) = overlap(self.left, self.width, layout.width)?;
        Some((top, left, height, width))
    }

    pub fn is_within(self, layout: Layout) -> bool {
        self.within(layout).is_some_and(|(_, _, height, width)| (height, width) == (self.height, self.width))
    }
}

fn overlap(start: i64, length: usize, size: usize) -> Option<(usize, usize)> {
    let first = start.max(0);
    let end = (start + length as i64).min(size as i64);
    (first < end).then(|| (first as usize, (end - first) as usize))
}

pub fn crop(input: Picture, rectangle: Rectangle, out: &mut [u8]) {
    let pixel = input.layout.pixel_bytes();
    let Some((top, left, height, width)) = rectangle.within(input.layout) else {
        return out.fill(0);
    };
    if (height, width) != (rectangle.height, rectangle.width) {
        out.fill(0);
    }
    let (above, before) = ((top as i64 - rectangle.top) as usize, (left as i64 - rectangle.left) as usize);
    for (row, line) in out.chunks_exact_mut(rectangle.width * pixel).skip(above).take(height).enumerate() {
        line[before * pixel..][..width * pixel].copy_from_slice(&input.row(top + row)[left * pixel..][..width * pixel]);
    }
}
