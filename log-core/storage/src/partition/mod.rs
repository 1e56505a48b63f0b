//! One partition's log.

mod answer;

pub use answer::{
    AbortedTransaction, AppendOrigin, Appended, DurableState, ProducerSummary, TimestampOffset,
};
