//! Rows as bytes: a header of format version and schema fingerprint, a null bitmap, then the
//! values that are not null, fixed widths as Arrow holds them and variable ones behind a 32-bit
//! little-endian length.

use arrow::array::BooleanBufferBuilder;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, RecordBatch, RecordBatchOptions,
    StringBuilder, StringViewBuilder, make_array,
};
use arrow::array::{ArrayData, BinaryArray, BooleanArray, StringArray, StringViewArray};
use arrow::buffer::{MutableBuffer, NullBuffer};
use arrow::datatypes::{DataType, SchemaRef};

use crate::SqlError;

/// Format of the bytes. Rows of another version are refused, never guessed at.
const VERSION: u8 = 1;
const HEADER_LEN: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Boolean,
    Fixed(usize),
    Utf8,
    Utf8View,
    Binary,
}

/// Encodes rows of one schema and decodes them again.
#[derive(Debug, Clone)]
pub(crate) struct RowCodec {
    schema: SchemaRef,
    layouts: Vec<Layout>,
    fingerprint: [u8; 2],
}

impl RowCodec {
    /// A codec for `schema`.
    ///
    /// # Errors
    /// [`SqlError::Unsupported`] for nested and other types that have no row form.
    pub(crate) fn new(schema: SchemaRef) -> Result<Self, SqlError> {
        let mut layouts = Vec::with_capacity(schema.fields().len());
        let mut hash: u32 = 0x811c_9dc5;
        for field in schema.fields() {
            let layout = match field.data_type() {
                DataType::Boolean => Layout::Boolean,
                DataType::Utf8 => Layout::Utf8,
                DataType::Utf8View => Layout::Utf8View,
                DataType::Binary => Layout::Binary,
                other => match other.primitive_width() {
                    Some(width) => Layout::Fixed(width),
                    None => {
                        return Err(SqlError::Unsupported(format!(
                            "values of type {other} ({}) in the state of a continuous query",
                            field.name()
                        )));
                    }
                },
            };
            for byte in field.data_type().to_string().bytes().chain([0]) {
                hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            }
            layouts.push(layout);
        }
        let folded = (hash >> 16) ^ (hash & 0xffff);
        let [_, _, high, low] = folded.to_be_bytes();
        Ok(Self {
            schema,
            layouts,
            fingerprint: [high, low],
        })
    }

    /// An encoder over `columns`, which must have the schema's types.
    pub(crate) fn encoder<'a>(&self, columns: &'a [ArrayRef]) -> RowEncoder<'a> {
        let columns = columns
            .iter()
            .zip(&self.layouts)
            .map(|(array, layout)| {
                let values = match layout {
                    Layout::Boolean => Values::Boolean(array.as_boolean()),
                    Layout::Utf8 => Values::Utf8(array.as_string()),
                    Layout::Utf8View => Values::Utf8View(array.as_string_view()),
                    Layout::Binary => Values::Binary(array.as_binary()),
                    Layout::Fixed(width) => Values::Fixed(array.to_data(), *width),
                };
                (values, array.nulls())
            })
            .collect();
        RowEncoder {
            columns,
            fingerprint: self.fingerprint,
        }
    }

    /// A decoder with room for `rows` rows.
    pub(crate) fn decoder(&self, rows: usize) -> RowDecoder {
        let columns = self
            .layouts
            .iter()
            .map(|layout| match layout {
                Layout::Boolean => Builder::Boolean(BooleanBuilder::with_capacity(rows)),
                Layout::Utf8 => Builder::Utf8(StringBuilder::with_capacity(rows, rows * 8)),
                Layout::Utf8View => Builder::Utf8View(StringViewBuilder::with_capacity(rows)),
                Layout::Binary => Builder::Binary(BinaryBuilder::with_capacity(rows, rows * 8)),
                Layout::Fixed(width) => Builder::Fixed {
                    values: MutableBuffer::with_capacity(rows * width),
                    valid: BooleanBufferBuilder::new(rows),
                    width: *width,
                },
            })
            .collect();
        RowDecoder {
            codec: self.clone(),
            columns,
            rows: 0,
        }
    }
}

enum Values<'a> {
    Boolean(&'a BooleanArray),
    Utf8(&'a StringArray),
    Utf8View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    Fixed(ArrayData, usize),
}

/// Encodes rows of some columns.
pub(crate) struct RowEncoder<'a> {
    columns: Vec<(Values<'a>, Option<&'a NullBuffer>)>,
    fingerprint: [u8; 2],
}

impl RowEncoder<'_> {
    /// Appends row `row` to `out`.
    pub(crate) fn encode(&self, row: usize, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(&self.fingerprint);
        for group in self.columns.chunks(8) {
            let mut bits = 0u8;
            for (i, (_, nulls)) in group.iter().enumerate() {
                bits |= u8::from(nulls.is_some_and(|n| n.is_null(row))) << i;
            }
            out.push(bits);
        }
        for (values, nulls) in &self.columns {
            if nulls.is_some_and(|n| n.is_null(row)) {
                continue;
            }
            match values {
                Values::Boolean(array) => out.push(u8::from(array.value(row))),
                Values::Utf8(array) => variable(array.value(row).as_bytes(), out),
                Values::Utf8View(array) => variable(array.value(row).as_bytes(), out),
                Values::Binary(array) => variable(array.value(row), out),
                Values::Fixed(data, width) => {
                    let start = (data.offset() + row) * width;
                    if let Some(bytes) = data
                        .buffers()
                        .first()
                        .and_then(|b| b.get(start..start + width))
                    {
                        out.extend_from_slice(bytes);
                    }
                }
            }
        }
    }
}

fn variable(bytes: &[u8], out: &mut Vec<u8>) {
    // Arrow's own offsets are 32 bits wide, so no value is longer.
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
}

enum Builder {
    Boolean(BooleanBuilder),
    Utf8(StringBuilder),
    Utf8View(StringViewBuilder),
    Binary(BinaryBuilder),
    Fixed {
        values: MutableBuffer,
        valid: BooleanBufferBuilder,
        width: usize,
    },
}

/// Decodes rows into a batch.
pub(crate) struct RowDecoder {
    codec: RowCodec,
    columns: Vec<Builder>,
    rows: usize,
}

impl RowDecoder {
    /// Appends one encoded row.
    ///
    /// # Errors
    /// [`SqlError::Data`] if the bytes are of another version or schema, or damaged. The decoder
    /// must not be used after an error.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), SqlError> {
        let bitmap_len = self.columns.len().div_ceil(8);
        let (header, mut rest) = split(bytes, HEADER_LEN)?;
        if header[0] != VERSION || header[1..] != self.codec.fingerprint {
            return Err(SqlError::Data(format!(
                "a stored row has format {} of schema {:02x}{:02x}, this query reads format \
                 {VERSION} of {:02x}{:02x}; drop the view and create it again",
                header[0],
                header[1],
                header[2],
                self.codec.fingerprint[0],
                self.codec.fingerprint[1]
            )));
        }
        let bitmap;
        (bitmap, rest) = split(rest, bitmap_len)?;
        for (i, column) in self.columns.iter_mut().enumerate() {
            let is_null = bitmap[i / 8] >> (i % 8) & 1 == 1;
            rest = column.push(is_null, rest)?;
        }
        if !rest.is_empty() {
            return Err(damaged());
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows so far as a batch, all columns nullable as in the codec's schema.
    pub(crate) fn finish(self) -> Result<RecordBatch, SqlError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.into_iter().zip(self.codec.schema.fields()) {
            arrays.push(match column {
                Builder::Boolean(mut b) => std::sync::Arc::new(b.finish()),
                Builder::Utf8(mut b) => std::sync::Arc::new(b.finish()),
                Builder::Utf8View(mut b) => std::sync::Arc::new(b.finish()),
                Builder::Binary(mut b) => std::sync::Arc::new(b.finish()),
                Builder::Fixed {
                    values, mut valid, ..
                } => {
                    let data = ArrayData::builder(field.data_type().clone())
                        .len(self.rows)
                        .nulls(Some(NullBuffer::new(valid.finish())))
                        .add_buffer(values.into())
                        .build()?;
                    make_array(data)
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(
            self.codec.schema,
            arrays,
            &options,
        )?)
    }
}

impl Builder {
    fn push<'a>(&mut self, is_null: bool, rest: &'a [u8]) -> Result<&'a [u8], SqlError> {
        match self {
            Builder::Boolean(b) => {
                if is_null {
                    b.append_null();
                    return Ok(rest);
                }
                let (value, rest) = split(rest, 1)?;
                b.append_value(value[0] != 0);
                Ok(rest)
            }
            Builder::Fixed {
                values,
                valid,
                width,
            } => {
                valid.append(!is_null);
                if is_null {
                    values.extend_zeros(*width);
                    return Ok(rest);
                }
                let (value, rest) = split(rest, *width)?;
                values.extend_from_slice(value);
                Ok(rest)
            }
            Builder::Utf8(_) | Builder::Utf8View(_) | Builder::Binary(_) if is_null => {
                match self {
                    Builder::Utf8(b) => b.append_null(),
                    Builder::Utf8View(b) => b.append_null(),
                    Builder::Binary(b) => b.append_null(),
                    Builder::Boolean(_) | Builder::Fixed { .. } => {}
                }
                Ok(rest)
            }
            Builder::Utf8(b) => {
                let (value, rest) = split_variable(rest)?;
                b.append_value(std::str::from_utf8(value).map_err(|_| damaged())?);
                Ok(rest)
            }
            Builder::Utf8View(b) => {
                let (value, rest) = split_variable(rest)?;
                b.append_value(std::str::from_utf8(value).map_err(|_| damaged())?);
                Ok(rest)
            }
            Builder::Binary(b) => {
                let (value, rest) = split_variable(rest)?;
                b.append_value(value);
                Ok(rest)
            }
        }
    }
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), SqlError> {
    bytes.split_at_checked(at).ok_or_else(damaged)
}

fn split_variable(bytes: &[u8]) -> Result<(&[u8], &[u8]), SqlError> {
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
    split(
        rest,
        usize::try_from(u32::from_le_bytes(*len)).map_err(|_| damaged())?,
    )
}

fn damaged() -> SqlError {
    SqlError::Data("a stored row is damaged: its length does not match its schema".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Float64Array, Int64Array, StringArray, TimestampMillisecondArray,
    };
    use arrow::datatypes::{Field, Schema, TimeUnit};
    use proptest::prelude::*;

    use super::*;

    fn codec() -> RowCodec {
        RowCodec::new(Arc::new(Schema::new(vec![
            Field::new("b", DataType::Boolean, true),
            Field::new("n", DataType::Int64, true),
            Field::new("x", DataType::Float64, true),
            Field::new("s", DataType::Utf8, true),
            Field::new("t", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        ])))
        .unwrap()
    }

    type Row = (
        Option<bool>,
        Option<i64>,
        Option<f64>,
        Option<String>,
        Option<i64>,
    );

    fn columns(rows: &[Row]) -> Vec<ArrayRef> {
        vec![
            Arc::new(BooleanArray::from_iter(rows.iter().map(|r| r.0))),
            Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.1))),
            Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.2))),
            Arc::new(StringArray::from_iter(rows.iter().map(|r| r.3.as_deref()))),
            Arc::new(TimestampMillisecondArray::from_iter(
                rows.iter().map(|r| r.4),
            )),
        ]
    }

    fn encoded(columns: &[ArrayRef], row: usize) -> Vec<u8> {
        let mut out = Vec::new();
        codec().encoder(columns).encode(row, &mut out);
        out
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(rows in prop::collection::vec(any::<Row>(), 0..20)) {
            // Slices have an offset into their buffers.
            let mut padded = vec![Row::default()];
            padded.extend(rows.clone());
            let sliced: Vec<ArrayRef> =
                columns(&padded).iter().map(|c| c.slice(1, rows.len())).collect();
            let mut decoder = codec().decoder(rows.len());
            for row in 0..rows.len() {
                decoder.push(&encoded(&sliced, row)).unwrap();
            }
            let batch = decoder.finish().unwrap();
            for (before, after) in columns(&rows).iter().zip(batch.columns()) {
                prop_assert_eq!(format!("{before:?}"), format!("{after:?}"));
            }
        }

        #[test]
        fn damaged_rows_are_errors(row in any::<Row>(), cut in 0usize..100, extra in any::<u8>()) {
            let columns = columns(&[row]);
            let mut bytes = encoded(&columns, 0);
            let cut = cut % bytes.len();
            prop_assert!(codec().decoder(1).push(&bytes[..cut]).is_err());
            bytes.push(extra);
            prop_assert!(codec().decoder(1).push(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut framed = encoded(&columns(&[Row::default()]), 0)[..HEADER_LEN].to_vec();
            framed.extend(bytes);
            let mut decoder = codec().decoder(1);
            if decoder.push(&framed).is_ok() {
                prop_assert_eq!(decoder.finish().unwrap().num_rows(), 1);
            }
        }
    }

    #[test]
    fn rows_of_another_schema_are_refused() {
        let other = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
        let bytes = encoded(&columns(&[Row::default()]), 0);
        let refused = RowCodec::new(other)
            .unwrap()
            .decoder(1)
            .push(&bytes)
            .unwrap_err();
        assert!(refused.to_string().contains("drop the view"), "{refused}");
    }
}
