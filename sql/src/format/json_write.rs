//! Arrow columns to JSON objects, one a row.

use arrow::array::RecordBatch;
use arrow_json::writer::{LineDelimited, WriterBuilder};
use bytes::Bytes;

use crate::SqlError;

/// UTC with a `Z`, a fraction only where there is one: `2013-01-01T10:00:00Z`.
const TIMESTAMP_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

/// Each row of `batch` as a JSON object with all its columns, nulls written out. The objects are
/// slices of one buffer.
///
/// # Errors
/// [`SqlError::Query`] for types that have no JSON form.
pub(crate) fn write_json_rows(batch: &RecordBatch) -> Result<Vec<Bytes>, SqlError> {
    let mut text = Vec::with_capacity(batch.num_rows() * 96);
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_format(TIMESTAMP_FORMAT.to_owned())
        .with_timestamp_tz_format(TIMESTAMP_FORMAT.to_owned())
        .build::<_, LineDelimited>(&mut text);
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    let text = Bytes::from(text);
    let mut rows = Vec::with_capacity(batch.num_rows());
    let mut start = 0;
    // JSON escapes line feeds inside strings, so each one in the text ends a row.
    for end in memchr_lines(&text) {
        rows.push(text.slice(start..end));
        start = end + 1;
    }
    Ok(rows)
}

fn memchr_lines(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    text.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray, TimestampMillisecondArray};

    use super::*;

    #[test]
    fn writes_utc_times_explicit_nulls_and_escapes() {
        let batch = RecordBatch::try_from_iter(vec![
            ("name", Arc::new(StringArray::from(vec!["a\nb", "c"])) as _),
            (
                "mean",
                Arc::new(Float64Array::from(vec![Some(2.0), None])) as _,
            ),
            (
                "at",
                Arc::new(TimestampMillisecondArray::from(vec![
                    1_357_034_400_000,
                    1_500,
                ])) as _,
            ),
        ])
        .unwrap();
        let rows = write_json_rows(&batch).unwrap();
        assert_eq!(
            rows[0],
            r#"{"name":"a\nb","mean":2.0,"at":"2013-01-01T10:00:00Z"}"#
        );
        assert_eq!(
            rows[1],
            r#"{"name":"c","mean":null,"at":"1970-01-01T00:00:01.500Z"}"#
        );
    }
}
