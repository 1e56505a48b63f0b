//! Headwater: one log that speaks Kafka's protocol, and streams, connectors and continuous SQL on it.
