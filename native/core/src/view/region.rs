//! What part of an image, at what scale, the first operations of a plan need. A codec that can leaves the rest undecoded.

use super::crop::Rectangle;
use super::plan::{Operation, Plan};
use super::resample::{Area, Filter, Resample};
use super::{Layout, Window};

/// Rows and columns of the image at 1/denominator of its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub denominator: usize,
    pub top: usize,
    pub left: usize,
    pub height: usize,
    pub width: usize,
}

impl Region {
    /// The region within a picture that begins at these rows and columns of the same image.
    pub fn window(&self, decoded: Layout, top: usize, left: usize) -> Window {
        Window::whole(decoded).part(self.top - top, self.left - left, self.height, self.width)
    }
}

/// Change the plan to one for a region of the image; None where it needs the whole.
pub fn narrow(plan: &mut Plan, first: Layout) -> Option<Region> {
    let mut frame = Region { denominator: 1, top: 0, left: 0, height: first.height, width: first.width };
    let mut at = 0;
    let cut = match plan.operations.first() {
        Some(&(Operation::Crop(rectangle), _)) => Some(rectangle),
        _ => None,
    };
    if let Some(rectangle) = cut {
        let (top, left, height, width) = rectangle.within(first)?;
        frame = Region { top, left, height, width, ..frame };
        let shifted = Rectangle { top: rectangle.top - top as i64, left: rectangle.left - left as i64, ..rectangle };
        plan.operations[0].0 = Operation::Crop(shifted);
        if !rectangle.is_within(first) {
            return Some(frame);
        }
        at = 1;
    }
    if let Some((Operation::Colour { .. }, _)) = plan.operations.get(at) {
        at += 1;
    }
    match plan.operations.get(at) {
        Some(&(Operation::Resample(resample), to)) if resample.filter != Filter::Nearest => {
            let (region, area) = reduce(frame, resample, to);
            plan.operations[at].0 = Operation::Resample(Resample { area, ..resample });
            for (operation, layout) in &mut plan.operations[..at] {
                (layout.height, layout.width) = (region.height, region.width);
                if let Operation::Crop(rectangle) = operation {
                    *rectangle = Rectangle { top: 0, left: 0, height: region.height, width: region.width };
                }
            }
            Some(region)
        }
        _ => cut.map(|_| frame),
    }
}

/// The smallest scale at which the area is not smaller than what is made of it; there, what the filter looks at, within the
/// frame; and the area as seen from that.
fn reduce(frame: Region, resample: Resample, to: Layout) -> (Region, Area) {
    let area = resample.area;
    let is_enough = |denominator: &usize| area.height >= (denominator * to.height) as f64 && area.width >= (denominator * to.width) as f64;
    let denominator = [8, 4, 2].into_iter().find(is_enough).unwrap_or(1);
    let along = |frame_start: usize, frame_length: usize, start: f64, length: f64, to: usize| {
        let scale = denominator as f64;
        let (first, end) = (frame_start / denominator, (frame_start + frame_length).div_ceil(denominator));
        let (start, length) = ((frame_start as f64 + start) / scale, length / scale);
        let reach = resample.filter.reach() * (length / to as f64).max(1.0) + 1.0;
        let first = first.max((start - reach).max(0.0) as usize);
        let end = end.min((start + length + reach).ceil() as usize);
        (first, end - first, start - first as f64, length)
    };
    let (top, height, area_top, area_height) = along(frame.top, frame.height, area.top, area.height, to.height);
    let (left, width, area_left, area_width) = along(frame.left, frame.width, area.left, area.width, to.width);
    let area = Area { top: area_top, left: area_left, height: area_height, width: area_width };
    (Region { denominator, top, left, height, width }, area)
}
