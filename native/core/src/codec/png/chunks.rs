//! The chunks of a PNG file: header, palette, transparency and the image data, each with its checksum.

use super::SIGNATURE;
use crate::codec::{be32, exif};
use crate::error::{Error, Limits, Result};

/// Deflate cannot shrink data more than this; more pixels than that are a lie.
const MOST_DEFLATED: u64 = 1032;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Grey,
    Rgb,
    Palette,
    GreyAlpha,
    Rgba,
}

/// What is known of an image before its data.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    pub width: u32,
    pub height: u32,
    pub depth: u8,
    pub colour: Colour,
    pub interlaced: bool,
    pub palette: &'a [u8],
    /// Opacity of the palette's first colours.
    pub opacity: Option<&'a [u8]>,
    pub orientation: u8,
}

impl Image<'_> {
    /// Channels after expansion of the palette.
    pub fn channels(&self) -> u32 {
        match self.colour {
            Colour::Grey => 1,
            Colour::GreyAlpha => 2,
            Colour::Rgb => 3,
            Colour::Rgba => 4,
            Colour::Palette => 3 + u32::from(self.opacity.is_some()),
        }
    }

    /// Samples per pixel as stored.
    pub fn stored_samples(&self) -> usize {
        match self.colour {
            Colour::Palette => 1,
            _ => self.channels() as usize,
        }
    }

    /// Bytes of a stored row of this many pixels, without its filter byte.
    pub fn row_bytes(&self, width: u32) -> usize {
        (width as usize * self.stored_samples() * usize::from(self.depth)).div_ceil(8)
    }

    /// Distance in bytes between a sample and the one to its left, as the filters see it.
    pub fn filter_distance(&self) -> usize {
        (self.stored_samples() * usize::from(self.depth)).div_ceil(8)
    }
}

pub enum Seen<'a> {
    All(Image<'a>),
    /// The bytes seen end too early; this many from the start are needed.
    Needs(usize),
}

pub struct Chunk<'a> {
    pub name: [u8; 4],
    pub offset: usize,
    pub data: &'a [u8],
    stored_crc: u32,
}

impl Chunk<'_> {
    fn check(&self, file: &[u8]) -> Result<()> {
        let covered = &file[self.offset + 4..self.offset + 8 + self.data.len()];
        if libdeflater::crc32(covered) == self.stored_crc {
            return Ok(());
        }
        Err(Error::corrupt(format!("PNG: checksum of chunk {} at byte {} does not match", self.title(), self.offset)))
    }

    fn title(&self) -> String {
        self.name.escape_ascii().to_string()
    }
}

enum Step<'a> {
    Chunk(Chunk<'a>),
    Needs(usize),
}

/// The chunk at this offset of a file of `total` bytes, of which `file` are seen.
fn chunk_at(file: &[u8], offset: usize, total: usize) -> Result<Step<'_>> {
    let truncated = || Error::corrupt(format!("PNG: truncated, {total} bytes are there and the chunk at byte {offset} is not complete"));
    let needs = |end: usize| {
        if end > total { Err(truncated()) } else { Ok(Step::Needs(end)) }
    };
    let Some(length) = be32(file, offset) else {
        return needs(offset + 12);
    };
    let length = length as usize;
    if length > i32::MAX as usize {
        return Err(Error::corrupt(format!("PNG: the chunk at byte {offset} says it has {length} bytes")));
    }
    let end = offset + 12 + length;
    let (Some(stored_crc), Some(data)) = (be32(file, end - 4), file.get(offset + 8..end - 4)) else {
        return needs(end);
    };
    let name = [file[offset + 4], file[offset + 5], file[offset + 6], file[offset + 7]];
    Ok(Step::Chunk(Chunk { name, offset, data, stored_crc }))
}

/// Read everything before the image data from the first bytes of a file of `total` bytes.
pub fn parse_head<'a>(start: &'a [u8], total: usize, limits: &Limits) -> Result<Seen<'a>> {
    let mut image = None;
    let mut offset = SIGNATURE.len();
    loop {
        // The name decides before the chunk is complete: image data need not be seen.
        if let (Some(image), Some(b"IDAT")) = (&image, start.get(offset + 4..offset + 8)) {
            return finish_head(image, total).map(Seen::All);
        }
        let chunk = match chunk_at(start, offset, total)? {
            Step::Chunk(chunk) => chunk,
            Step::Needs(bytes) => return Ok(Seen::Needs(bytes)),
        };
        chunk.check(start)?;
        read_head_chunk(&mut image, &chunk, limits)?;
        offset += 12 + chunk.data.len();
    }
}

fn finish_head<'a>(image: &Image<'a>, total: usize) -> Result<Image<'a>> {
    if image.colour == Colour::Palette && image.palette.is_empty() {
        return Err(Error::corrupt("PNG: the palette is missing"));
    }
    let least = u64::from(image.height) * image.row_bytes(image.width) as u64;
    if least / MOST_DEFLATED > total as u64 {
        return Err(Error::corrupt(format!("PNG: {total} bytes cannot hold {} × {} pixels", image.width, image.height)));
    }
    Ok(image.clone())
}

fn read_head_chunk<'a>(image: &mut Option<Image<'a>>, chunk: &Chunk<'a>, limits: &Limits) -> Result<()> {
    let Some(known) = image else {
        if &chunk.name != b"IHDR" {
            return Err(Error::corrupt(format!("PNG: begins with chunk {}, not IHDR", chunk.title())));
        }
        *image = Some(read_header(chunk.data, limits)?);
        return Ok(());
    };
    match &chunk.name {
        b"PLTE" => known.palette = chunk.data,
        b"tRNS" if known.colour == Colour::Palette => known.opacity = Some(chunk.data),
        b"eXIf" => known.orientation = exif::orientation(chunk.data),
        b"acTL" if be32(chunk.data, 0).is_some_and(|frames| frames > 1) => return Err(Error::unsupported("PNG: animated")),
        b"IEND" | b"IHDR" => {
            return Err(Error::corrupt(format!("PNG: no image data before chunk {} at byte {}", chunk.title(), chunk.offset)));
        }
        // Bit 5 of the first letter tells the chunks that a reader may pass over.
        name if name[0] & 0x20 == 0 => {
            return Err(Error::unsupported(format!("PNG: unknown chunk {}", chunk.title())));
        }
        _ => {}
    }
    Ok(())
}

fn read_header<'a>(data: &[u8], limits: &Limits) -> Result<Image<'a>> {
    let (Some(width), Some(height), &[.., depth, colour, compression, filter, interlace]) = (be32(data, 0), be32(data, 4), data) else {
        return Err(Error::corrupt("PNG: the header is too short"));
    };
    if data.len() != 13 {
        return Err(Error::corrupt(format!("PNG: the header has {} bytes, not 13", data.len())));
    }
    if width == 0 || height == 0 {
        return Err(Error::unsupported(format!("PNG: {width} × {height} pixels")));
    }
    limits.check_pixels(u64::from(width), u64::from(height))?;
    let colour = match (colour, depth) {
        (0, 1 | 2 | 4 | 8 | 16) => Colour::Grey,
        (2, 8 | 16) => Colour::Rgb,
        (3, 1 | 2 | 4 | 8) => Colour::Palette,
        (4, 8 | 16) => Colour::GreyAlpha,
        (6, 8 | 16) => Colour::Rgba,
        _ => {
            return Err(Error::corrupt(format!("PNG: colour type {colour} with {depth} bits does not exist")));
        }
    };
    if compression != 0 || filter != 0 || interlace > 1 {
        return Err(Error::corrupt(format!("PNG: compression {compression}, filter {filter}, interlace {interlace} do not exist")));
    }
    Ok(Image { width, height, depth, colour, interlaced: interlace == 1, palette: &[], opacity: None, orientation: 1 })
}

/// Go through all chunks to the end of the image; return where that is. `visit` is told of each before its checksum is compared, and
/// says whether it is to be.
fn walk<'a>(file: &'a [u8], mut visit: impl FnMut(&Chunk<'a>) -> Result<bool>) -> Result<usize> {
    let mut offset = SIGNATURE.len();
    loop {
        let Step::Chunk(chunk) = chunk_at(file, offset, file.len())? else { unreachable!("all bytes are seen") };
        if visit(&chunk)? {
            chunk.check(file)?;
        }
        offset += 12 + chunk.data.len();
        if &chunk.name == b"IEND" {
            return Ok(offset);
        }
    }
}

fn head<'a>(file: &'a [u8], limits: &Limits) -> Result<Image<'a>> {
    match parse_head(file, file.len(), limits)? {
        Seen::All(image) => Ok(image),
        Seen::Needs(_) => unreachable!("all bytes are seen"),
    }
}

/// Look at every chunk: it lies within the file, its checksum is right, the image data are in one place. Return where the image ends.
pub fn find_end(file: &[u8], limits: &Limits) -> Result<usize> {
    head(file, limits)?;
    let (mut has_begun, mut has_ended) = (false, false);
    walk(file, |chunk| {
        let is_data = &chunk.name == b"IDAT";
        if is_data && has_ended {
            return Err(Error::corrupt(format!("PNG: the image data go on at byte {}, after other chunks", chunk.offset)));
        }
        has_ended = has_begun && !is_data;
        has_begun |= is_data;
        // Those before the image data were checked with the head.
        Ok(has_begun)
    })
}

/// Read a whole file: what is known before the image data, and that data, put together in `joined` where it lies in pieces.
pub fn parse<'a>(file: &'a [u8], limits: &Limits, joined: &'a mut Vec<u8>) -> Result<(Image<'a>, &'a [u8])> {
    let image = head(file, limits)?;
    let mut first: Option<&[u8]> = None;
    joined.clear();
    walk(file, |chunk| {
        match (&chunk.name, first) {
            (b"IDAT", None) => first = Some(chunk.data),
            (b"IDAT", Some(whole)) => {
                if joined.is_empty() {
                    joined.extend_from_slice(whole);
                }
                joined.extend_from_slice(chunk.data);
            }
            _ => {}
        }
        // Those before the image data were checked with the head.
        Ok(first.is_some())
    })?;
    let data = if joined.is_empty() { first.unwrap_or_default() } else { joined };
    Ok((image, data))
}
