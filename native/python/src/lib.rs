//! The binding of pixstore-core: checks arguments, releases the GIL, nothing else. `pixstore_native.pyi` describes the functions.

mod arguments;
mod functions;
mod steps;
mod whole;

use pyo3::prelude::*;

#[pymodule]
fn pixstore_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    functions::register(module)
}
