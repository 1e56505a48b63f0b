//! Kinds of configuration values and the parsing of each.

/// Type of a configuration value, as DescribeConfigs names it (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// `true` or `false`.
    Boolean,
    /// Any text.
    String,
    /// 32-bit integer.
    Int,
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
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
        }
    }
}

/// Parses an integer of at least `least`. The error says what is expected.
pub(crate) fn integer<T>(text: &str, least: T) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
{
    match text.trim().parse::<T>() {
        Ok(value) if value >= least => Ok(value),
        _ => Err(format!("must be an integer of at least {least}")),
    }
}

/// Parses a share between 0 and 1.
pub(crate) fn ratio(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("must be a number between 0 and 1".to_owned()),
    }
}
