//! Operators that look at one record at a time.

use crate::engine::{Chunk, OperatorFactory};

use super::super::Data;
use super::super::rows::{Column, Rows};
use super::batch_operator;

pub(in crate::dsl) fn filter<K: Data, V: Data>(
    wanted: bool,
    predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        rows.decode(cx)?;
        let pairs = rows.keys.values().iter().zip(rows.values.values());
        let keep: Vec<bool> = pairs
            .map(|(key, value)| predicate(key, value) == wanted)
            .collect();
        rows.retain(&keep);
        cx.forward(Chunk::columnar(rows));
        Ok(())
    })
}

pub(in crate::dsl) fn map<K: Data, V: Data, K2: Data, V2: Data>(
    f: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        rows.decode(cx)?;
        let pairs = rows.keys.values().iter().zip(rows.values.values());
        let (keys, values): (Vec<K2>, Vec<V2>) = pairs.map(|(key, value)| f(key, value)).unzip();
        cx.forward(Chunk::columnar(Rows {
            keys: Column::typed(keys),
            values: Column::typed(values),
            meta: rows.meta,
        }));
        Ok(())
    })
}

pub(in crate::dsl) fn map_values<K: Data, V: Data, V2: Data>(
    f: impl Fn(&V) -> V2 + Send + Sync + 'static,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        rows.decode_values(cx)?;
        let values = rows.values.values().iter().map(&f).collect();
        cx.forward(Chunk::columnar(rows.with_values(values)));
        Ok(())
    })
}

pub(in crate::dsl) fn map_values_with_key<K: Data, V: Data, V2: Data>(
    f: impl Fn(&K, &V) -> V2 + Send + Sync + 'static,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        rows.decode(cx)?;
        let pairs = rows.keys.values().iter().zip(rows.values.values());
        let values = pairs.map(|(key, value)| f(key, value)).collect();
        cx.forward(Chunk::columnar(rows.with_values(values)));
        Ok(())
    })
}

pub(in crate::dsl) fn flat_map<K: Data, V: Data, K2: Data, V2: Data>(
    f: impl Fn(&K, &V, &mut Vec<(K2, V2)>) + Send + Sync + 'static,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        rows.decode(cx)?;
        let mut out = Vec::new();
        let mut from = Vec::new();
        let pairs = rows.keys.values().iter().zip(rows.values.values());
        for (row, (key, value)) in (0_u32..).zip(pairs) {
            f(key, value, &mut out);
            from.resize(out.len(), row);
        }
        let (keys, values): (Vec<K2>, Vec<V2>) = out.into_iter().unzip();
        cx.forward(Chunk::columnar(Rows {
            keys: Column::typed(keys),
            values: Column::typed(values),
            meta: rows.meta.gather(&from),
        }));
        Ok(())
    })
}

pub(in crate::dsl) fn flat_map_values<K: Data, V: Data, V2: Data>(
    f: impl Fn(&V, &mut Vec<V2>) + Send + Sync + 'static,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        rows.decode_values(cx)?;
        let mut out = Vec::new();
        let mut from = Vec::new();
        for (row, value) in (0_u32..).zip(rows.values.values()) {
            f(value, &mut out);
            from.resize(out.len(), row);
        }
        cx.forward(Chunk::columnar(rows.expand(&from, out)));
        Ok(())
    })
}

pub(in crate::dsl) fn select_key<K: Data, V: Data, K2: Data>(
    f: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        rows.decode(cx)?;
        let pairs = rows.keys.values().iter().zip(rows.values.values());
        let keys = pairs.map(|(key, value)| f(key, value)).collect();
        cx.forward(Chunk::columnar(rows.with_keys(keys)));
        Ok(())
    })
}

pub(in crate::dsl) fn peek<K: Data, V: Data>(
    f: impl Fn(&K, &V) + Send + Sync + 'static,
) -> OperatorFactory {
    batch_operator(move |mut rows: Rows<K, V>, cx| {
        rows.decode(cx)?;
        for (key, value) in rows.keys.values().iter().zip(rows.values.values()) {
            f(key, value);
        }
        cx.forward(Chunk::columnar(rows));
        Ok(())
    })
}
