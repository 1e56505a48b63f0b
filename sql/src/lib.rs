//! Continuous SQL. DataFusion parses, binds, optimises and evaluates; what runs without end are
//! operators on Arrow batches under the streams runtime, so that a view commits, restores and
//! repartitions as any streams application does.
//!
//! | module | purpose | must not know |
//! | --- | --- | --- |
//! | [`dialect`] | statements and window functions | topics |
//! | [`catalog`] | streams, tables and views, and their statements in the log | plans |
//! | `codec` | keys and rows as bytes in state and repartition topics | operators |
//! | [`format`] | JSON values and record keys | operators |
//! | `plan` | statements to operators | the log |
//! | `ops` | operators on Arrow batches | topics, the streams runtime |
//! | `topology` | operators as nodes of a streams topology | SQL |
//! | `engine` | statements, views, pull and push queries | PostgreSQL's protocol |
//! | [`pg`] | the engine behind PostgreSQL's protocol | topics, plans |

pub mod catalog;
mod codec;
pub mod dialect;
mod engine;
mod error;
pub mod format;
mod ops;
pub mod pg;
mod plan;
mod topology;

pub use engine::{SqlConfig, SqlEngine, SqlResult, ViewState, ViewStatus};
pub use error::SqlError;
