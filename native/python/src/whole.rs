//! The functions of the module that look at whole files and records.

use std::path::{Path, PathBuf};

use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyUntypedArrayMethods};
use pixstore_core::batch::Checksums;
use pixstore_core::codec::Header;
use pixstore_core::error::{Error, Kind, Limits};
use pixstore_core::examine::Records;
use pixstore_core::ingest::{self as core_ingest, Wanted};
use pixstore_core::{examine, files};
use pyo3::exceptions::{PyFileNotFoundError, PyOSError};
use pyo3::prelude::*;

use crate::arguments::{Held, HeldPaths, HeldPlace, bad_value, call, checksums, look, same_length, stamps, told};
use crate::functions::{Failures, headers, require_tile};

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(hash_file_tiles, module)?)?;
    module.add_function(wrap_pyfunction!(check_tiles, module)?)?;
    module.add_function(wrap_pyfunction!(stat_files, module)?)?;
    module.add_function(wrap_pyfunction!(check, module)?)?;
    module.add_function(wrap_pyfunction!(ingest, module)?)?;
    Ok(())
}

#[pyfunction]
#[pyo3(signature = (path, tile_bytes, *, threads=0))]
fn hash_file_tiles(py: Python<'_>, path: PathBuf, tile_bytes: usize, threads: usize) -> PyResult<Bound<'_, PyArray1<u64>>> {
    require_tile(tile_bytes)?;
    let hashes = py.detach(|| examine::hash_file_tiles(&path, tile_bytes, threads)).map_err(|error| not_read(&path, &error))?;
    Ok(hashes.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (path, tile_bytes, tiles, *, offset, length, checksums, seeds, threads=0))]
#[allow(clippy::too_many_arguments, reason = "the signature is the one of the stub")]
fn check_tiles<'py>(
    py: Python<'py>,
    path: PathBuf,
    tile_bytes: usize,
    tiles: PyReadonlyArray1<'py, i64>,
    offset: PyReadonlyArray1<'py, i64>,
    length: PyReadonlyArray1<'py, i64>,
    checksums: PyReadonlyArray1<'py, u64>,
    seeds: PyReadonlyArray1<'py, u64>,
    threads: usize,
) -> PyResult<(Bound<'py, PyArray1<u64>>, Failures, Failures)> {
    require_tile(tile_bytes)?;
    let tiles = tiles.as_slice()?;
    if tiles.iter().any(|&tile| tile < 0) || tiles.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(bad_value("`tiles` are the numbers of tiles, ascending, each once"));
    }
    let tiles: Vec<u64> = tiles.iter().map(|&tile| tile as u64).collect();
    same_length("offset", offset.len(), "length", length.len())?;
    same_length("checksums", checksums.len(), "offset", offset.len())?;
    same_length("seeds", seeds.len(), "offset", offset.len())?;
    let checksums = Checksums { expected: checksums.as_slice()?, seeds: seeds.as_slice()? };
    let records = Records { offset: offset.as_slice()?, length: length.as_slice()?, checksums };
    let (hashes, unread, failures) = py.detach(|| examine::check_tiles(&path, tile_bytes, &tiles, records, threads));
    Ok((hashes.into_pyarray(py), told(unread), told(failures)))
}

fn not_read(path: &Path, error: &Error) -> PyErr {
    let message = format!("{}: {}", path.display(), error.detail);
    if error.kind == Kind::Missing { PyFileNotFoundError::new_err(message) } else { PyOSError::new_err(message) }
}

type Stamps<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, Failures);

#[pyfunction]
#[pyo3(signature = (paths, *, threads=0))]
fn stat_files<'py>(py: Python<'py>, paths: &Bound<'py, PyAny>, threads: usize) -> PyResult<Stamps<'py>> {
    let held = HeldPaths::get(paths)?;
    let mut list = Vec::new();
    let paths = held.paths(&mut list)?;
    let (stamps, failures) = py.detach(|| files::stat_files(&paths, threads));
    let sizes: Vec<i64> = stamps.iter().map(|stamp| stamp.size).collect();
    let times: Vec<i64> = stamps.iter().map(|stamp| stamp.modified).collect();
    Ok((sizes.into_pyarray(py), times.into_pyarray(py), told(failures)))
}

#[pyfunction]
#[pyo3(signature = (place, *, checksums, seeds, io="pread", threads=0))]
fn check<'py>(
    py: Python<'py>,
    place: HeldPlace<'py>,
    checksums: PyReadonlyArray1<'py, u64>,
    seeds: PyReadonlyArray1<'py, u64>,
    io: &str,
    threads: usize,
) -> PyResult<Failures> {
    let call = call(io, threads, Limits::default())?;
    let place = place.place()?;
    let checksums = self::checksums(Some(&checksums), Some(&seeds), place.len())?;
    Ok(checksums.map_or_else(Vec::new, |checksums| told(py.detach(|| examine::check(&place, checksums, call)))))
}

type Ingested<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Option<Bound<'py, PyArray1<u64>>>,
    (Bound<'py, PyArray1<u8>>, Bound<'py, PyArray2<i32>>, Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<i64>>),
    Failures,
);

#[pyfunction]
#[pyo3(signature = (place, *, seeds=None, check="structure", size=None, mtime_ns=None, out=None, max_pixels=178_956_970, max_bytes=2_147_483_648, threads=0))]
#[allow(clippy::too_many_arguments, reason = "the signature is the one of the stub")]
fn ingest<'py>(
    py: Python<'py>,
    place: HeldPlace<'py>,
    seeds: Option<PyReadonlyArray1<'py, u64>>,
    check: &str,
    size: Option<PyReadonlyArray1<'py, i64>>,
    mtime_ns: Option<PyReadonlyArray1<'py, i64>>,
    out: Option<Bound<'py, PyAny>>,
    max_pixels: u64,
    max_bytes: u64,
    threads: usize,
) -> PyResult<Ingested<'py>> {
    let call = call("pread", threads, Limits { pixels: max_pixels.min(i32::MAX as u64), bytes: max_bytes })?;
    let place = place.place()?;
    seeds.as_ref().map_or(Ok(()), |seeds| same_length("seeds", seeds.len(), "place", place.len()))?;
    let known = stamps(size.as_ref(), mtime_ns.as_ref(), place.len())?;
    let seeds = seeds.as_ref().map(|seeds| seeds.as_slice()).transpose()?;
    let wanted = Wanted { look: look(check)?, seeds, known: known.as_deref() };
    let mut layout = py.detach(|| core_ingest::lay_out(&place, &wanted, call));
    let data = match out {
        Some(out) => out,
        None => PyArray1::<u8>::zeros(py, [layout.total], false).into_any(),
    };
    let mut held = Held::writable(&data)?;
    let room = held.bytes_mut();
    if room.len() < layout.total {
        return Err(bad_value(format!("`out` has {} bytes, {} are needed for these records", room.len(), layout.total)));
    }
    let (found, failures) = py.detach(|| core_ingest::ingest(&place, wanted, &mut layout, room, call));
    let all: Vec<Header> = found.iter().map(|each| each.examined.header).collect();
    let (codecs, shapes, depths, orientations) = headers(py, &all)?;
    let trailing: Vec<i64> = found.iter().map(|each| each.examined.trailing as i64).collect();
    let hashes = seeds.map(|_| found.iter().map(|each| each.checksum).collect::<Vec<u64>>().into_pyarray(py));
    let looked = (codecs, shapes, depths, orientations, trailing.into_pyarray(py));
    Ok((data, layout.offset.into_pyarray(py), layout.length.into_pyarray(py), hashes, looked, told(failures)))
}
