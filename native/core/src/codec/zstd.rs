//! Arrays in one Zstandard frame each, which says how many bytes they have.

use std::cell::RefCell;

use zstd_safe::{CCtx, CParameter, DCtx, compress_bound, find_frame_compressed_size, get_error_name, get_frame_content_size};

use crate::error::{Error, Result};

const MAGIC: &[u8; 4] = &0xFD2F_B528_u32.to_le_bytes();

#[derive(Default)]
struct Contexts {
    decoder: Option<DCtx<'static>>,
    encoder: Option<CCtx<'static>>,
}

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

fn failed(code: usize) -> Error {
    Error::corrupt(format!("zstd: {}", get_error_name(code)))
}

/// Decode a record that is one frame of exactly the slot's bytes.
pub fn decode(bytes: &[u8], slot: &mut [u8]) -> Result<()> {
    if !bytes.starts_with(MAGIC) {
        return Err(Error::corrupt("zstd: no frame begins here"));
    }
    match get_frame_content_size(bytes) {
        Ok(Some(size)) if size == slot.len() as u64 => {}
        Ok(Some(size)) => return Err(Error::mismatch(format!("the zstd frame says it has {size} bytes, the array has {}", slot.len()))),
        Ok(None) => return Err(Error::unsupported("zstd: a frame that does not say how many bytes it has")),
        Err(_) => return Err(Error::corrupt("zstd: truncated, or a damaged frame header")),
    }
    let end = find_frame_compressed_size(bytes).map_err(failed)?;
    if end != bytes.len() {
        return Err(Error::corrupt(format!("zstd: the frame has {end} bytes, the record {}", bytes.len())));
    }
    CONTEXTS.with_borrow_mut(|contexts| {
        let written = contexts.decoder.get_or_insert_with(DCtx::create).decompress(slot, bytes).map_err(failed)?;
        if written == slot.len() { Ok(()) } else { Err(Error::corrupt(format!("zstd: {written} bytes, not {}", slot.len()))) }
    })
}

/// Encode an array as one frame with its size and a checksum.
pub fn encode(array: &[u8], level: u8) -> Result<Vec<u8>> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let encoder = contexts.encoder.get_or_insert_with(CCtx::create);
        encoder.set_parameter(CParameter::CompressionLevel(level.into())).map_err(failed)?;
        encoder.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
        let mut record = Vec::with_capacity(compress_bound(array.len()));
        encoder.compress2(&mut record, array).map_err(failed)?;
        record.shrink_to_fit();
        Ok(record)
    })
}
