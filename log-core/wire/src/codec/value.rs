use bytes::Bytes;
use uuid::Uuid;

use super::{DecodeError, Decoder, EncodeError, Encoder, Field, FieldType};

/// A value inside a message. Structures derive it; the rest is here.
pub trait Value: Sized {
    /// What kind of value it is. An `Option` is what it may hold.
    const TYPE: FieldType;

    /// Appends the value.
    ///
    /// # Errors
    /// See [`Message::encode`](super::Message::encode).
    fn put(&self, out: &mut Encoder, version: i16) -> Result<(), EncodeError>;

    /// Reads the value.
    ///
    /// # Errors
    /// See [`Message::decode`](super::Message::decode).
    fn take(input: &mut Decoder, version: i16) -> Result<Self, DecodeError>;
}

/// A value that has an encoding of "there is none", so that its `Option` is a [`Value`] too.
pub trait Nullable: Value {
    /// Appends the value or null.
    ///
    /// # Errors
    /// As [`Value::put`].
    fn put_nullable(
        value: Option<&Self>,
        out: &mut Encoder,
        version: i16,
    ) -> Result<(), EncodeError>;

    /// Reads the value or null.
    ///
    /// # Errors
    /// As [`Value::take`].
    fn take_nullable(input: &mut Decoder, version: i16) -> Result<Option<Self>, DecodeError>;
}

impl<T: Nullable> Value for Option<T> {
    const TYPE: FieldType = T::TYPE;

    fn put(&self, out: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        T::put_nullable(self.as_ref(), out, version)
    }

    fn take(input: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        T::take_nullable(input, version)
    }
}

macro_rules! fixed_width {
    ($($type:ty: $field_type:ident, $put:ident, $take:ident;)+) => {$(
        impl Value for $type {
            const TYPE: FieldType = FieldType::$field_type;

            fn put(&self, out: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
                out.$put(*self);
                Ok(())
            }

            fn take(input: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
                input.$take()
            }
        }
    )+};
}

fixed_width! {
    bool: Bool, put_bool, take_bool;
    i8: Int8, put_i8, take_i8;
    i16: Int16, put_i16, take_i16;
    u16: Uint16, put_u16, take_u16;
    i32: Int32, put_i32, take_i32;
    u32: Uint32, put_u32, take_u32;
    i64: Int64, put_i64, take_i64;
    f64: Float64, put_f64, take_f64;
    Uuid: Uuid, put_uuid, take_uuid;
}

/// Reads a value that has a null encoding but must not be null.
fn take_present<T: Nullable>(input: &mut Decoder, version: i16) -> Result<T, DecodeError> {
    let value = T::take_nullable(input, version)?;
    value.ok_or_else(|| DecodeError::UnexpectedNull {
        at: input.position(),
    })
}

impl Value for String {
    const TYPE: FieldType = FieldType::String;

    fn put(&self, out: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        out.put_string(Some(self))
    }

    fn take(input: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        take_present(input, version)
    }
}

impl Nullable for String {
    fn put_nullable(
        value: Option<&Self>,
        out: &mut Encoder,
        _version: i16,
    ) -> Result<(), EncodeError> {
        out.put_string(value.map(String::as_str))
    }

    fn take_nullable(input: &mut Decoder, _version: i16) -> Result<Option<Self>, DecodeError> {
        input.take_string()
    }
}

impl Value for Bytes {
    const TYPE: FieldType = FieldType::Bytes;

    fn put(&self, out: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        out.put_bytes(Some(self))
    }

    fn take(input: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        take_present(input, version)
    }
}

impl Nullable for Bytes {
    fn put_nullable(
        value: Option<&Self>,
        out: &mut Encoder,
        _version: i16,
    ) -> Result<(), EncodeError> {
        out.put_bytes(value)
    }

    fn take_nullable(input: &mut Decoder, _version: i16) -> Result<Option<Self>, DecodeError> {
        input.take_bytes()
    }
}

impl<T: Value> Value for Vec<T> {
    const TYPE: FieldType = FieldType::Array(&T::TYPE);

    fn put(&self, out: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        Self::put_nullable(Some(self), out, version)
    }

    fn take(input: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        take_present(input, version)
    }
}

impl<T: Value> Nullable for Vec<T> {
    fn put_nullable(
        value: Option<&Self>,
        out: &mut Encoder,
        version: i16,
    ) -> Result<(), EncodeError> {
        out.put_array_len(value.map(Vec::len))?;
        value
            .into_iter()
            .flatten()
            .try_for_each(|element| element.put(out, version))
    }

    fn take_nullable(input: &mut Decoder, version: i16) -> Result<Option<Self>, DecodeError> {
        let Some((count, mut elements)) = input.take_array_len()? else {
            return Ok(None);
        };
        for _ in 0..count {
            elements.push(T::take(input, version)?);
        }
        Ok(Some(elements))
    }
}

/// A value made of fields; derived. Null is a byte of -1, presence a byte of 1 and the fields.
pub trait Structure: Value {
    /// The fields as their attributes describe them, in order.
    const FIELDS: &'static [Field];
}

impl<T: Structure> Nullable for T {
    fn put_nullable(
        value: Option<&Self>,
        out: &mut Encoder,
        version: i16,
    ) -> Result<(), EncodeError> {
        out.put_i8(if value.is_some() { 1 } else { -1 });
        value.map_or(Ok(()), |value| value.put(out, version))
    }

    fn take_nullable(input: &mut Decoder, version: i16) -> Result<Option<Self>, DecodeError> {
        if input.take_i8()? < 0 {
            Ok(None)
        } else {
            T::take(input, version).map(Some)
        }
    }
}

/// Appends a value that may be null in other versions of its message, but not in this one.
///
/// # Errors
/// [`EncodeError::NullNotAllowed`] for `None`, and those of the value.
pub fn put_present<T: Value>(
    value: Option<&T>,
    out: &mut Encoder,
    version: i16,
    message: &'static str,
    field: &'static str,
) -> Result<(), EncodeError> {
    match value {
        Some(value) => value.put(out, version),
        None => Err(EncodeError::NullNotAllowed {
            message,
            field,
            version,
        }),
    }
}
