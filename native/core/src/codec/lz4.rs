//! Arrays in one LZ4 frame each (version 1.6 of the frame format): independent blocks, the array's size, a checksum at the end.

use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};
use twox_hash::XxHash32;

use crate::error::{Error, Result};

const MAGIC: &[u8; 4] = &0x184D_2204_u32.to_le_bytes();

const VERSION: u8 = 0b0100_0000;
const INDEPENDENT: u8 = 0b0010_0000;
const CONTENT_SIZE: u8 = 0b0000_1000;
const CONTENT_CHECKSUM: u8 = 0b0000_0100;

/// Magic, flags, largest block, size, checksum of these.
const HEADER: usize = 15;
const IS_STORED: u32 = 1 << 31;
const LARGEST: usize = 4 << 20;
/// Code and bytes of the largest block.
const SIZES: [(u8, usize); 4] = [(4, 64 << 10), (5, 256 << 10), (6, 1 << 20), (7, LARGEST)];

fn truncated(bytes: &[u8]) -> Error {
    Error::corrupt(format!("LZ4: truncated, the frame does not end within {} bytes", bytes.len()))
}

fn le32(bytes: &[u8], at: usize) -> Result<u32> {
    let four = bytes.get(at..at + 4).ok_or_else(|| truncated(bytes))?;
    Ok(u32::from_le_bytes(four.try_into().expect("four bytes")))
}

/// Check the header of a frame of so many bytes; return the largest block, and whether a checksum follows the blocks.
fn header(bytes: &[u8], size: usize) -> Result<(usize, bool)> {
    if !bytes.starts_with(MAGIC) {
        return Err(Error::corrupt("LZ4: no frame begins here"));
    }
    let head: &[u8; HEADER] = bytes.get(..HEADER).and_then(|head| head.try_into().ok()).ok_or_else(|| truncated(bytes))?;
    let flags = head[4];
    if flags & !CONTENT_CHECKSUM != VERSION | INDEPENDENT | CONTENT_SIZE {
        return Err(Error::unsupported(format!("LZ4: a frame of flags {flags:#010b}; independent blocks and its size are needed")));
    }
    if head[14] != descriptor_checksum(&head[4..14]) {
        return Err(Error::corrupt("LZ4: the checksum of the frame's header differs"));
    }
    let stated = u64::from_le_bytes(head[6..14].try_into().expect("eight bytes"));
    if stated != size as u64 {
        return Err(Error::mismatch(format!("the LZ4 frame says it has {stated} bytes, the array has {size}")));
    }
    match SIZES.iter().find(|(code, _)| code << 4 == head[5]) {
        Some((_, largest)) => Ok((*largest, flags & CONTENT_CHECKSUM != 0)),
        None => Err(Error::corrupt(format!("LZ4: blocks of the unknown size {:#04x}", head[5]))),
    }
}

fn descriptor_checksum(descriptor: &[u8]) -> u8 {
    (XxHash32::oneshot(0, descriptor) >> 8) as u8
}

/// Decode a record that is one frame of exactly the slot's bytes.
pub fn decode(bytes: &[u8], slot: &mut [u8]) -> Result<()> {
    let (largest, has_checksum) = header(bytes, slot.len())?;
    let (mut at, mut done) = (HEADER, 0);
    loop {
        let word = le32(bytes, at)?;
        at += 4;
        if word == 0 {
            break;
        }
        let length = (word & !IS_STORED) as usize;
        let block = bytes.get(at..at + length).ok_or_else(|| truncated(bytes))?;
        let room = &mut slot[done..];
        let room = if room.len() > largest { &mut room[..largest] } else { room };
        let written = if word & IS_STORED == 0 {
            decompress_into(block, room).map_err(|error| Error::corrupt(format!("LZ4: {error}")))?
        } else {
            room.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
            length
        };
        if written != room.len() {
            return Err(Error::corrupt(format!("LZ4: a block of {written} bytes, not {}", room.len())));
        }
        done += written;
        at += length;
    }
    if done != slot.len() {
        return Err(Error::corrupt(format!("LZ4: {done} bytes, not {}", slot.len())));
    }
    if has_checksum {
        if le32(bytes, at)? != XxHash32::oneshot(0, slot) {
            return Err(Error::corrupt("LZ4: the checksum of the frame's content differs"));
        }
        at += 4;
    }
    if at == bytes.len() { Ok(()) } else { Err(Error::corrupt(format!("LZ4: the frame has {at} bytes, the record {}", bytes.len()))) }
}

/// Encode an array as one frame with its size and a checksum.
pub fn encode(array: &[u8]) -> Result<Vec<u8>> {
    let (code, largest) = SIZES.into_iter().find(|(_, size)| *size >= array.len()).unwrap_or((7, LARGEST));
    let mut record = Vec::with_capacity(HEADER + get_maximum_output_size(array.len()) + 8 + 4 * array.len().div_ceil(largest));
    record.extend_from_slice(MAGIC);
    record.extend_from_slice(&[VERSION | INDEPENDENT | CONTENT_SIZE | CONTENT_CHECKSUM, code << 4]);
    record.extend_from_slice(&(array.len() as u64).to_le_bytes());
    record.push(descriptor_checksum(&record[4..]));
    let mut packed = vec![0; get_maximum_output_size(largest.min(array.len()))];
    for block in array.chunks(largest) {
        let length = compress_into(block, &mut packed).map_err(|error| Error::corrupt(format!("internal error: LZ4: {error}")))?;
        let (word, stored) =
            if length < block.len() { (length as u32, &packed[..length]) } else { (block.len() as u32 | IS_STORED, block) };
        record.extend_from_slice(&word.to_le_bytes());
        record.extend_from_slice(stored);
    }
    record.extend_from_slice(&0_u32.to_le_bytes());
    record.extend_from_slice(&XxHash32::oneshot(0, array).to_le_bytes());
    record.shrink_to_fit();
    Ok(record)
}
