//! Record batches, whole and broken.

use bytes::{Bytes, BytesMut};
use headwater_wire::records::{
    BatchBuilder, BatchOptions, Compression, ControlMarker, Header, TransactionResult,
    control_batch,
};

use crate::run::Run;

/// A producer's id, epoch and next sequence number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
}

/// What a batch is to be like.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) records: usize,
    pub(crate) value_len: usize,
    pub(crate) compression: Compression,
    pub(crate) producer: Option<Producer>,
    pub(crate) transactional: bool,
    /// Added to the time of the first record, in milliseconds.
    pub(crate) later: i64,
    /// Whether some records have no key.
    pub(crate) some_keyless: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            records: 3,
            value_len: 10,
            compression: Compression::None,
            producer: None,
            transactional: false,
            later: 0,
            some_keyless: false,
        }
    }
}

impl Shape {
    /// Anything that a producer may send.
    pub(crate) fn any(run: &mut Run) -> Self {
        Self {
            records: run.below(8) + 1,
            value_len: run.one(&[0, 1, 10, 100, 3000]),
            compression: run.one(&Compression::ALL),
            later: run.one(&[0, 0, 500, -500, 60_000]),
            some_keyless: run.once_in(2),
            ..Self::default()
        }
    }

    /// As bytes.
    pub(crate) fn batch(&self, run: &mut Run) -> Bytes {
        let mut options = BatchOptions {
            compression: self.compression,
            is_transactional: self.transactional,
            ..BatchOptions::default()
        };
        if let Some(producer) = self.producer {
            options.producer_id = producer.id;
            options.producer_epoch = producer.epoch;
            options.base_sequence = producer.sequence;
        }
        let mut builder = BatchBuilder::new(options);
        for nth in 0..self.records {
            let key = format!("key{}", run.below(5));
            let value = vec![b'a' + u8::try_from(nth % 26).unwrap_or(0); self.value_len];
            let header = [
                Header {
                    key: "h",
                    value: Some(b"1"),
                },
                Header {
                    key: "h",
                    value: None,
                },
            ];
            let is_keyless = self.some_keyless && nth % 2 == 1;
            let is_tombstone = !is_keyless && run.once_in(8);
            let headers = if run.once_in(4) { &header[..] } else { &[] };
            let at = run.start + self.later + i64::try_from(nth).unwrap_or(0) * 10;
            let appended = builder.append(
                at,
                (!is_keyless).then_some(key.as_bytes()),
                (!is_tombstone).then_some(&value),
                headers,
            );
            if appended.is_err() {
                break;
            }
        }
        builder.build().unwrap_or_default()
    }
}

/// Where the fields of a batch's header lie.
const MAGIC: usize = 16;
const CRC: std::ops::Range<usize> = 17..21;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const BASE_TIMESTAMP: usize = 27;
const MAX_TIMESTAMP: usize = 35;
const PRODUCER_ID: usize = 43;
const BASE_SEQUENCE: usize = 53;
const RECORD_COUNT: usize = 57;
const RECORDS: usize = 61;

/// A batch that is broken in some way, and in which.
pub(crate) fn broken(run: &mut Run) -> (&'static str, Bytes) {
    let shape = Shape {
        compression: run.one(&[Compression::None, Compression::None, Compression::Lz4]),
        ..Shape::default()
    };
    let whole = shape.batch(run);
    let mut batch = BytesMut::from(&whole[..]);
    let what = run.below(21);
    let what = match what {
        0 => {
            batch[CRC.start] ^= 1;
            return ("wrong checksum", batch.freeze());
        }
        1 => {
            batch[MAGIC] = 1;
            return ("magic 1", batch.freeze());
        }
        2 => {
            batch[MAGIC] = 3;
            return ("magic 3", batch.freeze());
        }
        3 => {
            batch.truncate(RECORDS - 1);
            return ("cut off in the header", batch.freeze());
        }
        4 => {
            let end = batch.len() - 2;
            batch.truncate(end);
            return ("cut off in the records", batch.freeze());
        }
        5 => {
            batch.extend_from_slice(&whole);
            return ("two batches", batch.freeze());
        }
        6 => return ("nothing", Bytes::new()),
        7 => {
            batch.extend_from_slice(b"tail");
            return ("bytes behind the batch", batch.freeze());
        }
        8 => {
            put(&mut batch, LAST_OFFSET_DELTA, &7_i32.to_be_bytes());
            "last offset delta too large"
        }
        9 => {
            put(&mut batch, RECORD_COUNT, &2_i32.to_be_bytes());
            "record count too small"
        }
        10 => {
            put(&mut batch, RECORD_COUNT, &(-1_i32).to_be_bytes());
            "record count negative"
        }
        11 => {
            put(&mut batch, RECORD_COUNT, &0_i32.to_be_bytes());
            put(&mut batch, LAST_OFFSET_DELTA, &(-1_i32).to_be_bytes());
            "record count zero"
        }
        12 => {
            batch[ATTRIBUTES + 1] |= 7;
            "compression that nobody knows"
        }
        13 => {
            batch[ATTRIBUTES + 1] |= 0b1000;
            "log append time set by the client"
        }
        14 => {
            return (
                "a control batch",
                control_batch(commit(), 5, 0, run.start).unwrap_or_default(),
            );
        }
        15 => {
            put(&mut batch, MAX_TIMESTAMP, &(-5_i64).to_be_bytes());
            "max timestamp wrong"
        }
        16 => {
            put(&mut batch, PRODUCER_ID, &77_i64.to_be_bytes());
            "producer id without epoch and sequence"
        }
        17 => {
            put(&mut batch, BASE_SEQUENCE, &4_i32.to_be_bytes());
            "sequence without producer id"
        }
        18 => {
            batch.truncate(RECORDS);
            let length = i32::try_from(RECORDS - 12).unwrap_or(0);
            put(&mut batch, 8, &length.to_be_bytes());
            "records missing"
        }
        19 => {
            put(&mut batch, BASE_TIMESTAMP, &(-1000_i64).to_be_bytes());
            "base timestamp negative"
        }
        _ => {
            if let Some(byte) = batch.get_mut(RECORDS) {
                *byte = 0xff;
            }
            "garbage in the records"
        }
    };
    let crc = crc32c::crc32c(batch.get(CRC.end..).unwrap_or_default());
    put(&mut batch, CRC.start, &crc.to_be_bytes());
    (what, batch.freeze())
}

/// Writes into a batch.
pub(crate) fn put(batch: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = batch.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn commit() -> ControlMarker {
    ControlMarker {
        result: TransactionResult::Commit,
        coordinator_epoch: 0,
    }
}
