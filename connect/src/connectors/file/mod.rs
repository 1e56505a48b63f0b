//! Files: a source that reads their lines or rows, and a sink that writes a record a line.

mod columns;
mod csv_rows;
mod input;
mod reader;
mod rows;
mod sink;
mod sink_task;
mod source;
mod source_config;
mod source_task;
mod timestamps;

pub use sink::FileSink;
pub use source::FileSource;
