//! Source and sink connectors with Kafka Connect's semantics and REST interface.
//!
//! - [`spi`]: what a connector implements; [`data`]: the values it gives and takes.
//! - [`converter`]: values to the bytes of the log and back.
//! - [`config`]: what a connector can be set to, checked key by key.
//! - [`Plugins`]: the connectors and converters there are.
//! - [`connectors`]: those that come with the crate.
//! - [`worker`]: runs connectors, keeping what it knows of them in the log.
//! - [`rest`]: the worker's interface for Kafka Connect's tools.

pub mod config;
pub mod connectors;
pub mod converter;
pub mod data;
mod plugins;
pub mod rest;
pub mod spi;
mod store;
pub mod worker;

pub use plugins::{ConnectorType, PluginError, Plugins};
