//! Whether an application has worked through its input, all its stages included.

use std::collections::HashMap;
use std::time::Duration;

use headwater_client::{IsolationLevel, TopicPartition};

use crate::StreamsError;

use super::streams::RunningStreams;

/// Pause between two looks at the committed offsets.
const LOOK: Duration = Duration::from_millis(20);

impl RunningStreams {
    /// Whether everything below `ends` is committed: read from the source topics, through all
    /// repartition topics, and visible in the results. Other partitions are passed over.
    ///
    /// # Errors
    /// [`StreamsError::Client`] if the log does not answer.
    pub async fn has_committed(
        &self,
        ends: &HashMap<TopicPartition, i64>,
    ) -> Result<bool, StreamsError> {
        let prefix = format!("{}-", self.application_id());
        let (stages, sources): (Vec<_>, Vec<_>) = self
            .inputs()
            .partition(|input| input.topic.starts_with(&prefix));
        let of_sources: HashMap<_, _> = sources
            .into_iter()
            .filter_map(|source| Some((source.clone(), *ends.get(&source)?)))
            .collect();
        if !self.is_behind_us(&of_sources).await? {
            return Ok(false);
        }
        // What a stage commits shows in the ends of later ones. Ends that did not move while all
        // positions reached them are the last. They count open transactions too.
        let before = self.ends(&stages).await?;
        Ok(self.is_behind_us(&before).await? && before == self.ends(&stages).await?)
    }

    /// Waits until everything that is in the source topics now is committed.
    ///
    /// # Errors
    /// [`StreamsError::Client`] if the log does not answer, or why the application has failed.
    pub async fn wait_for_input(&self) -> Result<(), StreamsError> {
        let inputs: Vec<_> = self.inputs().collect();
        let ends = self.ends(&inputs).await?;
        loop {
            self.wait_running().await?;
            if self.has_committed(&ends).await? {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn inputs(&self) -> impl Iterator<Item = TopicPartition> {
        self.source_topics().iter().flat_map(|(topic, count)| {
            (0..*count).map(|partition| TopicPartition::new(topic.as_str(), partition))
        })
    }

    async fn is_behind_us(
        &self,
        ends: &HashMap<TopicPartition, i64>,
    ) -> Result<bool, StreamsError> {
        let partitions: Vec<_> = ends.keys().cloned().collect();
        let admin = self.client().admin();
        let committed = admin
            .list_group_offsets(self.application_id(), Some(&partitions), true)
            .await?;
        Ok(ends.iter().all(|(partition, end)| {
            *end <= 0 || committed.get(partition).is_some_and(|at| at.offset >= *end)
        }))
    }

    /// Where `partitions` end, open transactions included.
    async fn ends(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>, StreamsError> {
        let admin = self.client().admin();
        let ends = admin.end_offsets(partitions, IsolationLevel::ReadUncommitted);
        Ok(ends.await?)
    }
}
