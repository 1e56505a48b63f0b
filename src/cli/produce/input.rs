//! Records from lines, from JSON objects, and from whole inputs.

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::ValueEnum;
use serde_json::Value;

use headwater_client::ProducerRecord;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use super::Produce;
use crate::cli::payload::Encoding;

/// A line or a value may be this long, in bytes; a longer one is refused, not cut.
pub(super) const RECORD_BYTES_MAX: usize = 16 << 20;

/// What the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Input {
    /// A value, or key and value, a line
    #[default]
    Lines,
    /// A JSON object a line: value, key, headers, partition, timestamp, key_encoding, value_encoding
    Json,
    /// One value: all of the input
    Raw,
}

/// The records of one input.
pub(super) struct Source<'a, R> {
    arguments: &'a Produce,
    input: R,
    line: Vec<u8>,
    number: u64,
    is_over: bool,
}

impl<'a, R: AsyncBufRead + Unpin> Source<'a, R> {
    pub(super) fn new(arguments: &'a Produce, input: R) -> Self {
        Self {
            arguments,
            input,
            line: Vec::new(),
            number: 0,
            is_over: false,
        }
    }

    /// Where the last record came from.
    pub(super) fn place(&self) -> String {
        match self.arguments.input {
            Input::Raw => "the value".to_owned(),
            Input::Lines | Input::Json => format!("line {}", self.number),
        }
    }

    /// The next record; none at the end of the input.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<ProducerRecord>> {
        self.number += 1;
        if self.arguments.input == Input::Raw {
            return self.raw().await;
        }
        self.line.clear();
        if !read_line(&mut self.input, &mut self.line).await? {
            return Ok(None);
        }
        let record = match self.arguments.input {
            Input::Json => from_json(self.arguments, &self.line)?,
            Input::Lines | Input::Raw => from_line(self.arguments, &self.line)?,
        };
        Ok(Some(record))
    }

    async fn raw(&mut self) -> anyhow::Result<Option<ProducerRecord>> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(None);
        }
        let mut value = Vec::new();
        let limit = RECORD_BYTES_MAX as u64 + 1;
        let whole = (&mut self.input).take(limit);
        { whole }.read_to_end(&mut value).await?;
        ensure!(
            value.len() <= RECORD_BYTES_MAX,
            "it is longer than {RECORD_BYTES_MAX} bytes"
        );
        let value = self.arguments.value_format.decode(&value)?;
        Ok(Some(record(
            self.arguments,
            given_key(self.arguments)?,
            Some(value),
        )))
    }
}

fn given_key(arguments: &Produce) -> anyhow::Result<Option<Bytes>> {
    let key = arguments.key.as_ref();
    key.map(|key| arguments.key_format.decode(key.as_bytes()))
        .transpose()
        .context("the key")
}

/// A record with everything that holds for all.
fn record(arguments: &Produce, key: Option<Bytes>, value: Option<Bytes>) -> ProducerRecord {
    let is_null = arguments.empty_as_null && value.as_ref().is_some_and(Bytes::is_empty);
    let headers = arguments.headers.iter();
    ProducerRecord {
        topic: arguments.topic.as_str().into(),
        partition: arguments.partition,
        timestamp: arguments.timestamp,
        key,
        value: value.filter(|_| !is_null),
        headers: headers
            .map(|(name, value)| (name.clone(), Some(value.clone().into())))
            .collect(),
    }
}

fn from_line(arguments: &Produce, line: &[u8]) -> anyhow::Result<ProducerRecord> {
    let (key, value) = match &arguments.key_separator {
        None => (given_key(arguments)?, line),
        Some(separator) => {
            let at = line
                .windows(separator.len().max(1))
                .position(|window| window == separator.as_bytes());
            let Some((key, rest)) = at.and_then(|at| line.split_at_checked(at)) else {
                bail!("there is no {separator:?} in it");
            };
            let value = rest.get(separator.len()..).unwrap_or_default();
            let key = arguments.key_format.decode(key).context("the key")?;
            (Some(key), value)
        }
    };
    let value = arguments.value_format.decode(value).context("the value")?;
    Ok(record(arguments, key, Some(value)))
}

fn from_json(arguments: &Produce, line: &[u8]) -> anyhow::Result<ProducerRecord> {
    let object: Value = serde_json::from_slice(line).context("it is not JSON")?;
    let Value::Object(object) = object else {
        bail!("it is no JSON object");
    };
    if let Some(name) = object.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        bail!("{name:?} is not one of {}", FIELDS.join(", "));
    }
    let encoding = |name: &str, otherwise: Encoding| match object.get(name) {
        None | Some(Value::Null) => Ok(otherwise),
        Some(Value::String(name)) => Encoding::from_name(name),
        Some(_) => bail!("{name} is no string"),
    };
    let bytes = |name: &str, encoding: Encoding| match object.get(name) {
        None => Ok(None),
        Some(value) => encoding
            .extract(value)
            .with_context(|| format!("the {name}")),
    };
    let number = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .map(Some)
            .with_context(|| format!("{name} is no number")),
    };
    let key_encoding = encoding("key_encoding", arguments.key_format)?;
    let value_encoding = encoding("value_encoding", arguments.value_format)?;
    let key = match bytes("key", key_encoding)? {
        Some(key) => Some(key),
        None => given_key(arguments)?,
    };
    let mut record = record(arguments, key, bytes("value", value_encoding)?);
    record.timestamp = record.timestamp.or(number("timestamp")?);
    if record.partition.is_none()
        && let Some(partition) = number("partition")?
    {
        let index = i32::try_from(partition);
        record.partition = Some(index.context("the partition is out of range")?);
    }
    match object.get("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Array(headers)) => {
            for header in headers {
                record.headers.push(header_of(header)?);
            }
        }
        Some(_) => bail!("headers are no array of [NAME, VALUE]"),
    }
    Ok(record)
}

/// What an object may have: all that `consume` prints, of which topic and offset say nothing here.
const FIELDS: [&str; 9] = [
    "value",
    "key",
    "headers",
    "partition",
    "timestamp",
    "key_encoding",
    "value_encoding",
    "topic",
    "offset",
];

/// `[NAME, VALUE]`, where the value is a string, null, or `{"base64": TEXT}`.
fn header_of(header: &Value) -> anyhow::Result<(String, Option<Bytes>)> {
    let wrong = "a header is no [NAME, VALUE]";
    let Some([Value::String(name), value]) = header.as_array().map(Vec::as_slice) else {
        bail!(wrong);
    };
    let value = match value {
        Value::Object(object) => {
            let encoded = object.get("base64").context(wrong)?;
            Encoding::Base64.extract(encoded)
        }
        value => Encoding::String.extract(value),
    };
    Ok((name.clone(), value.context(wrong)?))
}

/// Reads up to a line feed, which is left out; false at the end of the input.
async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> anyhow::Result<bool> {
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = memchr::memchr(b'\n', available);
        let taken = end.unwrap_or(available.len());
        ensure!(
            line.len() + taken <= RECORD_BYTES_MAX,
            "it is longer than {RECORD_BYTES_MAX} bytes"
        );
        line.extend_from_slice(available.get(..taken).unwrap_or_default());
        input.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(true);
        }
    }
}
