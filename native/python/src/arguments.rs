//! Python arguments as the core's types, every length checked.

use std::path::PathBuf;

use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pixstore_core::batch::{Call, Checksums, Look, Slots};
use pixstore_core::codec::Shape;
use pixstore_core::error::{Failure, Limits};
use pixstore_core::files::Paths;
use pixstore_core::source::{Extents, Io, Place, Stamp};
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PySequence, PyTuple};

pub fn bad_value(message: impl Into<String>) -> PyErr {
    PyValueError::new_err(message.into())
}

/// A buffer of any type, held for as long as its bytes are used.
pub struct Held(PyUntypedBuffer);

impl Held {
    pub fn get(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(object)?;
        if !buffer.is_c_contiguous() {
            return Err(bad_value("a buffer is not C-contiguous; pass numpy.ascontiguousarray(...) of it"));
        }
        Ok(Held(buffer))
    }

    pub fn writable(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let held = Self::get(object)?;
        if held.0.readonly() {
            return Err(bad_value("`out` is read-only; pass a writable buffer"));
        }
        Ok(held)
    }

    pub fn address(&self) -> u64 {
        self.0.buf_ptr() as u64
    }

    pub fn bytes(&self) -> &[u8] {
        if self.0.len_bytes() == 0 {
            return &[];
        }
        // SAFETY: C-contiguous, and the exporter keeps it in place while the buffer is held. Callers do not write to what they
        // have handed in until the call returns.
        unsafe { std::slice::from_raw_parts(self.0.buf_ptr().cast(), self.0.len_bytes()) }
    }

    /// The bytes for writing. Only for buffers from `writable`.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        if self.0.len_bytes() == 0 {
            return &mut [];
        }
        // SAFETY: as above, and the exporter has said that it may be written to.
        unsafe { std::slice::from_raw_parts_mut(self.0.buf_ptr().cast(), self.0.len_bytes()) }
    }
}

fn held_list(list: &Bound<'_, PyList>) -> PyResult<Vec<Held>> {
    list.iter().map(|buffer| Held::get(&buffer)).collect()
}

/// A place with everything that it borrows from.
pub enum HeldPlace<'py> {
    Extents { paths: Vec<PathBuf>, file: Vec<u32>, offset: PyReadonlyArray1<'py, i64>, length: PyReadonlyArray1<'py, i64> },
    Slices { data: Held, offset: PyReadonlyArray1<'py, i64>, length: PyReadonlyArray1<'py, i64> },
    Buffers(Vec<Held>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for HeldPlace<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(list) = object.cast::<PyList>() {
            return Ok(HeldPlace::Buffers(held_list(&list)?));
        }
        let parts = object.cast::<PyTuple>().map_err(|_| PyTypeError::new_err("a place is a tuple or a list of buffers"))?;
        match parts.len() {
            3 => Self::slices(&parts),
            4 => Self::extents(&parts),
            count => Err(bad_value(format!("a place is a tuple of 3 or 4 items, not {count}"))),
        }
    }
}

impl<'py> HeldPlace<'py> {
    fn slices(parts: &Bound<'py, PyTuple>) -> PyResult<Self> {
        let data = Held::get(&parts.get_item(0)?)?;
        let (offset, length) = (extract_array(parts, 1)?, extract_array(parts, 2)?);
        same_length("offset", offset.len(), "length", length.len())?;
        Ok(HeldPlace::Slices { data, offset, length })
    }

    fn extents(parts: &Bound<'py, PyTuple>) -> PyResult<Self> {
        let all_paths = HeldPaths::get(&parts.get_item(0)?)?;
        let all_file: PyReadonlyArray1<'py, u32> = extract_array(parts, 1)?;
        let (offset, length) = (extract_array(parts, 2)?, extract_array(parts, 3)?);
        same_length("file", all_file.len(), "offset", offset.len())?;
        same_length("offset", offset.len(), "length", length.len())?;
        let (paths, file) = used_paths(&all_paths, all_file.as_slice()?)?;
        Ok(HeldPlace::Extents { paths, file, offset, length })
    }

    pub fn place(&self) -> PyResult<Place<'_>> {
        Ok(match self {
            HeldPlace::Extents { paths, file, offset, length } => {
                Place::Extents(Extents { paths, file, offset: offset.as_slice()?, length: length.as_slice()? })
            }
            HeldPlace::Slices { data, offset, length } => {
                Place::Slices { data: data.bytes(), offset: offset.as_slice()?, length: length.as_slice()? }
            }
            HeldPlace::Buffers(buffers) => Place::Buffers(buffers.iter().map(Held::bytes).collect()),
        })
    }
}

fn extract_array<'py, T: numpy::Element>(parts: &Bound<'py, PyTuple>, item: usize) -> PyResult<PyReadonlyArray1<'py, T>> {
    parts.get_item(item)?.extract()
}

/// Paths as Python strings, which are looked at one by one when they are needed, or as strings that Arrow has laid end to end.
pub enum HeldPaths<'py> {
    Strings(Bound<'py, PySequence>),
    Joined { prefix: Vec<u8>, data: Held, offsets: PyReadonlyArray1<'py, i64> },
}

impl<'py> HeldPaths<'py> {
    pub fn get(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        let parts = match object.cast::<PyTuple>() {
            Ok(parts) if parts.len() == 3 && parts.get_item(0)?.is_instance_of::<PyBytes>() => parts,
            _ => return Ok(HeldPaths::Strings(object.clone().cast_into::<PySequence>()?)),
        };
        let prefix = parts.get_item(0)?.extract::<Vec<u8>>()?;
        Ok(HeldPaths::Joined { prefix, data: Held::get(&parts.get_item(1)?)?, offsets: extract_array(parts, 2)? })
    }

    fn len(&self) -> PyResult<usize> {
        match self {
            HeldPaths::Strings(strings) => strings.len(),
            HeldPaths::Joined { offsets, .. } => Ok(offsets.len().saturating_sub(1)),
        }
    }

    /// What the core takes, for which `list` holds the paths that are Python strings.
    pub fn paths<'a>(&'a self, list: &'a mut Vec<PathBuf>) -> PyResult<Paths<'a>> {
        match self {
            HeldPaths::Strings(strings) => {
                *list = strings.try_iter()?.map(|path| path?.extract()).collect::<PyResult<_>>()?;
                Ok(Paths::List(list))
            }
            HeldPaths::Joined { prefix, data, offsets } => Ok(Paths::Joined { prefix, data: data.bytes(), offsets: offsets.as_slice()? }),
        }
    }

    fn path(&self, number: usize) -> PyResult<PathBuf> {
        match self {
            HeldPaths::Strings(strings) => strings.get_item(number)?.extract(),
            HeldPaths::Joined { prefix, data, offsets } => {
                let paths = Paths::Joined { prefix, data: data.bytes(), offsets: offsets.as_slice()? };
                paths.get(number).ok_or_else(|| bad_value(format!("the offsets of path {number} lead out of the buffer")))
            }
        }
    }
}

/// Only the paths that this call names, numbered anew: a store has many more files than a batch touches.
fn used_paths(all_paths: &HeldPaths<'_>, all_file: &[u32]) -> PyResult<(Vec<PathBuf>, Vec<u32>)> {
    const UNSEEN: u32 = 0;
    let mut numbers = vec![UNSEEN; all_paths.len()?];
    let mut paths = Vec::new();
    let mut file = Vec::with_capacity(all_file.len());
    for &number in all_file {
        let known = numbers.get_mut(number as usize).ok_or_else(|| bad_value(format!("file number {number} has no path")))?;
        if *known == UNSEEN {
            paths.push(all_paths.path(number as usize)?);
            *known = paths.len() as u32;
        }
        file.push(*known - 1);
    }
    Ok((paths, file))
}

pub fn same_length(name: &str, length: usize, other_name: &str, other: usize) -> PyResult<()> {
    if length == other {
        return Ok(());
    }
    Err(bad_value(format!("`{name}` has {length} items and `{other_name}` {other}; they must be as many")))
}

pub fn one_or_as_many(name: &str, rows: usize, records: usize) -> PyResult<()> {
    if rows == 1 { Ok(()) } else { same_length(name, rows, "place", records) }
}

/// Shapes from an array of n or 1 rows of (height, width, channels).
pub fn shapes(array: &PyReadonlyArray2<'_, i32>) -> PyResult<Vec<Shape>> {
    if array.shape()[1] != 3 {
        return Err(bad_value(format!("`shapes` has {} columns; they are height, width, channels", array.shape()[1])));
    }
    let size = |value: i32| u32::try_from(value).map_err(|_| bad_value(format!("`shapes` holds {value}; sizes are not negative")));
    let row = |row: &[i32]| Ok(Shape { height: size(row[0])?, width: size(row[1])?, channels: size(row[2])? });
    array.as_slice()?.chunks_exact(3).map(row).collect()
}

pub fn call(io: &str, threads: usize, limits: Limits) -> PyResult<Call> {
    let io = match io {
        "map" => Io::Map,
        "pread" => Io::Pread,
        other => {
            return Err(bad_value(format!("io is {other:?}; it is \"map\" or \"pread\"")));
        }
    };
    Ok(Call { io, threads, limits })
}

/// Checksums with their seeds; either both are there or none.
pub fn checksums<'a>(
    expected: Option<&'a PyReadonlyArray1<'_, u64>>,
    seeds: Option<&'a PyReadonlyArray1<'_, u64>>,
    records: usize,
) -> PyResult<Option<Checksums<'a>>> {
    match (expected, seeds) {
        (Some(expected), Some(seeds)) => {
            same_length("checksums", expected.len(), "place", records)?;
            same_length("seeds", seeds.len(), "place", records)?;
            Ok(Some(Checksums { expected: expected.as_slice()?, seeds: seeds.as_slice()? }))
        }
        (None, None) => Ok(None),
        _ => Err(bad_value("`checksums` and `seeds` go together; pass both or none")),
    }
}

pub fn look(check: &str) -> PyResult<Look> {
    match check {
        "none" => Ok(Look::Nothing),
        "header" => Ok(Look::Header),
        "structure" => Ok(Look::Structure),
        other => Err(bad_value(format!("check is {other:?}; it is \"none\", \"header\" or \"structure\""))),
    }
}

/// Sizes and times of the files of n records, as `stat_files` returns them; either both are there or none.
pub fn stamps(
    size: Option<&PyReadonlyArray1<'_, i64>>,
    modified: Option<&PyReadonlyArray1<'_, i64>>,
    records: usize,
) -> PyResult<Option<Vec<Stamp>>> {
    match (size, modified) {
        (Some(size), Some(modified)) => {
            same_length("size", size.len(), "place", records)?;
            same_length("mtime_ns", modified.len(), "place", records)?;
            let pairs = size.as_slice()?.iter().zip(modified.as_slice()?);
            Ok(Some(pairs.map(|(&size, &modified)| Stamp { size, modified }).collect()))
        }
        (None, None) => Ok(None),
        _ => Err(bad_value("`size` and `mtime_ns` go together; pass both or none")),
    }
}

/// Writable output: one buffer of equal slots, or a buffer for each record.
pub enum HeldSlots {
    Equal(Held),
    Each(Vec<Held>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for HeldSlots {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Ok(list) = object.cast::<PyList>() else {
            return Held::writable(&object).map(HeldSlots::Equal);
        };
        let held: Vec<Held> = list.iter().map(|buffer| Held::writable(&buffer)).collect::<PyResult<_>>()?;
        refuse_overlap(&held)?;
        Ok(HeldSlots::Each(held))
    }
}

fn refuse_overlap(buffers: &[Held]) -> PyResult<()> {
    let mut ranges: Vec<(u64, u64)> =
        buffers.iter().map(|held| (held.address(), held.bytes().len() as u64)).filter(|(_, size)| *size > 0).collect();
    ranges.sort_unstable();
    if ranges.windows(2).any(|pair| pair[0].0 + pair[0].1 > pair[1].0) {
        return Err(bad_value("two buffers of `out` overlap; each record needs its own"));
    }
    Ok(())
}

impl HeldSlots {
    pub fn slots(&mut self, records: usize) -> PyResult<Slots<'_>> {
        let slots = match self {
            HeldSlots::Equal(held) => {
                let bytes = held.bytes().len();
                Slots::equal(held.bytes_mut(), records)
                    .ok_or_else(|| bad_value(format!("`out` has {bytes} bytes, which is not {records} equal slots")))?
            }
            HeldSlots::Each(held) => Slots::each(held.iter_mut().map(Held::bytes_mut).collect()),
        };
        same_length("out", slots.len(), "place", records)?;
        Ok(slots)
    }
}

/// Failures as Python sees them.
pub fn told(failures: Vec<Failure>) -> Vec<(usize, &'static str, String)> {
    failures.into_iter().map(|failure| (failure.record, failure.error.kind.name(), failure.error.detail)).collect()
}
