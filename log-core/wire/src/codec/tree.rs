use bytes::Bytes;
use uuid::Uuid;

use super::{DecodeError, Decoder, EncodeError, Encoder, Field, FieldType};

/// A message as its fields, read and written by the schema instead of by its struct.
///
/// For tools that look at any message without knowing it: a comparison of two servers' answers, a
/// dump of a request. Everything here allocates for every field; what serves requests uses the
/// structs.
///
/// ```
/// use bytes::Bytes;
/// use headwater_wire::codec::{Structure, Tree};
/// use headwater_wire::messages::heartbeat::HeartbeatRequest;
/// use headwater_wire::{Decoder, Encoder, Message};
///
/// let request = HeartbeatRequest { group_id: "planes".into(), ..Default::default() };
/// let mut out = Encoder::new();
/// request.encode(&mut out, 4)?;
/// let mut input = Decoder::new(out.into_bytes());
/// input.set_flexible(4 >= HeartbeatRequest::FLEXIBLE_FROM);
/// let tree = Tree::take(HeartbeatRequest::FIELDS, &mut input, 4)?;
/// assert_eq!(tree.get("group_id"), Some(&Tree::String("planes".into())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// There is none.
    Null,
    /// True or false.
    Bool(bool),
    /// Any of the integers.
    Int(i64),
    /// A double.
    Float(f64),
    /// Sixteen bytes.
    Uuid(Uuid),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Bytes),
    /// Elements, in order.
    Array(Vec<Tree>),
    /// Fields by their names, in order.
    Structure(Vec<(&'static str, Tree)>),
}

impl Tree {
    /// The field of a structure with this name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Structure(fields) = self else {
            return None;
        };
        fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }

    /// Reads a structure of `fields` in `version`. The caller has set the decoder's encoding.
    ///
    /// Tagged fields that are not there are left out.
    ///
    /// # Errors
    /// As [`Message::decode`](super::Message::decode).
    pub fn take(
        fields: &'static [Field],
        input: &mut Decoder,
        version: i16,
    ) -> Result<Self, DecodeError> {
        let in_version = |field: &&Field| field.versions.contains(version);
        let mut values = Vec::with_capacity(fields.len());
        for field in fields.iter().filter(in_version) {
            if field.tag.is_none() {
                values.push((field.name, take_field(field, input, version)?));
            }
        }
        if input.is_flexible() {
            input.take_tagged(|tag, input| {
                let known = |field: &&Field| field.tag == Some(tag);
                let Some(field) = fields.iter().filter(in_version).find(known) else {
                    return Ok(false);
                };
                values.push((field.name, take_field(field, input, version)?));
                Ok(true)
            })?;
        }
        Ok(Self::Structure(values))
    }

    /// Appends the structure, whose schema is `fields`, in `version`. The caller has set the
    /// encoder's encoding.
    ///
    /// What the version lacks is left out. A field that is not there is written as null if it may
    /// be, else as zero or empty; a tagged one is left out. Null is written wherever there is an
    /// encoding of it, so that requests can be wrong on purpose.
    ///
    /// # Errors
    /// [`EncodeError::NotOfType`] if a value is not of its field's type, and those of lengths.
    pub fn put(
        &self,
        fields: &'static [Field],
        out: &mut Encoder,
        version: i16,
    ) -> Result<(), EncodeError> {
        let in_version = |field: &&Field| field.versions.contains(version);
        for field in fields.iter().filter(in_version) {
            if field.tag.is_none() {
                put_field(field, self.get(field.name), out, version)?;
            }
        }
        if !out.is_flexible() {
            return Ok(());
        }
        let mut tagged: Vec<_> = fields
            .iter()
            .filter(in_version)
            .filter_map(|field| Some((field.tag?, field, self.get(field.name)?)))
            .collect();
        tagged.sort_by_key(|(tag, ..)| *tag);
        out.put_varint(u32::try_from(tagged.len()).unwrap_or(u32::MAX));
        for (tag, field, value) in tagged {
            out.put_tagged(tag, |out| put_field(field, Some(value), out, version))?;
        }
        Ok(())
    }
}

fn take_field(field: &Field, input: &mut Decoder, version: i16) -> Result<Tree, DecodeError> {
    let nullable = field
        .nullable
        .is_some_and(|nullable| nullable.contains(version));
    if let (true, FieldType::Structure(fields)) = (nullable, field.holds) {
        return if input.take_i8()? < 0 {
            Ok(Tree::Null)
        } else {
            Tree::take(fields, input, version)
        };
    }
    take_value(field.holds, input, version)
}

fn take_value(holds: FieldType, input: &mut Decoder, version: i16) -> Result<Tree, DecodeError> {
    Ok(match holds {
        FieldType::Bool => Tree::Bool(input.take_bool()?),
        FieldType::Int8 => Tree::Int(input.take_i8()?.into()),
        FieldType::Int16 => Tree::Int(input.take_i16()?.into()),
        FieldType::Uint16 => Tree::Int(input.take_u16()?.into()),
        FieldType::Int32 => Tree::Int(input.take_i32()?.into()),
        FieldType::Uint32 => Tree::Int(input.take_u32()?.into()),
        FieldType::Int64 => Tree::Int(input.take_i64()?),
        FieldType::Float64 => Tree::Float(input.take_f64()?),
        FieldType::Uuid => Tree::Uuid(input.take_uuid()?),
        FieldType::String => input.take_string()?.map_or(Tree::Null, Tree::String),
        FieldType::Bytes => input.take_bytes()?.map_or(Tree::Null, Tree::Bytes),
        FieldType::Array(holds) => {
            // Counted as bytes: how large a tree becomes is its reader's affair.
            let Some((count, _)) = input.take_array_len::<u8>()? else {
                return Ok(Tree::Null);
            };
            let mut elements = Vec::new();
            for _ in 0..count {
                elements.push(take_value(*holds, input, version)?);
            }
            Tree::Array(elements)
        }
        FieldType::Structure(fields) => Tree::take(fields, input, version)?,
    })
}

fn put_field(
    field: &Field,
    value: Option<&Tree>,
    out: &mut Encoder,
    version: i16,
) -> Result<(), EncodeError> {
    let nullable = field
        .nullable
        .is_some_and(|nullable| nullable.contains(version));
    if let (true, FieldType::Structure(_)) = (nullable, field.holds) {
        let is_there = !matches!(value, None | Some(Tree::Null));
        out.put_i8(if is_there { 1 } else { -1 });
        if !is_there {
            return Ok(());
        }
    }
    match value {
        Some(value) => put_value(field.name, field.holds, value, out, version),
        None if nullable => put_value(field.name, field.holds, &Tree::Null, out, version),
        None => put_nothing(field.name, field.holds, out, version),
    }
}

/// Zero, or the empty value.
fn put_nothing(
    name: &'static str,
    holds: FieldType,
    out: &mut Encoder,
    version: i16,
) -> Result<(), EncodeError> {
    let value = match holds {
        FieldType::Bool => Tree::Bool(false),
        FieldType::Float64 => Tree::Float(0.0),
        FieldType::Uuid => Tree::Uuid(Uuid::nil()),
        FieldType::String => Tree::String(String::new()),
        FieldType::Bytes => Tree::Bytes(Bytes::new()),
        FieldType::Array(_) => Tree::Array(Vec::new()),
        FieldType::Structure(_) => Tree::Structure(Vec::new()),
        _ => Tree::Int(0),
    };
    put_value(name, holds, &value, out, version)
}

fn put_value(
    name: &'static str,
    holds: FieldType,
    value: &Tree,
    out: &mut Encoder,
    version: i16,
) -> Result<(), EncodeError> {
    let wrong = EncodeError::NotOfType { field: name };
    match (holds, value) {
        (FieldType::Bool, Tree::Bool(value)) => out.put_bool(*value),
        (FieldType::Int8, Tree::Int(value)) => out.put_i8(i8::try_from(*value).map_err(|_| wrong)?),
        (FieldType::Int16, Tree::Int(value)) => {
            out.put_i16(i16::try_from(*value).map_err(|_| wrong)?);
        }
        (FieldType::Uint16, Tree::Int(value)) => {
            out.put_u16(u16::try_from(*value).map_err(|_| wrong)?);
        }
        (FieldType::Int32, Tree::Int(value)) => {
            out.put_i32(i32::try_from(*value).map_err(|_| wrong)?);
        }
        (FieldType::Uint32, Tree::Int(value)) => {
            out.put_u32(u32::try_from(*value).map_err(|_| wrong)?);
        }
        (FieldType::Int64, Tree::Int(value)) => out.put_i64(*value),
        (FieldType::Float64, Tree::Float(value)) => out.put_f64(*value),
        (FieldType::Uuid, Tree::Uuid(value)) => out.put_uuid(*value),
        (FieldType::String, Tree::String(value)) => out.put_string(Some(value))?,
        (FieldType::String, Tree::Null) => out.put_string(None)?,
        (FieldType::Bytes, Tree::Bytes(value)) => out.put_bytes(Some(value))?,
        (FieldType::Bytes, Tree::Null) => out.put_bytes(None)?,
        (FieldType::Array(_), Tree::Null) => out.put_array_len(None)?,
        (FieldType::Array(holds), Tree::Array(elements)) => {
            out.put_array_len(Some(elements.len()))?;
            for element in elements {
                put_value(name, *holds, element, out, version)?;
            }
        }
        (FieldType::Structure(fields), Tree::Structure(_)) => value.put(fields, out, version)?,
        _ => return Err(wrong),
    }
    Ok(())
}
