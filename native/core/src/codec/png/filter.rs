//! The five row filters of PNG, in both directions.

/// Undo a row's filter; `above` is the row before it, all zeros for the first. Err holds the number of a filter that does not exist.
pub fn unfilter(filter: u8, distance: usize, stored: &[u8], above: &[u8], row: &mut [u8]) -> Result<(), u8> {
    match filter {
        0 => row.copy_from_slice(stored),
        1 => unfilter_with(distance, stored, above, row, |left, _, _| left),
        2 => {
            for ((row, stored), above) in row.iter_mut().zip(stored).zip(above) {
                *row = stored.wrapping_add(*above);
            }
        }
        3 => unfilter_with(distance, stored, above, row, |left, above, _| average(left, above)),
        4 => unfilter_with(distance, stored, above, row, paeth),
        _ => return Err(filter),
    }
    Ok(())
}

fn unfilter_with(distance: usize, stored: &[u8], above: &[u8], row: &mut [u8], predict: impl Fn(u8, u8, u8) -> u8) {
    for i in 0..row.len() {
        let (left, corner) = if i < distance { (0, 0) } else { (row[i - distance], above[i - distance]) };
        row[i] = stored[i].wrapping_add(predict(left, above[i], corner));
    }
}

#[inline(always)]
fn average(left: u8, above: u8) -> u8 {
    ((u16::from(left) + u16::from(above)) / 2) as u8
}

#[inline(always)]
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(above), i16::from(corner));
    let (pa, pb, pc) = ((b - c).abs(), (a - c).abs(), (a + b - c - c).abs());
    if pa <= pb && pa <= pc {
        left
    } else if pb <= pc {
        above
    } else {
        corner
    }
}

/// Filter a row in the way whose bytes, taken as signed, have the smallest sum of absolute values; append number and bytes to `out`.
pub fn filter_row(distance: usize, row: &[u8], above: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let predict: [fn(u8, u8, u8) -> u8; 5] = [|_, _, _| 0, |left, _, _| left, |_, above, _| above, |l, a, _| average(l, a), paeth];
    let mut best = u64::MAX;
    for (number, predict) in predict.iter().enumerate() {
        let mut sum = 0u64;
        let mut bytes = vec![number as u8];
        for i in 0..row.len() {
            let (left, corner) = if i < distance { (0, 0) } else { (row[i - distance], above[i - distance]) };
            let value = row[i].wrapping_sub(predict(left, above[i], corner));
            sum += u64::from((value as i8).unsigned_abs());
            bytes.push(value);
        }
        if sum < best {
            best = sum;
            out.truncate(start);
            out.extend_from_slice(&bytes);
        }
    }
}
