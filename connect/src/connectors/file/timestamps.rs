//! Timestamps of records from fields of their rows.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::data::Value;

/// The time in a field, in milliseconds since the epoch: ISO 8601, UTC if it names no zone, or a
/// number of milliseconds. The error says what is wrong with the value.
pub(super) fn time_of(value: &Value) -> Result<i64, String> {
    if let Some(millis) = value.as_i64() {
        return Ok(millis);
    }
    let Some(text) = value.as_str() else {
        return Err(format!("{value} is no time"));
    };
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(time.and_utc().timestamp_millis());
        }
    }
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) => Ok(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis()),
        Err(_) => Err(format!(
            "{text:?} is no time: write it as 2013-01-01T10:00:00Z"
        )),
    }
}

/// Minutes in a field, in milliseconds.
pub(super) fn minutes_of(value: &Value) -> Result<i64, String> {
    let minutes = value
        .as_i64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    let millis = minutes.and_then(|minutes| minutes.checked_mul(60_000));
    millis.ok_or_else(|| format!("{value} is no number of minutes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_unless_they_name_a_zone() {
        let ten = 1_357_034_400_000;
        for text in [
            "2013-01-01T10:00:00Z",
            "2013-01-01T05:00:00-05:00",
            "2013-01-01T10:00:00",
            "2013-01-01 10:00:00",
            "2013-01-01T10:00",
        ] {
            assert_eq!(time_of(&text.into()), Ok(ten), "{text}");
        }
        assert_eq!(time_of(&"2013-01-01".into()), Ok(ten - 36_000_000));
        assert_eq!(time_of(&Value::Int64(7)), Ok(7));
        assert!(time_of(&"10:00".into()).unwrap_err().contains("is no time"));
        assert!(time_of(&Value::Null).is_err());
        assert_eq!(minutes_of(&Value::Int64(59)), Ok(3_540_000));
        assert_eq!(minutes_of(&"5".into()), Ok(300_000));
        assert!(minutes_of(&Value::Null).is_err());
    }
}
