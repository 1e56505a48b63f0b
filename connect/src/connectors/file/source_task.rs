//! The file source's task: hands out what the reading thread has read.

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::reader::{BATCHES_AHEAD, Batch, FileState, FilesReader, ReadError, source_partition};
use super::source_config::FileSourceConfig;
use crate::config::Properties;
use crate::data::SourceRecord;
use crate::spi::{ConnectError, SourceProgress, SourceTask, SourceTaskContext};

/// Reads the files of a [`FileSource`](super::FileSource).
#[derive(Default)]
pub(super) struct FileSourceTask {
    batches: Option<mpsc::Receiver<Result<Batch, ReadError>>>,
    reader: Option<JoinHandle<()>>,
    progress: SourceProgress,
}

#[async_trait]
impl SourceTask for FileSourceTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        properties: &Properties,
    ) -> Result<(), ConnectError> {
        let config = FileSourceConfig::parse(properties)?;
        let listed = config.files.list().map_err(ConnectError::failed)?;
        let mut files = Vec::new();
        for (path, name) in listed {
            let offset = context.offsets.offset(&source_partition(&name)).await?;
            let number = |key: &str| {
                let number = offset.as_ref().and_then(|offset| offset.get(key));
                number.and_then(serde_json::Value::as_u64).unwrap_or(0)
            };
            let (position, rows) = (number("position"), number("rows"));
            files.push(FileState {
                path,
                name,
                position,
                rows,
            });
        }
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let reader = FilesReader::new(config, files, sender);
        self.reader = Some(tokio::task::spawn_blocking(move || reader.run()));
        self.batches = Some(receiver);
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>, ConnectError> {
        let Some(batches) = &mut self.batches else {
            return Err(ConnectError::failed("the task has not been started"));
        };
        match batches.recv().await {
            Some(Ok(batch)) => {
                self.progress = batch.progress;
                Ok(batch.records)
            }
            Some(Err(error)) => Err(ConnectError::caused(
                "the source's files cannot be read on",
                error,
            )),
            // The reader has read all and said so.
            None => std::future::pending().await,
        }
    }

    fn progress(&self) -> SourceProgress {
        self.progress
    }

    async fn stop(&mut self) {
        self.batches = None;
        if let Some(reader) = self.reader.take() {
            // It ends at the next batch, because nobody receives any more.
            if let Err(error) = reader.await {
                tracing::warn!(%error, "the reading thread of a file source ended badly");
            }
        }
    }
}
