//! What values of a topic look like.

use std::fmt;
use std::sync::Arc;

use super::value::{DataError, Value};

/// The base type of a schema.
#[derive(Clone, Debug, PartialEq)]
pub enum SchemaType {
    /// 8 bits, signed.
    Int8,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// 32 bits, IEEE 754.
    Float32,
    /// 64 bits, IEEE 754.
    Float64,
    /// True or false.
    Boolean,
    /// UTF-8 text.
    String,
    /// Any bytes.
    Bytes,
    /// Values of one schema, in order.
    Array(Arc<Schema>),
    /// Keys of one schema to values of another, in order.
    Map {
        /// The keys' schema.
        keys: Arc<Schema>,
        /// The values' schema.
        values: Arc<Schema>,
    },
    /// Named fields, in order.
    Struct(Vec<Field>),
}

impl SchemaType {
    /// Kafka Connect's name of the type, as error messages spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Array(_) => "ARRAY",
            Self::Map { .. } => "MAP",
            Self::Struct(_) => "STRUCT",
        }
    }
}

impl fmt::Display for SchemaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A named field of a struct schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name, unique in its struct.
    pub name: Arc<str>,
    /// What its values look like.
    pub schema: Arc<Schema>,
}

impl Field {
    /// Names a field.
    pub fn new(name: impl Into<Arc<str>>, schema: impl Into<Arc<Schema>>) -> Self {
        Self {
            name: name.into(),
            schema: schema.into(),
        }
    }
}

/// What values look like: a type, whether they may be null, and what they mean.
///
/// Shared behind an [`Arc`]: every record of a source points to the same one, which is also how
/// converters recognise a schema they have already encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    kind: SchemaType,
    optional: bool,
    name: Option<Arc<str>>,
    version: Option<i32>,
    doc: Option<Arc<str>>,
    parameters: Vec<(String, String)>,
    default: Option<Value>,
}

impl Schema {
    /// A required schema of this type.
    pub fn new(kind: SchemaType) -> Self {
        Self {
            kind,
            optional: false,
            name: None,
            version: None,
            doc: None,
            parameters: Vec::new(),
            default: None,
        }
    }

    /// A required 32-bit integer.
    pub fn int32() -> Self {
        Self::new(SchemaType::Int32)
    }

    /// A required 64-bit integer.
    pub fn int64() -> Self {
        Self::new(SchemaType::Int64)
    }

    /// A required 64-bit float.
    pub fn float64() -> Self {
        Self::new(SchemaType::Float64)
    }

    /// A required boolean.
    pub fn boolean() -> Self {
        Self::new(SchemaType::Boolean)
    }

    /// A required string.
    pub fn string() -> Self {
        Self::new(SchemaType::String)
    }

    /// Required bytes.
    pub fn bytes() -> Self {
        Self::new(SchemaType::Bytes)
    }

    /// A required array of `items`.
    pub fn array(items: impl Into<Arc<Schema>>) -> Self {
        Self::new(SchemaType::Array(items.into()))
    }

    /// A required map.
    pub fn map(keys: impl Into<Arc<Schema>>, values: impl Into<Arc<Schema>>) -> Self {
        Self::new(SchemaType::Map {
            keys: keys.into(),
            values: values.into(),
        })
    }

    /// A required struct with these fields.
    pub fn structure(fields: Vec<Field>) -> Self {
        Self::new(SchemaType::Struct(fields))
    }

    /// Lets values be null.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Gives the schema a name, which is how logical types are told.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the version.
    pub fn with_version(mut self, version: i32) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets the documentation.
    pub fn with_doc(mut self, doc: impl Into<Arc<str>>) -> Self {
        self.doc = Some(doc.into());
        self
    }

    /// Adds a parameter, such as the scale of a decimal.
    pub fn with_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Sets the value that stands for null.
    ///
    /// # Errors
    /// [`DataError`] if the value does not fit the schema.
    pub fn with_default(mut self, default: Value) -> Result<Self, DataError> {
        self.validate(&default)?;
        self.default = Some(default);
        Ok(self)
    }

    /// The base type.
    pub fn kind(&self) -> &SchemaType {
        &self.kind
    }

    /// Whether values may be null.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// The name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The version, if it has one.
    pub fn version(&self) -> Option<i32> {
        self.version
    }

    /// The documentation, if there is any.
    pub fn doc(&self) -> Option<&str> {
        self.doc.as_deref()
    }

    /// All parameters, in the order they were added.
    pub fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }

    /// A parameter by name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value that stands for null, if there is one.
    pub fn default_value(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// The fields of a struct schema; none for other types.
    pub fn fields(&self) -> &[Field] {
        match &self.kind {
            SchemaType::Struct(fields) => fields,
            _ => &[],
        }
    }

    /// The place of a field of a struct schema.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields().iter().position(|field| &*field.name == name)
    }

    /// Checks that a value is one of this schema's.
    ///
    /// # Errors
    /// [`DataError`] naming what does not fit.
    pub fn validate(&self, value: &Value) -> Result<(), DataError> {
        let fits = match (&self.kind, value) {
            (_, Value::Null) => {
                return if self.optional || self.default.is_some() {
                    Ok(())
                } else {
                    Err(DataError::NullValue {
                        schema: self.describe(),
                    })
                };
            }
            (SchemaType::Int8, Value::Int8(_))
            | (SchemaType::Int16, Value::Int16(_))
            | (SchemaType::Int32, Value::Int32(_) | Value::Date(_) | Value::Time(_))
            | (SchemaType::Int64, Value::Int64(_) | Value::Timestamp(_))
            | (SchemaType::Float32, Value::Float32(_))
            | (SchemaType::Float64, Value::Float64(_))
            | (SchemaType::Boolean, Value::Boolean(_))
            | (SchemaType::String, Value::String(_))
            | (SchemaType::Bytes, Value::Bytes(_) | Value::Decimal(_)) => true,
            (SchemaType::Array(items), Value::Array(values)) => {
                return values.iter().try_for_each(|value| items.validate(value));
            }
            (SchemaType::Map { keys, values }, Value::Map(entries)) => {
                return entries.iter().try_for_each(|(key, value)| {
                    keys.validate(key)?;
                    values.validate(value)
                });
            }
            (SchemaType::Struct(_), Value::Struct(row)) => {
                std::ptr::eq(row.schema().as_ref(), self) || row.schema().fields() == self.fields()
            }
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(DataError::Mismatch {
                schema: self.describe(),
                value: value.type_name(),
            })
        }
    }

    /// The type, with the name if there is one, for messages.
    pub fn describe(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", self.kind),
            None => self.kind.to_string(),
        }
    }
}
