//! JPEG through libjpeg-turbo, with Pillow's conversions: grey stays grey, colour becomes RGB, CMYK is inverted as Adobe writes it.

use std::ffi::{CStr, c_char, c_int, c_uchar, c_uint, c_ulong, c_void};
use std::ptr::NonNull;

// Linked for libjpeg itself, whose functions the C side calls.
use turbojpeg_sys as _;

use super::{Header, JPEG, Probe, Shape, exif};
use crate::error::{Error, Kind, Limits, Result};
use crate::view::{self, Layout, Region, Window};

/// Real files have about ten; each one more costs a pass over all coefficients.
pub(super) const MAX_SCANS: c_int = 100;

const OK: c_int = 0;
const UNSUPPORTED: c_int = 2;
const LIMIT: c_int = 3;

unsafe extern "C" {
    fn pixstore_jpeg_decoder_new(max_scans: c_int) -> *mut c_void;
    fn pixstore_jpeg_decoder_free(decoder: *mut c_void);
    fn pixstore_jpeg_decoder_text(decoder: *const c_void) -> *const c_char;
    fn pixstore_jpeg_begin(
        decoder: *mut c_void,
        data: *const c_uchar,
        length: usize,
        height: *mut c_uint,
        width: *mut c_uint,
        channels: *mut c_uint,
    ) -> c_int;
    fn pixstore_jpeg_pixels(decoder: *mut c_void, out: *mut c_uchar) -> c_int;
    fn pixstore_jpeg_region(
        decoder: *mut c_void,
        denominator: c_uint,
        top: c_uint,
        height: c_uint,
        left: *mut c_uint,
        width: *mut c_uint,
        out: *mut c_uchar,
        capacity: usize,
    ) -> c_int;
    fn pixstore_jpeg_encode(
        pixels: *const c_uchar,
        height: c_uint,
        width: c_uint,
        channels: c_uint,
        quality: c_int,
        out: *mut *mut c_uchar,
        length: *mut c_ulong,
        text: *mut c_char,
        text_size: usize,
    ) -> c_int;
}

fn error(status: c_int, text: &str) -> Error {
    match status {
        UNSUPPORTED => Error::unsupported(format!("JPEG: {text}")),
        LIMIT => Error::new(Kind::Limit, format!("JPEG: {text}")),
        _ if text.starts_with("Premature end of JPEG file") => Error::corrupt("JPEG: truncated, its data ends too early"),
        _ => Error::corrupt(format!("JPEG: {text}")),
    }
}

/// A decompressor for one image.
struct Decoder(NonNull<c_void>);

impl Decoder {
    fn new() -> Result<Self> {
        // SAFETY: no preconditions; null is checked.
        let decoder = NonNull::new(unsafe { pixstore_jpeg_decoder_new(MAX_SCANS) });
        decoder.map(Decoder).ok_or_else(|| Error::new(Kind::Limit, "JPEG: no memory for a decoder"))
    }

    fn check(&self, status: c_int) -> Result<()> {
        if status == OK {
            return Ok(());
        }
        // SAFETY: a C string inside the decoder, read before the next call changes it.
        let text = unsafe { CStr::from_ptr(pixstore_jpeg_decoder_text(self.0.as_ptr())) };
        Err(error(status, &text.to_string_lossy()))
    }

    /// Read the header, which tells this shape.
    fn begin(&self, bytes: &[u8], shape: Shape) -> Result<()> {
        let mut found = Shape::default();
        // SAFETY: the pointers are valid for the call; `bytes` outlives the decoder.
        let status = unsafe {
            let (height, width, channels) = (&mut found.height, &mut found.width, &mut found.channels);
            pixstore_jpeg_begin(self.0.as_ptr(), bytes.as_ptr(), bytes.len(), height, width, channels)
        };
        self.check(status)?;
        let header = Header { codec: JPEG, shape: found, bytes_per_sample: 1, orientation: 1 };
        header.expect(shape, shape.samples().unwrap_or(0))
    }

    fn decode(self, bytes: &[u8], shape: Shape, slot: &mut [u8]) -> Result<()> {
        self.begin(bytes, shape)?;
        super::raw::check_size(shape.samples().unwrap_or(0), slot.len())?;
        // SAFETY: the slot holds height · width · channels bytes as libjpeg itself has read them from the header.
        self.check(unsafe { pixstore_jpeg_pixels(self.0.as_ptr(), slot.as_mut_ptr()) })
    }
}

/// Columns at the edge of a region whose colours libjpeg would guess, and the most that it adds to begin with a whole block.
const EDGE: usize = 2;
const BLOCK: usize = 32;

impl Decoder {
    fn decode_region(self, bytes: &[u8], shape: Shape, region: Region, out: &mut Vec<u8>) -> Result<Window> {
        self.begin(bytes, shape)?;
        let scaled_width = (shape.width as usize).div_ceil(region.denominator);
        let first = region.left.saturating_sub(EDGE);
        let end = scaled_width.min(region.left + region.width + EDGE);
        let channels = shape.channels as usize;
        let capacity = region.height * (end - first + BLOCK) * channels;
        let out = view::sized(out, capacity);
        let (mut left, mut width) = (first as c_uint, (end - first) as c_uint);
        let (denominator, top, height) = (region.denominator as c_uint, region.top as c_uint, region.height as c_uint);
        // SAFETY: the pointers are valid for the call, `out` has that capacity, and `bytes` outlives the decoder.
        let status =
            unsafe { pixstore_jpeg_region(self.0.as_ptr(), denominator, top, height, &mut left, &mut width, out.as_mut_ptr(), capacity) };
        self.check(status)?;
        let decoded = Layout { height: region.height, width: width as usize, channels, sample_bytes: 1 };
        if channels == 4 {
            invert(&mut out[..decoded.bytes()]);
        }
        Ok(region.window(decoded, region.top, left as usize))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by pixstore_jpeg_decoder_new and not used afterwards.
        unsafe { pixstore_jpeg_decoder_free(self.0.as_ptr()) };
    }
}

fn invert(samples: &mut [u8]) {
    samples.iter_mut().for_each(|sample| *sample = !*sample);
}

/// A decoder for an image whose header is within the limits.
fn decoder(bytes: &[u8], limits: &Limits) -> Result<Decoder> {
    if !recognises(bytes) {
        return Err(Error::corrupt("JPEG: the signature is missing"));
    }
    // The header is read here first: limits hold before libjpeg allocates anything.
    if let Probe::Needs(_) = probe(bytes, bytes.len(), limits)? {
        return Err(truncated(bytes.len()));
    }
    Decoder::new()
}

/// Decode into a slot of exactly the image's size. Data after the end of the image is accepted.
pub fn decode(bytes: &[u8], shape: Shape, slot: &mut [u8], limits: &Limits) -> Result<()> {
    decoder(bytes, limits)?.decode(bytes, shape, slot)?;
    if shape.channels == 4 {
        invert(slot);
    }
    Ok(())
}

/// Decode the rows and columns of a region into `out`; say where in it they lie. Damage below the region is not seen.
pub fn decode_region(bytes: &[u8], shape: Shape, region: Region, out: &mut Vec<u8>, limits: &Limits) -> Result<Window> {
    decoder(bytes, limits)?.decode_region(bytes, shape, region, out)
}

/// Encode 1 or 3 channels of 8 bits; colour at half size, as Pillow's default.
pub fn encode(pixels: &[u8], shape: Shape, quality: u8) -> Result<Vec<u8>> {
    if shape.samples() != Some(pixels.len()) || pixels.is_empty() || !matches!(shape.channels, 1 | 3) {
        return Err(Error::unsupported(format!("JPEG holds images of 1 or 3 channels of 8 bits, not {shape:?} in {} bytes", pixels.len())));
    }
    let (mut out, mut length) = (std::ptr::null_mut(), 0);
    let mut text = [0 as c_char; 256];
    // SAFETY: `pixels` holds height · width · channels bytes; all out pointers are valid for the call.
    let status = unsafe {
        let quality = c_int::from(quality.clamp(1, 100));
        let (height, width, channels) = (shape.height, shape.width, shape.channels);
        pixstore_jpeg_encode(pixels.as_ptr(), height, width, channels, quality, &mut out, &mut length, text.as_mut_ptr(), text.len())
    };
    let encoded = if status == OK && !out.is_null() {
        // SAFETY: libjpeg has written `length` bytes to `out`.
        unsafe { std::slice::from_raw_parts(out, length as usize) }.to_vec()
    } else {
        Vec::new()
    };
    // SAFETY: null or malloc'ed by libjpeg, and copied above.
    unsafe { libc::free(out.cast()) };
    if status == OK {
        return Ok(encoded);
    }
    // SAFETY: the C side writes a terminated string.
    Err(error(status, &unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy()))
}

pub fn recognises(start: &[u8]) -> bool {
    start.starts_with(&[0xFF, 0xD8, 0xFF])
}

fn truncated(total: usize) -> Error {
    Error::corrupt(format!("JPEG: truncated, {total} bytes are there and the image has not begun"))
}

/// Walk the markers up to the frame header; application data between them may be long.
pub fn probe(start: &[u8], total: usize, limits: &Limits) -> Result<Probe> {
    const FRAME_HEADER: usize = 10;
    let mut at = 2;
    let mut orientation = None;
    loop {
        // A marker is 0xFF, any number of 0xFF more, then its code; stray bytes before it are passed over, as libjpeg does.
        while at + 1 < start.len() && (start[at] != 0xFF || matches!(start[at + 1], 0xFF | 0)) {
            at += 1;
        }
        let needed = at + FRAME_HEADER;
        if needed > start.len() {
            return if needed > total { Err(truncated(total)) } else { Ok(Probe::Needs(needed)) };
        }
        let length = usize::from(u16::from_be_bytes([start[at + 2], start[at + 3]]));
        match start[at + 1] {
            0x01 | 0xD0..=0xD7 => at += 2,
            0xC4 | 0xC8 | 0xCC => at += 2 + length,
            0xC0..=0xCF => {
                let header = frame(&start[at..needed], total, limits)?;
                return Ok(Probe::Found(Header { orientation: orientation.unwrap_or(1), ..header }));
            }
            0xD8..=0xDA => {
                return Err(Error::corrupt(format!("JPEG: no frame header before marker {:#04x}", start[at + 1])));
            }
            0xE1 if orientation.is_none() => {
                // Where it is not yet seen as a whole, more bytes are asked for and the walk begins anew.
                let data = start.get(at + 4..at + 2 + length);
                orientation = data.and_then(|data| data.strip_prefix(b"Exif\0\0")).map(exif::orientation);
                at += 2 + length;
            }
            _ => at += 2 + length,
        }
    }
}

/// The header of a frame: marker, length, precision, height, width, components.
fn frame(bytes: &[u8], total: usize, limits: &Limits) -> Result<Header> {
    let height = u32::from(u16::from_be_bytes([bytes[5], bytes[6]]));
    let width = u32::from(u16::from_be_bytes([bytes[7], bytes[8]]));
    let channels = u32::from(bytes[9]);
    if bytes[4] != 8 {
        return Err(Error::unsupported(format!("JPEG: samples of {} bits", bytes[4])));
    }
    if !matches!(bytes[1], 0xC0..=0xC2 | 0xC9 | 0xCA) {
        return Err(Error::unsupported(format!("JPEG: lossless or hierarchical, frame {:#04x}", bytes[1])));
    }
    if !matches!(channels, 1 | 3 | 4) {
        return Err(Error::unsupported(format!("JPEG: {channels} components")));
    }
    if height == 0 || width == 0 {
        return Err(Error::unsupported(format!("JPEG: {width} × {height} pixels")));
    }
    limits.check_pixels(u64::from(width), u64::from(height))?;
    // Huffman-coded frames spend at least one bit on each block, and a block is at most 32 pixels wide and high.
    let blocks = u64::from(width.div_ceil(32)) * u64::from(height.div_ceil(32));
    if matches!(bytes[1], 0xC0..=0xC2) && blocks > total as u64 * 8 {
        return Err(Error::corrupt(format!("JPEG: {total} bytes cannot hold {width} × {height} pixels")));
    }
    Ok(Header { codec: JPEG, shape: Shape { height, width, channels }, bytes_per_sample: 1, orientation: 1 })
}
