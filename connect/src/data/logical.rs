//! Logical types: a schema name that gives a base type a meaning.

use std::fmt;

use super::schema::{Schema, SchemaType};

/// Schema name of decimals: bytes with the parameter `scale`.
pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
/// Schema name of dates: int32, days since the epoch.
pub const DATE: &str = "org.apache.kafka.connect.data.Date";
/// Schema name of times of day: int32, milliseconds since midnight.
pub const TIME: &str = "org.apache.kafka.connect.data.Time";
/// Schema name of timestamps: int64, milliseconds since the epoch, UTC.
pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";
/// The parameter of a decimal schema that says how many digits follow the point.
pub const SCALE: &str = "scale";

/// The required schema of decimals with `scale` digits after the point.
pub fn decimal(scale: i32) -> Schema {
    let schema = Schema::new(SchemaType::Bytes)
        .named(DECIMAL)
        .with_version(1);
    schema.with_parameter(SCALE, scale.to_string())
}

/// The required schema of dates.
pub fn date() -> Schema {
    Schema::new(SchemaType::Int32).named(DATE).with_version(1)
}

/// The required schema of times of day.
pub fn time() -> Schema {
    Schema::new(SchemaType::Int32).named(TIME).with_version(1)
}

/// The required schema of timestamps.
pub fn timestamp() -> Schema {
    Schema::new(SchemaType::Int64)
        .named(TIMESTAMP)
        .with_version(1)
}

/// A decimal number: `unscaled` × 10^-`scale`. Up to 38 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits, as an integer.
    pub unscaled: i128,
    /// How many of them follow the point; negative for trailing zeros that are not written.
    pub scale: i32,
}

impl Decimal {
    /// The shortest big-endian two's complement form of the unscaled value.
    pub fn to_bytes(self) -> Vec<u8> {
        let bytes = self.unscaled.to_be_bytes();
        let sign = if self.unscaled < 0 { 0xff } else { 0x00 };
        let redundant = bytes
            .windows(2)
            .take_while(
                |pair| matches!(pair, [first, next] if *first == sign && (next ^ sign) < 0x80),
            )
            .count();
        bytes.iter().skip(redundant).copied().collect()
    }

    /// Reads [`to_bytes`](Self::to_bytes)' form. `None` if it is empty or wider than 128 bits.
    pub fn from_bytes(bytes: &[u8], scale: i32) -> Option<Self> {
        let first = *bytes.first()?;
        if bytes.len() > 16 {
            return None;
        }
        let start = if first < 0x80 { 0 } else { -1 };
        let unscaled = bytes
            .iter()
            .fold(start, |sum: i128, byte| (sum << 8) | i128::from(*byte));
        Some(Self { unscaled, scale })
    }

    /// Reads a JSON number exactly, then brings it to `scale` digits after the point. `None` if
    /// that would lose digits or overflow.
    pub fn parse(text: &str, scale: i32) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let found = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let shift = scale.checked_sub(found)?;
        let power = 10i128.checked_pow(shift.unsigned_abs())?;
        let unscaled = if shift >= 0 {
            digits.checked_mul(power)?
        } else if digits % power == 0 {
            digits / power
        } else {
            return None;
        };
        Some(Self { unscaled, scale })
    }
}

impl fmt::Display for Decimal {
    /// The canonical form of Java's `BigDecimal`: plain, or with an exponent if the scale is
    /// negative or there would be more than six zeros after the point.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.unsigned_abs().to_string();
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let count = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let scale = i64::from(self.scale);
        let adjusted = count - 1 - scale;
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        if scale > 0 && adjusted >= -6 {
            let width = usize::try_from(scale + 1).unwrap_or(0);
            let padded = format!("{digits:0>width$}");
            let (whole, fraction) = padded.split_at(padded.len().saturating_sub(width - 1));
            return write!(f, "{sign}{whole}.{fraction}");
        }
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        match adjusted {
            0 => write!(f, "{sign}{first}{point}{rest}"),
            _ => write!(f, "{sign}{first}{point}{rest}E{adjusted:+}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_javas_bytes() {
        let bytes = |unscaled| Decimal { unscaled, scale: 0 }.to_bytes();
        assert_eq!(bytes(0), [0]);
        assert_eq!(bytes(127), [0x7f]);
        assert_eq!(bytes(128), [0x00, 0x80]);
        assert_eq!(bytes(-1), [0xff]);
        assert_eq!(bytes(-128), [0x80]);
        assert_eq!(bytes(-129), [0xff, 0x7f]);
        assert_eq!(bytes(-156), [0xff, 0x64]);
    }

    #[test]
    fn decimals_print_as_javas_do() {
        let text = |unscaled, scale| Decimal { unscaled, scale }.to_string();
        assert_eq!(text(-156, 2), "-1.56");
        assert_eq!(text(5, 2), "0.05");
        assert_eq!(text(5, -2), "5E+2");
        assert_eq!(text(123, -1), "1.23E+3");
        assert_eq!(text(1, 7), "1E-7");
        assert_eq!(text(0, 0), "0");
    }

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        assert_eq!(Decimal::parse("-1.56", 2).map(|d| d.unscaled), Some(-156));
        assert_eq!(Decimal::parse("5E+2", 2).map(|d| d.unscaled), Some(50_000));
        assert_eq!(Decimal::parse("1.567", 2), None);
        assert_eq!(Decimal::parse("1.560", 2).map(|d| d.unscaled), Some(156));
    }

    proptest::proptest! {
        #[test]
        fn bytes_and_text_come_back(unscaled: i128, scale in -5i32..20) {
            let decimal = Decimal { unscaled, scale };
            proptest::prop_assert_eq!(Decimal::from_bytes(&decimal.to_bytes(), scale), Some(decimal));
            if unscaled.unsigned_abs() < 1 << 60 {
                proptest::prop_assert_eq!(Decimal::parse(&decimal.to_string(), scale), Some(decimal));
            }
        }
    }
}
