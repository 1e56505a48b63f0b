//! Which codec a type has when nobody names one.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{BytesCodec, Codec, F64, I32, I64, Nullable, Unit, Utf8, VecCodec};

/// The codecs of types, by type: `String`, `i32`, `i64`, `f64`, bytes, `()`
/// and their `Option`s from the start, others as they are added.
#[derive(Clone)]
pub struct Codecs {
    by_type: HashMap<TypeId, Entry>,
}

#[derive(Clone)]
struct Entry {
    name: &'static str,
    /// An `Arc<dyn Codec<T>>`.
    codec: Arc<dyn Any + Send + Sync>,
}

impl Codecs {
    /// The codecs of the types known from the start.
    pub fn new() -> Self {
        let mut codecs = Self {
            by_type: HashMap::new(),
        };
        codecs.add::<String>(Utf8);
        codecs.add::<i64>(I64);
        codecs.add::<i32>(I32);
        codecs.add::<f64>(F64);
        codecs.add::<Bytes>(BytesCodec);
        codecs.add::<Vec<u8>>(VecCodec);
        codecs.add::<()>(Unit);
        codecs
    }

    /// Makes `codec` the one of `T`, and the same with null that of `Option<T>`.
    pub fn add<T: 'static>(&mut self, codec: impl Codec<T> + 'static) {
        let codec: Arc<dyn Codec<T>> = Arc::new(codec);
        self.put::<Option<T>>(Arc::new(Nullable(codec.clone())));
        self.put::<T>(codec);
    }

    fn put<T: 'static>(&mut self, codec: Arc<dyn Codec<T>>) {
        let entry = Entry {
            name: type_name::<T>(),
            codec: Arc::new(codec),
        };
        self.by_type.insert(TypeId::of::<T>(), entry);
    }

    /// The codec of `T`, if it has one.
    pub fn get<T: 'static>(&self) -> Option<Arc<dyn Codec<T>>> {
        let entry = self.by_type.get(&TypeId::of::<T>())?;
        entry.codec.downcast_ref::<Arc<dyn Codec<T>>>().cloned()
    }
}

impl Default for Codecs {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Codecs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.by_type.values().map(|entry| entry.name))
            .finish()
    }
}
