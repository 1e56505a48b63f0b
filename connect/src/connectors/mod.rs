//! Connectors that come with the worker.

pub mod file;
