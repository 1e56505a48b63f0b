//! Keys and values of records as text, and back.

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::ValueEnum;
use serde_json::{Value, json};

/// How a key or value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Encoding {
    /// The bytes as they are, which are text in UTF-8
    #[default]
    String,
    /// A JSON value
    Json,
    /// Two hexadecimal digits a byte
    Hex,
    /// Base64 with padding
    Base64,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Json => "json",
            Self::Hex => "hex",
            Self::Base64 => "base64",
        }
    }

    pub(super) fn from_name(name: &str) -> anyhow::Result<Self> {
        let known = [Self::String, Self::Json, Self::Hex, Self::Base64];
        match known.into_iter().find(|encoding| encoding.name() == name) {
            Some(encoding) => Ok(encoding),
            None => bail!("{name:?} is not string, json, hex or base64"),
        }
    }

    /// The bytes that `text` stands for.
    pub(super) fn decode(self, text: &[u8]) -> anyhow::Result<Bytes> {
        match self {
            Self::String => Ok(Bytes::copy_from_slice(text)),
            Self::Json => {
                serde_json::from_slice::<serde::de::IgnoredAny>(text).context("it is not JSON")?;
                Ok(Bytes::copy_from_slice(text))
            }
            Self::Hex => from_hex(text).context("it is not hexadecimal digits in pairs"),
            Self::Base64 => Ok(STANDARD.decode(text).context("it is not base64")?.into()),
        }
    }

    /// The text that stands for `bytes`, as it is printed on a line.
    pub(super) fn encode(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::String | Self::Json => bytes.to_vec(),
            Self::Hex => to_hex(bytes).into_bytes(),
            Self::Base64 => STANDARD.encode(bytes).into_bytes(),
        }
    }

    /// `bytes` in a JSON document, and the encoding that they have there: base64 where this one
    /// cannot hold them.
    pub(super) fn embed(self, bytes: Option<&[u8]>) -> (Value, Self) {
        let Some(bytes) = bytes else {
            return (Value::Null, self);
        };
        match self {
            Self::String => match std::str::from_utf8(bytes) {
                Ok(text) => (json!(text), self),
                Err(_) => Self::Base64.embed(Some(bytes)),
            },
            // A null in JSON would come back as no bytes at all.
            Self::Json => match serde_json::from_slice::<Value>(bytes) {
                Ok(value) if !value.is_null() => (value, self),
                _ => Self::String.embed(Some(bytes)),
            },
            Self::Hex => (json!(to_hex(bytes)), self),
            Self::Base64 => (json!(STANDARD.encode(bytes)), self),
        }
    }

    /// The bytes that a value in a JSON document stands for; none for null.
    pub(super) fn extract(self, value: &Value) -> anyhow::Result<Option<Bytes>> {
        match (self, value) {
            (_, Value::Null) => Ok(None),
            (Self::Json, value) => Ok(Some(value.to_string().into())),
            (_, Value::String(text)) => self.decode(text.as_bytes()).map(Some),
            _ => bail!("it is no string: give it the encoding json"),
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.collect()
}

fn from_hex(text: &[u8]) -> Option<Bytes> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Encoding; 4] = [
        Encoding::String,
        Encoding::Json,
        Encoding::Hex,
        Encoding::Base64,
    ];

    #[test]
    fn whatever_is_embedded_comes_back() {
        let samples: [&[u8]; 6] = [b"", b"plain", b"{\"a\":1}", b"null", b"12", b"\xff\x00\x7f"];
        for encoding in ALL {
            for sample in samples {
                let (value, used) = encoding.embed(Some(sample));
                let back = used.extract(&value).expect("reads").expect("bytes");
                assert_eq!(&back[..], sample, "{encoding:?}: {value}");
            }
            assert_eq!(encoding.extract(&Value::Null).expect("reads"), None);
        }
    }

    #[test]
    fn lines_are_decoded_as_they_are_encoded() {
        for encoding in [Encoding::String, Encoding::Hex, Encoding::Base64] {
            let line = encoding.encode(b"a\xf0b");
            assert_eq!(&encoding.decode(&line).expect("reads")[..], b"a\xf0b");
        }
        assert_eq!(Encoding::Hex.encode(b"\x0a\xff"), b"0aff");
        assert_eq!(
            &Encoding::Hex.decode(b"0AfF").expect("reads")[..],
            b"\x0a\xff"
        );
        assert!(Encoding::Hex.decode(b"0a0").is_err());
        assert!(Encoding::Hex.decode(b"0x").is_err());
        assert!(Encoding::Json.decode(b"{").is_err());
        assert!(Encoding::Base64.decode(b"a").is_err());
        assert!(Encoding::String.extract(&json!(5)).is_err());
        assert!(Encoding::from_name("yaml").is_err());
    }
}
