//! Arrow columns as PostgreSQL's types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo};
use pgwire::error::PgWireResult;
use pgwire::messages::data::DataRow;

use crate::SqlError;

/// The columns of a result; all text unless `format` says otherwise.
pub(super) fn fields(schema: &SchemaRef, format: Option<&Format>) -> Vec<FieldInfo> {
    schema
        .fields()
        .iter()
        .enumerate()
        .map(|(i, field)| {
            let format = format.map_or(FieldFormat::Text, |f| match f {
                Format::Individual(codes) => codes
                    .get(i)
                    .map_or(FieldFormat::Text, |c| FieldFormat::from(*c)),
                whole => whole.format_for(i),
            });
            FieldInfo::new(
                field.name().clone(),
                None,
                None,
                pg_type(field.data_type()),
                format,
            )
        })
        .collect()
}

/// The PostgreSQL type of an Arrow type. What has none is text.
pub(super) fn pg_type(data_type: &DataType) -> Type {
    match data_type {
        DataType::Boolean => Type::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Type::INT2,
        DataType::Int32 | DataType::UInt16 => Type::INT4,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Type::INT8,
        DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        DataType::Date32 => Type::DATE,
        DataType::Timestamp(..) => Type::TIMESTAMP,
        _ => Type::TEXT,
    }
}

/// The rows of `batch` as messages.
///
/// # Errors
/// [`SqlError::Data`] for values outside PostgreSQL's ranges.
pub(super) fn rows(
    batch: &RecordBatch,
    fields: &Arc<Vec<FieldInfo>>,
) -> PgWireResult<Vec<DataRow>> {
    let options = FormatOptions::default();
    let columns = batch
        .columns()
        .iter()
        .map(|array| column(array, &options))
        .collect::<Result<Vec<Write<'_>>, SqlError>>()
        .map_err(super::handler::user_error)?;
    let mut encoder = DataRowEncoder::new(Arc::clone(fields));
    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        for write in &columns {
            write(row, &mut encoder)?;
        }
        rows.push(encoder.take_row());
    }
    Ok(rows)
}

type Write<'a> = Box<dyn Fn(usize, &mut DataRowEncoder) -> PgWireResult<()> + 'a>;

macro_rules! primitive {
    ($array:expr, $arrow:ty, $rust:ty) => {{
        let array = $array.as_primitive::<$arrow>();
        Box::new(move |row, out: &mut DataRowEncoder| {
            let value = array.is_valid(row).then(|| <$rust>::from(array.value(row)));
            out.encode_field(&value)
        })
    }};
}

macro_rules! timestamp {
    ($array:expr, $arrow:ty, $to_micros:expr) => {{
        let array = $array.as_primitive::<$arrow>();
        Box::new(move |row, out: &mut DataRowEncoder| {
            let value: Option<NaiveDateTime> = array
                .is_valid(row)
                .then(|| $to_micros(array.value(row)))
                .flatten()
                .and_then(DateTime::from_timestamp_micros)
                .map(|t| t.naive_utc());
            out.encode_field(&value)
        })
    }};
}

fn column<'a>(array: &'a ArrayRef, options: &FormatOptions<'a>) -> Result<Write<'a>, SqlError> {
    Ok(match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean();
            Box::new(move |row, out| {
                out.encode_field(&array.is_valid(row).then(|| array.value(row)))
            })
        }
        DataType::Int8 => primitive!(array, Int8Type, i16),
        DataType::UInt8 => primitive!(array, UInt8Type, i16),
        DataType::Int16 => primitive!(array, Int16Type, i16),
        DataType::Int32 => primitive!(array, Int32Type, i32),
        DataType::UInt16 => primitive!(array, UInt16Type, i32),
        DataType::Int64 => primitive!(array, Int64Type, i64),
        DataType::UInt32 => primitive!(array, UInt32Type, i64),
        DataType::UInt64 => {
            let array = array.as_primitive::<UInt64Type>();
            Box::new(move |row, out| {
                let value = array.is_valid(row).then(|| array.value(row));
                let value = value.map(i64::try_from).transpose().map_err(|_| {
                    super::handler::user_error(SqlError::Data(
                        "a number above 9223372036854775807 has no PostgreSQL integer; cast it to \
                         VARCHAR"
                            .to_owned(),
                    ))
                })?;
                out.encode_field(&value)
            })
        }
        DataType::Float32 => primitive!(array, Float32Type, f32),
        DataType::Float64 => primitive!(array, Float64Type, f64),
        DataType::Date32 => {
            let array = array.as_primitive::<Date32Type>();
            Box::new(move |row, out| {
                let value: Option<NaiveDate> = array
                    .is_valid(row)
                    .then(|| date(array.value(row)))
                    .flatten();
                out.encode_field(&value)
            })
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            timestamp!(array, TimestampSecondType, |v: i64| v
                .checked_mul(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            timestamp!(array, TimestampMillisecondType, |v: i64| v
                .checked_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            timestamp!(array, TimestampMicrosecondType, Some)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            timestamp!(array, TimestampNanosecondType, |v: i64| Some(
                v.div_euclid(1_000)
            ))
        }
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Box::new(move |row, out| {
                out.encode_field(&array.is_valid(row).then(|| array.value(row)))
            })
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Box::new(move |row, out| {
                out.encode_field(&array.is_valid(row).then(|| array.value(row)))
            })
        }
        _ => {
            let formatter = ArrayFormatter::try_new(array.as_ref(), options)?;
            // An array of nothing but NULL has no mask of its own.
            let nulls = array.logical_nulls();
            Box::new(move |row, out| {
                let value = nulls
                    .as_ref()
                    .is_none_or(|nulls| nulls.is_valid(row))
                    .then(|| formatter.value(row).to_string());
                out.encode_field(&value)
            })
        }
    })
}

fn date(days: i32) -> Option<NaiveDate> {
    let epoch = NaiveDate::default();
    let distance = Days::new(u64::from(days.unsigned_abs()));
    if days < 0 {
        epoch.checked_sub_days(distance)
    } else {
        epoch.checked_add_days(distance)
    }
}
