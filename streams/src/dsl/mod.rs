//! Kafka Streams' DSL: streams, tables, and what can be done with them.
//!
//! Names are Kafka's in snake case; options are values, each made from a plain name where a name is
//! all that is needed.
//!
//! Nulls are in the types. A record without a key is a `KStream<Option<K>, V>`; where a type has no
//! null, a record that has one is dropped and counted by the first operator that looks at it.

mod builder;
mod grouped;
mod kstream;
mod ktable;
mod ops;
mod options;
mod rows;
mod windows;

pub use builder::StreamsBuilder;
pub use grouped::{KGroupedStream, TimeWindowedKStream};
pub use kstream::{BranchedKStream, JoinKey, KStream};
pub use ktable::KTable;
pub use options::{Consumed, Grouped, Joined, Materialized, Produced};
pub use windows::TimeWindows;

/// What keys and values must be: owned, and copied when a stream is used twice.
pub trait Data: Clone + Send + Sync + 'static {}

impl<T: Clone + Send + Sync + 'static> Data for T {}
