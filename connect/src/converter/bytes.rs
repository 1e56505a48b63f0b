//! Bytes as they are.

use std::sync::Arc;

use bytes::Bytes;

use super::{ConvertError, Converter, ConverterFactory, ConverterRole};
use crate::config::{ConfigDef, ConfigErrors, Properties};
use crate::data::{Schema, SchemaAndValue, Value};

/// Passes bytes through untouched (`org.apache.kafka.connect.converters.ByteArrayConverter`).
#[derive(Debug)]
pub struct ByteArrayConverter {
    schema: Arc<Schema>,
}

impl Default for ByteArrayConverter {
    fn default() -> Self {
        Self {
            schema: Arc::new(Schema::bytes().optional()),
        }
    }
}

impl Converter for ByteArrayConverter {
    fn to_bytes(
        &self,
        _topic: &str,
        _schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConvertError> {
        match value {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes.clone())),
            other => Err(ConvertError::Unsupported {
                converter: "ByteArrayConverter",
                what: format!("a value of type {}; it takes bytes only", other.type_name()),
            }),
        }
    }

    fn to_data(&self, _topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, ConvertError> {
        let value = bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.clone()));
        Ok(SchemaAndValue {
            schema: Some(self.schema.clone()),
            value,
        })
    }
}

/// Registers [`ByteArrayConverter`].
#[derive(Debug)]
pub(crate) struct ByteArrayFactory;

impl ConverterFactory for ByteArrayFactory {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::default()
    }

    fn create(
        &self,
        _role: ConverterRole,
        settings: &Properties,
    ) -> Result<Arc<dyn Converter>, ConfigErrors> {
        self.config_def().parse(settings)?;
        Ok(Arc::new(ByteArrayConverter::default()))
    }
}
