//! From SQL to what runs: DataFusion binds and optimises, then the plan of a continuous query is
//! lowered to our operators.

mod aggregate;
mod continuous;
mod explain;
mod expressions;
mod join;
mod lower;
mod session;
mod time;

pub(crate) use continuous::{ContinuousQuery, Node};
pub(crate) use explain::explain;
pub(crate) use session::{Planner, interval_millis, prepare};

#[cfg(test)]
pub(crate) mod tests;
