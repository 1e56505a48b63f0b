//! Values as text, the way Java's `toString` gives them, which is what Kafka's StringConverter
//! writes.

use std::fmt;

use super::value::{Struct, Value};

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Int8(value) => write!(f, "{value}"),
            Self::Int16(value) => write!(f, "{value}"),
            Self::Int32(value) | Self::Date(value) | Self::Time(value) => write!(f, "{value}"),
            Self::Int64(value) | Self::Timestamp(value) => write!(f, "{value}"),
            Self::Float32(value) => {
                let size = f64::from(*value);
                write_float(
                    f,
                    size,
                    format_args!("{value:e}"),
                    format_args!("{value:?}"),
                )
            }
            Self::Float64(value) => write_float(
                f,
                *value,
                format_args!("{value:e}"),
                format_args!("{value:?}"),
            ),
            Self::String(text) => f.write_str(text),
            Self::Bytes(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Self::Decimal(value) => write!(f, "{value}"),
            Self::Array(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{value}")?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{key}={value}")?;
                }
                f.write_str("}")
            }
            Self::Struct(row) => write!(f, "{row}"),
        }
    }
}

impl fmt::Display for Struct {
    /// `Struct{a=1,c=3}`: fields that are null are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Struct{")?;
        let fields = self.schema().fields().iter().zip(self.values());
        let set = fields.filter(|(_, value)| !value.is_null());
        for (index, (field, value)) in set.enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{}={value}", field.name)?;
        }
        f.write_str("}")
    }
}

/// Java's form: plain from 10^-3 up to 10^7, always with a point, else with an exponent.
fn write_float(
    f: &mut fmt::Formatter<'_>,
    value: f64,
    scientific: fmt::Arguments<'_>,
    plain: fmt::Arguments<'_>,
) -> fmt::Result {
    if value.is_nan() {
        return f.write_str("NaN");
    }
    if value.is_infinite() {
        return f.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) {
        return f.write_fmt(plain);
    }
    let scientific = scientific.to_string();
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    write!(f, "{mantissa}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_javas_do() {
        let cases = [
            (0.1, "0.1"),
            (100.0, "100.0"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (1e-3, "0.001"),
            (9.99e-4, "9.99E-4"),
            (1e21, "1.0E21"),
            (-0.0, "-0.0"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, text) in cases {
            assert_eq!(Value::Float64(value).to_string(), text);
        }
        assert_eq!(Value::Float32(1.0).to_string(), "1.0");
        assert_eq!(Value::Float32(3.4e38).to_string(), "3.4E38");
    }
}
