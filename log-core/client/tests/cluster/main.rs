//! The client against a broker, or against any cluster that `HEADWATER_TEST_KAFKA` names, such
//! as one of Apache Kafka.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests count as outside tests"
)]

mod admin;
mod administration;
mod consumer_protocol;
mod cooperative;
mod diary;
mod faults;
mod gate;
mod groups;
mod lost_members;
mod produce_and_consume;
mod producing;
mod relay;
mod seeking;
mod sessions;
mod silence;
mod support;
mod transactions;
