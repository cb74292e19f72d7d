//! The steps of `load`, every array's length and every value checked.

use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pixstore_core::view::{Colour, Dtype, Filter, Order, Step, Tensor};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments::{bad_value, one_or_as_many};

const MOST_STEPS: usize = 64;

/// A step with the arrays that it borrows from.
pub enum HeldStep<'py> {
    Plain(Step<'static>),
    Crop { origins: PyReadonlyArray2<'py, i32>, sizes: PyReadonlyArray2<'py, i32> },
    Resample { boxes: PyReadonlyArray2<'py, f64>, sizes: PyReadonlyArray2<'py, i32>, filter: Filter },
    Orient(PyReadonlyArray1<'py, u8>),
    Rotate { degrees: PyReadonlyArray1<'py, f64>, filter: Filter },
    Jitter { factors: PyReadonlyArray2<'py, f32>, orders: PyReadonlyArray2<'py, u8> },
}

impl<'a, 'py> FromPyObject<'a, 'py> for HeldStep<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let tuple = object.cast::<PyTuple>()?;
        let name: String = argument(&tuple, 0)?;
        match name.as_str() {
            "color" => Ok(HeldStep::Plain(Step::Colour(colour(&argument::<String>(&tuple, 1)?)?))),
            "crop" => Ok(HeldStep::Crop { origins: argument(&tuple, 1)?, sizes: argument(&tuple, 2)? }),
            "resample" => Ok(HeldStep::Resample { boxes: argument(&tuple, 1)?, sizes: argument(&tuple, 2)?, filter: filter(&tuple, 3)? }),
            "orient" => Ok(HeldStep::Orient(argument(&tuple, 1)?)),
            "rotate" => match filter(&tuple, 2)? {
                filter @ (Filter::Nearest | Filter::Bilinear) => Ok(HeldStep::Rotate { degrees: argument(&tuple, 1)?, filter }),
                _ => Err(bad_value("rotate takes the filters \"nearest\" and \"bilinear\"")),
            },
            "jitter" => Ok(HeldStep::Jitter { factors: argument(&tuple, 1)?, orders: argument(&tuple, 2)? }),
            "gray" => match argument(&tuple, 1) {
                Ok(channels @ (1 | 3)) => Ok(HeldStep::Plain(Step::Gray(channels))),
                _ => Err(bad_value(format!("gray gives 1 or 3 channels, which {tuple:?} does not say"))),
            },
            "threshold" => Ok(HeldStep::Plain(Step::Threshold(argument(&tuple, 1)?))),
            "tensor" => tensor(&tuple).map(|tensor| HeldStep::Plain(Step::Tensor(tensor))),
            other => Err(bad_value(format!("there is no step {other:?}"))),
        }
    }
}

fn argument<'py, T>(tuple: &Bound<'py, PyTuple>, place: usize) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    let item = tuple.get_item(place).map_err(|_| bad_value(format!("step {} needs more than {} items", tuple, tuple.len())))?;
    item.extract::<T>().map_err(Into::into)
}

fn colour(name: &str) -> PyResult<Colour> {
    match name {
        "gray" => Ok(Colour::Grey),
        "rgb" => Ok(Colour::Rgb),
        "rgba" => Ok(Colour::Rgba),
        other => Err(bad_value(format!("color is {other:?}; it is \"gray\", \"rgb\" or \"rgba\""))),
    }
}

fn filter(tuple: &Bound<'_, PyTuple>, place: usize) -> PyResult<Filter> {
    match argument::<String>(tuple, place)?.as_str() {
        "nearest" => Ok(Filter::Nearest),
        "bilinear" => Ok(Filter::Bilinear),
        "bicubic" => Ok(Filter::Bicubic),
        "lanczos" => Ok(Filter::Lanczos),
        other => Err(bad_value(format!("filter is {other:?}; it is \"nearest\", \"bilinear\", \"bicubic\" or \"lanczos\""))),
    }
}

fn tensor(tuple: &Bound<'_, PyTuple>) -> PyResult<Tensor> {
    let order = match argument::<String>(tuple, 1)?.as_str() {
        "hwc" => Order::Hwc,
        "chw" => Order::Chw,
        other => return Err(bad_value(format!("layout is {other:?}; it is \"hwc\" or \"chw\""))),
    };
    let dtype = match argument::<String>(tuple, 2)?.as_str() {
        "uint8" => Dtype::Uint8,
        "uint16" => Dtype::Uint16,
        "float16" => Dtype::Float16,
        "float32" => Dtype::Float32,
        "bfloat16" => Dtype::Bfloat16,
        other => return Err(bad_value(format!("dtype is {other:?}; it is uint8, uint16, float16, float32 or bfloat16"))),
    };
    let numbers = |place| PyResult::Ok(argument::<PyReadonlyArray1<f32>>(tuple, place)?.as_slice()?.to_vec());
    let (scale, offset) = (numbers(3)?, numbers(4)?);
    if scale.is_empty() || offset.is_empty() {
        return Err(bad_value("scale and offset have one number, or one for each channel; one is empty"));
    }
    let is_integer = matches!(dtype, Dtype::Uint8 | Dtype::Uint16);
    if is_integer && !(scale.iter().all(|&scale| scale == 1.0) && offset.iter().all(|&offset| offset == 0.0)) {
        return Err(bad_value("uint8 and uint16 need scale 1 and offset 0; numbers are scaled to floats"));
    }
    Ok(Tensor { order, dtype, scale, offset })
}

/// The steps as the core takes them; color comes first and tensor last.
pub fn steps<'a>(held: &'a [HeldStep<'_>], records: usize) -> PyResult<Vec<Step<'a>>> {
    if held.len() > MOST_STEPS {
        return Err(bad_value(format!("{} steps; {MOST_STEPS} are the most", held.len())));
    }
    let steps: Vec<Step> = held.iter().map(|step| step.borrow(records)).collect::<PyResult<_>>()?;
    if steps.iter().skip(1).any(|step| matches!(step, Step::Colour(_))) {
        return Err(bad_value("color is the first step, or none"));
    }
    if steps.iter().rev().skip(1).any(|step| matches!(step, Step::Tensor(_))) {
        return Err(bad_value("tensor is the last step, or none"));
    }
    Ok(steps)
}

impl HeldStep<'_> {
    fn borrow(&self, records: usize) -> PyResult<Step<'_>> {
        Ok(match self {
            HeldStep::Plain(step) => step.clone(),
            HeldStep::Crop { origins, sizes } => {
                Step::Crop { origins: rows("origins", origins, records)?, sizes: self::sizes(sizes, records)? }
            }
            HeldStep::Resample { boxes, sizes, filter } => {
                let boxes = rows("boxes", boxes, records)?;
                refuse("boxes", boxes, |[top, left, height, width]: &[f64; 4]| {
                    [top, left, height, width].iter().all(|value| value.is_finite()) && *height > 0.0 && *width > 0.0
                })?;
                Step::Resample { boxes, sizes: self::sizes(sizes, records)?, filter: *filter }
            }
            HeldStep::Orient(codes) => {
                let codes = items("codes", codes, records)?;
                refuse("codes", codes, |code| (1..=8).contains(code))?;
                Step::Orient(codes)
            }
            HeldStep::Rotate { degrees, filter } => {
                let degrees = items("degrees", degrees, records)?;
                refuse("degrees", degrees, |degrees| degrees.is_finite())?;
                Step::Rotate { degrees, filter: *filter }
            }
            HeldStep::Jitter { factors, orders } => {
                let (factors, orders) = (rows("factors", factors, records)?, rows("order", orders, records)?);
                refuse("factors", factors, |[brightness, contrast, saturation, hue]: &[f32; 4]| {
                    let is_factor = |value: &f32| value.is_finite() && *value >= 0.0;
                    [brightness, contrast, saturation].into_iter().all(is_factor) && (-0.5..=0.5).contains(hue)
                })?;
                refuse("order", orders, |order: &[u8; 4]| (0..4).all(|change| order.contains(&change)))?;
                Step::Jitter { factors, orders }
            }
        })
    }
}

fn sizes<'a>(sizes: &'a PyReadonlyArray2<'_, i32>, records: usize) -> PyResult<&'a [[i32; 2]]> {
    let sizes = rows("sizes", sizes, records)?;
    refuse("sizes", sizes, |[height, width]: &[i32; 2]| *height >= 1 && *width >= 1)?;
    Ok(sizes)
}

/// As many rows as records, or one, of so many columns.
fn rows<'a, T: Element, const COLUMNS: usize>(
    name: &str,
    array: &'a PyReadonlyArray2<'_, T>,
    records: usize,
) -> PyResult<&'a [[T; COLUMNS]]> {
    let [rows, columns] = [array.shape()[0], array.shape()[1]];
    if columns != COLUMNS {
        return Err(bad_value(format!("`{name}` has {columns} columns; it needs {COLUMNS}")));
    }
    one_or_as_many(name, rows, records)?;
    Ok(array.as_slice()?.as_chunks().0)
}

fn items<'a, T: Element>(name: &str, array: &'a PyReadonlyArray1<'_, T>, records: usize) -> PyResult<&'a [T]> {
    one_or_as_many(name, array.len(), records)?;
    Ok(array.as_slice()?)
}

fn refuse<T: std::fmt::Debug>(name: &str, values: &[T], is_good: impl Fn(&T) -> bool) -> PyResult<()> {
    match values.iter().position(|value| !is_good(value)) {
        None => Ok(()),
        Some(row) => Err(bad_value(format!("`{name}` holds {:?} in row {row}, which is out of range", values[row]))),
    }
}
