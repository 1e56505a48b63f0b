//! The binary's commands, run as a user runs them: against a node started here, and against Apache
//! Kafka where `HEADWATER_TEST_KAFKA=HOST:PORT` names one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod administration;
mod cluster;
mod failures;
mod groups;
mod interrupts;
mod records;
mod topics;
mod transactions;
