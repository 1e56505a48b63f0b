//! Typed records between operators: columns that are decoded when somebody looks.

use std::any::Any;
use std::sync::Arc;

use crate::codec::{self, Codec, CodecError};
use crate::engine::{
    ColumnarChunk, EngineError, RawColumn, RawColumnBuilder, RowMeta, TaskContext, retain_flagged,
};

use super::Data;

/// Keys or values: as bytes, as `T`, or both. There is always at least one.
#[derive(Clone)]
pub(super) struct Column<T> {
    raw: Option<(RawColumn, Arc<dyn Codec<T>>)>,
    typed: Option<Vec<T>>,
}

impl<T: Data> Column<T> {
    pub(super) fn raw(raw: RawColumn, codec: Arc<dyn Codec<T>>) -> Self {
        Self {
            raw: Some((raw, codec)),
            typed: None,
        }
    }

    pub(super) fn typed(typed: Vec<T>) -> Self {
        Self {
            raw: None,
            typed: Some(typed),
        }
    }

    /// The values, once decoded; nothing before.
    pub(super) fn values(&self) -> &[T] {
        self.typed.as_deref().unwrap_or(&[])
    }

    /// The value at `row`, once decoded.
    #[inline]
    pub(super) fn value(&self, row: usize) -> Option<&T> {
        self.typed.as_ref()?.get(row)
    }

    /// Whether the record has a null here. A typed value is asked through `codec`, if there is one.
    #[inline]
    pub(super) fn is_null(&self, row: usize, codec: Option<&Arc<dyn Codec<T>>>) -> bool {
        match (&self.raw, &self.typed, codec) {
            (Some((raw, _)), _, _) => raw.get(row).is_none(),
            (None, Some(typed), Some(codec)) => {
                typed.get(row).is_none_or(|value| codec.is_null(value))
            }
            _ => false,
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        if let Some((raw, _)) = &mut self.raw {
            raw.retain(keep);
        }
        if let Some(typed) = &mut self.typed {
            retain_flagged(typed, keep);
        }
    }

    fn gather(&self, rows: &[u32]) -> Self {
        Self {
            raw: self
                .raw
                .as_ref()
                .map(|(raw, codec)| (raw.gather(rows), codec.clone())),
            typed: self.typed.as_ref().map(|typed| {
                rows.iter()
                    .filter_map(|row| typed.get(*row as usize).cloned())
                    .collect()
            }),
        }
    }

    /// Decodes what is not decoded yet. Returns which rows to keep, if some cannot be had and the
    /// policy drops them; the bytes of this column are then already without them.
    fn decode(
        &mut self,
        part: &'static str,
        meta: &RowMeta,
        cx: &mut TaskContext<'_>,
    ) -> Result<Option<Vec<bool>>, EngineError> {
        let (None, Some((raw, codec))) = (&self.typed, &mut self.raw) else {
            return Ok(None);
        };
        let mut typed = Vec::with_capacity(raw.len());
        let mut dropped: Option<Vec<bool>> = None;
        for (row, bytes) in raw.iter().enumerate() {
            match codec::decode(&**codec, bytes) {
                Ok(value) => {
                    typed.push(value);
                    if let Some(keep) = &mut dropped {
                        keep.push(true);
                    }
                }
                Err(error) => {
                    if !matches!(error, CodecError::Null) && !cx.skips_undecodable() {
                        let (topic, partition) = cx.input();
                        return Err(EngineError::Decode {
                            node: cx.node().to_owned(),
                            part,
                            topic: topic.to_owned(),
                            partition,
                            offset: meta.offsets.get(row).copied().unwrap_or(-1),
                            source: error,
                        });
                    }
                    cx.count_dropped(1);
                    dropped.get_or_insert_with(|| vec![true; row]).push(false);
                }
            }
        }
        if let Some(keep) = &dropped {
            raw.retain(keep);
        }
        self.typed = Some(typed);
        Ok(dropped)
    }

    /// The bytes under `codec`: those the column has, if it has them under the same one.
    pub(super) fn encode(
        &self,
        codec: &Arc<dyn Codec<T>>,
        part: &'static str,
        node: &str,
    ) -> Result<RawColumn, EngineError> {
        let failed = |source| EngineError::Encode {
            node: node.to_owned(),
            part,
            source,
        };
        if let Some((raw, own)) = &self.raw {
            if Arc::ptr_eq(own, codec) {
                return Ok(raw.clone());
            }
            if self.typed.is_none() {
                let decoded: Result<Vec<T>, _> = raw
                    .iter()
                    .map(|bytes| codec::decode(&**own, bytes))
                    .collect();
                return encode_values(&decoded.map_err(failed)?, codec).map_err(failed);
            }
        }
        encode_values(self.values(), codec).map_err(failed)
    }
}

fn encode_values<T>(values: &[T], codec: &Arc<dyn Codec<T>>) -> Result<RawColumn, CodecError> {
    let mut out = RawColumnBuilder::with_capacity(values.len(), values.len() * 16);
    for value in values {
        if codec.is_null(value) {
            out.push_null();
        } else {
            out.push_with(|buffer| codec.encode(value, buffer))?;
        }
    }
    Ok(out.finish())
}

/// Records of a stream.
#[derive(Clone)]
pub(super) struct Rows<K, V> {
    pub(super) keys: Column<K>,
    pub(super) values: Column<V>,
    pub(super) meta: RowMeta,
}

impl<K: Data, V: Data> Rows<K, V> {
    pub(super) fn len(&self) -> usize {
        self.meta.len()
    }

    pub(super) fn retain(&mut self, keep: &[bool]) {
        self.keys.retain(keep);
        self.values.retain(keep);
        self.meta.retain(keep);
    }

    pub(super) fn decode_keys(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        if let Some(keep) = self.keys.decode("key", &self.meta, cx)? {
            self.values.retain(&keep);
            self.meta.retain(&keep);
        }
        Ok(())
    }

    pub(super) fn decode_values(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        if let Some(keep) = self.values.decode("value", &self.meta, cx)? {
            self.keys.retain(&keep);
            self.meta.retain(&keep);
        }
        Ok(())
    }

    pub(super) fn decode(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        self.decode_keys(cx)?;
        self.decode_values(cx)
    }

    /// The same records with other values.
    pub(super) fn with_values<V2: Data>(self, values: Vec<V2>) -> Rows<K, V2> {
        Rows {
            keys: self.keys,
            values: Column::typed(values),
            meta: self.meta,
        }
    }

    /// The same records with other keys.
    pub(super) fn with_keys<K2: Data>(self, keys: Vec<K2>) -> Rows<K2, V> {
        Rows {
            keys: Column::typed(keys),
            values: self.values,
            meta: self.meta,
        }
    }

    /// Keys and timestamps of the records at `rows`, possibly repeated, with `values`.
    pub(super) fn expand<V2: Data>(self, rows: &[u32], values: Vec<V2>) -> Rows<K, V2> {
        Rows {
            keys: self.keys.gather(rows),
            values: Column::typed(values),
            meta: self.meta.gather(rows),
        }
    }
}

impl<K: Data, V: Data> ColumnarChunk for Rows<K, V> {
    fn len(&self) -> usize {
        self.meta.len()
    }

    fn boxed_clone(&self) -> Box<dyn ColumnarChunk> {
        Box::new(self.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

/// Changes of a table.
#[derive(Clone)]
pub(super) struct TableRows<K, V> {
    pub(super) keys: Column<K>,
    /// What the rows are now; `None` is deleted.
    pub(super) new: Vec<Option<V>>,
    /// What they were, if somebody downstream wants to know.
    pub(super) old: Option<Vec<Option<V>>>,
    pub(super) meta: RowMeta,
}

impl<K: Data, V: Data> TableRows<K, V> {
    pub(super) fn decode_keys(&mut self, cx: &mut TaskContext<'_>) -> Result<(), EngineError> {
        if let Some(keep) = self.keys.decode("key", &self.meta, cx)? {
            retain_flagged(&mut self.new, &keep);
            if let Some(old) = &mut self.old {
                retain_flagged(old, &keep);
            }
            self.meta.retain(&keep);
        }
        Ok(())
    }

    pub(super) fn retain(&mut self, keep: &[bool]) {
        self.keys.retain(keep);
        retain_flagged(&mut self.new, keep);
        if let Some(old) = &mut self.old {
            retain_flagged(old, keep);
        }
        self.meta.retain(keep);
    }
}

impl<K: Data, V: Data> ColumnarChunk for TableRows<K, V> {
    fn len(&self) -> usize {
        self.meta.len()
    }

    fn boxed_clone(&self) -> Box<dyn ColumnarChunk> {
        Box::new(self.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

/// Gathers changes of a table whose keys are bytes.
pub(super) struct Changes<V> {
    keys: RawColumnBuilder,
    new: Vec<Option<V>>,
    old: Option<Vec<Option<V>>>,
    timestamps: Vec<i64>,
}

impl<V: Data> Changes<V> {
    pub(super) fn new(send_old: bool) -> Self {
        Self {
            keys: RawColumnBuilder::default(),
            new: Vec::new(),
            old: send_old.then(Vec::new),
            timestamps: Vec::new(),
        }
    }

    /// Adds a change of the row whose key is `key` followed by `suffix`.
    pub(super) fn push(
        &mut self,
        key: &[u8],
        suffix: &[u8],
        new: Option<V>,
        old: Option<V>,
        timestamp: i64,
    ) {
        let pushed: Result<(), std::convert::Infallible> = self.keys.push_with(|buffer| {
            buffer.extend_from_slice(key);
            buffer.extend_from_slice(suffix);
            Ok(())
        });
        let Ok(()) = pushed;
        self.new.push(new);
        if let Some(olds) = &mut self.old {
            olds.push(old);
        }
        self.timestamps.push(timestamp);
    }

    pub(super) fn finish<K: Data>(self, codec: &Arc<dyn Codec<K>>) -> TableRows<K, V> {
        TableRows {
            keys: Column::raw(self.keys.finish(), codec.clone()),
            new: self.new,
            old: self.old,
            meta: RowMeta::derived(self.timestamps),
        }
    }
}
