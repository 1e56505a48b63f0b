//! The file sink's task.
//!
//! Per batch of records: one write. Per commit: one fdatasync, then one offset commit that covers
//! every partition with the file's length. A crash between the two leaves a file that is longer
//! than committed, never one that is shorter.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::sink::config_def;
use crate::config::Properties;
use crate::converter::{Converter, JsonConverter, JsonSettings};
use crate::data::{SinkRecord, Value};
use crate::spi::{CommittedPosition, ConnectError, SinkOffsets, SinkTask, SinkTaskContext};

/// Writes the file of a [`FileSink`](super::FileSink).
#[derive(Default)]
pub(super) struct FileSinkTask {
    path: PathBuf,
    context: Option<SinkTaskContext>,
    file: Option<Arc<File>>,
    /// Bytes of whole records, all of them of records put.
    length: u64,
    synced: u64,
    json: Option<JsonConverter>,
}

/// Why the file and the commits do not fit together.
#[derive(Debug, thiserror::Error)]
enum FileStateError {
    #[error(
        "{path} has {length} bytes, but the offsets of this sink's group have never been \
         committed: these bytes are not its own; move the file away, or name another"
    )]
    Foreign { path: PathBuf, length: u64 },
    #[error(
        "{path} has {length} bytes, but {committed} were committed: it was cut or replaced, and \
         what is missing would not be written again; restore it, or use a new connector name \
         with a new file"
    )]
    Short {
        path: PathBuf,
        length: u64,
        committed: u64,
    },
    #[error(
        "the offsets of {partition} were committed with the text {metadata:?}, which is no length \
         of a file: another kind of sink has used this connector's name; use a new one"
    )]
    Metadata { partition: String, metadata: String },
    #[error(
        "the offsets of this sink were committed with different lengths of {path}: {lengths:?}"
    )]
    Torn { path: PathBuf, lengths: Vec<u64> },
    #[error(
        "{path} is being written by another task or process, or a write of a task that was \
         stopped has not ended yet; stop that other one, or name another file"
    )]
    Locked { path: PathBuf },
}

impl FileSinkTask {
    fn failed(
        &self,
        action: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ConnectError {
        ConnectError::caused(format!("cannot {action} {}", self.path.display()), error)
    }

    /// The length that the commits agree on; `None` if there are none.
    fn committed_length(
        &self,
        partitions: &[CommittedPosition],
    ) -> Result<Option<u64>, FileStateError> {
        let mut lengths = Vec::new();
        for position in partitions {
            let Some(committed) = &position.committed else {
                continue;
            };
            let length = committed
                .metadata
                .parse()
                .map_err(|_| FileStateError::Metadata {
                    partition: position.partition.to_string(),
                    metadata: committed.metadata.clone(),
                })?;
            lengths.push(length);
        }
        lengths.sort_unstable();
        lengths.dedup();
        match lengths.as_slice() {
            [] => Ok(None),
            [length] => Ok(Some(*length)),
            _ => Err(FileStateError::Torn {
                path: self.path.clone(),
                lengths,
            }),
        }
    }

    /// The record's line, without its end.
    fn line(&self, record: &SinkRecord, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        let start = out.len();
        match &record.value.value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::String(text) => out.extend_from_slice(text.as_bytes()),
            Value::Bytes(bytes) => out.extend_from_slice(bytes),
            value => {
                let json = self.json.as_ref().ok_or_else(not_started)?;
                let written = json.to_bytes(&record.topic, record.value.schema.as_ref(), value);
                let written = written.map_err(|source| ConnectError::Convert {
                    what: format!("the value of {}", place(record)),
                    source,
                })?;
                out.extend_from_slice(written.as_deref().unwrap_or(b"null"));
            }
        }
        if memchr::memchr(b'\n', out.get(start..).unwrap_or_default()).is_some() {
            return Err(ConnectError::failed(format!(
                "the value of {} has a line break in it, so it cannot be one line of {}",
                place(record),
                self.path.display()
            )));
        }
        Ok(())
    }
}

fn not_started() -> ConnectError {
    ConnectError::failed("the task has not been started")
}

fn place(record: &SinkRecord) -> String {
    format!(
        "{}-{} at offset {}",
        record.topic, record.partition, record.offset
    )
}

/// Runs blocking work on the file off the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Opens the file, making it and its directories durable if they are new.
fn open_file(path: &Path) -> io::Result<File> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(directory)?;
    let is_new = !path.exists();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    if is_new {
        File::open(directory)?.sync_all()?;
    }
    Ok(file)
}

#[async_trait]
impl SinkTask for FileSinkTask {
    async fn start(
        &mut self,
        context: SinkTaskContext,
        properties: &Properties,
    ) -> Result<(), ConnectError> {
        let config = config_def().allow_prefix("").parse(properties)?;
        self.path = PathBuf::from(config.text("file"));
        self.context = Some(context);
        let settings = JsonSettings {
            schemas_enable: false,
            ..JsonSettings::default()
        };
        self.json = Some(JsonConverter::new(settings));
        let path = self.path.clone();
        let opened = blocking(move || open_file(&path)).await;
        let file = opened.map_err(|error| self.failed("open", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = self.path.clone();
                let message = format!("cannot write {}", path.display());
                // A task that was dropped in the middle of a write keeps the file until that
                // write has ended.
                return Err(ConnectError::retriable(
                    message,
                    FileStateError::Locked { path },
                ));
            }
            Err(TryLockError::Error(error)) => return Err(self.failed("lock", error)),
        }
        self.file = Some(Arc::new(file));
        Ok(())
    }

    async fn open(&mut self, partitions: &[CommittedPosition]) -> Result<(), ConnectError> {
        let file = self.file.clone().ok_or_else(not_started)?;
        let committed = self.committed_length(partitions);
        let committed = committed.map_err(|error| self.failed("write", error))?;
        let length = file
            .metadata()
            .map_err(|error| self.failed("look at", error))?
            .len();
        let path = self.path.clone();
        let kept = match committed {
            None if length > 0 => {
                return Err(self.failed("write", FileStateError::Foreign { path, length }));
            }
            Some(committed) if length < committed => {
                return Err(self.failed(
                    "write",
                    FileStateError::Short {
                        path,
                        length,
                        committed,
                    },
                ));
            }
            committed => committed.unwrap_or(0),
        };
        if length > kept {
            let cut = blocking(move || file.set_len(kept).and_then(|()| file.sync_data())).await;
            cut.map_err(|error| self.failed("cut", error))?;
        }
        (self.length, self.synced) = (kept, kept);
        Ok(())
    }

    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        let context = self.context.clone().ok_or_else(not_started)?;
        let file = self.file.clone().ok_or_else(not_started)?;
        let mut lines = Vec::new();
        for record in records {
            let start = lines.len();
            match self.line(record, &mut lines) {
                Ok(()) => lines.push(b'\n'),
                Err(error) => {
                    lines.truncate(start);
                    context.reporter.report(record, error).await?;
                }
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let (start, written) = (self.length, lines.len() as u64);
        // At its place, not at the end: what a failed try left behind is written over.
        let done = blocking(move || {
            let mut file = &*file;
            file.seek(SeekFrom::Start(start))?;
            file.write_all(&lines)
        });
        done.await.map_err(|error| {
            ConnectError::retriable(format!("cannot write {}", self.path.display()), error)
        })?;
        self.length += written;
        Ok(())
    }

    async fn pre_commit(&mut self, positions: SinkOffsets) -> Result<SinkOffsets, ConnectError> {
        if self.synced < self.length {
            let file = self.file.clone().ok_or_else(not_started)?;
            // A failed sync is not tried again: what it lost cannot be told any more.
            let synced = blocking(move || file.sync_data()).await;
            synced.map_err(|error| self.failed("sync", error))?;
            self.synced = self.length;
        }
        let mut positions = positions;
        for position in positions.values_mut() {
            position.metadata = self.length.to_string();
        }
        Ok(positions)
    }

    async fn stop(&mut self) {
        self.file = None;
    }
}
