//! Source and sink connectors with Kafka Connect's semantics and REST interface.
