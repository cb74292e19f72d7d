//! What the steps of a call mean for one record: operations with the layouts they leave, checked before anything is allocated.

use super::colour::{self, Colour};
use super::crop::Rectangle;
use super::jitter::Jitter;
use super::orient;
use super::resample::{Area, Filter, Resample};
use super::tensor::Tensor;
use super::{Layout, only_bytes};
use crate::batch::one_or_each;
use crate::codec::JPEG;
use crate::error::{Error, Limits, Result};

/// A step of a call; slices have one item for each record, or one for all.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    Colour(Colour),
    /// (top, left) and (height, width).
    Crop {
        origins: &'a [[i32; 2]],
        sizes: &'a [[i32; 2]],
    },
    /// (top, left, height, width) and (height, width).
    Resample {
        boxes: &'a [[f64; 4]],
        sizes: &'a [[i32; 2]],
        filter: Filter,
    },
    /// EXIF's numbers.
    Orient(&'a [u8]),
    /// Counter-clockwise; nearest or bilinear.
    Rotate {
        degrees: &'a [f64],
        filter: Filter,
    },
    Jitter {
        factors: &'a [[f32; 4]],
        orders: &'a [[u8; 4]],
    },
    /// Luma in 1 or 3 channels.
    Gray(usize),
    Threshold(f32),
    Tensor(Tensor),
}

/// A step for one record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operation {
    /// From this many channels.
    Colour {
        from: usize,
        to: Colour,
        is_cmyk: bool,
    },
    Crop(Rectangle),
    Resample(Resample),
    Orient(u8),
    Rotate {
        degrees: f64,
        filter: Filter,
    },
    Jitter(Jitter),
    Gray,
    Threshold(f32),
    /// The number of the step that tells more.
    Tensor(usize),
}

/// What is to be done with one record, each operation with the layout it leaves. Steps that change nothing are left out.
#[derive(Debug, Default)]
pub struct Plan {
    pub(super) operations: Vec<(Operation, Layout)>,
    /// What comes out in the end.
    pub last: Layout,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Plan a record of this codec and layout anew.
    pub fn make(&mut self, steps: &[Step], record: usize, codec: u8, first: Layout, limits: &Limits) -> Result<()> {
        self.operations.clear();
        self.last = first;
        limits.check_pixels(first.width as u64, first.height as u64)?;
        if !(steps.is_empty() || (1..=4).contains(&first.channels) && (1..=2).contains(&first.sample_bytes)) {
            return Err(Error::unsupported(format!("{} channels of {} bytes take no steps", first.channels, first.sample_bytes)));
        }
        let mut is_cmyk = codec == JPEG && first.channels == 4;
        for (number, step) in steps.iter().enumerate() {
            self.add(step, number, record, is_cmyk, limits)?;
            is_cmyk &= !matches!(step, Step::Colour(_));
        }
        Ok(())
    }

    fn push(&mut self, operation: Operation, layout: Layout, limits: &Limits) -> Result<()> {
        limits.check_pixels(layout.width as u64, layout.height as u64)?;
        // A cut is free before colours are changed, and leaves fewer of them.
        if let (Operation::Crop(rectangle), Some((Operation::Colour { from, .. }, _))) = (operation, self.operations.last())
            && rectangle.is_within(self.last)
        {
            let cut = (operation, Layout { channels: *from, ..layout });
            self.operations.insert(self.operations.len() - 1, cut);
            self.operations.last_mut().expect("colours are changed").1 = layout;
        } else {
            self.operations.push((operation, layout));
        }
        self.last = layout;
        Ok(())
    }

    fn add(&mut self, step: &Step, number: usize, record: usize, is_cmyk: bool, limits: &Limits) -> Result<()> {
        let layout = self.last;
        match step {
            Step::Colour(to) if to.channels() == layout.channels && !is_cmyk => Ok(()),
            Step::Colour(to) => {
                let change = Operation::Colour { from: layout.channels, to: *to, is_cmyk };
                self.push(change, colour::layout(*to, is_cmyk, layout)?, limits)
            }
            Step::Crop { origins, sizes } => {
                let ([top, left], (height, width)) = (one_or_each(origins, record), size(one_or_each(sizes, record))?);
                let rectangle = Rectangle { top: top.into(), left: left.into(), height, width };
                if rectangle == (Rectangle { top: 0, left: 0, height: layout.height, width: layout.width }) {
                    return Ok(());
                }
                self.push(Operation::Crop(rectangle), Layout { height, width, ..layout }, limits)
            }
            Step::Resample { boxes, sizes, filter } => {
                let [top, left, height, width] = one_or_each(boxes, record);
                let asked = Area { top, left, height, width };
                let (height, width) = size(one_or_each(sizes, record))?;
                let refuse = || Error::mismatch(format!("{asked:?} is not within {} × {} pixels", layout.height, layout.width));
                let area = asked.within(layout).ok_or_else(refuse)?;
                if area.is_whole(layout) && (height, width) == (layout.height, layout.width) {
                    return Ok(());
                }
                let has_alpha = layout.channels.is_multiple_of(2) && !is_cmyk;
                let resample = Resample { area, filter: *filter, has_alpha };
                self.push(Operation::Resample(resample), Layout { height, width, ..layout }, limits)
            }
            Step::Orient(codes) => match one_or_each(codes, record) {
                1 => Ok(()),
                code @ 2..=8 => self.push(Operation::Orient(code), orient::layout(code, layout), limits),
                code => Err(Error::unsupported(format!("orientation {code}; there are 1 to 8"))),
            },
            Step::Tensor(tensor) if tensor.changes_nothing(layout) => Ok(()),
            Step::Tensor(tensor) => self.push(Operation::Tensor(number), tensor.layout(layout)?, limits),
            _ => self.add_of_bytes(step, record, limits),
        }
    }

    /// The steps that take samples of one byte alone.
    fn add_of_bytes(&mut self, step: &Step, record: usize, limits: &Limits) -> Result<()> {
        let layout = self.last;
        match step {
            Step::Rotate { degrees, filter } => {
                only_bytes("rotate", layout)?;
                let degrees = one_or_each(degrees, record);
                if degrees == 0.0 {
                    return Ok(());
                }
                self.push(Operation::Rotate { degrees, filter: *filter }, layout, limits)
            }
            Step::Jitter { factors, orders } => {
                only_bytes("jitter", layout)?;
                if layout.channels.is_multiple_of(2) {
                    return Err(Error::unsupported(format!("{} channels do not take jitter; grey and RGB do", layout.channels)));
                }
                let jitter = Jitter { factors: one_or_each(factors, record), order: one_or_each(orders, record) };
                if jitter.changes_nothing() {
                    return Ok(());
                }
                self.push(Operation::Jitter(jitter), layout, limits)
            }
            Step::Gray(channels) => {
                only_bytes("gray", layout)?;
                if (layout.channels, *channels) == (1, 1) {
                    return Ok(());
                }
                self.push(Operation::Gray, Layout { channels: *channels, ..layout }, limits)
            }
            Step::Threshold(value) => {
                only_bytes("threshold", layout)?;
                self.push(Operation::Threshold(*value), layout, limits)
            }
            _ => unreachable!("the others take samples of any size"),
        }
    }
}

fn size([height, width]: [i32; 2]) -> Result<(usize, usize)> {
    match (usize::try_from(height), usize::try_from(width)) {
        (Ok(height @ 1..), Ok(width @ 1..)) => Ok((height, width)),
        _ => Err(Error::mismatch(format!("{height} × {width} is no size of an image"))),
    }
}
