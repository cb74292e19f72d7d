//! The orientation in EXIF data: a TIFF header and a directory of entries, in either byte order.

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;
const ENTRY_BYTES: usize = 12;

/// 1 to 8; 1 where none is stated or the data are damaged.
pub fn orientation(tiff: &[u8]) -> u8 {
    stated(tiff).unwrap_or(1)
}

fn stated(tiff: &[u8]) -> Option<u8> {
    let big_endian = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let u16_at = |offset: usize| {
        let two = tiff.get(offset..offset.checked_add(2)?)?.try_into().ok()?;
        Some(if big_endian { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    };
    let u32_at = |offset: usize| {
        let four = tiff.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
        Some(if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    };
    let directory = u32_at(4)? as usize;
    let entry = (0..usize::from(u16_at(directory)?))
        .map(|number| directory + 2 + number * ENTRY_BYTES)
        .find(|&entry| u16_at(entry) == Some(ORIENTATION))?;
    let code = u16_at(entry + 8)?;
    let is_one_short = u16_at(entry + 2)? == SHORT && u32_at(entry + 4)? == 1;
    (is_one_short && (1..=8).contains(&code)).then_some(code as u8)
}
