//! Formats of topics: JSON values, and the ways a record's key can be written.

mod json_read;
mod json_write;
mod key;

pub(crate) use json_read::JsonReader;
pub(crate) use json_write::write_json_rows;
pub use key::KeyFormat;
pub(crate) use key::KeyWriter;
