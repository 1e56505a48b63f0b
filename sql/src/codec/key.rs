//! Keys as bytes that compare like the values: a version byte, then each column as a presence
//! byte and an order-preserving form. Equal values have equal bytes and no other.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::SqlError;

const VERSION: u8 = 1;
const NULL: u8 = 0;
const PRESENT: u8 = 1;

/// Encodes the key of each row of some columns.
pub(crate) struct KeyEncoder<'a> {
    columns: Vec<(&'a dyn Array, Write<'a>)>,
}

type Write<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

impl<'a> KeyEncoder<'a> {
    /// An encoder over `columns`.
    ///
    /// # Errors
    /// [`SqlError::Unsupported`] for types that cannot be keys.
    pub(crate) fn new(columns: &'a [ArrayRef]) -> Result<Self, SqlError> {
        let columns = columns
            .iter()
            .map(|array| Ok((array.as_ref(), writer(array)?)))
            .collect::<Result<_, SqlError>>()?;
        Ok(Self { columns })
    }

    /// Whether values of `data_type` can be keys.
    pub(crate) fn supports(data_type: &DataType) -> bool {
        writer(&arrow::array::new_empty_array(data_type)).is_ok()
    }

    /// Appends the key of row `row` to `out`.
    pub(crate) fn encode(&self, row: usize, out: &mut Vec<u8>) {
        out.push(VERSION);
        for (array, write) in &self.columns {
            if array.is_null(row) {
                out.push(NULL);
            } else {
                out.push(PRESENT);
                write(row, out);
            }
        }
    }

    /// Whether any column of row `row` is null.
    pub(crate) fn has_null(&self, row: usize) -> bool {
        self.columns.iter().any(|(array, _)| array.is_null(row))
    }
}

macro_rules! signed {
    ($array:expr, $t:ty, $u:ty) => {{
        let array = $array.as_primitive::<$t>();
        Box::new(move |row, out: &mut Vec<u8>| {
            // The sign bit flipped, negative numbers sort before positive ones.
            let value = array.value(row).cast_unsigned() ^ (1 << (<$u>::BITS - 1));
            out.extend_from_slice(&value.to_be_bytes());
        })
    }};
}

macro_rules! unsigned {
    ($array:expr, $t:ty) => {{
        let array = $array.as_primitive::<$t>();
        Box::new(move |row, out: &mut Vec<u8>| {
            out.extend_from_slice(&array.value(row).to_be_bytes());
        })
    }};
}

macro_rules! float {
    ($array:expr, $t:ty, $u:ty) => {{
        let array = $array.as_primitive::<$t>();
        Box::new(move |row, out: &mut Vec<u8>| {
            let bits = array.value(row).to_bits();
            let sign = 1 << (<$u>::BITS - 1);
            let ordered = if bits & sign == 0 { bits | sign } else { !bits };
            out.extend_from_slice(&ordered.to_be_bytes());
        })
    }};
}

fn writer(array: &ArrayRef) -> Result<Write<'_>, SqlError> {
    Ok(match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean();
            Box::new(move |row, out: &mut Vec<u8>| out.push(u8::from(array.value(row))))
        }
        DataType::Int8 => signed!(array, Int8Type, u8),
        DataType::Int16 => signed!(array, Int16Type, u16),
        DataType::Int32 => signed!(array, Int32Type, u32),
        DataType::Int64 => signed!(array, Int64Type, u64),
        DataType::Date32 => signed!(array, Date32Type, u32),
        DataType::Timestamp(TimeUnit::Second, _) => signed!(array, TimestampSecondType, u64),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            signed!(array, TimestampMillisecondType, u64)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            signed!(array, TimestampMicrosecondType, u64)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            signed!(array, TimestampNanosecondType, u64)
        }
        DataType::UInt8 => unsigned!(array, UInt8Type),
        DataType::UInt16 => unsigned!(array, UInt16Type),
        DataType::UInt32 => unsigned!(array, UInt32Type),
        DataType::UInt64 => unsigned!(array, UInt64Type),
        DataType::Float32 => float!(array, Float32Type, u32),
        DataType::Float64 => float!(array, Float64Type, u64),
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Box::new(move |row, out: &mut Vec<u8>| escaped(array.value(row).as_bytes(), out))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Box::new(move |row, out: &mut Vec<u8>| escaped(array.value(row).as_bytes(), out))
        }
        other => {
            return Err(SqlError::Unsupported(format!(
                "values of type {other} as a key"
            )));
        }
    })
}

/// A zero byte becomes `00 FF` and the end is `00 00`, so that a prefix sorts before what it begins.
fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn keys(columns: &[ArrayRef]) -> Vec<Vec<u8>> {
        let encoder = KeyEncoder::new(columns).unwrap();
        (0..columns[0].len())
            .map(|row| {
                let mut out = Vec::new();
                encoder.encode(row, &mut out);
                out
            })
            .collect()
    }

    proptest! {
        #[test]
        fn keys_compare_like_their_values(
            rows in prop::collection::vec((any::<Option<i64>>(), "[\\x00a-c]{0,4}"), 2..20)
        ) {
            let numbers = Int64Array::from_iter(rows.iter().map(|r| r.0));
            let texts = StringArray::from_iter_values(rows.iter().map(|r| r.1.as_str()));
            let keys = keys(&[Arc::new(numbers), Arc::new(texts)]);
            for (a, x) in rows.iter().zip(&keys) {
                for (b, y) in rows.iter().zip(&keys) {
                    prop_assert_eq!(a.cmp(b), x.cmp(y));
                }
            }
        }

        #[test]
        fn floats_compare_in_total_order(rows in prop::collection::vec(any::<f64>(), 2..20)) {
            let keys = keys(&[Arc::new(Float64Array::from(rows.clone()))]);
            for (a, x) in rows.iter().zip(&keys) {
                for (b, y) in rows.iter().zip(&keys) {
                    prop_assert_eq!(a.total_cmp(b), x.cmp(y));
                }
            }
        }
    }
}
