//! Streams, tables and views: what they are, which there are, and their statements in the log.

mod names;
mod relation;
mod statements;
mod topics;

pub use names::Catalog;
pub(crate) use relation::type_name;
pub use relation::{
    Column, KEY, OFFSET, PARTITION, PSEUDO_COLUMNS, Relation, RelationKind, TIMESTAMP, Watermark,
};
pub(crate) use statements::{StatementLog, StoredStatement};
pub(crate) use topics::{all_partitions, ensure_topic, partition_count};
