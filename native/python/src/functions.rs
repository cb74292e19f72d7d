//! The functions of the module, in the order of `pixstore_native.pyi`.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pixstore_core::batch::{self, Encoding, Wanted};
use pixstore_core::codec::{Header, Shape};
use pixstore_core::error::Limits;
use pixstore_core::load::{Loading, load as load_batch};
use pixstore_core::{checksum, cpus, info, source};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::arguments::{Held, HeldPlace, HeldSlots, bad_value, call, checksums, look, one_or_as_many, same_length, shapes, told};
use crate::steps::{HeldStep, steps};
use crate::whole;

/// As in the stub; written out there and in the signatures, which Python's inspect shows.
const MAX_BYTES: u64 = 2_147_483_648;

pub type Failures = Vec<(usize, &'static str, String)>;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(info_, module)?)?;
    module.add_function(wrap_pyfunction!(usable_cpus, module)?)?;
    module.add_function(wrap_pyfunction!(release, module)?)?;
    module.add_function(wrap_pyfunction!(hash_bytes, module)?)?;
    module.add_function(wrap_pyfunction!(hash_strings, module)?)?;
    module.add_function(wrap_pyfunction!(hash_tiles, module)?)?;
    module.add_function(wrap_pyfunction!(addresses, module)?)?;
    module.add_function(wrap_pyfunction!(checksum_, module)?)?;
    module.add_function(wrap_pyfunction!(fetch, module)?)?;
    module.add_function(wrap_pyfunction!(probe, module)?)?;
    module.add_function(wrap_pyfunction!(decode, module)?)?;
    module.add_function(wrap_pyfunction!(load, module)?)?;
    module.add_function(wrap_pyfunction!(encode, module)?)?;
    whole::register(module)
}

#[pyfunction(name = "info")]
fn info_(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let libraries = PyDict::new(py);
    for (name, version) in info::LIBRARIES {
        libraries.set_item(name, version)?;
    }
    let all = PyDict::new(py);
    all.set_item("version", info::VERSION)?;
    all.set_item("profile", info::PROFILE)?;
    all.set_item("simd", info::simd())?;
    all.set_item("libraries", libraries)?;
    Ok(all)
}

#[pyfunction]
fn usable_cpus() -> usize {
    cpus::usable_cpus()
}

#[pyfunction]
fn release(py: Python<'_>, folder: PathBuf) {
    py.detach(|| source::release(&folder));
}

#[pyfunction]
#[pyo3(signature = (data, seed=0))]
fn hash_bytes(py: Python<'_>, data: &Bound<'_, PyAny>, seed: u64) -> PyResult<u64> {
    let held = Held::get(data)?;
    let bytes = held.bytes();
    Ok(py.detach(|| checksum::hash(bytes, seed)))
}

#[pyfunction]
fn hash_strings<'py>(
    py: Python<'py>,
    prefix: &[u8],
    data: &Bound<'py, PyAny>,
    offsets: PyReadonlyArray1<'py, i64>,
) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let held = Held::get(data)?;
    let (bytes, offsets) = (held.bytes(), offsets.as_slice()?);
    let hashes = py.detach(|| checksum::hash_strings(prefix, bytes, offsets));
    let hashes = hashes.ok_or_else(|| bad_value(format!("`offsets` go beyond the {} bytes of `data`, or backwards", bytes.len())))?;
    Ok(hashes.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (data, tile_bytes, *, threads=0))]
fn hash_tiles<'py>(py: Python<'py>, data: &Bound<'py, PyAny>, tile_bytes: usize, threads: usize) -> PyResult<Bound<'py, PyArray1<u64>>> {
    require_tile(tile_bytes)?;
    let held = Held::get(data)?;
    let bytes = held.bytes();
    Ok(py.detach(|| batch::hash_tiles(bytes, tile_bytes, threads)).into_pyarray(py))
}

pub fn require_tile(tile_bytes: usize) -> PyResult<()> {
    if tile_bytes == 0 { Err(bad_value("`tile_bytes` is 0; a tile has at least one byte")) } else { Ok(()) }
}

#[pyfunction]
fn addresses<'py>(py: Python<'py>, buffers: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let addresses: Vec<u64> = buffers.try_iter()?.map(|buffer| Ok(Held::get(&buffer?)?.address())).collect::<PyResult<_>>()?;
    Ok(addresses.into_pyarray(py))
}

#[pyfunction(name = "checksum")]
#[pyo3(signature = (place, seeds, *, io="map", threads=0))]
fn checksum_<'py>(
    py: Python<'py>,
    place: HeldPlace<'py>,
    seeds: PyReadonlyArray1<'py, u64>,
    io: &str,
    threads: usize,
) -> PyResult<(Bound<'py, PyArray1<u64>>, Failures)> {
    let call = call(io, threads, Limits { pixels: 0, bytes: u64::MAX })?;
    let place = place.place()?;
    same_length("seeds", seeds.len(), "place", place.len())?;
    let seeds = seeds.as_slice()?;
    let (hashes, failures) = py.detach(|| batch::checksums(&place, seeds, call));
    Ok((hashes.into_pyarray(py), told(failures)))
}

#[pyfunction]
#[pyo3(signature = (place, *, checksums=None, seeds=None, max_bytes=2_147_483_648, io="map", threads=0))]
fn fetch<'py>(
    py: Python<'py>,
    place: HeldPlace<'py>,
    checksums: Option<PyReadonlyArray1<'py, u64>>,
    seeds: Option<PyReadonlyArray1<'py, u64>>,
    max_bytes: u64,
    io: &str,
    threads: usize,
) -> PyResult<(Bound<'py, PyList>, Failures)> {
    let call = call(io, threads, Limits { pixels: 0, bytes: max_bytes })?;
    let place = place.place()?;
    let checksums = self::checksums(checksums.as_ref(), seeds.as_ref(), place.len())?;
    let (records, failures) = py.detach(|| batch::fetch(&place, checksums, call));
    let list = PyList::new(py, records.into_iter().map(|record| PyBytes::new(py, &record)))?;
    Ok((list, told(failures)))
}

pub type Headers<'py> = (Bound<'py, PyArray1<u8>>, Bound<'py, PyArray2<i32>>, Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<u8>>);

pub fn headers<'py>(py: Python<'py>, headers: &[Header]) -> PyResult<Headers<'py>> {
    let codecs: Vec<u8> = headers.iter().map(|header| header.codec).collect();
    let depths: Vec<u8> = headers.iter().map(|header| header.bytes_per_sample).collect();
    let orientations: Vec<u8> = headers.iter().map(|header| header.orientation).collect();
    let shapes: Vec<i32> = headers.iter().flat_map(|header| sizes(header.shape)).collect();
    let shapes = shapes.into_pyarray(py).reshape([headers.len(), 3])?;
    Ok((codecs.into_pyarray(py), shapes, depths.into_pyarray(py), orientations.into_pyarray(py)))
}

type Probed<'py> = (Bound<'py, PyArray1<u8>>, Bound<'py, PyArray2<i32>>, Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<u8>>, Failures);

#[pyfunction]
#[pyo3(signature = (place, *, check="header", max_pixels=178_956_970, io="map", threads=0))]
fn probe<'py>(py: Python<'py>, place: HeldPlace<'py>, check: &str, max_pixels: u64, io: &str, threads: usize) -> PyResult<Probed<'py>> {
    let call = call(io, threads, Limits { pixels: max_pixels.min(i32::MAX as u64), bytes: MAX_BYTES })?;
    let (place, look) = (place.place()?, look(check)?);
    let (found, failures) = py.detach(|| batch::probe(&place, look, call));
    let (codecs, shapes, depths, orientations) = headers(py, &found)?;
    Ok((codecs, shapes, depths, orientations, told(failures)))
}

/// Each size is at most the number of pixels, which is held below 2³¹.
fn sizes(shape: Shape) -> [i32; 3] {
    [shape.height as i32, shape.width as i32, shape.channels as i32]
}

#[pyfunction]
#[pyo3(signature = (place, codecs, shapes, out, *, checksums=None, seeds=None, max_pixels=178_956_970, max_bytes=2_147_483_648, io="map", threads=0))]
#[allow(clippy::too_many_arguments, reason = "the signature is the one of the stub")]
fn decode<'py>(
    py: Python<'py>,
    place: HeldPlace<'py>,
    codecs: PyReadonlyArray1<'py, u8>,
    shapes: PyReadonlyArray2<'py, i32>,
    mut out: HeldSlots,
    checksums: Option<PyReadonlyArray1<'py, u64>>,
    seeds: Option<PyReadonlyArray1<'py, u64>>,
    max_pixels: u64,
    max_bytes: u64,
    io: &str,
    threads: usize,
) -> PyResult<Failures> {
    let call = call(io, threads, Limits { pixels: max_pixels, bytes: max_bytes })?;
    let place = place.place()?;
    let shapes = self::shapes(&shapes)?;
    for (name, rows) in [("codecs", codecs.len()), ("shapes", shapes.len())] {
        one_or_as_many(name, rows, place.len())?;
    }
    let checksums = self::checksums(checksums.as_ref(), seeds.as_ref(), place.len())?;
    let slots = out.slots(place.len())?;
    let wanted = Wanted { codecs: codecs.as_slice()?, shapes: &shapes };
    Ok(told(py.detach(|| batch::decode(&place, wanted, &slots, checksums, call))))
}

#[pyfunction]
#[pyo3(signature = (place, codecs, shapes, sample_bytes, steps, out, *, exact=false, checksums=None, seeds=None, max_pixels=178_956_970, max_bytes=2_147_483_648, io="map", threads=0))]
#[allow(clippy::too_many_arguments, reason = "the signature is the one of the stub")]
fn load<'py>(
    py: Python<'py>,
    place: HeldPlace<'py>,
    codecs: PyReadonlyArray1<'py, u8>,
    shapes: PyReadonlyArray2<'py, i32>,
    sample_bytes: PyReadonlyArray1<'py, u8>,
    steps: Vec<HeldStep<'py>>,
    mut out: HeldSlots,
    exact: bool,
    checksums: Option<PyReadonlyArray1<'py, u64>>,
    seeds: Option<PyReadonlyArray1<'py, u64>>,
    max_pixels: u64,
    max_bytes: u64,
    io: &str,
    threads: usize,
) -> PyResult<Failures> {
    let call = call(io, threads, Limits { pixels: max_pixels.min(i32::MAX as u64), bytes: max_bytes })?;
    let place = place.place()?;
    let shapes = self::shapes(&shapes)?;
    for (name, rows) in [("codecs", codecs.len()), ("shapes", shapes.len()), ("sample_bytes", sample_bytes.len())] {
        one_or_as_many(name, rows, place.len())?;
    }
    let checksums = self::checksums(checksums.as_ref(), seeds.as_ref(), place.len())?;
    let slots = out.slots(place.len())?;
    let wanted = Wanted { codecs: codecs.as_slice()?, shapes: &shapes };
    let steps = self::steps(&steps, place.len())?;
    let loading = Loading { wanted, sample_bytes: sample_bytes.as_slice()?, steps: &steps, exact };
    Ok(told(py.detach(|| load_batch(&place, loading, &slots, checksums, call))))
}

#[pyfunction]
#[pyo3(signature = (images, shapes, bytes_per_sample, codec, *, level=1, quality=90, lossless=false, threads=0))]
#[allow(clippy::too_many_arguments, reason = "the signature is the one of the stub")]
fn encode<'py>(
    py: Python<'py>,
    images: &Bound<'py, PyAny>,
    shapes: PyReadonlyArray2<'py, i32>,
    bytes_per_sample: usize,
    codec: u8,
    level: u8,
    quality: u8,
    lossless: bool,
    threads: usize,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyArray1<i64>>, Failures)> {
    if !(1..=19).contains(&level) || !(1..=100).contains(&quality) {
        return Err(bad_value(format!("level is {level}, quality {quality}; a level is 1 to 19, a quality 1 to 100")));
    }
    let shapes = self::shapes(&shapes)?;
    let held = match images.cast::<PyList>() {
        Ok(list) => list.iter().map(|image| Held::get(&image)).collect::<PyResult<Vec<_>>>()?,
        Err(_) => vec![Held::get(images)?],
    };
    let images = if images.is_instance_of::<PyList>() {
        same_length("images", held.len(), "shapes", shapes.len())?;
        held.iter().map(Held::bytes).collect()
    } else {
        equal_images(held[0].bytes(), &shapes, bytes_per_sample)?
    };
    let encoding = Encoding { codec, bytes_per_sample, level, quality, is_lossless: lossless };
    let (records, failures) = py.detach(|| batch::encode(images, &shapes, encoding, threads));
    let mut lengths: Vec<i64> = records.iter().map(|record| record.len() as i64).collect();
    failures.iter().for_each(|failure| lengths[failure.record] = -1);
    let joined = PyBytes::new_with(py, records.iter().map(Vec::len).sum(), |mut out| {
        for record in &records {
            let (place, rest) = out.split_at_mut(record.len());
            place.copy_from_slice(record);
            out = rest;
        }
        Ok(())
    })?;
    Ok((joined, lengths.into_pyarray(py), told(failures)))
}

fn equal_images<'a>(bytes: &'a [u8], shapes: &[Shape], bytes_per_sample: usize) -> PyResult<Vec<&'a [u8]>> {
    let [shape] = shapes else {
        return Err(bad_value("one buffer of images needs one row of shapes"));
    };
    let size = shape.samples().and_then(|samples| samples.checked_mul(bytes_per_sample)).unwrap_or(0);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    if size == 0 || !bytes.len().is_multiple_of(size) {
        return Err(bad_value(format!("{} bytes are not images of {size} bytes", bytes.len())));
    }
    Ok(bytes.chunks_exact(size).collect())
}
