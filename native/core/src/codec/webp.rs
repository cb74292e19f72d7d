//! WebP through libwebp: RGB, or RGBA where the image has alpha. Animations are not decoded.

use std::mem::MaybeUninit;

use libwebp_sys as libwebp;

use super::{Header, Probe, Shape, WEBP, exif};
use crate::error::{Error, Limits, Result};

/// "RIFF", length, "WEBP".
const FILE_HEADER: usize = 12;
/// Name and length of a chunk.
const CHUNK_HEADER: usize = 8;
/// What tells the size and the alpha of a file that is not an extended one.
const HEAD: usize = 30;

const HAS_ANIMATION: u8 = 0b10;
const HAS_EXIF: u8 = 0b1000;
const LARGEST_SIDE: u32 = 16383;

pub fn recognises(start: &[u8]) -> bool {
    start.starts_with(b"RIFF") && start.get(8..FILE_HEADER) == Some(b"WEBP")
}

fn truncated(total: usize) -> Error {
    Error::corrupt(format!("WebP: truncated, {total} bytes are there"))
}

fn le32(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
}

/// Read the size and the alpha. What an extended file says of its alpha and its orientation lies anywhere in it.
pub fn probe(start: &[u8], total: usize, limits: &Limits) -> Result<Probe> {
    if le32(start, 4).is_none_or(|length| length > total.saturating_sub(8)) {
        return Err(truncated(total));
    }
    let flags = match start.get(FILE_HEADER..FILE_HEADER + 4) {
        Some(b"VP8X") => start.get(FILE_HEADER + CHUNK_HEADER).copied(),
        _ => None,
    };
    let wanted = if flags.is_some() { total } else { total.min(HEAD) };
    if start.len() < wanted {
        return Ok(Probe::Needs(wanted));
    }
    let flags = flags.unwrap_or(0);
    if flags & HAS_ANIMATION != 0 {
        return Err(Error::unsupported("WebP: an animation; only still images are stored"));
    }
    let mut features = MaybeUninit::uninit();
    // SAFETY: the bytes are there, and features are written where the status says so.
    let features = unsafe {
        match libwebp::WebPGetFeatures(start.as_ptr(), start.len(), features.as_mut_ptr()) {
            libwebp::VP8StatusCode::VP8_STATUS_OK => features.assume_init(),
            status => return Err(Error::corrupt(format!("WebP: a header that is damaged or ends too early ({status:?})"))),
        }
    };
    let (height, width) = (features.height as u32, features.width as u32);
    limits.check_pixels(width.into(), height.into())?;
    let orientation = if flags & HAS_EXIF != 0 { orientation(start) } else { 1 };
    let shape = Shape { height, width, channels: if features.has_alpha != 0 { 4 } else { 3 } };
    Ok(Probe::Found(Header { codec: WEBP, shape, bytes_per_sample: 1, orientation }))
}

/// The orientation in the EXIF chunk; 1 where there is none, or where the chunks do not follow each other.
fn orientation(bytes: &[u8]) -> u8 {
    let mut at = FILE_HEADER;
    while let Some(length) = le32(bytes, at + 4) {
        let data = at + CHUNK_HEADER;
        if &bytes[at..at + 4] == b"EXIF" {
            let tiff = data.checked_add(length).and_then(|end| bytes.get(data..end)).unwrap_or(&[]);
            return exif::orientation(tiff.strip_prefix(b"Exif\0\0").unwrap_or(tiff));
        }
        at = data.saturating_add(length).saturating_add(length & 1);
    }
    1
}

/// Where the file ends by its own length: its chunks lie within, the image among them.
pub fn find_end(bytes: &[u8]) -> Result<usize> {
    let end =
        le32(bytes, 4).and_then(|length| length.checked_add(8)).filter(|end| *end <= bytes.len()).ok_or_else(|| truncated(bytes.len()))?;
    let (mut at, mut has_image) = (FILE_HEADER, false);
    while at + CHUNK_HEADER <= end {
        has_image |= matches!(&bytes[at..at + 4], b"VP8 " | b"VP8L");
        let length = le32(bytes, at + 4).unwrap_or(usize::MAX);
        let next = at.saturating_add(CHUNK_HEADER).saturating_add(length);
        if next > end {
            return Err(Error::corrupt(format!("WebP: the chunk at byte {at} ends beyond the file's {end} bytes")));
        }
        at = next + (length & 1);
    }
    if has_image { Ok(end) } else { Err(Error::corrupt("WebP: a file without an image")) }
}

/// Decode to 3 or 4 channels; alpha that the image does not have, as it was all opaque, is 255.
pub fn decode(bytes: &[u8], shape: Shape, slot: &mut [u8], limits: &Limits) -> Result<()> {
    if !recognises(bytes) {
        return Err(Error::corrupt("not a WebP image"));
    }
    let Probe::Found(mut header) = probe(bytes, bytes.len(), limits)? else {
        return Err(truncated(bytes.len()));
    };
    if (header.shape.channels, shape.channels) == (3, 4) {
        header.shape.channels = 4;
    }
    header.expect(shape, slot.len())?;
    let into = if shape.channels == 4 { libwebp::WebPDecodeRGBAInto } else { libwebp::WebPDecodeRGBInto };
    // Sides of at most 2^14 and 4 channels: below 2^31.
    let row_bytes = (shape.width * shape.channels) as i32;
    // SAFETY: both lengths are those of the slices; libwebp writes height rows of so many bytes, which is the slot's size.
    let written = unsafe { into(bytes.as_ptr(), bytes.len(), slot.as_mut_ptr(), slot.len(), row_bytes) };
    if written.is_null() { Err(Error::corrupt("WebP: the image data are damaged or end too early")) } else { Ok(()) }
}

/// Encode 3 or 4 channels of 1 byte; lossless keeps the colours of transparent pixels too.
pub fn encode(pixels: &[u8], shape: Shape, quality: u8, is_lossless: bool) -> Result<Vec<u8>> {
    let Shape { height, width, channels } = shape;
    if shape.samples() != Some(pixels.len()) || pixels.is_empty() || !matches!(channels, 3 | 4) || height.max(width) > LARGEST_SIDE {
        let detail = format!("WebP holds images of 3 or 4 channels of 1 byte, up to {LARGEST_SIDE} pixels a side, not {shape:?}");
        return Err(Error::unsupported(detail));
    }
    let failed = || Error::corrupt("internal error: libwebp does not encode");
    let mut config =
        libwebp::WebPConfig::new_with_preset(libwebp::WebPPreset::WEBP_PRESET_DEFAULT, quality.into()).map_err(|()| failed())?;
    config.lossless = is_lossless.into();
    config.exact = is_lossless.into();
    let mut picture = libwebp::WebPPicture::new().map_err(|()| failed())?;
    (picture.use_argb, picture.width, picture.height) = (is_lossless.into(), width as i32, height as i32);
    let import = if channels == 4 { libwebp::WebPPictureImportRGBA } else { libwebp::WebPPictureImportRGB };
    let mut writer = MaybeUninit::uninit();
    // SAFETY: the pixels are height rows of width · channels bytes; the writer is initialised before it is used, outlives the picture,
    // and is cleared after its bytes are copied.
    unsafe {
        libwebp::WebPMemoryWriterInit(writer.as_mut_ptr());
        let mut writer = writer.assume_init();
        picture.writer = Some(libwebp::WebPMemoryWrite);
        picture.custom_ptr = (&raw mut writer).cast();
        let is_encoded =
            import(&mut picture, pixels.as_ptr(), (width * channels) as i32) != 0 && libwebp::WebPEncode(&config, &mut picture) != 0;
        let record = (is_encoded && !writer.mem.is_null()).then(|| std::slice::from_raw_parts(writer.mem, writer.size).to_vec());
        libwebp::WebPPictureFree(&mut picture);
        libwebp::WebPMemoryWriterClear(&mut writer);
        record.ok_or_else(failed)
    }
}
