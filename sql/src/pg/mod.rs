//! The engine behind PostgreSQL's protocol: psql, drivers and tools connect as to PostgreSQL. Any
//! user and database name is let in; statements are not split into transactions.

mod catalog_queries;
mod encode;
mod handler;
mod parameters;
mod server;
mod variables;

pub use server::PgServer;
