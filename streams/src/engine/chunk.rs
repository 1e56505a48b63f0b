//! The unit that moves between operators: a batch of records as columns.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::EngineError;

/// A record header: a name and a value, which may be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Name; need not be unique in a record.
    pub key: String,
    /// Value, if not null.
    pub value: Option<Bytes>,
}

/// The headers of one record, shared between copies of it.
pub type Headers = Arc<[Header]>;

/// A column of byte strings, each of which may be null, in one shared buffer.
///
/// Cloning and slicing share the buffer.
#[derive(Clone, Debug, Default)]
pub struct RawColumn {
    data: Bytes,
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    len: usize,
}

const NULL: usize = usize::MAX;

impl RawColumn {
    /// A column over `data` whose entries lie at `ranges`; `None` is null. A range that does not
    /// lie within `data` reads as null.
    pub fn new(data: Bytes, ranges: impl IntoIterator<Item = Option<Range<usize>>>) -> Self {
        let spans = ranges
            .into_iter()
            .map(|range| match range {
                Some(r) if r.start <= r.end && r.end <= data.len() => Span {
                    start: r.start,
                    len: r.end - r.start,
                },
                _ => Span {
                    start: 0,
                    len: NULL,
                },
            })
            .collect();
        Self { data, spans }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The entry at `row`; `None` if it is null or there is no such row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let span = self.spans.get(row)?;
        if span.len == NULL {
            return None;
        }
        self.data.get(span.start..span.start + span.len)
    }

    /// The entry at `row` as a shared slice of the buffer.
    pub fn get_bytes(&self, row: usize) -> Option<Bytes> {
        let span = self.spans.get(row)?;
        if span.len == NULL {
            return None;
        }
        Some(self.data.slice(span.start..span.start + span.len))
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.spans.iter().map(|span| {
            if span.len == NULL {
                None
            } else {
                self.data.get(span.start..span.start + span.len)
            }
        })
    }

    /// The entries in `rows`, sharing the buffer. Clamped to what is there.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let end = rows.end.min(self.spans.len());
        let spans = self
            .spans
            .get(rows.start.min(end)..end)
            .unwrap_or(&[])
            .to_vec();
        Self {
            data: self.data.clone(),
            spans,
        }
    }

    /// Keeps the entries whose flag in `keep` is true.
    pub fn retain(&mut self, keep: &[bool]) {
        let mut row = 0;
        self.spans.retain(|_| {
            row += 1;
            keep.get(row - 1).copied().unwrap_or(false)
        });
    }

    /// The entries at `rows`, in that order, possibly repeated, sharing the buffer.
    pub fn gather(&self, rows: &[u32]) -> Self {
        let null = Span {
            start: 0,
            len: NULL,
        };
        let spans = rows
            .iter()
            .map(|row| self.spans.get(*row as usize).copied().unwrap_or(null))
            .collect();
        Self {
            data: self.data.clone(),
            spans,
        }
    }
}

/// Builds a [`RawColumn`], entry by entry, in one buffer.
#[derive(Debug, Default)]
pub struct RawColumnBuilder {
    buffer: Vec<u8>,
    spans: Vec<Span>,
}

impl RawColumnBuilder {
    /// An empty builder with room for `rows` entries of `bytes` bytes together.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self {
            buffer: Vec::with_capacity(bytes),
            spans: Vec::with_capacity(rows),
        }
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: Option<&[u8]>) {
        match entry {
            Some(bytes) => {
                self.spans.push(Span {
                    start: self.buffer.len(),
                    len: bytes.len(),
                });
                self.buffer.extend_from_slice(bytes);
            }
            None => self.push_null(),
        }
    }

    /// Appends a null.
    pub fn push_null(&mut self) {
        self.spans.push(Span {
            start: 0,
            len: NULL,
        });
    }

    /// Appends the bytes that `write` adds to the buffer as one entry. Nothing is added if it fails.
    ///
    /// # Errors
    /// What `write` fails with.
    pub fn push_with<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.buffer.len();
        match write(&mut self.buffer) {
            Ok(()) => {
                self.spans.push(Span {
                    start,
                    len: self.buffer.len().saturating_sub(start),
                });
                Ok(())
            }
            Err(error) => {
                self.buffer.truncate(start);
                Err(error)
            }
        }
    }

    /// The finished column.
    pub fn finish(self) -> RawColumn {
        RawColumn {
            data: Bytes::from(self.buffer),
            spans: self.spans,
        }
    }
}

/// What belongs to each record besides its key and value.
#[derive(Clone, Debug, Default)]
pub struct RowMeta {
    /// Timestamps in ms since the epoch.
    pub timestamps: Vec<i64>,
    /// Offsets in the partition the records were read from; −1 for records derived from state.
    pub offsets: Vec<i64>,
    /// Headers; `None` when no record has any, which costs nothing.
    pub headers: Option<Vec<Headers>>,
}

impl RowMeta {
    /// Rows without offsets or headers.
    pub fn derived(timestamps: Vec<i64>) -> Self {
        let offsets = vec![-1; timestamps.len()];
        Self {
            timestamps,
            offsets,
            headers: None,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Keeps the rows whose flag in `keep` is true.
    pub fn retain(&mut self, keep: &[bool]) {
        retain_flagged(&mut self.timestamps, keep);
        retain_flagged(&mut self.offsets, keep);
        if let Some(headers) = &mut self.headers {
            retain_flagged(headers, keep);
        }
    }

    /// The rows at `rows`, in that order, possibly repeated.
    pub fn gather(&self, rows: &[u32]) -> Self {
        let at = |column: &[i64]| {
            rows.iter()
                .map(|row| column.get(*row as usize).copied().unwrap_or(-1))
                .collect()
        };
        Self {
            timestamps: at(&self.timestamps),
            offsets: at(&self.offsets),
            headers: self.headers.as_ref().map(|all| {
                let none: Headers = Arc::new([]);
                rows.iter()
                    .map(|row| {
                        all.get(*row as usize)
                            .cloned()
                            .unwrap_or_else(|| none.clone())
                    })
                    .collect()
            }),
        }
    }

    /// The rows in `rows`, clamped to what is there.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let end = rows.end.min(self.timestamps.len());
        let rows = rows.start.min(end)..end;
        Self {
            timestamps: self.timestamps.get(rows.clone()).unwrap_or(&[]).to_vec(),
            offsets: self.offsets.get(rows.clone()).unwrap_or(&[]).to_vec(),
            headers: self
                .headers
                .as_ref()
                .map(|all| all.get(rows.clone()).unwrap_or(&[]).to_vec()),
        }
    }
}

/// Keeps the entries of `column` whose flag in `keep` is true.
pub(crate) fn retain_flagged<T>(column: &mut Vec<T>, keep: &[bool]) {
    let mut row = 0;
    column.retain(|_| {
        row += 1;
        keep.get(row - 1).copied().unwrap_or(false)
    });
}

/// Records as bytes: as they were fetched, or as they are produced. All columns have equal length.
#[derive(Clone, Debug, Default)]
pub struct RawChunk {
    /// Keys.
    pub keys: RawColumn,
    /// Values.
    pub values: RawColumn,
    /// Timestamps, offsets, headers.
    pub meta: RowMeta,
}

impl RawChunk {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.meta.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.meta.is_empty()
    }

    /// The records in `rows`, sharing the buffers.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        Self {
            keys: self.keys.slice(rows.clone()),
            values: self.values.slice(rows.clone()),
            meta: self.meta.slice(rows),
        }
    }
}

/// Records in a form that only the operators on both ends of an edge know: the typed rows of the
/// DSL, or an Arrow `RecordBatch` with row kinds, timestamps and watermarks beside it in SQL.
///
/// Downcast once per batch with [`Chunk::downcast`].
pub trait ColumnarChunk: Any + Send {
    /// Number of records, at least an estimate for metrics.
    fn len(&self) -> usize;

    /// Whether there is no record.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy, made when an operator has several children. Share what can be shared.
    fn boxed_clone(&self) -> Box<dyn ColumnarChunk>;

    /// For downcasting.
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;

    /// Name of the type, for errors.
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// A batch of records on an edge of the graph.
pub enum Chunk {
    /// Bytes as they lie in the log. What sources hand out and sinks take.
    Raw(RawChunk),
    /// Anything else.
    Columnar(Box<dyn ColumnarChunk>),
}

impl Chunk {
    /// A chunk of `rows`.
    pub fn columnar(rows: impl ColumnarChunk) -> Self {
        Self::Columnar(Box::new(rows))
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        match self {
            Self::Raw(raw) => raw.len(),
            Self::Columnar(rows) => rows.len(),
        }
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows as `T`, for the operator `node`.
    ///
    /// # Errors
    /// [`EngineError::WrongChunk`] if they are something else.
    pub fn downcast<T: ColumnarChunk>(self, node: &str) -> Result<T, EngineError> {
        let wrong = |found| EngineError::WrongChunk {
            node: node.to_owned(),
            expected: std::any::type_name::<T>(),
            found,
        };
        match self {
            Self::Raw(_) => Err(wrong("RawChunk")),
            Self::Columnar(rows) => {
                let found = rows.type_name();
                rows.into_any()
                    .downcast::<T>()
                    .map(|rows| *rows)
                    .map_err(|_| wrong(found))
            }
        }
    }

    /// The records as bytes, for the operator `node`.
    ///
    /// # Errors
    /// [`EngineError::WrongChunk`] if they are something else.
    pub fn into_raw(self, node: &str) -> Result<RawChunk, EngineError> {
        match self {
            Self::Raw(raw) => Ok(raw),
            Self::Columnar(rows) => Err(EngineError::WrongChunk {
                node: node.to_owned(),
                expected: "RawChunk",
                found: rows.type_name(),
            }),
        }
    }
}

impl Clone for Chunk {
    fn clone(&self) -> Self {
        match self {
            Self::Raw(raw) => Self::Raw(raw.clone()),
            Self::Columnar(rows) => Self::Columnar(rows.boxed_clone()),
        }
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Raw(raw) => raw.fmt(f),
            Self::Columnar(rows) => write!(f, "{} × {}", rows.len(), rows.type_name()),
        }
    }
}
