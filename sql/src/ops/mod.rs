//! Operators of continuous queries, on Arrow batches. They know neither topics nor the streams
//! runtime: [`crate::topology`] puts them into it.

mod aggregate;
mod calc;
mod join;
mod rows;
mod scan;
mod state;
mod write;

pub(crate) use aggregate::{Aggregate, AggregatePlan, WindowBound};
pub(crate) use calc::Calc;
pub(crate) use join::{JoinKind, JoinPlan, TableSide};
pub(crate) use rows::{Kinds, Rows};
pub(crate) use scan::{EventTime, Record, ScanColumn, ScanPlan};
pub(crate) use state::State;
pub(crate) use write::{OutRecord, Shuffle, ShuffleKey, Sink};
