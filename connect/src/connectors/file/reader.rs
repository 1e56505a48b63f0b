//! Reading the files of a source, one after the other, on a thread of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;

use super::columns::{ColumnType, Inference};
use super::csv_rows::{CsvSplitter, Split};
use super::input::{Input, content_length, is_compressed};
use super::rows::{Layout, Row, is_null, line};
use super::source_config::{FileSourceConfig, Format};
use crate::data::{Headers, Schema, SourceOffset, SourcePartition, SourceRecord};
use crate::spi::SourceProgress;

/// Rows read and not polled yet: batches of at most `batch.size` rows. Two let the reader work
/// ahead while one is being written; when full, it waits.
pub(super) const BATCHES_AHEAD: usize = 2;

/// A batch ends after this many bytes of input, however few its rows: with a row's largest size it
/// bounds what waits to be polled.
const BATCH_BYTES: u64 = 4 << 20;

/// Rows of one poll, and how far the input has been read after them.
pub(super) struct Batch {
    pub(super) records: Vec<SourceRecord>,
    pub(super) progress: SourceProgress,
}

/// Why files could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The file system said no, or the file is damaged.
    #[error("cannot read {path}")]
    Io { path: PathBuf, source: io::Error },
    /// A row makes no sense.
    #[error("{path}, row {row} (at byte {position}): {reason}")]
    Row {
        path: PathBuf,
        /// Counted from 1, without the header.
        row: u64,
        position: u64,
        reason: String,
    },
    /// A file does not fit the configuration or the other files.
    #[error("{path}: {reason}")]
    Table { path: PathBuf, reason: String },
}

/// A file and how much of it has been read.
#[derive(Clone, Debug)]
pub(super) struct FileState {
    pub(super) path: PathBuf,
    /// What its offsets are kept under.
    pub(super) name: String,
    /// Bytes read, decompressed.
    pub(super) position: u64,
    /// Rows read.
    pub(super) rows: u64,
}

/// The receiver is gone: the task has ended.
struct Stopped;

/// Reads all files into batches.
pub(super) struct FilesReader {
    config: FileSourceConfig,
    files: Vec<FileState>,
    sizes: Vec<u64>,
    layout: Option<Arc<Layout>>,
    topic: Arc<str>,
    text_schema: Arc<Schema>,
    out: mpsc::Sender<Result<Batch, ReadError>>,
}

impl FilesReader {
    pub(super) fn new(
        config: FileSourceConfig,
        files: Vec<FileState>,
        out: mpsc::Sender<Result<Batch, ReadError>>,
    ) -> Self {
        let topic = config.topic.as_str().into();
        let text_schema = Arc::new(Schema::string());
        Self {
            config,
            files,
            sizes: Vec::new(),
            layout: None,
            topic,
            text_schema,
            out,
        }
    }

    /// Reads to the end, or for ever if the last file is followed, until the receiver is gone.
    pub(super) fn run(mut self) {
        if let Err(error) = self.read_all() {
            // Nobody waits for the error of a task that has ended.
            let _ = self.out.blocking_send(Err(error));
        }
    }

    fn read_all(&mut self) -> Result<(), ReadError> {
        for file in &self.files {
            let size = content_length(&file.path).map_err(|error| io_error(&file.path, error))?;
            self.sizes.push(size);
        }
        if !self.is_read_already() {
            if self.config.format == Format::Csv && !self.config.tail {
                let declared = self.declared_layout()?;
                let layout = declared.map_or_else(|| self.infer_layout(), Ok)?;
                self.layout = Some(Arc::new(layout));
            }
            for index in 0..self.files.len() {
                if self.read_file(index)?.is_err() {
                    return Ok(());
                }
            }
        }
        for (size, file) in self.sizes.iter_mut().zip(&self.files) {
            *size = file.position.max(*size);
        }
        // The last word: everything has been read, even if there was nothing left to read.
        let progress = SourceProgress {
            at_end: true,
            ..self.progress()
        };
        let _ = self.out.blocking_send(Ok(Batch {
            records: Vec::new(),
            progress,
        }));
        Ok(())
    }

    /// Whether nothing is left, as far as sizes tell: then types need not be found out again.
    fn is_read_already(&self) -> bool {
        let mut files = self.files.iter().zip(&self.sizes);
        !self.config.tail
            && files.all(|(file, size)| !is_compressed(&file.path) && file.position == *size)
    }

    fn progress(&self) -> SourceProgress {
        let sizes = self.files.iter().zip(&self.sizes);
        SourceProgress {
            rows: self.files.iter().map(|file| file.rows).sum(),
            bytes: self.files.iter().map(|file| file.position).sum(),
            bytes_total: sizes.map(|(file, size)| file.position.max(*size)).sum(),
            at_end: false,
        }
    }

    /// The layout, if the configuration has the type of every column: then no file need be read
    /// to find them out.
    fn declared_layout(&self) -> Result<Option<Layout>, ReadError> {
        let Some(first) = self.files.first() else {
            return Ok(None);
        };
        let mut rows = Rows::open(&first.path, &self.config)?;
        let Some(names) = rows.header(&self.config, true)? else {
            return Ok(None);
        };
        let is_declared = |name: &String| self.config.types.iter().any(|(known, _)| known == name);
        if !names.iter().all(is_declared) {
            return Ok(None);
        }
        let types = vec![ColumnType::String; names.len()];
        self.layout_of(names, types).map(Some)
    }

    /// Reads every file once to find each column's type over all of them.
    fn infer_layout(&mut self) -> Result<Layout, ReadError> {
        let mut table: Option<(Vec<String>, Vec<Inference>)> = None;
        for (file, size) in self.files.iter().zip(&mut self.sizes) {
            let mut rows = Rows::open(&file.path, &self.config)?;
            let Some(names) = rows.header(&self.config, true)? else {
                continue;
            };
            let (known, columns) = table
                .get_or_insert_with(|| (names.clone(), vec![Inference::default(); names.len()]));
            same_columns(&file.path, known, &names)?;
            while let Next::Row = rows.next(true)? {
                for (text, column) in rows.fields()?.zip(columns.iter_mut()) {
                    if !is_null(text, &self.config.null_values) {
                        column.observe(text);
                    }
                }
            }
            *size = rows.input.position();
        }
        let (names, columns) = table.unwrap_or_default();
        let found = columns.iter().map(Inference::column_type).collect();
        self.layout_of(names, found)
    }

    /// A layout with declared types in place of those found.
    fn layout_of(
        &self,
        names: Vec<String>,
        mut types: Vec<ColumnType>,
    ) -> Result<Layout, ReadError> {
        for (name, kind) in names.iter().zip(&mut types) {
            if let Some((_, declared)) = self.config.types.iter().find(|(known, _)| known == name) {
                *kind = *declared;
            }
        }
        let path = self
            .files
            .first()
            .map(|file| file.path.clone())
            .unwrap_or_default();
        if names.is_empty() {
            // No file has a header yet; there are no rows that could need one.
            let mut config = self.config.clone();
            config.types.clear();
            config.key_fields.clear();
            config.timestamp = super::source_config::TimestampRule::Produced;
            return Layout::new(names, types, &config)
                .map_err(|reason| ReadError::Table { path, reason });
        }
        Layout::new(names, types, &self.config).map_err(|reason| ReadError::Table { path, reason })
    }

    fn read_file(&mut self, index: usize) -> Result<Result<(), Stopped>, ReadError> {
        let Some(file) = self.files.get(index).cloned() else {
            return Ok(Ok(()));
        };
        let follow = self.config.tail && index + 1 == self.files.len();
        let mut rows = Rows::open(&file.path, &self.config)?;
        if self.config.format == Format::Csv {
            let names = loop {
                match rows.header(&self.config, !follow)? {
                    Some(names) => break names,
                    None if follow => {
                        if self.wait_for_more(Vec::new()).is_err() {
                            return Ok(Err(Stopped));
                        }
                    }
                    None => return Ok(Ok(())),
                }
            };
            match &self.layout {
                Some(layout) => same_columns(&file.path, layout.names(), &names)?,
                None => {
                    let types = vec![ColumnType::String; names.len()];
                    self.layout = Some(Arc::new(self.layout_of(names, types)?));
                }
            }
        }
        if file.position > 0 {
            rows.resume(&file)?;
        }
        let partition = Arc::new(source_partition(&file.name));
        let mut records = Vec::with_capacity(self.config.batch_size.min(4096));
        let mut begin = rows.input.position();
        loop {
            match rows.next(!follow)? {
                Next::Row => {
                    if let Some(row) = self.row(&mut rows)? {
                        records.push(self.record(&partition, &rows, row));
                    }
                    let bytes = rows.input.position() - begin;
                    if records.len() < self.config.batch_size && bytes < BATCH_BYTES {
                        continue;
                    }
                    begin = rows.input.position();
                    self.note(index, &rows);
                    if self.send(std::mem::take(&mut records)).is_err() {
                        return Ok(Err(Stopped));
                    }
                }
                Next::Incomplete => {
                    if rows
                        .input
                        .was_cut()
                        .map_err(|error| io_error(&file.path, error))?
                    {
                        let reason = "it became shorter than what was read of it".to_owned();
                        return Err(ReadError::Table {
                            path: file.path,
                            reason,
                        });
                    }
                    self.note(index, &rows);
                    if self.wait_for_more(std::mem::take(&mut records)).is_err() {
                        return Ok(Err(Stopped));
                    }
                }
                Next::End => {
                    self.note(index, &rows);
                    if !records.is_empty() && self.send(records).is_err() {
                        return Ok(Err(Stopped));
                    }
                    return Ok(Ok(()));
                }
            }
        }
    }

    fn row(&self, rows: &mut Rows) -> Result<Option<Row>, ReadError> {
        let row = match (&self.layout, self.config.format) {
            (Some(layout), Format::Csv) => layout.row(rows.fields()?).map(Some),
            _ => line(rows.line(), &self.config, &self.text_schema),
        };
        let row = row.map_err(|reason| rows.error(reason))?;
        rows.accept();
        Ok(row)
    }

    fn record(&self, partition: &Arc<SourcePartition>, rows: &Rows, row: Row) -> SourceRecord {
        SourceRecord {
            source_partition: partition.clone(),
            source_offset: source_offset(rows.input.position(), rows.rows),
            topic: self.topic.clone(),
            partition: None,
            key: row.key,
            value: row.value,
            timestamp: row.timestamp,
            headers: Headers::new(),
        }
    }

    fn note(&mut self, index: usize, rows: &Rows) {
        if let Some(file) = self.files.get_mut(index) {
            file.position = rows.input.position();
            file.rows = rows.rows;
        }
    }

    fn send(&self, records: Vec<SourceRecord>) -> Result<(), Stopped> {
        let batch = Batch {
            records,
            progress: self.progress(),
        };
        self.out.blocking_send(Ok(batch)).map_err(|_| Stopped)
    }

    /// Hands over what there is, then waits a little for the followed file to grow.
    fn wait_for_more(&self, records: Vec<SourceRecord>) -> Result<(), Stopped> {
        let progress = SourceProgress {
            at_end: true,
            ..self.progress()
        };
        if !records.is_empty() || self.out.capacity() == BATCHES_AHEAD {
            let batch = Batch { records, progress };
            self.out.blocking_send(Ok(batch)).map_err(|_| Stopped)?;
        }
        thread::sleep(self.config.tail_interval);
        if self.out.is_closed() {
            Err(Stopped)
        } else {
            Ok(())
        }
    }
}

/// What offsets of a file are kept under.
pub(super) fn source_partition(name: &str) -> SourcePartition {
    let mut partition = SourcePartition::new();
    partition.insert("filename".to_owned(), name.into());
    partition
}

fn source_offset(position: u64, rows: u64) -> SourceOffset {
    let mut offset = SourceOffset::new();
    offset.insert("position".to_owned(), position.into());
    offset.insert("rows".to_owned(), rows.into());
    offset
}

fn io_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::Io {
        path: path.to_owned(),
        source,
    }
}

fn same_columns(path: &Path, known: &[String], names: &[String]) -> Result<(), ReadError> {
    if known == names {
        return Ok(());
    }
    let (known, names) = (known.join(","), names.join(","));
    let reason = format!("its columns are {names}, but those of the file before it are {known}");
    Err(ReadError::Table {
        path: path.to_owned(),
        reason,
    })
}

/// What comes next in a file.
enum Next {
    /// A row.
    Row,
    /// Less than a row, and more may come.
    Incomplete,
    /// Nothing any more.
    End,
}

enum Splitter {
    Csv(Box<CsvSplitter>),
    Lines,
}

/// The rows of one file.
struct Rows {
    input: Input,
    splitter: Splitter,
    /// Rows accepted, over all runs.
    rows: u64,
    /// Bytes of the present row, its line end included.
    taken: usize,
}

impl Rows {
    fn open(path: &Path, config: &FileSourceConfig) -> Result<Self, ReadError> {
        let input = Input::open(path).map_err(|error| io_error(path, error))?;
        let splitter = match config.format {
            Format::Csv => Splitter::Csv(Box::new(CsvSplitter::new(config.delimiter))),
            Format::Json | Format::Text => Splitter::Lines,
        };
        Ok(Self {
            input,
            splitter,
            rows: 0,
            taken: 0,
        })
    }

    /// Reads the header, or takes the configured names. `None` if the file has none yet.
    fn header(
        &mut self,
        config: &FileSourceConfig,
        whole: bool,
    ) -> Result<Option<Vec<String>>, ReadError> {
        if !config.has_header {
            return Ok(Some(config.columns.clone()));
        }
        let Next::Row = self.next(whole)? else {
            return Ok(None);
        };
        let names: Vec<String> = self.fields()?.map(str::to_owned).collect();
        let mut sorted = names.clone();
        sorted.sort();
        if let Some([name, _]) = sorted
            .windows(2)
            .find(|pair| matches!(pair, [a, b] if a == b))
        {
            let reason = format!("two columns are called {name}");
            return Err(ReadError::Table {
                path: self.input.path().to_owned(),
                reason,
            });
        }
        self.accept();
        self.rows = 0;
        Ok(Some(names))
    }

    /// Goes on where an earlier run ended.
    fn resume(&mut self, file: &FileState) -> Result<(), ReadError> {
        self.input
            .advance_to(file.position)
            .map_err(|error| io_error(&file.path, error))?;
        self.rows = file.rows;
        Ok(())
    }

    /// Finds the next row; [`accept`](Self::accept) moves past it. `whole` says that the file
    /// does not grow, so that its last row needs no line end.
    fn next(&mut self, whole: bool) -> Result<Next, ReadError> {
        self.accept_pending();
        let mut ended = false;
        loop {
            let found = match &mut self.splitter {
                Splitter::Csv(splitter) => splitter.split(self.input.data(), ended),
                Splitter::Lines => split_line(self.input.data(), ended),
            };
            match found {
                Split::Row(taken) => {
                    self.taken = taken;
                    return Ok(Next::Row);
                }
                Split::End(taken) => {
                    self.input.consume(taken);
                    return Ok(Next::End);
                }
                Split::Incomplete => {
                    let more = self.input.fill();
                    if !more.map_err(|error| io_error(self.input.path(), error))? {
                        if !whole {
                            return Ok(Next::Incomplete);
                        }
                        ended = true;
                    }
                }
            }
        }
    }

    fn fields(&self) -> Result<impl Iterator<Item = &str>, ReadError> {
        let fields = match &self.splitter {
            Splitter::Csv(splitter) => splitter.fields(),
            Splitter::Lines => None,
        };
        fields.ok_or_else(|| self.error("it is not UTF-8".to_owned()))
    }

    /// The present line, without its end.
    fn line(&self) -> &[u8] {
        let line = self.input.data().get(..self.taken).unwrap_or_default();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// Moves past the present row.
    fn accept(&mut self) {
        self.accept_pending();
        self.rows += 1;
    }

    fn accept_pending(&mut self) {
        self.input.consume(std::mem::take(&mut self.taken));
    }

    fn error(&self, reason: String) -> ReadError {
        ReadError::Row {
            path: self.input.path().to_owned(),
            row: self.rows + 1,
            position: self.input.position(),
            reason,
        }
    }
}

fn split_line(data: &[u8], ended: bool) -> Split {
    match memchr::memchr(b'\n', data) {
        Some(index) => Split::Row(index + 1),
        None if !ended => Split::Incomplete,
        None if data.is_empty() => Split::End(0),
        None => Split::Row(data.len()),
    }
}
