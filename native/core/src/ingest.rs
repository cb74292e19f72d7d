//! Whole records on their way into a store: read end to end into one buffer, looked at and hashed while they are near.

use crate::batch::{Call, Look, Slots, collect, collect_each};
use crate::checksum;
use crate::codec::{self, Examined, Probe};
use crate::error::{Error, Failure, Kind, Result};
use crate::files::stat;
use crate::source::{Cursor, Extents, Found, Io, Place, Source, Stamp};

/// What is asked of each record.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub look: Look,
    /// Seeds of the checksums, where they are wanted.
    pub seeds: Option<&'a [u64]>,
    /// What the file of each record was like when it was looked at before.
    pub known: Option<&'a [Stamp]>,
}

/// Where each record is to lie in one buffer; a length of -1 is one that cannot be read.
pub struct Layout {
    pub offset: Vec<i64>,
    pub length: Vec<i64>,
    pub total: usize,
    failures: Vec<Failure>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Ingested {
    pub examined: Examined,
    pub checksum: u64,
}

/// Find how long each record is, and lay them end to end.
pub fn lay_out(place: &Place, wanted: &Wanted, call: Call) -> Layout {
    let (lengths, failures) = collect_each(place.len(), call.threads, |record| {
        let length = match wanted.known {
            Some(known) if is_whole_file(place, record) && known[record].size >= 0 => known[record].size,
            _ => stated_length(place, record)?,
        };
        call.limits.check_bytes(length as u64)?;
        Ok(length)
    });
    let mut layout = Layout { offset: Vec::with_capacity(lengths.len()), length: lengths, total: 0, failures };
    layout.failures.iter().for_each(|failure| layout.length[failure.record] = -1);
    for &length in &layout.length {
        layout.offset.push(layout.total as i64);
        layout.total += length.max(0) as usize;
    }
    layout
}

fn is_whole_file(place: &Place, record: usize) -> bool {
    matches!(place, Place::Extents(extents) if extents.length[record] == -1 && extents.offset[record] == 0)
}

fn stated_length(place: &Place, record: usize) -> Result<i64> {
    let missing = || Error::new(Kind::Missing, "no record");
    match place {
        Place::Buffers(buffers) => Ok(buffers[record].len() as i64),
        Place::Slices { length, .. } if length[record] >= 0 => Ok(length[record]),
        Place::Slices { .. } => Err(missing()),
        Place::Extents(Extents { paths, file, offset, length }) => match (offset[record], length[record]) {
            (..0, _) => Err(missing()),
            (0, -1) => Ok(stat(paths.get(file[record] as usize).ok_or_else(missing)?)?.size),
            (_, length @ 0..) => Ok(length),
            (offset, length) => Err(Error::new(Kind::Truncated, format!("{length} bytes from byte {offset} are not a whole file"))),
        },
    }
}

/// Read every record of the layout into `out`, which has at least `total` bytes; those that failed get length -1.
pub fn ingest(place: &Place, wanted: Wanted, layout: &mut Layout, out: &mut [u8], call: Call) -> (Vec<Ingested>, Vec<Failure>) {
    let source = Source::new(place, Io::Pread, call.limits);
    let slots = slots(layout, out);
    let has_failed = &layout.length;
    let (found, mut failures) = collect(&source, place.len(), call.threads, |cursor, record| {
        if has_failed[record] < 0 {
            return Ok(Ingested::default());
        }
        // SAFETY: collect comes to each record once.
        let slot = unsafe { slots.slot(record) };
        read(cursor, record, wanted.known.map(|known| known[record]), slot)?;
        let examined = look(slot, wanted.look, &call)?;
        let checksum = wanted.seeds.map_or(0, |seeds| checksum::hash(slot, seeds[record]));
        Ok(Ingested { examined, checksum })
    });
    failures.iter().for_each(|failure| layout.length[failure.record] = -1);
    failures.append(&mut layout.failures);
    failures.sort_by_key(|failure| failure.record);
    (found, failures)
}

fn slots<'a>(layout: &Layout, out: &'a mut [u8]) -> Slots<'a> {
    let mut rest = out;
    let buffers = layout.length.iter().map(|&length| {
        let (slot, after) = std::mem::take(&mut rest).split_at_mut(length.max(0) as usize);
        rest = after;
        slot
    });
    Slots::each(buffers.collect())
}

fn read<'a>(cursor: &mut Cursor<'a>, record: usize, known: Option<Stamp>, slot: &mut [u8]) -> Result<()> {
    let found = cursor.find(record)?;
    if let (Some(known), Found::File { .. }) = (known, &found) {
        same(known, cursor.stamps()?.0)?;
    }
    if found.length() != slot.len() {
        return Err(Error::new(Kind::Changed, format!("has {} bytes now, had {} a moment ago", found.length(), slot.len())));
    }
    match found {
        Found::File { offset, .. } if !cursor.reads_on(&found) => cursor.read_into(offset, slot)?,
        _ => slot.copy_from_slice(cursor.first_bytes(&found, usize::MAX)?),
    }
    // What was written to while it was read is half of one and half of the other.
    match (known, found) {
        (Some(known), Found::File { .. }) => same(known, cursor.stamps()?.1),
        _ => Ok(()),
    }
}

fn same(known: Stamp, now: Stamp) -> Result<()> {
    if known == now {
        return Ok(());
    }
    let what = if known.size == now.size {
        format!("was written to since it was listed ({} bytes)", now.size)
    } else {
        format!("has {} bytes now, had {} when it was listed", now.size, known.size)
    };
    Err(Error::new(Kind::Changed, what))
}

fn look(bytes: &[u8], look: Look, call: &Call) -> Result<Examined> {
    match look {
        Look::Nothing => Ok(Examined::default()),
        Look::Structure => codec::examine(bytes, &call.limits),
        Look::Header => match codec::probe(bytes, bytes.len(), &call.limits)? {
            Probe::Found(header) => Ok(Examined { header, trailing: 0 }),
            Probe::Needs(_) => Err(Error::corrupt("internal error: header not found in a whole record")),
        },
    }
}
