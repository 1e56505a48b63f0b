//! A broker over TCP, request by request, with the plain codec as the client.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows only test functions as tests, not what they call"
)]

mod administration;
mod client;
mod configs;
mod fetch_sessions;
mod fetching;
mod hostile;
mod log_dirs;
mod loggers;
mod lookups;
mod naming;
mod pipelining;
mod producing;
mod restarts;
mod topics;
mod unsound_batches;
