//! The file source connector.

use async_trait::async_trait;

use super::source_config::FileSourceConfig;
use super::source_task::FileSourceTask;
use crate::config::{ConfigDef, ConfigErrors, Properties};
use crate::spi::{ConnectError, ConnectorConfig, SourceConnector, SourceTask};

/// Reads files of CSV, JSON lines or text into a topic.
///
/// It always has one task, so that rows keep the order of the files and of the lines in them.
/// Offsets are `{"filename": …}` to `{"position": bytes, "rows": rows}`, where the position counts
/// decompressed bytes; Kafka's own FileStreamSource reads and writes the same without `rows`.
#[derive(Debug, Default)]
pub struct FileSource {
    properties: Properties,
}

impl FileSource {
    /// Its class.
    pub const CLASS: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
}

impl ConnectorConfig for FileSource {
    fn config_def(&self) -> ConfigDef {
        FileSourceConfig::def()
    }

    fn check(&self, properties: &Properties) -> Result<(), ConfigErrors> {
        FileSourceConfig::parse(properties).map(drop)
    }
}

#[async_trait]
impl SourceConnector for FileSource {
    async fn start(&mut self, properties: &Properties) -> Result<(), ConnectError> {
        self.properties.clone_from(properties);
        Ok(())
    }

    fn task_configs(&self, _max_tasks: usize) -> Result<Vec<Properties>, ConnectError> {
        Ok(vec![self.properties.clone()])
    }

    fn task(&self) -> Box<dyn SourceTask> {
        Box::new(FileSourceTask::default())
    }
}
