//! Partition logs and the journal that makes them durable.
