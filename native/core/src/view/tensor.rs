//! Samples as numbers of another type: scaled, shifted, and one plane per channel where that is wanted.

use super::{Layout, Picture};
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    Uint8,
    Uint16,
    Float16,
    Float32,
    Bfloat16,
}

impl Dtype {
    pub fn bytes(self) -> usize {
        match self {
            Dtype::Uint8 => 1,
            Dtype::Uint16 | Dtype::Float16 | Dtype::Bfloat16 => 2,
            Dtype::Float32 => 4,
        }
    }

    fn is_integer(self) -> bool {
        matches!(self, Dtype::Uint8 | Dtype::Uint16)
    }
}

/// Whether the channels of a pixel lie together, or the pixels of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Hwc,
    Chw,
}

/// sample · scale + offset, where the type is a float. One scale and offset for all channels, or one for each.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub order: Order,
    pub dtype: Dtype,
    pub scale: Vec<f32>,
    pub offset: Vec<f32>,
}

impl Tensor {
    pub fn changes_nothing(&self, layout: Layout) -> bool {
        self.dtype.is_integer() && self.dtype.bytes() == layout.sample_bytes && (self.order == Order::Hwc || layout.channels == 1)
    }

    pub fn layout(&self, layout: Layout) -> Result<Layout> {
        if ![1, layout.channels].contains(&self.scale.len()) || ![1, layout.channels].contains(&self.offset.len()) {
            let (scales, offsets) = (self.scale.len(), self.offset.len());
            return Err(Error::mismatch(format!("{scales} scales and {offsets} offsets for {} channels", layout.channels)));
        }
        if self.dtype == Dtype::Uint8 && layout.sample_bytes != 1 {
            return Err(Error::unsupported("samples of 2 bytes do not go into uint8"));
        }
        Ok(Layout { sample_bytes: self.dtype.bytes(), ..layout })
    }
}

/// Samples that are done at once: a multiple of every number of channels.
const BLOCK: usize = 24;

/// Pixels that are put apart by channel at once, in the nearest cache.
const STRIP: usize = 20 * BLOCK;

type Block = [f32; BLOCK];

/// Scale and offset of each sample of a block.
struct Linear {
    scale: Block,
    offset: Block,
}

impl Linear {
    fn interleaved(tensor: &Tensor) -> Self {
        Linear { scale: std::array::from_fn(|at| each(&tensor.scale, at)), offset: std::array::from_fn(|at| each(&tensor.offset, at)) }
    }

    fn of_channel(tensor: &Tensor, channel: usize) -> Self {
        Linear { scale: [each(&tensor.scale, channel); BLOCK], offset: [each(&tensor.offset, channel); BLOCK] }
    }
}

fn each(values: &[f32], channel: usize) -> f32 {
    values[channel % values.len()]
}

pub fn tensor(input: Picture, tensor: &Tensor, out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("f16c") {
        // SAFETY: this machine has the instructions.
        return unsafe { with_avx2(input, tensor, out) };
    }
    portable::<false>(input, tensor, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,f16c")]
fn with_avx2(input: Picture, tensor: &Tensor, out: &mut [u8]) {
    portable::<true>(input, tensor, out);
}

/// Written so that compilers turn it into vector instructions, of the width that the caller allows. F16C: the caller also allows the
/// instructions that make halves.
#[inline(always)]
fn portable<const F16C: bool>(input: Picture, tensor: &Tensor, out: &mut [u8]) {
    match (input.layout.channels, tensor.order) {
        (1, _) | (_, Order::Hwc) => interleaved::<F16C>(input, tensor, out),
        (2, Order::Chw) => planes::<F16C, 2>(input, tensor, out),
        (3, Order::Chw) => planes::<F16C, 3>(input, tensor, out),
        (_, Order::Chw) => planes::<F16C, 4>(input, tensor, out),
    }
}

#[inline(always)]
fn interleaved<const F16C: bool>(input: Picture, tensor: &Tensor, out: &mut [u8]) {
    let linear = Linear::interleaved(tensor);
    let mut rest = out;
    for run in input.runs() {
        let (place, behind) = rest.split_at_mut(run.len() / input.layout.sample_bytes * tensor.dtype.bytes());
        convert::<F16C>(run, input.layout.sample_bytes, tensor.dtype, &linear, place);
        rest = behind;
    }
}

#[inline(always)]
fn planes<const F16C: bool, const CHANNELS: usize>(input: Picture, tensor: &Tensor, out: &mut [u8]) {
    let linear: [Linear; CHANNELS] = std::array::from_fn(|channel| Linear::of_channel(tensor, channel));
    let Layout { height, width, sample_bytes, .. } = input.layout;
    let to_bytes = tensor.dtype.bytes();
    let mut strips = [[0; 2 * STRIP]; CHANNELS];
    let mut pixel = 0;
    for run in input.runs() {
        for piece in run.chunks(STRIP * CHANNELS * sample_bytes) {
            let count = piece.len() / (CHANNELS * sample_bytes);
            if sample_bytes == 1 {
                apart::<CHANNELS, 1>(piece, &mut strips)
            } else {
                apart::<CHANNELS, 2>(piece, &mut strips)
            }
            for channel in 0..CHANNELS {
                let place = &mut out[(channel * height * width + pixel) * to_bytes..][..count * to_bytes];
                convert::<F16C>(&strips[channel][..count * sample_bytes], sample_bytes, tensor.dtype, &linear[channel], place);
            }
            pixel += count;
        }
    }
}

#[inline(always)]
fn apart<const CHANNELS: usize, const SIZE: usize>(piece: &[u8], strips: &mut [[u8; 2 * STRIP]; CHANNELS]) {
    let samples = piece.as_chunks::<SIZE>().0;
    for (channel, strip) in strips.iter_mut().enumerate() {
        let from = samples.as_chunks::<CHANNELS>().0.iter().map(|pixel| pixel[channel]);
        strip.as_chunks_mut::<SIZE>().0.iter_mut().zip(from).for_each(|(to, sample)| *to = sample);
    }
}

#[inline(always)]
fn convert<const F16C: bool>(samples: &[u8], sample_bytes: usize, dtype: Dtype, linear: &Linear, out: &mut [u8]) {
    match (sample_bytes, dtype) {
        (1, Dtype::Uint8) | (2, Dtype::Uint16) => out.copy_from_slice(samples),
        (1, _) => numbers::<F16C, 1>(samples, dtype, |[sample]| f32::from(sample), linear, out),
        (_, _) => numbers::<F16C, 2>(samples, dtype, |sample| f32::from(u16::from_ne_bytes(sample)), linear, out),
    }
}

#[inline(always)]
fn numbers<const F16C: bool, const FROM: usize>(
    samples: &[u8],
    dtype: Dtype,
    read: impl Fn([u8; FROM]) -> f32,
    linear: &Linear,
    out: &mut [u8],
) {
    match dtype {
        Dtype::Float32 => blocks(samples, read, linear, out, |block, to| put(block, to, f32::to_ne_bytes)),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: F16C is true only where the caller allows the instructions.
        Dtype::Float16 if F16C => blocks(samples, read, linear, out, |block, to| unsafe { put_halves(block, to) }),
        Dtype::Float16 => blocks(samples, read, linear, out, |block, to| put(block, to, |value| float16(value).to_ne_bytes())),
        Dtype::Bfloat16 => blocks(samples, read, linear, out, |block, to| put(block, to, |value| bfloat16(value).to_ne_bytes())),
        // Only bytes come here, and any number of them is exact in a float.
        Dtype::Uint8 | Dtype::Uint16 => {
            blocks(samples, read, linear, out, |block, to| put(block, to, |value| (value as u16).to_ne_bytes()))
        }
    }
}

#[inline(always)]
fn put<const TO: usize>(block: &Block, to: &mut [[u8; TO]; BLOCK], write: impl Fn(f32) -> [u8; TO]) {
    for at in 0..BLOCK {
        to[at] = write(block[at]);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "f16c")]
fn put_halves(block: &Block, to: &mut [[u8; 2]; BLOCK]) {
    use std::arch::x86_64::*;
    for (values, to) in block.as_chunks::<8>().0.iter().zip(to.as_chunks_mut::<8>().0) {
        // SAFETY: eight floats are read and eight halves written.
        unsafe {
            let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(values.as_ptr()));
            _mm_storeu_si128(to.as_mut_ptr().cast(), halves);
        }
    }
}

#[inline(always)]
fn blocks<const FROM: usize, const TO: usize>(
    samples: &[u8],
    read: impl Fn([u8; FROM]) -> f32,
    linear: &Linear,
    out: &mut [u8],
    write: impl Fn(&Block, &mut [[u8; TO]; BLOCK]),
) {
    let (blocks, rest) = samples.as_chunks::<FROM>().0.as_chunks::<BLOCK>();
    let (places, last) = out.as_chunks_mut::<TO>().0.as_chunks_mut::<BLOCK>();
    let scaled = |block: &[[u8; FROM]; BLOCK]| -> Block {
        let mut values = [0.0; BLOCK];
        for at in 0..BLOCK {
            values[at] = read(block[at]) * linear.scale[at] + linear.offset[at];
        }
        values
    };
    for (block, place) in blocks.iter().zip(places) {
        write(&scaled(block), place);
    }
    if !rest.is_empty() {
        let (mut block, mut place) = ([[0; FROM]; BLOCK], [[0; TO]; BLOCK]);
        block[..rest.len()].copy_from_slice(rest);
        write(&scaled(&block), &mut place);
        last.copy_from_slice(&place[..rest.len()]);
    }
}

/// Rounded to nearest, ties to even. Without branches, so that it is done for many at once.
#[inline(always)]
fn float16(value: f32) -> u16 {
    const INFINITY: u32 = 0x7C00;
    let bits = value.to_bits();
    let (sign, size) = (bits >> 16 & 0x8000, bits & 0x7FFF_FFFF);
    let normal = size.wrapping_add(0xFFF + (size >> 13 & 1)).wrapping_sub(0x3800_0000) >> 13;
    // Next to 0.5 the last bit of a float weighs as much as that of the smallest halves: the addition rounds.
    let tiny = (f32::from_bits(size) + 0.5).to_bits().wrapping_sub(0x3F00_0000);
    let huge = if size > 0x7F80_0000 { INFINITY | 0x200 } else { INFINITY };
    let finite = if size < 0x3880_0000 { tiny } else { normal };
    (sign | if size >= 0x4780_0000 { huge } else { finite }) as u16
}

/// Rounded to nearest, ties to even.
#[inline(always)]
fn bfloat16(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
    (if value.is_nan() { bits >> 16 | 0x40 } else { rounded }) as u16
}
