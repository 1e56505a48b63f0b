//! Bytes of keys and rows in state stores and repartition topics. Independent of arrow-row, whose
//! encoding may change between releases.

mod key;
mod row;

pub(crate) use key::KeyEncoder;
pub(crate) use row::RowCodec;
