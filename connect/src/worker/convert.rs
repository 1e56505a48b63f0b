//! The converters of a connector.

use std::sync::Arc;

use bytes::Bytes;
use headwater_client::{ConsumerRecord, ProducerRecord};

use super::config::{ConverterSettings, WorkerConfig};
use crate::config::{ConfigErrors, Properties, settings_under};
use crate::converter::{ConvertError, Converter, ConverterRole};
use crate::data::{SinkRecord, SourceRecord};

/// Where in a record's way an error happened, by Kafka Connect's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    KeyConverter,
    ValueConverter,
    HeaderConverter,
    TaskPut,
}

impl Stage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::HeaderConverter => "HEADER_CONVERTER",
            Self::TaskPut => "TASK_PUT",
        }
    }
}

/// A record that could not be converted.
pub(super) struct Unconverted {
    pub(super) stage: Stage,
    pub(super) class: String,
    pub(super) error: ConvertError,
}

struct Named {
    class: String,
    converter: Arc<dyn Converter>,
}

/// A connector's three converters.
pub(super) struct Converters {
    key: Named,
    value: Named,
    header: Named,
}

impl Converters {
    /// Those the connector names, else the worker's.
    pub(super) fn new(
        worker: &WorkerConfig,
        properties: &Properties,
    ) -> Result<Self, ConfigErrors> {
        let mut errors = ConfigErrors::default();
        let mut of = |role: ConverterRole, default: &ConverterSettings| {
            create(worker, properties, role, default)
                .map_err(|wrong| errors.merge(wrong))
                .ok()
        };
        let key = of(ConverterRole::Key, &worker.key_converter);
        let value = of(ConverterRole::Value, &worker.value_converter);
        let header = of(ConverterRole::Header, &worker.header_converter);
        match (key, value, header) {
            (Some(key), Some(value), Some(header)) => Ok(Self { key, value, header }),
            _ => Err(errors),
        }
    }

    /// A source's record for the log.
    pub(super) fn to_log(&self, record: &SourceRecord) -> Result<ProducerRecord, Unconverted> {
        let topic = &record.topic;
        let bytes = |named: &Named, stage: Stage, data: &crate::data::SchemaAndValue| {
            let converted = named
                .converter
                .to_bytes(topic, data.schema.as_ref(), &data.value);
            converted.map_err(|error| Unconverted {
                stage,
                class: named.class.clone(),
                error,
            })
        };
        let mut headers = Vec::with_capacity(record.headers.len());
        for (name, data) in &record.headers {
            headers.push((
                name.clone(),
                bytes(&self.header, Stage::HeaderConverter, data)?,
            ));
        }
        Ok(ProducerRecord {
            topic: topic.clone(),
            partition: record.partition,
            timestamp: record.timestamp,
            key: bytes(&self.key, Stage::KeyConverter, &record.key)?,
            value: bytes(&self.value, Stage::ValueConverter, &record.value)?,
            headers,
        })
    }

    /// A record of the log for a sink.
    pub(super) fn to_sink(&self, record: &ConsumerRecord) -> Result<SinkRecord, Unconverted> {
        let data = |named: &Named, stage: Stage, bytes: Option<&Bytes>| {
            let converted = named.converter.to_data(&record.topic, bytes);
            converted.map_err(|error| Unconverted {
                stage,
                class: named.class.clone(),
                error,
            })
        };
        let mut headers = Vec::with_capacity(record.headers.len());
        for (name, value) in &record.headers {
            let value = data(&self.header, Stage::HeaderConverter, value.as_ref())?;
            headers.push((name.clone(), value));
        }
        Ok(SinkRecord {
            topic: record.topic.clone(),
            partition: record.partition,
            offset: record.offset,
            timestamp: Some(record.timestamp).filter(|timestamp| *timestamp >= 0),
            key: data(&self.key, Stage::KeyConverter, record.key.as_ref())?,
            value: data(&self.value, Stage::ValueConverter, record.value.as_ref())?,
            headers,
        })
    }
}

fn create(
    worker: &WorkerConfig,
    properties: &Properties,
    role: ConverterRole,
    default: &ConverterSettings,
) -> Result<Named, ConfigErrors> {
    let key = role.config_key();
    let prefix = format!("{key}.");
    let own = settings_under(properties, &prefix);
    let (class, settings) = match properties.get(key) {
        Some(class) => (class.trim(), &own),
        None if own.is_empty() => (default.class.as_str(), &default.settings),
        None => {
            let mut errors = ConfigErrors::default();
            for setting in own.keys() {
                let name = format!("{prefix}{setting}");
                errors.push(&name, format!("{name} needs {key}, which is not set"));
            }
            return Err(errors);
        }
    };
    let factory = worker.plugins.converter(class);
    let factory = factory.map_err(|error| ConfigErrors::invalid(key, class, &error.to_string()))?;
    let converter = factory.create(role, settings).map_err(|wrong| {
        let mut errors = ConfigErrors::default();
        for error in wrong.errors {
            errors.push(format!("{prefix}{}", error.key), error.message);
        }
        errors
    })?;
    Ok(Named {
        class: class.to_owned(),
        converter,
    })
}
