//! Kinds of configuration values: how each is read from text, checked and shown.

use std::fmt;

/// Type of a configuration value, as DescribeConfigs names it (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// `true` or `false`.
    Boolean,
    /// Any text.
    String,
    /// 32-bit integer.
    Int,
    /// 16-bit integer.
    Short,
    /// 64-bit integer.
    Long,
    /// Decimal number.
    Double,
    /// Comma-separated list.
    List,
}

impl ValueKind {
    /// Number of the kind in a DescribeConfigs response.
    pub fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
        }
    }

    /// Whether `values` of this kind are several and may be extended and shortened one by one.
    pub fn is_list(self) -> bool {
        self == Self::List
    }
}

/// A value that was read. It shows as Kafka shows it, which is not always as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`ValueKind::Boolean`].
    Boolean(bool),
    /// Of [`ValueKind::Int`], [`ValueKind::Short`] or [`ValueKind::Long`].
    Integer(i64),
    /// Of [`ValueKind::Double`].
    Double(f64),
    /// Of [`ValueKind::String`].
    Text(String),
    /// Of [`ValueKind::List`].
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Double(value) => f.write_str(&show_double(*value)),
            Self::Text(value) => f.write_str(value),
            Self::List(values) => f.write_str(&values.join(",")),
        }
    }
}

/// A decimal number with a point, and with an exponent outside 0.001 to ten million: what tools
/// written in Java print.
fn show_double(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => text,
    }
}

/// Which values of a kind are taken.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// All.
    Any,
    /// Numbers from this one on.
    AtLeast(i64),
    /// Numbers from the first to the second, both included.
    Within(i64, i64),
    /// The same, or -1.
    WithinOrUnset(i64, i64),
    /// Numbers between 0 and 1.
    Share,
    /// Texts among these.
    OneOf(&'static [&'static str]),
    /// The same, in upper or lower case.
    OneOfAnyCase(&'static [&'static str]),
    /// `earliest`, `latest` or `by_duration:` and an ISO 8601 duration.
    OffsetReset,
    /// Texts of `address:number`, separated by commas.
    NumberByName,
    /// Lists of these.
    Among(&'static [&'static str]),
    /// Lists of `partition:broker`, or `*`: Kafka's throttled replicas (KIP-73).
    Replicas,
}

/// Kind of a setting's values and which of them are taken.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The kind.
    pub kind: ValueKind,
    /// Which values of it.
    pub check: Check,
}

impl Shape {
    /// Reads a value. The error says what is expected.
    ///
    /// # Errors
    /// What the text should have been.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let value = self.parse(text)?;
        self.check(&value)?;
        Ok(value)
    }

    fn parse(&self, text: &str) -> Result<Value, String> {
        let trimmed = text.trim();
        let integer = |least: i64, most: i64, what: &str| {
            let parsed = trimmed.parse::<i64>().ok();
            let parsed = parsed.filter(|value| (least..=most).contains(value));
            parsed
                .map(Value::Integer)
                .ok_or_else(|| format!("must be {what}"))
        };
        match self.kind {
            ValueKind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            ValueKind::Boolean if trimmed.eq_ignore_ascii_case("false") => {
                Ok(Value::Boolean(false))
            }
            ValueKind::Boolean => Err("must be true or false".to_owned()),
            ValueKind::String => Ok(Value::Text(text.to_owned())),
            ValueKind::Short => integer(i16::MIN.into(), i16::MAX.into(), "a 16-bit integer"),
            ValueKind::Int => integer(i32::MIN.into(), i32::MAX.into(), "a 32-bit integer"),
            ValueKind::Long => integer(i64::MIN, i64::MAX, "a 64-bit integer"),
            ValueKind::Double => {
                let parsed = trimmed.parse().ok();
                let parsed = parsed.filter(|value: &f64| value.is_finite());
                parsed
                    .map(Value::Double)
                    .ok_or_else(|| "must be a number".to_owned())
            }
            ValueKind::List if trimmed.is_empty() => Ok(Value::List(Vec::new())),
            ValueKind::List => {
                let items = trimmed.split(',').map(|item| item.trim().to_owned());
                Ok(Value::List(items.collect()))
            }
        }
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        match (self.check, value) {
            (Check::AtLeast(least), Value::Integer(value)) if *value < least => {
                Err(format!("must be at least {least}"))
            }
            (Check::AtLeast(least), Value::Double(value)) if *value < least as f64 => {
                Err(format!("must be at least {least}"))
            }
            (Check::Within(least, most), Value::Integer(value))
                if !(least..=most).contains(value) =>
            {
                Err(format!("must be between {least} and {most}"))
            }
            (Check::WithinOrUnset(least, most), Value::Integer(value))
                if *value != -1 && !(least..=most).contains(value) =>
            {
                Err(format!("must be between {least} and {most}, or -1"))
            }
            (Check::Share, Value::Double(value)) if !(0.0..=1.0).contains(value) => {
                Err("must be between 0 and 1".to_owned())
            }
            (Check::OneOf(known), Value::Text(value)) if !known.contains(&value.as_str()) => {
                Err(format!("must be one of {}", known.join(", ")))
            }
            (Check::OneOfAnyCase(known), Value::Text(value))
                if !known
                    .iter()
                    .any(|one| one.eq_ignore_ascii_case(value.trim())) =>
            {
                Err(format!("must be one of {}", known.join(", ")))
            }
            (Check::NumberByName, Value::Text(value)) => numbers_by_name(value),
            (Check::OffsetReset, Value::Text(value)) => offset_reset(value),
            (Check::Among(known), Value::List(values))
                if !values.iter().all(|value| known.contains(&value.as_str())) =>
            {
                Err(format!("must be a list of {}", known.join(", ")))
            }
            (Check::Replicas, Value::List(values)) => replicas(values),
            _ => Ok(()),
        }
    }
}

fn offset_reset(text: &str) -> Result<(), String> {
    let is_duration = |text: &str| {
        text.strip_prefix('P').is_some_and(|rest| {
            let known = |letter: char| letter.is_ascii_digit() || "DTHMS.".contains(letter);
            rest.chars().all(known) && rest.ends_with(|end| "DHMS".contains(end))
        })
    };
    let duration = text.strip_prefix("by_duration:");
    if matches!(text, "earliest" | "latest") || duration.is_some_and(is_duration) {
        return Ok(());
    }
    Err("must be earliest, latest or by_duration:PnDTnHnMn.nS".to_owned())
}

fn numbers_by_name(text: &str) -> Result<(), String> {
    let is_number = |text: &str| text.trim().parse::<i32>().is_ok_and(|number| number >= 0);
    let is_pair = |pair: &str| {
        pair.rsplit_once(':').is_some_and(|(name, number)| {
            name.trim().parse::<std::net::IpAddr>().is_ok() && is_number(number)
        })
    };
    if text.trim().is_empty() || text.split(',').all(is_pair) {
        return Ok(());
    }
    Err("must be address:number, separated by commas".to_owned())
}

fn replicas(values: &[String]) -> Result<(), String> {
    let is_id = |text: &str| text.parse::<i32>().is_ok_and(|id| id >= 0);
    let is_replica = |value: &String| {
        value
            .split_once(':')
            .is_some_and(|(partition, broker)| is_id(partition) && is_id(broker))
    };
    let is_every_one = matches!(values, [all] if all == "*");
    if is_every_one || values.iter().all(is_replica) {
        return Ok(());
    }
    Err("must be * or a list of partition:broker".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Check, Shape, Value, ValueKind, show_double};

    #[test]
    fn numbers_show_as_tools_expect_them() {
        assert_eq!(show_double(0.5), "0.5");
        assert_eq!(show_double(1.0), "1.0");
        assert_eq!(show_double(0.0001), "1.0E-4");
        assert_eq!(show_double(1_048_576.0), "1048576.0");
        assert_eq!(show_double(12_345_678.0), "1.2345678E7");
        assert_eq!(show_double(f64::MAX), "1.7976931348623157E308");
    }

    #[test]
    fn values_are_read_by_their_kind_and_checked() {
        let shape = |kind, check| Shape { kind, check };
        let long = shape(ValueKind::Long, Check::AtLeast(-1));
        assert_eq!(long.read(" 7000 "), Ok(Value::Integer(7000)));
        assert_eq!(long.read("-2"), Err("must be at least -1".to_owned()));
        assert_eq!(long.read("x"), Err("must be a 64-bit integer".to_owned()));
        let int = shape(ValueKind::Int, Check::Any);
        assert!(int.read("2147483648").is_err());
        let list = shape(ValueKind::List, Check::Among(&["a", "b"]));
        assert_eq!(
            list.read(" a , b ").map(|v| v.to_string()),
            Ok("a,b".into())
        );
        assert_eq!(list.read("").map(|v| v.to_string()), Ok(String::new()));
        assert!(list.read("a,,b").is_err());
        let throttled = shape(ValueKind::List, Check::Replicas);
        for good in ["", "*", "0:1", "0:1,1:2"] {
            assert!(throttled.read(good).is_ok(), "{good}");
        }
        for bad in ["x", "none", "*,0:1", "0:", "0:-1"] {
            assert!(throttled.read(bad).is_err(), "{bad}");
        }
    }
}
