//! Whether what was read up to an offset is still the partition's log: asked of a new leader by the
//! epoch of the last record read (KIP-320).

use std::collections::HashMap;
use std::sync::Arc;

use headwater_wire::ErrorCode;
use headwater_wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use super::core::Core;
use crate::TopicPartition;
use crate::error::ClientError;
use crate::transport::Target;

/// A position to be checked with the leader.
#[derive(Clone, Debug)]
pub(super) struct ToCheck {
    pub(super) partition: TopicPartition,
    pub(super) id: u64,
    /// The next offset to fetch.
    pub(super) offset: i64,
    /// The epoch of what was read before it.
    pub(super) epoch: i32,
    /// The leader's.
    pub(super) leader_epoch: i32,
}

/// What the leader says of a position.
#[derive(Clone, Debug)]
pub(super) enum Checked {
    /// The log goes on from there.
    Valid,
    /// The log of that epoch ended before; there it parts from what was read. `None` if the leader
    /// knows nothing of such an epoch.
    Diverged(Option<i64>),
    /// Not now.
    Failed(ClientError),
}

/// Asks one node, for positions of partitions that it leads. One answer each, in their order.
pub(super) async fn check(core: &Core, node: i32, positions: &[ToCheck]) -> Vec<Checked> {
    let mut topics: HashMap<Arc<str>, Vec<OffsetForLeaderPartition>> = HashMap::new();
    for position in positions {
        let name = position.partition.topic.clone();
        topics
            .entry(name)
            .or_default()
            .push(OffsetForLeaderPartition {
                partition: position.partition.partition,
                current_leader_epoch: position.leader_epoch,
                leader_epoch: position.epoch,
            });
    }
    let request = OffsetForLeaderEpochRequest {
        // A consumer, not a follower.
        replica_id: -1,
        topics: topics
            .into_iter()
            .map(|(topic, partitions)| OffsetForLeaderTopic {
                topic: topic.to_string(),
                partitions,
            })
            .collect(),
    };
    let limit = core.config.request_timeout;
    let target = Target::Node(node);
    let called = core.channel.call(target, limit, i16::MAX, |_| request);
    let response = match called.await {
        Ok(response) => response,
        // Who cannot tell is believed.
        Err(ClientError::UnsupportedVersion { .. }) => {
            return vec![Checked::Valid; positions.len()];
        }
        Err(error) => return vec![Checked::Failed(error); positions.len()],
    };
    let mut answers: HashMap<TopicPartition, EpochEndOffset> = HashMap::new();
    for topic in response.topics {
        let name: Arc<str> = topic.topic.into();
        for answer in topic.partitions {
            answers.insert(TopicPartition::new(name.clone(), answer.partition), answer);
        }
    }
    let judged = positions.iter().map(|position| {
        let answer = answers.remove(&position.partition);
        judge(position, answer)
    });
    judged.collect()
}

fn judge(position: &ToCheck, answer: Option<EpochEndOffset>) -> Checked {
    let operation = || format!("checking the position in {}", position.partition);
    let Some(answer) = answer else {
        return Checked::Failed(ClientError::Protocol {
            operation: operation(),
            reason: "the response does not name it".to_owned(),
        });
    };
    let code = ErrorCode::from_code(answer.error_code);
    if code != ErrorCode::None {
        return Checked::Failed(ClientError::broker(operation(), code));
    }
    if answer.end_offset < 0 || answer.leader_epoch < 0 {
        return Checked::Diverged(None);
    }
    if answer.end_offset < position.offset {
        return Checked::Diverged(Some(answer.end_offset));
    }
    Checked::Valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_ended_before_the_position_has_diverged() {
        let position = ToCheck {
            partition: TopicPartition::new("t", 0),
            id: 1,
            offset: 50,
            epoch: 3,
            leader_epoch: 5,
        };
        let answered = |leader_epoch, end_offset, code: ErrorCode| {
            let answer = EpochEndOffset {
                error_code: code.code(),
                partition: 0,
                leader_epoch,
                end_offset,
            };
            judge(&position, Some(answer))
        };
        assert!(matches!(answered(3, 50, ErrorCode::None), Checked::Valid));
        assert!(matches!(answered(3, 80, ErrorCode::None), Checked::Valid));
        let diverged = answered(2, 40, ErrorCode::None);
        assert!(matches!(diverged, Checked::Diverged(Some(40))));
        let unknown = answered(-1, -1, ErrorCode::None);
        assert!(matches!(unknown, Checked::Diverged(None)));
        let fenced = answered(-1, -1, ErrorCode::FencedLeaderEpoch);
        assert!(matches!(fenced, Checked::Failed(error) if error.is_retriable()));
        assert!(matches!(judge(&position, None), Checked::Failed(_)));
    }
}
