//! Real clients against a real broker: librdkafka, and ours over TCP and in-process.
//!
//! With `HEADWATER_TEST_BOOTSTRAP=HOST:PORT` the tests that need no process of their own run
//! against the cluster there instead, such as Apache Kafka with `num.partitions=4`: what holds
//! for both is what clients may count on.

// Helpers of tests may fail by panicking, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod consumed;
mod kill;
mod launch;
mod librdkafka_admin;
mod librdkafka_groups;
mod librdkafka_produce_consume;
mod librdkafka_transactions;
mod our_client;
mod server_process;
mod support;
