//! Carries out a plan: from the decoded picture through this thread's buffers into the slot.

use super::plan::{Operation, Plan, Step};
use super::resample::Resampler;
use super::{Layout, Picture, Window, colour, crop, jitter, orient, resample, rotate, tensor};

/// What a thread keeps from record to record.
#[derive(Default)]
pub struct Tools {
    resampler: Resampler,
    buffers: [Vec<u8>; 2],
}

/// What a thread keeps of each buffer.
const KEPT: usize = 32 << 20;

impl Tools {
    /// Let go of what an unusually large record has needed.
    pub fn trim(&mut self) {
        for buffer in self.buffers.iter_mut().chain(self.resampler.buffers()) {
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
        }
    }
}

/// The first `length` bytes of a buffer that grows where it must.
pub fn sized(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    &mut buffer[..length]
}

/// Where the picture is that the next operation takes.
#[derive(Clone, Copy)]
enum Place {
    First,
    Buffer(usize),
}

/// Take the picture, which lies in the window of `first`, through a plan; `out` has the size of what comes out.
pub fn run(plan: &Plan, steps: &[Step], first: &[u8], mut window: Window, tools: &mut Tools, out: &mut [u8]) {
    let Tools { resampler, buffers: [one, two] } = tools;
    let mut place = Place::First;
    for (number, &(operation, layout)) in plan.operations.iter().enumerate() {
        if let Operation::Crop(rectangle) = operation
            && rectangle.is_within(window.layout)
        {
            window = window.part(rectangle.top as usize, rectangle.left as usize, rectangle.height, rectangle.width);
            continue;
        }
        let (from, buffer) = match place {
            Place::First => (first, &mut *one),
            Place::Buffer(0) => (&**one, &mut *two),
            Place::Buffer(_) => (&**two, &mut *one),
        };
        let is_last = number + 1 == plan.operations.len();
        let to = if is_last { &mut *out } else { sized(buffer, layout.bytes()) };
        apply(operation, steps, window.of(from), layout, resampler, to);
        if is_last {
            return;
        }
        window = Window::whole(layout);
        place = Place::Buffer(if let Place::Buffer(0) = place { 1 } else { 0 });
    }
    let from = match place {
        Place::First => first,
        Place::Buffer(0) => one,
        Place::Buffer(_) => two,
    };
    window.of(from).copy_to(out);
}

fn apply(operation: Operation, steps: &[Step], input: Picture, to: Layout, resampler: &mut Resampler, out: &mut [u8]) {
    match operation {
        Operation::Colour { to, is_cmyk, .. } => colour::convert(input, to, is_cmyk, out),
        Operation::Crop(rectangle) => crop::crop(input, rectangle, out),
        Operation::Resample(how) => resample::resample(input, how, to, resampler, out),
        Operation::Orient(code) => orient::orient(input, code, out),
        Operation::Rotate { degrees, filter } => rotate::rotate(input, degrees, filter, out),
        Operation::Jitter(how) => jitter::jitter(input, how, out),
        Operation::Gray => colour::gray(input, to.channels, out),
        Operation::Threshold(value) => {
            let samples = input.runs().flatten();
            samples.zip(out).for_each(|(&sample, to)| *to = u8::from(f32::from(sample) > value));
        }
        Operation::Tensor(number) => {
            let Step::Tensor(how) = &steps[number] else { unreachable!("the plan has the step's number") };
            tensor::tensor(input, how, out);
        }
    }
}
