//! Names that each server gives by itself: which of one is which of the other.
//!
//! A pair is learned where the two first stand at the same place of an answer. From then on the
//! one must stand wherever the other does, and requests carry to each server its own.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use headwater_wire::codec::Tree;
use headwater_wire::records::{BatchHeader, patch_producer_state};

use crate::object::{Look, shown};

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Named {
    Topic,
    Member,
    Producer,
    FetchSession,
    Cluster,
    Port,
    BrokerEpoch,
    Directory,
    /// Epoch or generation of a group: where the count begins is the server's affair, when it goes
    /// on is not.
    GroupEpoch,
}

impl Named {
    /// What a field of this name holds, if a server chooses it.
    pub(crate) fn of(field: &str) -> Option<Self> {
        Some(match field {
            "topic_id" => Self::Topic,
            "member_id" | "leader" => Self::Member,
            "producer_id" | "v3_and_below_producer_id" => Self::Producer,
            "session_id" => Self::FetchSession,
            "cluster_id" => Self::Cluster,
            "port" => Self::Port,
            "broker_epoch" => Self::BrokerEpoch,
            "log_dir" => Self::Directory,
            "member_epoch"
            | "group_epoch"
            | "assignment_epoch"
            | "generation_id"
            | "generation_id_or_member_epoch" => Self::GroupEpoch,
            _ => return None,
        })
    }

    /// Whether `ours` can name what `kafka` names: both say "none", or both have the same form.
    fn may_pair(self, ours: &Tree, kafka: &Tree) -> bool {
        match (ours, kafka) {
            (Tree::Int(ours), Tree::Int(kafka)) => match self {
                Self::FetchSession => *ours != 0 && *kafka != 0,
                Self::GroupEpoch => *ours > 0 && *kafka > 0,
                _ => *ours != -1 && *kafka != -1,
            },
            (Tree::Uuid(ours), Tree::Uuid(kafka)) => !ours.is_nil() && !kafka.is_nil(),
            (Tree::String(ours), Tree::String(kafka)) => match self {
                // Kafka writes a UUID alone in its own way; of a member of the classic protocol in
                // a group of the other that is the whole id.
                Self::Member if is_base64_uuid(kafka) => without_uuid(ours).is_some(),
                Self::Member => {
                    let (ours, kafka) = (without_uuid(ours), without_uuid(kafka));
                    ours.is_some() && ours == kafka
                }
                _ => !ours.is_empty() && !kafka.is_empty(),
            },
            _ => false,
        }
    }
}

/// What stands in front of the UUID that a name ends with.
fn without_uuid(name: &str) -> Option<&str> {
    const UUID_LEN: usize = 36;
    let (front, uuid) = if let Some(at) = name.len().checked_sub(UUID_LEN) {
        name.split_at_checked(at)?
    } else {
        return is_base64_uuid(name).then_some("");
    };
    if uuid::Uuid::try_parse(uuid).is_ok() {
        return Some(front);
    }
    is_base64_uuid(name).then_some("")
}

/// Kafka's own way to write a UUID: 22 letters of URL-safe base 64.
fn is_base64_uuid(name: &str) -> bool {
    name.len() == 22
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The pairs learned in a sequence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    ours_of: HashMap<(Named, String), Tree>,
    kafkas_of: HashMap<(Named, String), Tree>,
}

impl Names {
    /// Whether the two name the same; learns them if neither was seen before.
    pub(crate) fn same(&mut self, named: Named, ours: &Tree, kafka: &Tree) -> bool {
        let by_kafka = self.ours_of.get(&(named, shown(kafka)));
        let by_ours = self.kafkas_of.get(&(named, shown(ours)));
        match (by_kafka, by_ours) {
            (Some(expected), _) => expected == ours,
            (None, Some(expected)) => expected == kafka,
            (None, None) if ours == kafka && !named.may_pair(ours, kafka) => true,
            (None, None) if named.may_pair(ours, kafka) => {
                self.ours_of.insert((named, shown(kafka)), ours.clone());
                self.kafkas_of.insert((named, shown(ours)), kafka.clone());
                true
            }
            (None, None) => false,
        }
    }

    /// What Kafka calls what we call `ours`; `None` if it has no counterpart yet.
    pub(crate) fn kafkas(&self, named: Named, ours: &Tree) -> Option<&Tree> {
        self.kafkas_of.get(&(named, shown(ours)))
    }

    /// Whether Kafka's name has a counterpart.
    pub(crate) fn knows_kafkas(&self, named: Named, kafka: &Tree) -> bool {
        self.ours_of.contains_key(&(named, shown(kafka)))
    }

    /// A request written with Kafka's names, as it has to be for us.
    pub(crate) fn to_ours(&self, field: &'static str, tree: &Tree) -> Tree {
        if let Some(named) = Named::of(field)
            && !matches!(tree, Tree::Array(_) | Tree::Structure(_))
        {
            let ours = self.ours_of.get(&(named, shown(tree)));
            return ours.cloned().unwrap_or_else(|| self.guess(named, tree));
        }
        // Names also stand in arrays of their own.
        let inner = match field {
            "topic_ids" => "topic_id",
            "producer_id_filters" => "producer_id",
            other => other,
        };
        match tree {
            Tree::Array(elements) => Tree::Array(
                elements
                    .iter()
                    .map(|element| self.to_ours(inner, element))
                    .collect(),
            ),
            Tree::Structure(fields) => Tree::Structure(
                fields
                    .iter()
                    .map(|(name, value)| (*name, self.to_ours(name, value)))
                    .collect(),
            ),
            Tree::Bytes(bytes) if field == "records" => Tree::Bytes(self.batches_to_ours(bytes)),
            other => other.clone(),
        }
    }

    /// What was never learned is sent as it is; but an epoch that is off by one is to be off by one
    /// for both.
    fn guess(&self, named: Named, kafka: &Tree) -> Tree {
        let Tree::Int(epoch) = kafka else {
            return kafka.clone();
        };
        if named != Named::GroupEpoch || *epoch <= 0 {
            return kafka.clone();
        }
        let near = [-1, 1].into_iter().find_map(|step| {
            let beside = (named, (epoch + step).to_string());
            Some(self.ours_of.get(&beside)?.int("") - step)
        });
        Tree::Int(near.unwrap_or(*epoch))
    }

    /// The batch with the producer id that we know. A batch with a wrong checksum stays as it is.
    fn batches_to_ours(&self, batch: &Bytes) -> Bytes {
        let Ok(header) = BatchHeader::parse(batch) else {
            return batch.clone();
        };
        let is_one = header.size_in_bytes() == batch.len();
        let intact = batch.get(21..).map(crc32c::crc32c) == Some(header.crc);
        let ours = self
            .ours_of
            .get(&(Named::Producer, header.producer_id.to_string()));
        let (Some(ours), true) = (ours, is_one) else {
            return batch.clone();
        };
        let mut patched = BytesMut::from(&batch[..]);
        let id = object_id(ours);
        let (epoch, sequence) = (header.producer_epoch, header.base_sequence);
        if patch_producer_state(&mut patched, id, epoch, sequence).is_err() {
            return batch.clone();
        }
        if !intact && let Some(crc) = patched.get_mut(17..21) {
            crc.copy_from_slice(&header.crc.to_be_bytes());
        }
        patched.freeze()
    }
}

fn object_id(tree: &Tree) -> i64 {
    tree.int("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(value: i64) -> Tree {
        Tree::Int(value)
    }

    #[test]
    fn a_pair_once_learned_holds() {
        let mut names = Names::default();
        assert!(names.same(Named::Producer, &int(5), &int(1000)));
        assert!(names.same(Named::Producer, &int(5), &int(1000)));
        assert!(!names.same(Named::Producer, &int(6), &int(1000)));
        assert!(!names.same(Named::Producer, &int(5), &int(1001)));
        assert_eq!(names.to_ours("producer_id", &int(1000)), int(5));
        assert_eq!(names.to_ours("producer_id", &int(77)), int(77));
    }

    #[test]
    fn none_is_no_name() {
        let mut names = Names::default();
        assert!(names.same(Named::Producer, &int(-1), &int(-1)));
        assert!(!names.same(Named::Producer, &int(-1), &int(1000)));
        assert!(!names.same(Named::FetchSession, &int(3), &int(0)));
    }

    #[test]
    fn member_ids_pair_only_in_the_same_form() {
        let text = |text: &str| Tree::String(text.to_owned());
        let mut names = Names::default();
        assert!(names.same(
            Named::Member,
            &text("c-6f1d7c2e-5a0b-4f6e-9d53-0d6e8f0a1b2c"),
            &text("c-0c0f8a6e-2f5d-4b7c-8a1e-3b9d7f6e5c4d"),
        ));
        assert!(!names.same(
            Named::Member,
            &text("6f1d7c2e-5a0b-4f6e-9d53-0d6e8f0a1b2d"),
            &text("c-0c0f8a6e-2f5d-4b7c-8a1e-3b9d7f6e5c4e"),
        ));
    }
}
