//! The markers of a JPEG file, from its beginning to its end.

use memchr::memchr;

use super::jpeg::MAX_SCANS;
use crate::error::{Error, Kind, Result};

const END: u8 = 0xD9;
const SCAN: u8 = 0xDA;

/// Go through all segments and scans to the end of the image; return where that is. The header is known to be sound.
pub fn find_end(file: &[u8]) -> Result<usize> {
    let mut at = 2;
    let (mut frames, mut scans) = (0, 0);
    loop {
        at = next_marker(file, at)?;
        match file[at + 1] {
            END if scans == 0 => return Err(Error::corrupt(format!("JPEG: it ends at byte {at} without image data"))),
            END => return Ok(at + 2),
            0x01 | 0xD0..=0xD7 => at += 2,
            0xD8 => return Err(Error::corrupt(format!("JPEG: another image begins at byte {at}, before the first one has ended"))),
            code => {
                frames += usize::from(is_frame(code));
                scans += usize::from(code == SCAN);
                check_counts(at, frames, scans)?;
                at = segment_end(file, at)?;
                if code == SCAN {
                    at = scan_end(file, at)?;
                }
            }
        }
    }
}

fn is_frame(code: u8) -> bool {
    matches!(code, 0xC0..=0xCF) && !matches!(code, 0xC4 | 0xC8 | 0xCC)
}

fn check_counts(at: usize, frames: usize, scans: usize) -> Result<()> {
    if scans > MAX_SCANS as usize {
        return Err(Error::new(Kind::Limit, format!("JPEG: more than {MAX_SCANS} scans")));
    }
    if frames > 1 || (scans > 0 && frames == 0) {
        return Err(Error::corrupt(format!("JPEG: {frames} frame headers up to byte {at}, not one")));
    }
    Ok(())
}

fn truncated(file: &[u8], what: &str) -> Error {
    Error::corrupt(format!("JPEG: truncated, {} bytes are there and {what}", file.len()))
}

fn without_end(file: &[u8]) -> Error {
    truncated(file, "the end of the image is missing")
}

/// The next marker's 0xFF. Stray bytes before it are passed over, as libjpeg does.
fn next_marker(file: &[u8], from: usize) -> Result<usize> {
    let mut at = from;
    loop {
        at += memchr(0xFF, file.get(at..).unwrap_or_default()).ok_or_else(|| without_end(file))?;
        match file.get(at + 1) {
            None => return Err(without_end(file)),
            Some(0xFF | 0) => at += 1,
            Some(_) => return Ok(at),
        }
    }
}

/// Where the segment that begins with the marker at `at` ends.
fn segment_end(file: &[u8], at: usize) -> Result<usize> {
    let Some(&[high, low]) = file.get(at + 2..at + 4) else { return Err(without_end(file)) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 2 {
        return Err(Error::corrupt(format!("JPEG: the segment at byte {at} says it has {length} bytes")));
    }
    let end = at + 2 + length;
    if end > file.len() {
        return Err(truncated(file, &format!("the segment at byte {at} ends at byte {end}")));
    }
    Ok(end)
}

/// Where the next marker after a scan's data is; zeros after 0xFF and restart markers belong to the data.
fn scan_end(file: &[u8], from: usize) -> Result<usize> {
    let mut at = from;
    loop {
        at += memchr(0xFF, &file[at..]).ok_or_else(|| without_end(file))?;
        match file.get(at + 1) {
            None => return Err(without_end(file)),
            Some(0 | 0xD0..=0xD7) => at += 2,
            Some(0xFF) => at += 1,
            Some(_) => return Ok(at),
        }
    }
}
