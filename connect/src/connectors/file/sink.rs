//! The file sink connector.

use async_trait::async_trait;

use super::sink_task::FileSinkTask;
use crate::config::{ConfigDef, ConfigKey, Importance, Properties, Width};
use crate::spi::{ConnectError, ConnectorConfig, SinkConnector, SinkTask};

/// Writes the values of records to a file, one a line, each exactly once.
///
/// The file is synced before offsets are committed, and its length is committed with them as
/// their metadata: after a crash it is cut to that length and the records behind it are written
/// again. It always has one task, because a file has one writer.
#[derive(Debug, Default)]
pub struct FileSink {
    properties: Properties,
}

impl FileSink {
    /// Its class.
    pub const CLASS: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";
}

pub(super) fn config_def() -> ConfigDef {
    ConfigDef::new([ConfigKey::string("file", None)
        .required()
        .not_empty()
        .importance(Importance::High)
        .width(Width::Long)
        .group("File")
        .doc(
            "The file to write. Text and bytes are written as they are, other values as JSON. \
              Only this connector may write to it.",
        )])
}

impl ConnectorConfig for FileSink {
    fn config_def(&self) -> ConfigDef {
        config_def()
    }
}

#[async_trait]
impl SinkConnector for FileSink {
    async fn start(&mut self, properties: &Properties) -> Result<(), ConnectError> {
        self.properties.clone_from(properties);
        Ok(())
    }

    fn task_configs(&self, _max_tasks: usize) -> Result<Vec<Properties>, ConnectError> {
        Ok(vec![self.properties.clone()])
    }

    fn task(&self) -> Box<dyn SinkTask> {
        Box::new(FileSinkTask::default())
    }
}
