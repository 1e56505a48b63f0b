//! Where reading begins.

use std::collections::HashMap;

use headwater_client::{ClientError, Consumer, TopicPartition};

use crate::cli::times;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Earliest,
    Latest,
    Offset(i64),
    /// So many records before the end.
    FromEnd(i64),
    Timestamp(i64),
}

/// `start`, `end`, an offset, `-N` for the last N, or `@` and a time.
pub(super) fn start(text: &str) -> Result<Start, String> {
    match text {
        "start" | "earliest" | "beginning" => return Ok(Start::Earliest),
        "end" | "latest" => return Ok(Start::Latest),
        _ => {}
    }
    if let Some(time) = text.strip_prefix('@') {
        return times::timestamp(time).map(Start::Timestamp);
    }
    match text.parse::<i64>() {
        Ok(offset) if offset < 0 => Ok(Start::FromEnd(offset.saturating_neg())),
        Ok(offset) => Ok(Start::Offset(offset)),
        Err(_) => Err(format!(
            "{text:?} is not start, end, an offset, -N or @TIME"
        )),
    }
}

impl Start {
    /// Assigns `partitions` to the consumer and moves it there.
    pub(super) async fn assign(
        self,
        consumer: &Consumer,
        partitions: Vec<TopicPartition>,
    ) -> Result<(), ClientError> {
        consumer.assign(partitions.clone())?;
        match self {
            Self::Earliest => consumer.seek_to_beginning(&partitions)?,
            Self::Latest => consumer.seek_to_end(&partitions)?,
            Self::Offset(_) | Self::FromEnd(_) => {
                let starts = consumer.beginning_offsets(&partitions).await?;
                for (partition, end) in consumer.end_offsets(&partitions).await? {
                    let start = starts.get(&partition).copied().unwrap_or_default();
                    let wanted = match self {
                        Self::Offset(offset) => offset.min(end),
                        Self::FromEnd(count) => end.saturating_sub(count),
                        _ => start,
                    };
                    consumer.seek(&partition, wanted.max(start))?;
                }
            }
            Self::Timestamp(timestamp) => {
                let times: HashMap<_, _> =
                    partitions.iter().map(|p| (p.clone(), timestamp)).collect();
                let found = consumer.offsets_for_times(&times).await?;
                for partition in &partitions {
                    match found.get(partition) {
                        Some(at) => consumer.seek(partition, at.offset)?,
                        None => consumer.seek_to_end(std::slice::from_ref(partition))?,
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_word_an_offset_or_a_time() {
        assert_eq!(start("start"), Ok(Start::Earliest));
        assert_eq!(start("end"), Ok(Start::Latest));
        assert_eq!(start("17"), Ok(Start::Offset(17)));
        assert_eq!(start("-5"), Ok(Start::FromEnd(5)));
        assert_eq!(
            start("@1357034400000"),
            Ok(Start::Timestamp(1_357_034_400_000))
        );
        assert_eq!(
            start("@2013-01-01T10:00:00Z"),
            Ok(Start::Timestamp(1_357_034_400_000))
        );
        assert!(start("soon").is_err());
        assert!(start("@soon").is_err());
    }
}
