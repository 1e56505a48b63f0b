//! Times and durations as they are given on the command line.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

/// A duration: a number with a unit (`500ms`, `30s`, `5m`, `2h`, `1d`), or as ISO 8601 has it
/// (`PT1H30M`, `P1DT12H`).
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration such as 500ms, 30s, 5m, 2h, 1d or PT1H30M");
    if let Some(iso) = text.strip_prefix('P') {
        return iso_duration(iso).ok_or_else(wrong);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let ms = number.checked_mul(unit_ms).ok_or_else(wrong)?;
    Ok(Duration::from_millis(ms))
}

/// What follows the `P`.
fn iso_duration(text: &str) -> Option<Duration> {
    let (days, time) = match text.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (text, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    if !days.is_empty() {
        let days: u32 = days.strip_suffix('D')?.parse().ok()?;
        total = Duration::from_secs(86_400).checked_mul(days)?;
    }
    let mut rest = time;
    let units = [('H', 3600.0), ('M', 60.0), ('S', 1.0)];
    for (unit, seconds) in units {
        if let Some((number, after)) = rest.split_once(unit) {
            let number: f64 = number.parse().ok().filter(|number: &f64| *number >= 0.0)?;
            let part = Duration::try_from_secs_f64(number * seconds).ok()?;
            total = total.checked_add(part)?;
            rest = after;
        }
    }
    rest.is_empty().then_some(total)
}

/// A moment, in milliseconds since 1970: that number, or a date, with a time or at midnight, which
/// is UTC where it names no zone.
pub(super) fn timestamp(text: &str) -> Result<i64, String> {
    if let Ok(ms) = text.parse::<i64>()
        && ms >= 0
    {
        return Ok(ms);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.timestamp_millis());
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    }
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f");
    naive
        .map(|at| at.and_utc().timestamp_millis())
        .map_err(|_| {
            format!(
                "{text:?} is no time such as 2026-01-31, 2026-01-31T12:00:00.000, \
                 2026-01-31T12:00:00+01:00 or milliseconds since 1970"
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_or_are_iso_8601() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs_f64());
        assert_eq!(seconds("500ms"), Ok(0.5));
        assert_eq!(seconds("2h"), Ok(7200.0));
        assert_eq!(seconds("1d"), Ok(86_400.0));
        assert_eq!(seconds("PT1H30M"), Ok(5400.0));
        assert_eq!(seconds("P1DT0.5S"), Ok(86_400.5));
        assert_eq!(seconds("P2D"), Ok(172_800.0));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "P",
            "PT",
            "PT5",
            "P5H",
            "-5s",
            "PT-5S",
            "99999999999999999999d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_milliseconds_or_dates() {
        assert_eq!(timestamp("1357034400000"), Ok(1_357_034_400_000));
        assert_eq!(timestamp("2013-01-01T10:00:00Z"), Ok(1_357_034_400_000));
        assert_eq!(timestamp("2013-01-01T10:00:00.250"), Ok(1_357_034_400_250));
        assert_eq!(
            timestamp("2013-01-01T11:00:00+01:00"),
            Ok(1_357_034_400_000)
        );
        assert_eq!(timestamp("2013-01-01"), Ok(1_356_998_400_000));
        assert!(timestamp("-5").is_err());
        assert!(timestamp("yesterday").is_err());
    }
}
