//! The engine on a real log.

mod log;
mod postgres;
mod views;
