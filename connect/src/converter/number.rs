//! Numbers and booleans in the bytes of Kafka's own serializers: big-endian, fixed width.

use std::sync::Arc;

use bytes::Bytes;

use super::{ConvertError, Converter, ConverterFactory, ConverterRole};
use crate::config::{ConfigDef, ConfigErrors, Properties};
use crate::data::{Schema, SchemaAndValue, SchemaType, Value};

/// `Short`, `Integer`, `Long`, `Float`, `Double` and `BooleanConverter` of
/// `org.apache.kafka.connect.converters`.
#[derive(Debug)]
pub struct NumberConverter {
    schema: Arc<Schema>,
}

impl NumberConverter {
    /// A converter for one base type. `None` for a type that has no fixed width.
    pub fn new(kind: SchemaType) -> Option<Self> {
        let fixed = matches!(
            kind,
            SchemaType::Int16
                | SchemaType::Int32
                | SchemaType::Int64
                | SchemaType::Float32
                | SchemaType::Float64
                | SchemaType::Boolean
        );
        fixed.then(|| Self {
            schema: Arc::new(Schema::new(kind).optional()),
        })
    }
}

impl Converter for NumberConverter {
    fn to_bytes(
        &self,
        _topic: &str,
        _schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConvertError> {
        let bytes = match (self.schema.kind(), value) {
            (_, Value::Null) => return Ok(None),
            (SchemaType::Int16, Value::Int16(value)) => value.to_be_bytes().to_vec(),
            (SchemaType::Int32, Value::Int32(value)) => value.to_be_bytes().to_vec(),
            (SchemaType::Int64, Value::Int64(value)) => value.to_be_bytes().to_vec(),
            (SchemaType::Float32, Value::Float32(value)) => value.to_be_bytes().to_vec(),
            (SchemaType::Float64, Value::Float64(value)) => value.to_be_bytes().to_vec(),
            (SchemaType::Boolean, Value::Boolean(value)) => vec![u8::from(*value)],
            (kind, other) => {
                return Err(ConvertError::Unsupported {
                    converter: "the number converter",
                    what: format!("a value of type {} as {kind}", other.type_name()),
                });
            }
        };
        Ok(Some(Bytes::from(bytes)))
    }

    fn to_data(&self, _topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, ConvertError> {
        let Some(bytes) = bytes else {
            return Ok(SchemaAndValue {
                schema: Some(self.schema.clone()),
                value: Value::Null,
            });
        };
        let input: &[u8] = bytes;
        let value = match self.schema.kind() {
            SchemaType::Int16 => input
                .try_into()
                .ok()
                .map(i16::from_be_bytes)
                .map(Value::Int16),
            SchemaType::Int32 => input
                .try_into()
                .ok()
                .map(i32::from_be_bytes)
                .map(Value::Int32),
            SchemaType::Int64 => input
                .try_into()
                .ok()
                .map(i64::from_be_bytes)
                .map(Value::Int64),
            SchemaType::Float32 => input
                .try_into()
                .ok()
                .map(f32::from_be_bytes)
                .map(Value::Float32),
            SchemaType::Float64 => input
                .try_into()
                .ok()
                .map(f64::from_be_bytes)
                .map(Value::Float64),
            _ => match input {
                [0] => Some(Value::Boolean(false)),
                [1] => Some(Value::Boolean(true)),
                _ => None,
            },
        };
        let format = self.schema.kind().name();
        let wrong = || ConvertError::malformed(format, format!("{} bytes", bytes.len()), bytes);
        let value = value.ok_or_else(wrong)?;
        Ok(SchemaAndValue {
            schema: Some(self.schema.clone()),
            value,
        })
    }
}

/// Registers [`NumberConverter`] for one type.
#[derive(Debug)]
pub(crate) struct NumberFactory(pub(crate) SchemaType);

impl ConverterFactory for NumberFactory {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::default()
    }

    fn create(
        &self,
        role: ConverterRole,
        settings: &Properties,
    ) -> Result<Arc<dyn Converter>, ConfigErrors> {
        self.config_def().parse(settings)?;
        let converter = NumberConverter::new(self.0.clone()).ok_or_else(|| {
            ConfigErrors::single(role.config_key(), format!("{} has no fixed width", self.0))
        })?;
        Ok(Arc::new(converter))
    }
}
