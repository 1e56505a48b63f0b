//! Records as they were read, to be compared whole.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use rdkafka::{Offset, Timestamp, TopicPartitionList};

use crate::support::{consumer, eventually};

/// What a producer gives and a consumer gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp: i64,
}

impl Content {
    pub(crate) fn record<'a>(&'a self, topic: &'a str) -> FutureRecord<'a, [u8], [u8]> {
        let mut record = FutureRecord::to(topic).timestamp(self.timestamp);
        record.key = self.key.as_deref();
        record.payload = self.value.as_deref();
        let mut headers = OwnedHeaders::new();
        for (key, value) in &self.headers {
            headers = headers.insert(Header {
                key,
                value: value.as_ref(),
            });
        }
        record.headers(headers)
    }
}

/// One record of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consumed {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Timestamp,
    pub(crate) content: Content,
}

impl Consumed {
    pub(crate) fn of(message: &impl Message) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| {
            (0..headers.count()).map(|index| {
                let header = headers.get(index);
                (header.key.to_owned(), header.value.map(<[u8]>::to_vec))
            })
        });
        let content = Content {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.collect(),
            timestamp: message.timestamp().to_millis().unwrap_or(-1),
        };
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp(),
            content,
        }
    }

    /// The value, which the test wrote as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.content.value.as_deref().unwrap()).unwrap()
    }
}

/// Everything in `topic`, read from the beginning until each partition's end.
pub(crate) fn read_all(
    bootstrap: &str,
    topic: &str,
    partitions: i32,
    overrides: &[(&str, &str)],
) -> Vec<Consumed> {
    let reader = consumer(bootstrap, overrides);
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    reader.assign(&assignment).unwrap();
    read_to_end(&reader, topic, partitions)
}

/// What `reader` still gets until each of its `partitions` is at its end.
pub(crate) fn read_to_end(reader: &BaseConsumer, topic: &str, partitions: i32) -> Vec<Consumed> {
    let mut records = Vec::new();
    let mut ended = BTreeSet::new();
    eventually(&format!("the end of {topic}"), || {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => records.push(Consumed::of(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended.insert(partition);
            }
            Some(Err(error)) => panic!("reading {topic}: {error}"),
            None => {}
        }
        (ended.len() == partitions as usize).then_some(())
    });
    records
}

/// The values of `records` as text, in the order read.
pub(crate) fn texts(records: &[Consumed]) -> Vec<&str> {
    records.iter().map(Consumed::text).collect()
}
