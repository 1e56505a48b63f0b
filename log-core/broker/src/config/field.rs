//! Typed settings: how each type is read from a value and shown as text.

use std::collections::BTreeMap;
use std::time::Duration;

use super::value::Value;

/// A typed setting, read from a value and shown as text.
pub(super) trait Field {
    fn take(&mut self, value: &Value);
    fn show(&self) -> Option<String>;
}

macro_rules! integer_field {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn take(&mut self, value: &Value) {
                if let Value::Integer(value) = value
                    && let Ok(value) = <$type>::try_from(*value)
                {
                    *self = value;
                }
            }

            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}

integer_field!(i16, i32, u32, u64);

impl Field for bool {
    fn take(&mut self, value: &Value) {
        if let Value::Boolean(value) = value {
            *self = *value;
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Field for f64 {
    fn take(&mut self, value: &Value) {
        if let Value::Double(value) = value {
            *self = *value;
        }
    }

    fn show(&self) -> Option<String> {
        Some(Value::Double(*self).to_string())
    }
}

/// In milliseconds.
impl Field for Duration {
    fn take(&mut self, value: &Value) {
        if let Value::Integer(value) = value {
            *self = Self::from_millis(u64::try_from(*value).unwrap_or(0));
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.as_millis().to_string())
    }
}

/// -1 is none.
impl Field for Option<u32> {
    fn take(&mut self, value: &Value) {
        if let Value::Integer(value) = value {
            *self = u32::try_from(*value).ok();
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.map_or("-1".to_owned(), |value| value.to_string()))
    }
}

impl Field for String {
    fn take(&mut self, value: &Value) {
        if let Value::Text(value) = value {
            *self = value.trim().to_ascii_lowercase();
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Field for Vec<String> {
    fn take(&mut self, value: &Value) {
        if let Value::List(values) = value {
            self.clone_from(values);
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.join(","))
    }
}

/// `name:number` pairs.
impl Field for BTreeMap<String, u32> {
    fn take(&mut self, value: &Value) {
        if let Value::Text(text) = value {
            let pairs = text.split(',').filter_map(|pair| pair.rsplit_once(':'));
            let read = |(name, number): (&str, &str)| {
                Some((name.trim().to_owned(), number.trim().parse().ok()?))
            };
            *self = pairs.filter_map(read).collect();
        }
    }

    fn show(&self) -> Option<String> {
        let pairs = self.iter().map(|(name, number)| format!("{name}:{number}"));
        Some(pairs.collect::<Vec<_>>().join(","))
    }
}
