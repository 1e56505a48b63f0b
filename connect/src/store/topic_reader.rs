//! Reading a topic from its start to its end, again and again as it grows.

use std::collections::HashMap;
use std::time::Duration;

use headwater_client::admin::OffsetSpec;
use headwater_client::{
    Admin, AutoOffsetReset, Client, ClientError, Consumer, ConsumerConfig, ConsumerRecord,
    FetchedBatch, IsolationLevel, TopicPartition,
};

/// How long one poll waits; only how soon an end that was just reached is noticed depends on it.
const POLL: Duration = Duration::from_millis(100);

/// All partitions of a topic, read without a group.
pub(crate) struct TopicReader {
    consumer: Consumer,
    admin: Admin,
    partitions: Vec<TopicPartition>,
}

impl TopicReader {
    /// Starts at the topic's beginning. The topic must be there.
    pub(crate) async fn open(
        client: &Client,
        topic: &str,
        isolation_level: IsolationLevel,
    ) -> Result<Self, ClientError> {
        let consumer = client.consumer(ConsumerConfig {
            isolation_level,
            auto_offset_reset: AutoOffsetReset::Earliest,
            enable_auto_commit: false,
            allow_auto_create_topics: false,
            ..ConsumerConfig::default()
        })?;
        let count = consumer.partitions_for(topic).await?;
        let partitions: Vec<TopicPartition> = (0..count)
            .map(|partition| TopicPartition::new(topic, partition))
            .collect();
        consumer.assign(partitions.iter().cloned())?;
        Ok(Self {
            consumer,
            admin: client.admin(),
            partitions,
        })
    }

    /// What it reads with: closing that ends the reader, a read under way included.
    pub(crate) fn consumer(&self) -> Consumer {
        self.consumer.clone()
    }

    /// Hands over every record up to the end as it is now. Under read_committed this waits for
    /// transactions that are open before that end.
    ///
    /// If it fails or is dropped, what was not handed over comes again the next time, and nothing
    /// else does.
    pub(crate) async fn read_to_end(
        &mut self,
        mut each: impl FnMut(ConsumerRecord),
    ) -> Result<(), ClientError> {
        let mut behind = self.ends(OffsetSpec::Latest).await?;
        let beginnings = self.ends(OffsetSpec::Earliest).await?;
        loop {
            behind.retain(|partition, end| match self.consumer.position(partition) {
                Some(position) => position < *end,
                None => beginnings.get(partition) != Some(end),
            });
            if behind.is_empty() {
                return Ok(());
            }
            let batches = self.consumer.poll(POLL).await?;
            for (index, batch) in batches.batches().iter().enumerate() {
                match batch.records() {
                    Ok(records) => records.into_iter().for_each(&mut each),
                    Err(error) => {
                        self.give_back(batches.batches().get(index..).unwrap_or_default())?;
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Makes batches that were polled come again. The first of a partition is sought last.
    fn give_back(&self, batches: &[FetchedBatch]) -> Result<(), ClientError> {
        for batch in batches.iter().rev() {
            self.consumer.seek(&batch.partition, batch.start_offset)?;
        }
        Ok(())
    }

    /// Ends by the high watermark. The reader's own isolation level would give last stable
    /// offsets, which stand still at the first open transaction, whatever has been committed
    /// behind it.
    async fn ends(&self, which: OffsetSpec) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        let wanted = self
            .partitions
            .iter()
            .map(|partition| (partition.clone(), which))
            .collect();
        let listed = self
            .admin
            .list_offsets(&wanted, IsolationLevel::ReadUncommitted)
            .await;
        let mut ends = HashMap::with_capacity(listed.len());
        for (partition, found) in listed {
            if let Some(found) = found? {
                ends.insert(partition, found.offset);
            }
        }
        Ok(ends)
    }
}
