//! Whole batches from stored bytes to what a trainer takes: read, checked, decoded, and each record through its steps into its slot.

use std::cell::RefCell;

use crate::batch::{Call, Checksums, Slots, Wanted, decode_record, for_each_record_in_pieces, one_or_each};
use crate::codec::{self, JPEG, RAW, Shape, jpeg, raw};
use crate::error::{Error, Result};
use crate::pool::{LARGEST_CHUNK, guarded};
use crate::source::{Place, Source};
use crate::view::{self, Layout, Plan, Step, Tools, Window};

/// What is to be made of the records. `exact` decodes in full even where a crop or a smaller size needs less.
#[derive(Clone, Copy)]
pub struct Loading<'a> {
    pub wanted: Wanted<'a>,
    /// Of each record, or of all.
    pub sample_bytes: &'a [u8],
    pub steps: &'a [Step<'a>],
    pub exact: bool,
}

#[derive(Default)]
struct Scratch {
    plan: Plan,
    decoded: Vec<u8>,
    tools: Tools,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Encoded images of more pixels than this are taken one by one, the largest first.
const MUCH: u64 = 1 << 14;

/// A buffer larger than this is not kept by its thread.
const KEPT: usize = 64 << 20;

/// Read, check, decode and transform each record into its slot; the slot of a failed record is zeroed.
pub fn load(place: &Place, loading: Loading, slots: &Slots, checksums: Option<Checksums>, call: Call) -> Vec<crate::error::Failure> {
    let mut source = Source::new(place, call.io, call.limits);
    let past_caches = slots.is_larger_than_caches();
    let pixels = |record| {
        let (codec, shape) = loading.wanted.of(record);
        if codec == RAW { 0 } else { u64::from(shape.height) * u64::from(shape.width) }
    };
    let is_much = place.len() > 1 && (0..place.len()).map(pixels).sum::<u64>() / place.len() as u64 > MUCH;
    if is_much {
        source.order_by_work(place.len(), pixels);
    }
    let largest = if is_much { 1 } else { LARGEST_CHUNK };
    for_each_record_in_pieces(&source, place.len(), call.threads, largest, |cursor, record| {
        // SAFETY: for_each_record comes to each record once.
        let slot = unsafe { slots.slot(record) };
        let check = |bytes: &[u8]| checksums.map_or(Ok(()), |checksums| checksums.check(record, bytes));
        let result = guarded(|| {
            SCRATCH.with_borrow_mut(|Scratch { plan, decoded, tools }| {
                let (codec, shape) = loading.wanted.of(record);
                let first = Layout::of(shape, one_or_each(loading.sample_bytes, record).into());
                plan.make(loading.steps, record, codec, first, &call.limits)?;
                if plan.last.bytes() != slot.len() {
                    return Err(Error::mismatch(format!("the result has {} bytes, its slot {}", plan.last.bytes(), slot.len())));
                }
                let found = cursor.find(record)?;
                if plan.is_empty() {
                    return decode_record(cursor, found, (codec, shape), slot, past_caches, &call.limits, check);
                }
                let bytes = cursor.first_bytes(&found, usize::MAX)?;
                check(bytes)?;
                let (picture, window) = if codec == RAW {
                    raw::check_size(bytes.len(), first.bytes())?;
                    (bytes, Window::whole(first))
                } else {
                    let window = decode(codec, bytes, (shape, first), &loading, &call, plan, decoded)?;
                    (&decoded[..], window)
                };
                view::run(plan, loading.steps, picture, window, tools, slot);
                tools.trim();
                if decoded.capacity() > KEPT {
                    *decoded = Vec::new();
                }
                Ok(())
            })
        });
        if result.is_err() {
            slot.fill(0);
        }
        result
    })
}

/// Decode what the plan needs of a record; say where in `decoded` it lies.
fn decode(
    codec: u8,
    bytes: &[u8],
    (shape, first): (Shape, Layout),
    loading: &Loading,
    call: &Call,
    plan: &mut Plan,
    decoded: &mut Vec<u8>,
) -> Result<Window> {
    if codec == JPEG
        && !loading.exact
        && let Some(region) = view::narrow(plan, first)
    {
        return jpeg::decode_region(bytes, shape, region, decoded, &call.limits);
    }
    codec::decode(codec, bytes, shape, view::sized(decoded, first.bytes()), &call.limits)?;
    Ok(Window::whole(first))
}
