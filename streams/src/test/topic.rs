//! Typed access to the driver's topics.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use crate::StreamsError;
use crate::codec::{Codec, encode};
use crate::engine::{Header, Headers};

use super::driver::Inner;
use super::log::{LogRecord, no_headers};

/// A record as a test sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRecord<K, V> {
    /// Key, if not null.
    pub key: Option<K>,
    /// Value, if not null.
    pub value: Option<V>,
    /// Timestamp in ms.
    pub timestamp: i64,
}

impl<K, V> TestRecord<K, V> {
    /// A record with key and value.
    pub fn new(key: impl Into<K>, value: impl Into<V>, timestamp: i64) -> Self {
        Self {
            key: Some(key.into()),
            value: Some(value.into()),
            timestamp,
        }
    }

    /// A record with a key and a null value.
    pub fn tombstone(key: impl Into<K>, timestamp: i64) -> Self {
        Self {
            key: Some(key.into()),
            value: None,
            timestamp,
        }
    }
}

/// A topic to write to.
pub struct TestInputTopic<K, V> {
    driver: Rc<RefCell<Inner>>,
    topic: String,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
    partition: Option<usize>,
    headers: Headers,
}

impl<K, V> TestInputTopic<K, V> {
    pub(super) fn new(
        driver: Rc<RefCell<Inner>>,
        topic: String,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
    ) -> Self {
        Self {
            driver,
            topic,
            key,
            value,
            partition: None,
            headers: no_headers(),
        }
    }

    /// The same, writing to one partition instead of that of the key.
    #[must_use]
    pub fn partition(mut self, partition: usize) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The same, with a header on every record.
    #[must_use]
    pub fn header(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        let header = Header {
            key: key.into(),
            value: Some(value.into()),
        };
        self.headers = self.headers.iter().cloned().chain([header]).collect();
        self
    }

    /// Writes a record and lets the topology work on it.
    ///
    /// # Errors
    /// What the topology fails with.
    pub fn pipe(
        &self,
        key: impl Into<K>,
        value: impl Into<V>,
        timestamp: i64,
    ) -> Result<(), StreamsError> {
        let key = encode(&*self.key, &key.into())?;
        let value = encode(&*self.value, &value.into())?;
        self.pipe_raw(key, value, timestamp)
    }

    /// Writes a record without a key.
    ///
    /// # Errors
    /// What the topology fails with.
    pub fn pipe_keyless(&self, value: impl Into<V>, timestamp: i64) -> Result<(), StreamsError> {
        let value = encode(&*self.value, &value.into())?;
        self.pipe_raw(None, value, timestamp)
    }

    /// Writes a record without a value.
    ///
    /// # Errors
    /// What the topology fails with.
    pub fn pipe_tombstone(&self, key: impl Into<K>, timestamp: i64) -> Result<(), StreamsError> {
        let key = encode(&*self.key, &key.into())?;
        self.pipe_raw(key, None, timestamp)
    }

    /// Writes a record as bytes.
    ///
    /// # Errors
    /// What the topology fails with.
    pub fn pipe_raw(
        &self,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        timestamp: i64,
    ) -> Result<(), StreamsError> {
        let record = LogRecord {
            key: key.map(Bytes::from),
            value: value.map(Bytes::from),
            timestamp,
            headers: self.headers.clone(),
        };
        self.driver
            .borrow_mut()
            .pipe(&self.topic, self.partition, record)
    }
}

/// A topic to read what the topology wrote.
pub struct TestOutputTopic<K, V> {
    driver: Rc<RefCell<Inner>>,
    topic: String,
    key: Arc<dyn Codec<K>>,
    value: Arc<dyn Codec<V>>,
}

impl<K, V> TestOutputTopic<K, V> {
    pub(super) fn new(
        driver: Rc<RefCell<Inner>>,
        topic: String,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
    ) -> Self {
        Self {
            driver,
            topic,
            key,
            value,
        }
    }

    /// The committed records that were not read before, partition by partition. Handles of one
    /// topic share what was read.
    ///
    /// # Errors
    /// [`StreamsError::Codec`] if a record does not decode.
    pub fn read_all(&self) -> Result<Vec<TestRecord<K, V>>, StreamsError> {
        let records = self.take();
        let decode = |record: LogRecord| {
            Ok(TestRecord {
                key: record.key.map(|key| self.key.decode(&key)).transpose()?,
                value: record
                    .value
                    .map(|value| self.value.decode(&value))
                    .transpose()?,
                timestamp: record.timestamp,
            })
        };
        records.into_iter().map(decode).collect()
    }

    /// Headers of the committed records that were not read before, which are read then.
    pub fn read_headers(&self) -> Vec<Headers> {
        self.take()
            .into_iter()
            .map(|record| record.headers)
            .collect()
    }

    fn take(&self) -> Vec<LogRecord> {
        let inner = &mut *self.driver.borrow_mut();
        let read = inner.read.entry(self.topic.clone()).or_default();
        let mut taken = Vec::new();
        for (at, partition) in inner.log.topic(&self.topic).iter().enumerate() {
            if read.len() <= at {
                read.resize(at + 1, 0);
            }
            let Some(from) = read.get_mut(at) else {
                continue;
            };
            taken.extend(
                partition
                    .records
                    .get(*from..partition.committed)
                    .unwrap_or(&[])
                    .to_vec(),
            );
            *from = partition.committed.max(*from);
        }
        taken
    }
}
