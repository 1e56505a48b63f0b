//! Which columns carry event time or the bounds of its windows. Windows are recognised by what
//! computes them (`date_bin`, `date_trunc`), whether TUMBLE or the user wrote it.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, Operator};

/// What a column has to do with event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeProperty {
    /// It is the event time.
    Event,
    /// It is the start of a window.
    Start(Window),
    /// It is the end of a window.
    End,
}

/// A window of event time, by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// How far behind the start an event of the window can be at most, ms.
    pub(super) length: i64,
    /// Windows follow one another from the epoch on, each of that length.
    is_from_epoch: bool,
}

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;

/// The property of `expr` over columns with `properties`.
pub(super) fn property(
    expr: &Expr,
    schema: &DFSchema,
    properties: &[Option<TimeProperty>],
) -> Option<TimeProperty> {
    match expr {
        Expr::Column(column) => {
            let index = schema.index_of_column(column).ok()?;
            properties.get(index).copied().flatten()
        }
        Expr::Alias(alias) => property(&alias.expr, schema, properties),
        Expr::Cast(cast) => {
            let DataType::Timestamp(unit, _) = cast.field.data_type() else {
                return None;
            };
            let inner = property(&cast.expr, schema, properties)?;
            match unit {
                TimeUnit::Second => Some(in_seconds(inner)),
                _ => Some(inner),
            }
        }
        Expr::ScalarFunction(call) => {
            let [width, time, ..] = call.args.as_slice() else {
                return None;
            };
            let window = match (call.func.name(), width) {
                ("date_bin", Expr::Literal(width, _)) => Window {
                    length: scalar_millis(width)?,
                    is_from_epoch: call.args.len() == 2,
                },
                ("date_trunc", Expr::Literal(unit, _)) => truncation(unit)?,
                _ => return None,
            };
            match property(time, schema, properties)? {
                TimeProperty::Event => Some(TimeProperty::Start(window)),
                TimeProperty::Start(finer) => coarser(window, finer),
                TimeProperty::End => None,
            }
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Plus => {
            let Expr::Literal(width, _) = binary.right.as_ref() else {
                return None;
            };
            match property(&binary.left, schema, properties)? {
                TimeProperty::Start(window) if scalar_millis(width) == Some(window.length) => {
                    Some(TimeProperty::End)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Windows over the starts of finer ones. An event of the last finer window may lie behind the
/// coarser one, unless the finer ones divide it.
fn coarser(window: Window, finer: Window) -> Option<TimeProperty> {
    let both_from_epoch = window.is_from_epoch && finer.is_from_epoch;
    let divides = both_from_epoch && finer.length > 0 && window.length % finer.length == 0;
    Some(TimeProperty::Start(match divides {
        true => window,
        false => Window {
            length: window.length.checked_add(finer.length)?,
            is_from_epoch: false,
        },
    }))
}

/// What is left of `time` in whole seconds.
fn in_seconds(time: TimeProperty) -> TimeProperty {
    match time {
        TimeProperty::Event => TimeProperty::Start(Window {
            length: SECOND,
            is_from_epoch: true,
        }),
        TimeProperty::Start(window) if window.is_from_epoch && window.length % SECOND == 0 => time,
        TimeProperty::Start(window) => TimeProperty::Start(Window {
            length: window.length.saturating_add(SECOND),
            is_from_epoch: false,
        }),
        // Up to a second early: as the start of a second it closes no window too early.
        TimeProperty::End => TimeProperty::Start(Window {
            length: SECOND,
            is_from_epoch: false,
        }),
    }
}

/// An interval without months as ms, rounded up.
pub(super) fn scalar_millis(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(i)) if i.months == 0 => {
            let nanos = i.nanoseconds.div_euclid(1_000_000)
                + i64::from(i.nanoseconds.rem_euclid(1_000_000) != 0);
            Some(i64::from(i.days).checked_mul(DAY)?.checked_add(nanos)?)
        }
        ScalarValue::IntervalDayTime(Some(i)) => i64::from(i.days)
            .checked_mul(DAY)?
            .checked_add(i64::from(i.milliseconds)),
        _ => None,
    }
}

/// The windows of `date_trunc`; for months and years the longest, which closes no window too early.
/// Weeks begin on Mondays, the epoch was a Thursday.
fn truncation(unit: &ScalarValue) -> Option<Window> {
    let unit = match unit {
        ScalarValue::Utf8(Some(u)) | ScalarValue::Utf8View(Some(u)) => u.to_lowercase(),
        _ => return None,
    };
    let (length, is_from_epoch) = match unit.as_str() {
        "millisecond" => (1, true),
        "second" => (SECOND, true),
        "minute" => (60 * SECOND, true),
        "hour" => (3_600 * SECOND, true),
        "day" => (DAY, true),
        "week" => (7 * DAY, false),
        "month" => (31 * DAY, false),
        "quarter" => (92 * DAY, false),
        "year" => (366 * DAY, false),
        _ => return None,
    };
    Some(Window {
        length,
        is_from_epoch,
    })
}
