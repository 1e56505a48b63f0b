//! Consumer groups and transactions as state machines without I/O.
