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
        // Every batch that is produced comes this way, and few have anything wrong with them.
        self.times_if_sound().map_or_else(|| self.check_each(), Ok)
    }

    /// What [`check`](Self::check) returns if nothing is wrong, at a fraction of the price of looking
    /// for what it is.
    fn times_if_sound(&self) -> Option<TimeSpan> {
        let header = &self.header;
        if i64::from(header.record_count) > i64::from(header.last_offset_delta) + 1 {
            return None;
        }
        let append_time = self.append_time();
        let mut rest: &[u8] = &self.body;
        let mut times = TimeSpan::NONE;
        for index in 0..header.record_count {
            let (timestamp_delta, behind) =
                walk_short(rest, index).or_else(|| walk(rest, index))?;
            rest = behind;
            let timestamp = header.base_timestamp.wrapping_add(timestamp_delta);
            times.add(append_time.unwrap_or(timestamp));
        }
        rest.is_empty().then_some(times)
    }

    fn check_each(&self) -> Result<TimeSpan, BatchError> {
        let base_offset = self.header.base_offset;
        let mut times = TimeSpan::NONE;
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
            times.add(record.timestamp);
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
            append_time: self.append_time(),
            index: 0,
            count: self.header.record_count,
        }
    }

    /// The timestamp of all records, if they were stamped together.
    fn append_time(&self) -> Option<i64> {
        match self.header.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(self.header.max_timestamp),
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

impl TimeSpan {
    const NONE: Self = Self {
        earliest: i64::MAX,
        latest: NO_TIMESTAMP,
    };

    #[inline]
    fn add(&mut self, timestamp: i64) {
        self.earliest = self.earliest.min(timestamp);
        self.latest = self.latest.max(timestamp);
    }
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

/// Walks over the record at the start of `input`, which must be the one of this number. Returns its
/// timestamp delta and what is behind it, or nothing if anything is wrong with it.
fn walk(mut input: &[u8], index: i32) -> Option<(i64, &[u8])> {
    let length = usize::try_from(varint::read_i32(&mut input)?).ok()?;
    let (record, behind) = input.split_at_checked(length)?;
    let (_attributes, mut fields) = record.split_first()?;
    let timestamp_delta = varint::read_i64(&mut fields)?;
    if varint::read_i32(&mut fields)? != index {
        return None;
    }
    skip_bytes(&mut fields)?;
    skip_bytes(&mut fields)?;
    are_headers(fields).then_some((timestamp_delta, behind))
}

/// As [`walk`], for records whose numbers in front take two bytes at most, as nearly all do, and none
/// at the very end of its batch: without a look for the input's end at each of them.
#[inline]
fn walk_short(input: &[u8], index: i32) -> Option<(i64, &[u8])> {
    let mut window = varint::Window::open(input)?;
    let length = window.read_i32()?;
    let start = window.used();
    window.skip_byte();
    let timestamp_delta = window.read_i32()?;
    let offset_delta = window.read_i32()?;
    let key_length = window.read_i32()?;
    if offset_delta != index || !window.is_within() {
        return None;
    }
    let end = start + usize::try_from(length).ok()?;
    let (record, behind) = input.split_at_checked(end)?;
    let key_length = if key_length == -1 { 0 } else { key_length };
    let mut fields = record.get(window.used() + usize::try_from(key_length).ok()?..)?;
    skip_bytes(&mut fields)?;
    are_headers(fields).then_some((timestamp_delta.into(), behind))
}

/// Whether these bytes are a record's headers and nothing else.
#[inline]
fn are_headers(mut fields: &[u8]) -> bool {
    // Most records have none.
    if fields == [0] {
        return true;
    }
    let count = varint::read_i32(&mut fields).and_then(|count| u32::try_from(count).ok());
    count.is_some_and(|count| {
        HeadersRef {
            bytes: fields,
            count,
        }
        .are_whole()
    })
}

/// Moves past what [`read_bytes`] reads.
#[inline]
fn skip_bytes(input: &mut &[u8]) -> Option<()> {
    let length = varint::read_i32(input)?;
    if length == -1 {
        return Some(());
    }
    *input = input.get(usize::try_from(length).ok()?..)?;
    Some(())
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

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use proptest::prelude::*;

    use super::super::{
        BATCH_HEADER_LEN, BatchBuilder, BatchOptions, Header, RecordBatch, TimeSpan,
    };

    /// Timestamp delta, lengths of key and value, headers, of each record.
    type Shape = (i64, Option<usize>, Option<usize>, usize);

    fn shapes() -> impl Strategy<Value = Vec<Shape>> {
        let timestamp = prop_oneof![0..100_i64, -2..20_000_i64, any::<i32>().prop_map(i64::from)];
        let length = || proptest::option::of(prop_oneof![0..9_usize, 50..80_usize, 0..9_000_usize]);
        proptest::collection::vec((timestamp, length(), length(), 0..3_usize), 1..12)
    }

    fn batch(shapes: &[Shape]) -> RecordBatch {
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let bytes = [b'x'; 9_000];
        let header = Header {
            key: "header",
            value: Some(&bytes[..3]),
        };
        for &(timestamp, key, value, headers) in shapes {
            let key = key.map(|length| &bytes[..length]);
            let value = value.map(|length| &bytes[..length]);
            let appended = builder.append(timestamp, key, value, &vec![header; headers]);
            appended.expect("it has room");
        }
        let mut bytes = builder.build().expect("it is a batch");
        let batch = RecordBatch::split_from(&mut bytes).expect("sound");
        batch.expect("one")
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// What is found sound at a glance is what is found sound record by record.
        #[test]
        fn both_ways_to_check_find_the_same(
            shapes in shapes(),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3),
            cut in proptest::option::of(any::<proptest::sample::Index>()),
        ) {
            let mut batch = batch(&shapes);
            let mut bytes = BytesMut::from(batch.bytes.as_ref());
            // Most of a record is its value, where nothing can be wrong.
            let places: Vec<usize> = (BATCH_HEADER_LEN..bytes.len())
                .filter(|at| bytes[*at] != b'x')
                .collect();
            for (place, byte) in &changes {
                bytes[places[place.index(places.len())]] = *byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(BATCH_HEADER_LEN + cut.index(bytes.len() - BATCH_HEADER_LEN));
            }
            batch.bytes = Bytes::from(bytes);
            if let Ok(records) = batch.records() {
                prop_assert_eq!(records.times_if_sound(), records.check_each().ok());
                if changes.is_empty() && cut.is_none() {
                    let times = || shapes.iter().map(|shape| shape.0);
                    let expected = TimeSpan {
                        earliest: times().min().unwrap_or(i64::MAX),
                        latest: times().max().unwrap_or(-1).max(-1),
                    };
                    prop_assert_eq!(records.check().ok(), Some(expected));
                }
            }
        }
    }

    #[test]
    fn records_beyond_what_two_bytes_count_are_checked_alike() {
        let shapes = vec![(5, None, Some(1), 0); 9_000];
        let records = batch(&shapes).records().expect("not compressed");
        let times = records.times_if_sound().expect("they are sound");
        assert_eq!((times.earliest, times.latest), (5, 5));
    }
}
