//! Which partition of which topic.

use std::fmt;

use uuid::Uuid;

/// A partition, named by its topic's id: a topic that is deleted and made again under its old name
/// shares nothing with the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartitionId {
    /// The topic's id (KIP-516).
    pub topic: Uuid,
    /// The partition, from 0.
    pub partition: i32,
}

impl TopicPartitionId {
    /// Reads what [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(name: &str) -> Option<Self> {
        let (topic, partition) = name.split_at_checked(36)?;
        let partition: i32 = partition.strip_prefix('-')?.parse().ok()?;
        let id = Self {
            topic: Uuid::try_parse(topic).ok()?,
            partition,
        };
        (partition >= 0 && id.to_string() == name).then_some(id)
    }
}

/// `<topic id>-<partition>`, the name of the partition's directory.
impl fmt::Display for TopicPartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic.hyphenated(), self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_display_writes_is_a_partition() {
        let id = TopicPartitionId {
            topic: Uuid::from_u128(7),
            partition: 12,
        };
        assert_eq!(TopicPartitionId::parse(&id.to_string()), Some(id));
        for bad in [
            "",
            "x",
            "lost+found",
            &format!("{id}.stray"),
            &format!("{}--1", id.topic),
        ] {
            assert_eq!(TopicPartitionId::parse(bad), None, "{bad}");
        }
    }
}
