//! Which columns carry event time or the bounds of its windows. Windows are recognised by what
//! computes them (`date_bin`, `date_trunc`), whether TUMBLE or the user wrote it.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, Operator};

/// What a column has to do with event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeProperty {
    /// It is the event time.
    Event,
    /// It is the start of a window of so many ms.
    Start(i64),
    /// It is the end of a window.
    End,
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
        Expr::Cast(cast) if matches!(cast.field.data_type(), DataType::Timestamp(..)) => {
            property(&cast.expr, schema, properties)
        }
        Expr::ScalarFunction(call) => {
            let [width, time, ..] = call.args.as_slice() else {
                return None;
            };
            let size = match (call.func.name(), width) {
                ("date_bin", Expr::Literal(width, _)) => scalar_millis(width)?,
                ("date_trunc", Expr::Literal(unit, _)) => truncation(unit)?,
                _ => return None,
            };
            match property(time, schema, properties)? {
                TimeProperty::Event => Some(TimeProperty::Start(size)),
                // Coarser windows over finer ones: the finer start lies in the coarser window.
                TimeProperty::Start(finer) if finer > 0 && size % finer == 0 => {
                    Some(TimeProperty::Start(size))
                }
                _ => None,
            }
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Plus => {
            let Expr::Literal(width, _) = binary.right.as_ref() else {
                return None;
            };
            match property(&binary.left, schema, properties)? {
                TimeProperty::Start(size) if scalar_millis(width) == Some(size) => {
                    Some(TimeProperty::End)
                }
                _ => None,
            }
        }
        _ => None,
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

/// Size of the windows of `date_trunc`; for months and years the longest, which closes no window
/// too early.
fn truncation(unit: &ScalarValue) -> Option<i64> {
    let unit = match unit {
        ScalarValue::Utf8(Some(u)) | ScalarValue::Utf8View(Some(u)) => u.to_lowercase(),
        _ => return None,
    };
    Some(match unit.as_str() {
        "millisecond" => 1,
        "second" => SECOND,
        "minute" => 60 * SECOND,
        "hour" => 3_600 * SECOND,
        "day" => DAY,
        "week" => 7 * DAY,
        "month" => 31 * DAY,
        "quarter" => 92 * DAY,
        "year" => 366 * DAY,
        _ => return None,
    })
}
