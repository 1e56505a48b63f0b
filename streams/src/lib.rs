//! Topologies, state stores and the runtime of stream processing applications.
