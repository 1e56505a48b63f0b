//! One record, printed.

use std::io::Write;

use anyhow::Context;
use serde_json::{Value, json};

use headwater_client::ConsumerRecord;

use super::Consume;
use crate::cli::output::Format;
use crate::cli::payload::Encoding;

impl Consume {
    pub(super) fn print_record(
        &self,
        out: &mut impl Write,
        record: &ConsumerRecord,
    ) -> anyhow::Result<()> {
        let key = record.key.as_deref();
        let value = record.value.as_deref();
        if self.raw {
            out.write_all(&self.value_format.encode(value.unwrap_or_default()))?;
            return Ok(());
        }
        match self.format {
            Format::Table => {
                if let Some(separator) = &self.key_separator {
                    out.write_all(&self.key_format.encode(key.unwrap_or_default()))?;
                    out.write_all(separator.as_bytes())?;
                }
                out.write_all(&self.value_format.encode(value.unwrap_or_default()))?;
                out.write_all(b"\n")?;
            }
            Format::Json => writeln!(out, "{}", self.object(record))?,
            Format::Csv => {
                let text = |encoding: Encoding, bytes: Option<&[u8]>| {
                    let text = encoding.encode(bytes.unwrap_or_default());
                    String::from_utf8_lossy(&text).into_owned()
                };
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record([
                    record.partition.to_string(),
                    record.offset.to_string(),
                    record.timestamp.to_string(),
                    text(self.key_format, key),
                    text(self.value_format, value),
                ])?;
                writer.flush().context("cannot print")?;
            }
        }
        Ok(())
    }

    fn object(&self, record: &ConsumerRecord) -> Value {
        let (key, key_encoding) = self.key_format.embed(record.key.as_deref());
        let (value, value_encoding) = self.value_format.embed(record.value.as_deref());
        let headers = record.headers.iter().map(|(name, value)| {
            let value = match Encoding::String.embed(value.as_deref()) {
                (value, Encoding::Base64) => json!({ "base64": value }),
                (value, _) => value,
            };
            json!([name, value])
        });
        json!({
            "topic": &*record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "headers": headers.collect::<Vec<_>>(),
            "key": key,
            "key_encoding": key_encoding.name(),
            "value": value,
            "value_encoding": value_encoding.name(),
        })
    }
}
