//! Types of columns: declared, or the narrowest that fits every value of the column.

use std::sync::Arc;

use crate::data::{Schema, Value};

/// The type of a CSV column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// `true` or `false`, in any case.
    Boolean,
    /// A 64-bit integer, written without plus sign or leading zeros.
    Long,
    /// A 64-bit float, written as JSON writes numbers.
    Double,
    /// Anything.
    String,
}

impl ColumnType {
    /// The type by its name in a configuration.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "boolean" => Some(Self::Boolean),
            "long" => Some(Self::Long),
            "double" => Some(Self::Double),
            "string" => Some(Self::String),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Long => "long",
            Self::Double => "double",
            Self::String => "string",
        }
    }

    /// The schema of the column's fields. They may be null, whatever the type.
    pub(super) fn schema(self) -> Arc<Schema> {
        let schema = match self {
            Self::Boolean => Schema::boolean(),
            Self::Long => Schema::int64(),
            Self::Double => Schema::float64(),
            Self::String => Schema::string(),
        };
        Arc::new(schema.optional())
    }

    /// The value of a field that is not null. `None` if the text is not of the type.
    pub(super) fn value(self, text: &str) -> Option<Value> {
        match self {
            Self::Boolean => boolean(text).map(Value::Boolean),
            Self::Long => long(text).map(Value::Int64),
            Self::Double => double(text).map(Value::Float64),
            Self::String => Some(Value::String(text.to_owned())),
        }
    }
}

/// What the values of a column seen so far could all be.
#[derive(Clone, Debug)]
pub(super) struct Inference {
    boolean: bool,
    long: bool,
    double: bool,
    seen: bool,
}

impl Default for Inference {
    fn default() -> Self {
        Self {
            boolean: true,
            long: true,
            double: true,
            seen: false,
        }
    }
}

impl Inference {
    /// Takes in a value that is not null.
    pub(super) fn observe(&mut self, text: &str) {
        self.seen = true;
        self.boolean = self.boolean && boolean(text).is_some();
        self.long = self.long && long(text).is_some();
        self.double = self.double && double(text).is_some();
    }

    /// The narrowest type of all values; string if there was none.
    pub(super) fn column_type(&self) -> ColumnType {
        match self {
            Self { seen: false, .. } => ColumnType::String,
            Self { boolean: true, .. } => ColumnType::Boolean,
            Self { long: true, .. } => ColumnType::Long,
            Self { double: true, .. } => ColumnType::Double,
            _ => ColumnType::String,
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Digits that come back as they are: `007` is a code, not a number.
fn long(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = match digits.as_bytes() {
        [b'0'] => text == "0",
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if plain { text.parse().ok() } else { None }
}

/// A number as JSON writes it. An integer that a float cannot hold exactly is none.
fn double(text: &str) -> Option<f64> {
    let is_json = serde_json::from_str::<serde_json::Number>(text).is_ok();
    let bare = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    if !is_json || !text.bytes().all(bare) {
        return None;
    }
    let is_integer = !text.contains(['.', 'e', 'E']);
    if is_integer
        && text
            .parse::<i64>()
            .map_or(true, |value| value.unsigned_abs() > 1 << 53)
    {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inferred(values: &[&str]) -> ColumnType {
        let mut inference = Inference::default();
        values.iter().for_each(|value| inference.observe(value));
        inference.column_type()
    }

    #[test]
    fn a_column_gets_the_narrowest_type_that_fits_all_its_values() {
        assert_eq!(inferred(&[]), ColumnType::String);
        assert_eq!(inferred(&["true", "FALSE"]), ColumnType::Boolean);
        assert_eq!(inferred(&["1", "-20", "0"]), ColumnType::Long);
        assert_eq!(inferred(&["1", "0.25", "1e3"]), ColumnType::Double);
        assert_eq!(inferred(&["150", "A320-214"]), ColumnType::String);
        assert_eq!(inferred(&["true", "1"]), ColumnType::String);
    }

    #[test]
    fn what_would_not_come_back_as_it_was_is_text() {
        for text in [
            "007", "+5", "-0", " 1", "0x10", "NaN", "Infinity", "1_000", ".5", "5.",
        ] {
            assert_ne!(inferred(&[text]), ColumnType::Long, "{text}");
        }
        assert_eq!(inferred(&["007", "1"]), ColumnType::String);
        assert_eq!(inferred(&["9223372036854775808"]), ColumnType::String);
        assert_eq!(inferred(&["9007199254740993", "0.5"]), ColumnType::String);
        assert_eq!(inferred(&["9007199254740993"]), ColumnType::Long);
    }

    proptest::proptest! {
        #[test]
        fn integers_and_floats_are_recognised(long: i64, double in proptest::num::f64::NORMAL) {
            proptest::prop_assert_eq!(ColumnType::Long.value(&long.to_string()), Some(Value::Int64(long)));
            let text = format!("{double:?}");
            proptest::prop_assert_eq!(ColumnType::Double.value(&text), Some(Value::Float64(double)));
        }
    }
}
