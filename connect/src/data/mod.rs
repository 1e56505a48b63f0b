//! What travels between connectors and converters: schemas, values and records.
//!
//! The model is Kafka Connect's: a value with or without a schema, where a schema may carry a
//! name that gives its base type a meaning (see [`logical`]).

pub mod logical;
mod record;
mod schema;
mod text;
mod value;

pub use record::{Headers, SinkRecord, SourceOffset, SourcePartition, SourceRecord};
pub use schema::{Field, Schema, SchemaType};
pub use value::{DataError, SchemaAndValue, Struct, Value};
