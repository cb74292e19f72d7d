//! xxh3_64 of stored bytes.

use twox_hash::XxHash3_64;

use crate::error::{Error, Kind, Result};

/// The hash of the bytes. AVX2 or SSE2 is chosen at run time.
#[inline]
pub fn hash(bytes: &[u8], seed: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, bytes)
}

/// Refuse bytes whose hash is not the one that was written down.
pub fn compare(found: u64, expected: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::new(Kind::Checksum, format!("checksum is {found:016x}, {expected:016x} was written")))
}

/// Hashes of `prefix` followed by each string `data[offsets[i]..offsets[i + 1]]`; None where an offset lies outside `data`.
pub fn hash_strings(prefix: &[u8], data: &[u8], offsets: &[i64]) -> Option<Vec<u64>> {
    let mut whole = prefix.to_vec();
    let mut hashes = Vec::with_capacity(offsets.len().saturating_sub(1));
    for pair in offsets.windows(2) {
        let range = usize::try_from(pair[0]).ok()?..usize::try_from(pair[1]).ok()?;
        whole.truncate(prefix.len());
        whole.extend_from_slice(data.get(range)?);
        hashes.push(hash(&whole, 0));
    }
    Some(hashes)
}
