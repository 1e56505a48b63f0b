//! Kafka messages and record batches: bytes on the wire to typed values and back.
