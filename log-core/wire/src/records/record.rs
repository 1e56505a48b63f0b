use std::ops::Range;

use bytes::Bytes;

use super::builder::{bytes_len, put_bytes};
use super::{BatchError, BatchHeader, NO_TIMESTAMP, TimestampType};
use crate::varint;

/// Fewest bytes a record takes: its length, attributes, two deltas, two lengths, a header count.
const RECORD_LEN_MIN: usize = 7;

/// The decompressed records of one batch.
#[derive(Debug, Clone)]
pub struct Records {
    header: BatchHeader,
    body: Bytes,
}

impl Records {
    pub(super) fn new(header: BatchHeader, body: Bytes) -> Result<Self, BatchError> {
        let count = usize::try_from(header.record_count).unwrap_or(usize::MAX);
        if count > body.len() / RECORD_LEN_MIN {
            return Err(BatchError::Field {
                base_offset: header.base_offset,
                field: "record count",
                value: header.record_count.into(),
            });
        }
        Ok(Self { header, body })
    }

    /// Header of the batch that the records came from.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The records' bytes, which [`RecordRef::key_range`] and [`RecordRef::value_range`] point
    /// into.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Walks over all records and their headers to be sure that they can be read, are as many as the
    /// header says, and are numbered one by one. Returns between which times they lie. Neither copies
    /// nor allocates.
    ///
    /// Names of headers need not be UTF-8: producers of other languages may have written them so.
    ///
    /// # Errors
    /// [`BatchError::Record`] for the first record that is wrong.
    pub fn check(&self) -> Result<TimeSpan, BatchError> {
        let base_offset = self.header.base_offset;
        let mut times = TimeSpan {
            earliest: i64::MAX,
            latest: NO_TIMESTAMP,
        };
        for (index, record) in (0_i32..).zip(self.iter()) {
            let record = record?;
            let wrong = |reason| BatchError::Record {
                base_offset,
                index,
                reason,
            };
            if record.offset != base_offset.saturating_add(index.into()) {
                return Err(wrong("it is not numbered behind the one before it"));
            }
            if !record.headers.are_whole() {
                return Err(wrong("its headers do not fit into it"));
            }
            times.earliest = times.earliest.min(record.timestamp);
            times.latest = times.latest.max(record.timestamp);
        }
        Ok(times)
    }

    /// Walks over the records without copying or allocating. Stops behind the first error.
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter {
            rest: &self.body,
            body_len: self.body.len(),
            base_offset: self.header.base_offset,
            last_offset_delta: self.header.last_offset_delta,
            base_timestamp: self.header.base_timestamp,
            append_time: match self.header.timestamp_type() {
                TimestampType::CreateTime => None,
                TimestampType::LogAppendTime => Some(self.header.max_timestamp),
            },
            index: 0,
            count: self.header.record_count,
        }
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<RecordRef<'a>, BatchError>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

/// Between which times the records of a batch lie, in ms since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    /// The smallest timestamp; `i64::MAX` if there are no records. Negative ones are the producer's.
    pub earliest: i64,
    /// The largest timestamp, -1 if there is none above.
    pub latest: i64,
}

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy)]
pub struct RecordRef<'a> {
    /// Position in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch; -1 for none.
    pub timestamp: i64,
    /// The key, if there is one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// The headers, in order and with duplicates.
    pub headers: HeadersRef<'a>,
    key_start: usize,
    value_start: usize,
}

impl RecordRef<'_> {
    /// Writes the record with another distance from its batch's base timestamp.
    pub(super) fn put(&self, out: &mut Vec<u8>, offset_delta: i32, timestamp_delta: i64) {
        let (key, value) = (bytes_len(self.key), bytes_len(self.value));
        let count = i32::try_from(self.headers.count).unwrap_or(i32::MAX);
        let length = 1
            + varint::len_i64(timestamp_delta)
            + varint::len_i32(offset_delta)
            + key
            + value
            + varint::len_i32(count)
            + self.headers.bytes.len();
        varint::put_i32(out, i32::try_from(length).unwrap_or(i32::MAX));
        out.push(0);
        varint::put_i64(out, timestamp_delta);
        varint::put_i32(out, offset_delta);
        put_bytes(out, self.key);
        put_bytes(out, self.value);
        varint::put_i32(out, count);
        out.extend_from_slice(self.headers.bytes);
    }

    /// Where the key lies in [`Records::body`], so that it can be kept without copying.
    pub fn key_range(&self) -> Option<Range<usize>> {
        self.key
            .map(|key| self.key_start..self.key_start + key.len())
    }

    /// Where the value lies in [`Records::body`].
    pub fn value_range(&self) -> Option<Range<usize>> {
        self.value
            .map(|value| self.value_start..self.value_start + value.len())
    }
}

/// Iterator over the records of a batch.
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    rest: &'a [u8],
    body_len: usize,
    base_offset: i64,
    last_offset_delta: i32,
    base_timestamp: i64,
    append_time: Option<i64>,
    index: i32,
    count: i32,
}

impl<'a> RecordIter<'a> {
    #[inline]
    fn read(&mut self) -> Result<RecordRef<'a>, &'static str> {
        const CUT: &str = "it is cut off";
        let length = varint::read_i32(&mut self.rest).ok_or(CUT)?;
        let length = usize::try_from(length).map_err(|_| "its length is negative")?;
        let Some((mut record, rest)) = self.rest.split_at_checked(length) else {
            return Err("it is longer than the batch");
        };
        self.rest = rest;
        let behind = self.body_len - rest.len();

        let (_attributes, fields) = record.split_first().ok_or(CUT)?;
        record = fields;
        let timestamp_delta = varint::read_i64(&mut record).ok_or(CUT)?;
        let offset_delta = varint::read_i32(&mut record).ok_or(CUT)?;
        if !(0..=self.last_offset_delta).contains(&offset_delta) {
            return Err("its offset is not one of the batch");
        }
        let key = read_bytes(&mut record).ok_or("its key does not fit into it")?;
        let key_start = behind - record.len() - key.map_or(0, <[u8]>::len);
        let value = read_bytes(&mut record).ok_or("its value does not fit into it")?;
        let value_start = behind - record.len() - value.map_or(0, <[u8]>::len);
        let count = varint::read_i32(&mut record).ok_or(CUT)?;
        let count = u32::try_from(count).map_err(|_| "its header count is negative")?;
        // A header takes at least a byte each for the lengths of its key and value.
        if count as usize > record.len() / 2 {
            return Err("its headers do not fit into it");
        }
        if count == 0 && !record.is_empty() {
            return Err("it is shorter than it says");
        }
        let timestamp = match self.append_time {
            Some(timestamp) => timestamp,
            None => self.base_timestamp.wrapping_add(timestamp_delta),
        };
        Ok(RecordRef {
            offset: self.base_offset.saturating_add(offset_delta.into()),
            timestamp,
            key,
            value,
            headers: HeadersRef {
                bytes: record,
                count,
            },
            key_start,
            value_start,
        })
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<RecordRef<'a>, BatchError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut result = Ok(());
        if self.index == self.count {
            if self.rest.is_empty() {
                return None;
            }
            result = Err("there are bytes behind the last record");
        }
        match result.and_then(|()| self.read()) {
            Ok(record) => {
                self.index += 1;
                Some(Ok(record))
            }
            Err(reason) => {
                let index = self.index;
                self.rest = &[];
                self.count = self.index;
                Some(Err(BatchError::Record {
                    base_offset: self.base_offset,
                    index,
                    reason,
                }))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.count - self.index).unwrap_or(0);
        (0, Some(left + 1))
    }
}

/// Reads a nullable byte string: a zig-zag length, -1 for null, and the bytes.
#[inline]
#[expect(clippy::option_option, reason = "outer: malformed; inner: null")]
fn read_bytes<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint::read_i32(input)?;
    if length < 0 {
        return (length == -1).then_some(None);
    }
    let (bytes, rest) = input.split_at_checked(length as usize)?;
    *input = rest;
    Some(Some(bytes))
}

/// The headers of a record, not yet looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadersRef<'a> {
    bytes: &'a [u8],
    count: u32,
}

impl<'a> HeadersRef<'a> {
    /// Number of headers.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether the record has no headers.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the headers' lengths are right and fill the record to its end.
    fn are_whole(&self) -> bool {
        let mut rest = self.bytes;
        let read = |rest: &mut &[u8]| {
            read_bytes(rest)??;
            read_bytes(rest).map(drop)
        };
        (0..self.count).all(|_| read(&mut rest).is_some()) && rest.is_empty()
    }

    /// Walks over the headers in order, duplicates included. Stops behind the first error.
    pub fn iter(&self) -> HeadersIter<'a> {
        HeadersIter {
            rest: self.bytes,
            index: 0,
            count: self.count,
        }
    }
}

/// One header of a record, borrowed from its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderRef<'a> {
    /// The header's name.
    pub key: &'a str,
    /// Its value, which may be null.
    pub value: Option<&'a [u8]>,
}

/// Iterator over the headers of a record.
#[derive(Debug, Clone)]
pub struct HeadersIter<'a> {
    rest: &'a [u8],
    index: u32,
    count: u32,
}

impl<'a> HeadersIter<'a> {
    fn read(&mut self) -> Option<HeaderRef<'a>> {
        let key = std::str::from_utf8(read_bytes(&mut self.rest)??).ok()?;
        let value = read_bytes(&mut self.rest)?;
        let is_last = self.index + 1 == self.count;
        (!is_last || self.rest.is_empty()).then_some(HeaderRef { key, value })
    }
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = Result<HeaderRef<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.count {
            return None;
        }
        let Some(header) = self.read() else {
            let index = self.index;
            self.index = self.count;
            return Some(Err(BatchError::RecordHeader { index }));
        };
        self.index += 1;
        Some(Ok(header))
    }
}
