//! The dialect: PostgreSQL's queries, and statements of our own for streams, tables and views.

mod definition;
mod rewrite;
mod statement;

pub use definition::{ColumnDefinition, RelationDefinition, WatermarkDefinition};
pub use rewrite::{Mentions, rewrite};
pub use statement::{DropKind, ShowKind, Statement, is_complete, parse, split};

#[cfg(test)]
mod tests;
