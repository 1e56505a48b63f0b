//! Values, and structs of them.

use std::sync::Arc;

use bytes::Bytes;

use super::logical::Decimal;
use super::schema::Schema;

/// A value that does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// Null where it may not be.
    #[error("null for a required {schema} that has no default")]
    NullValue {
        /// The schema.
        schema: String,
    },
    /// The wrong type.
    #[error("a value of type {value} where {schema} is wanted")]
    Mismatch {
        /// The schema.
        schema: String,
        /// The value's type.
        value: &'static str,
    },
    /// A struct has no such field.
    #[error("{0:?} is not a field of the struct")]
    UnknownField(String),
    /// A struct was given more or fewer values than it has fields.
    #[error("{values} values for a struct of {fields} fields")]
    FieldCount {
        /// Values given.
        values: usize,
        /// Fields of the schema.
        fields: usize,
    },
}

/// A value of Kafka Connect's data model.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Boolean(bool),
    /// 8 bits.
    Int8(i8),
    /// 16 bits.
    Int16(i16),
    /// 32 bits.
    Int32(i32),
    /// 64 bits.
    Int64(i64),
    /// 32 bits.
    Float32(f32),
    /// 64 bits.
    Float64(f64),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Bytes),
    /// Values in order.
    Array(Vec<Value>),
    /// Entries in order. Keys need not be strings.
    Map(Vec<(Value, Value)>),
    /// A struct, which brings its schema.
    Struct(Box<Struct>),
    /// The logical type Decimal.
    Decimal(Decimal),
    /// The logical type Date: days since the epoch.
    Date(i32),
    /// The logical type Time: milliseconds since midnight.
    Time(i32),
    /// The logical type Timestamp: milliseconds since the epoch.
    Timestamp(i64),
}

impl Value {
    /// The type's name, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "boolean",
            Self::Int8(_) => "int8",
            Self::Int16(_) => "int16",
            Self::Int32(_) => "int32",
            Self::Int64(_) => "int64",
            Self::Float32(_) => "float32",
            Self::Float64(_) => "float64",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Struct(_) => "struct",
            Self::Decimal(_) => "decimal",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::Timestamp(_) => "timestamp",
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Any integer, widened.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int8(value) => Some(i64::from(*value)),
            Self::Int16(value) => Some(i64::from(*value)),
            Self::Int32(value) => Some(i64::from(*value)),
            Self::Int64(value) => Some(*value),
            _ => None,
        }
    }

    /// A field of a struct, or the entry of a map with this string key.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Struct(row) => row.get(name),
            Self::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.as_str() == Some(name))
                .map(|(_, value)| value),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int64(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float64(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

/// Values of the fields of a struct schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    schema: Arc<Schema>,
    values: Vec<Value>,
}

impl Struct {
    /// A struct with every field null.
    pub fn new(schema: Arc<Schema>) -> Self {
        let values = vec![Value::Null; schema.fields().len()];
        Self { schema, values }
    }

    /// A struct from the values of its fields, in order. Types are checked when it is converted.
    ///
    /// # Errors
    /// [`DataError::FieldCount`] if there are not as many values as fields.
    pub fn from_values(schema: Arc<Schema>, values: Vec<Value>) -> Result<Self, DataError> {
        let fields = schema.fields().len();
        if values.len() != fields {
            return Err(DataError::FieldCount {
                values: values.len(),
                fields,
            });
        }
        Ok(Self { schema, values })
    }

    /// Sets a field.
    ///
    /// # Errors
    /// [`DataError`] if there is no such field or the value does not fit it.
    pub fn put(&mut self, field: &str, value: impl Into<Value>) -> Result<&mut Self, DataError> {
        let value = value.into();
        let unknown = || DataError::UnknownField(field.to_owned());
        let index = self.schema.field_index(field).ok_or_else(unknown)?;
        if let Some(field) = self.schema.fields().get(index) {
            field.schema.validate(&value)?;
        }
        *self.values.get_mut(index).ok_or_else(unknown)? = value;
        Ok(self)
    }

    /// A field's value; a null with a default in its schema stays null here.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.schema
            .field_index(field)
            .and_then(|index| self.values.get(index))
    }

    /// The values in the order of the schema's fields.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }
}

/// A value and, if it has one, its schema.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SchemaAndValue {
    /// What it looks like; `None` is schemaless data.
    pub schema: Option<Arc<Schema>>,
    /// The value.
    pub value: Value,
}

impl SchemaAndValue {
    /// Neither schema nor value: a missing key, a tombstone.
    pub const NULL: Self = Self {
        schema: None,
        value: Value::Null,
    };

    /// A value with its schema.
    pub fn new(schema: Arc<Schema>, value: impl Into<Value>) -> Self {
        Self {
            schema: Some(schema),
            value: value.into(),
        }
    }

    /// A value without a schema.
    pub fn schemaless(value: impl Into<Value>) -> Self {
        Self {
            schema: None,
            value: value.into(),
        }
    }
}
