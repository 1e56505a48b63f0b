//! Values as their text.

use std::sync::Arc;

use bytes::Bytes;

use super::{ConvertError, Converter, ConverterFactory, ConverterRole};
use crate::config::{ConfigDef, ConfigErrors, Properties};
use crate::data::{Schema, SchemaAndValue, Value};

/// Writes the text of a value, in Java's forms, and reads UTF-8
/// (`org.apache.kafka.connect.storage.StringConverter`).
#[derive(Debug)]
pub struct StringConverter {
    schema: Arc<Schema>,
}

impl Default for StringConverter {
    fn default() -> Self {
        Self {
            schema: Arc::new(Schema::string().optional()),
        }
    }
}

impl Converter for StringConverter {
    fn to_bytes(
        &self,
        _topic: &str,
        _schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConvertError> {
        Ok(match value {
            Value::Null => None,
            Value::String(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
            other => Some(Bytes::from(other.to_string())),
        })
    }

    fn to_data(&self, _topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, ConvertError> {
        let value = match bytes {
            None => Value::Null,
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Value::String(text.to_owned()),
                Err(error) => {
                    return Err(ConvertError::malformed("UTF-8", error.to_string(), bytes));
                }
            },
        };
        Ok(SchemaAndValue {
            schema: Some(self.schema.clone()),
            value,
        })
    }
}

/// Registers [`StringConverter`].
#[derive(Debug)]
pub(crate) struct StringFactory;

impl ConverterFactory for StringFactory {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::default()
    }

    fn create(
        &self,
        _role: ConverterRole,
        settings: &Properties,
    ) -> Result<Arc<dyn Converter>, ConfigErrors> {
        self.config_def().parse(settings)?;
        Ok(Arc::new(StringConverter::default()))
    }
}
