//! Typed values over bytes: decoded once, updated in place, encoded once a commit.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::codec::{Codec, CodecError};

use super::{ByteStore, StateError, TypedCache};

/// Why a cached value could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The store failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// What lies in the store does not decode, or a value does not encode.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A cached value.
#[derive(Debug)]
pub struct Slot<V> {
    hash: u64,
    key: Bytes,
    /// The value; `None` says that there is none in the store either.
    pub value: Option<V>,
    /// Timestamp of the value in ms; −1 if there is none.
    pub timestamp: i64,
    /// What had been handed on before the value became dirty, if somebody wants to know.
    pub before: Option<V>,
    dirty: bool,
    referenced: bool,
}

impl<V> Slot<V> {
    /// The key.
    pub fn key(&self) -> &Bytes {
        &self.key
    }

    /// Whether the value is newer than in the store.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }
}

/// Keys as bytes to slots; slots keep their place until they are evicted.
pub struct KeyTable<V> {
    index: HashTable<u32>,
    slots: Vec<Slot<V>>,
    free: Vec<u32>,
    dirty: Vec<u32>,
    /// Bytes of the keys of dirty slots.
    dirty_key_bytes: usize,
    key_bytes: usize,
    hand: usize,
}

impl<V> Default for KeyTable<V> {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            dirty_key_bytes: 0,
            key_bytes: 0,
            hand: 0,
        }
    }
}

/// Bytes of an index entry besides its slot.
const INDEX_ENTRY: usize = 8;

impl<V> KeyTable<V> {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Bytes that a key takes besides those of the key itself.
    const ENTRY: usize = size_of::<Slot<V>>() + INDEX_ENTRY;

    /// Bytes of the keys held and of their slots, without what values point to.
    pub fn size_bytes(&self) -> usize {
        self.len() * Self::ENTRY + self.key_bytes
    }

    /// The part of [`size_bytes`](Self::size_bytes) that cannot be evicted before a commit.
    pub fn dirty_bytes(&self) -> usize {
        self.dirty.len() * Self::ENTRY + self.dirty_key_bytes
    }

    /// The slot of `key`, whose hash is `hash`.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let slots = &self.slots;
        self.index
            .find(hash, |at| {
                slots.get(*at as usize).is_some_and(|slot| slot.key == key)
            })
            .map(|at| *at as usize)
    }

    /// Adds a key that is not there yet.
    pub fn insert(&mut self, hash: u64, key: &[u8], value: Option<V>, timestamp: i64) -> usize {
        let key = Bytes::copy_from_slice(key);
        self.key_bytes += key.len();
        let slot = Slot {
            hash,
            key,
            value,
            timestamp,
            before: None,
            dirty: false,
            referenced: true,
        };
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(place) = self.slots.get_mut(at as usize) {
                    *place = slot;
                }
                at
            }
            None => {
                self.slots.push(slot);
                // Bounded by memory long before: a slot takes more than a byte.
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |at| {
            slots.get(*at as usize).map_or(0, |slot| slot.hash)
        });
        at as usize
    }

    /// The slot at `at`, as given by [`find`](Self::find) or [`insert`](Self::insert).
    #[inline]
    pub fn slot(&self, at: usize) -> &Slot<V> {
        &self.slots[at]
    }

    /// The slot at `at`, to be changed; see [`mark_dirty`](Self::mark_dirty).
    #[inline]
    pub fn slot_mut(&mut self, at: usize) -> &mut Slot<V> {
        let slot = &mut self.slots[at];
        slot.referenced = true;
        slot
    }

    /// Says that the slot is newer than the store. True if it was not so before.
    #[inline]
    pub fn mark_dirty(&mut self, at: usize) -> bool {
        let slot = &mut self.slots[at];
        if slot.dirty {
            return false;
        }
        slot.dirty = true;
        self.dirty_key_bytes += slot.key.len();
        self.dirty.push(at as u32);
        true
    }

    /// Takes the dirty slots, in the order in which they became so. They are clean after this.
    pub fn take_dirty(&mut self) -> Vec<usize> {
        let dirty = std::mem::take(&mut self.dirty);
        self.dirty_key_bytes = 0;
        for at in &dirty {
            self.slots[*at as usize].dirty = false;
        }
        dirty.into_iter().map(|at| at as usize).collect()
    }

    /// Number of dirty slots.
    pub fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    /// Evicts clean slots that were not used since the hand last came by, until at most `bytes` are
    /// held or all are in use or dirty.
    pub fn trim(&mut self, bytes: usize) {
        let mut steps = self.slots.len() * 2;
        let mut held = self.size_bytes();
        while held > bytes && steps > 0 {
            steps -= 1;
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            let at = self.hand;
            let Some(slot) = self.slots.get_mut(at) else {
                break;
            };
            if slot.dirty {
                continue;
            }
            if std::mem::take(&mut slot.referenced) {
                continue;
            }
            let Ok(found) = self
                .index
                .find_entry(slot.hash, |candidate| *candidate as usize == at)
            else {
                continue;
            };
            found.remove();
            held -= Self::ENTRY + slot.key.len();
            self.key_bytes -= slot.key.len();
            slot.key = Bytes::new();
            slot.value = None;
            self.free.push(at as u32);
        }
    }
}

/// The typed cache of a store of keys and values.
pub struct TableCache<V> {
    table: KeyTable<V>,
    hasher: DefaultHashBuilder,
    codec: Arc<dyn Codec<V>>,
    max_bytes: usize,
}

impl<V: Send + 'static> TableCache<V> {
    /// An empty cache that keeps up to about `max_bytes` between commits.
    pub fn new(codec: Arc<dyn Codec<V>>, max_bytes: usize) -> Self {
        Self {
            table: KeyTable::default(),
            hasher: DefaultHashBuilder::default(),
            codec,
            max_bytes,
        }
    }

    /// The slots.
    pub fn table(&mut self) -> &mut KeyTable<V> {
        &mut self.table
    }

    /// The slot of `key`, read from `store` if it is not cached.
    ///
    /// # Errors
    /// If the store fails or its value does not decode.
    #[inline]
    pub fn lookup(&mut self, store: &ByteStore, key: &[u8]) -> Result<usize, CacheError> {
        let hash = self.hasher.hash_one(key);
        match self.table.find(hash, key) {
            Some(at) => Ok(at),
            None => self.load(store, hash, key),
        }
    }

    #[cold]
    fn load(&mut self, store: &ByteStore, hash: u64, key: &[u8]) -> Result<usize, CacheError> {
        let (value, timestamp) = match store.get(key)? {
            Some((bytes, timestamp)) => (Some(self.codec.decode(&bytes)?), timestamp),
            None => (None, -1),
        };
        Ok(self.table.insert(hash, key, value, timestamp))
    }

    /// Replaces the cached value of `key` by what has just been written to the store.
    pub fn replace(&mut self, key: &[u8], value: Option<V>, timestamp: i64) {
        let hash = self.hasher.hash_one(key);
        match self.table.find(hash, key) {
            Some(at) => {
                let slot = self.table.slot_mut(at);
                slot.value = value;
                slot.timestamp = timestamp;
            }
            None => {
                self.table.insert(hash, key, value, timestamp);
            }
        }
    }

    /// Writes the dirty values to `store` and calls `emit` with each, in the order in which they
    /// became dirty.
    ///
    /// # Errors
    /// If a value does not encode.
    pub fn flush(
        &mut self,
        store: &mut ByteStore,
        mut emit: impl FnMut(&mut Slot<V>),
    ) -> Result<(), CacheError> {
        for at in self.table.take_dirty() {
            let slot = self.table.slot_mut(at);
            let bytes = encode(&*self.codec, slot.value.as_ref())?;
            store.put(slot.key.clone(), bytes, slot.timestamp);
            emit(slot);
        }
        Ok(())
    }
}

fn encode<V>(codec: &dyn Codec<V>, value: Option<&V>) -> Result<Option<Bytes>, CodecError> {
    match value {
        Some(value) => Ok(crate::codec::encode(codec, value)?.map(Bytes::from)),
        None => Ok(None),
    }
}

impl<V: Send + 'static> TypedCache for TableCache<V> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn trim(&mut self) {
        self.table.trim(self.max_bytes);
    }

    fn size_bytes(&self) -> usize {
        self.table.size_bytes()
    }

    fn dirty_bytes(&self) -> usize {
        self.table.dirty_bytes()
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }
}

/// The typed cache of a window store: a table for each window, so that a closed window leaves as a
/// whole.
pub struct WindowCache<V> {
    windows: BTreeMap<i64, KeyTable<V>>,
    dirty: BTreeSet<i64>,
    hasher: DefaultHashBuilder,
    codec: Arc<dyn Codec<V>>,
    max_bytes: usize,
}

impl<V: Send + 'static> WindowCache<V> {
    /// An empty cache that keeps up to about `max_bytes` between commits.
    pub fn new(codec: Arc<dyn Codec<V>>, max_bytes: usize) -> Self {
        Self {
            windows: BTreeMap::new(),
            dirty: BTreeSet::new(),
            hasher: DefaultHashBuilder::default(),
            codec,
            max_bytes,
        }
    }

    /// The window that starts at `start`, to be changed.
    pub fn window(&mut self, start: i64) -> OpenWindow<'_, V> {
        OpenWindow {
            start,
            table: self.windows.entry(start).or_default(),
            dirty: &mut self.dirty,
            hasher: &self.hasher,
            codec: &*self.codec,
        }
    }

    /// Writes the dirty values to `store` and calls `emit` with the start of the window and each, in
    /// the order of windows, then that in which they became dirty.
    ///
    /// # Errors
    /// If a value does not encode.
    pub fn flush(
        &mut self,
        store: &mut ByteStore,
        mut emit: impl FnMut(i64, &mut Slot<V>),
    ) -> Result<(), CacheError> {
        for start in std::mem::take(&mut self.dirty) {
            let Some(table) = self.windows.get_mut(&start) else {
                continue;
            };
            for at in table.take_dirty() {
                let slot = table.slot_mut(at);
                let bytes = encode(&*self.codec, slot.value.as_ref())?;
                store.put(window_key(start, &slot.key), bytes, slot.timestamp);
                emit(start, slot);
            }
        }
        Ok(())
    }

    /// Forgets windows that start before `start`, and deletes them from `store`. `at` is the
    /// timestamp of the deletions.
    ///
    /// # Errors
    /// If the store fails.
    pub fn expire(&mut self, store: &mut ByteStore, start: i64, at: i64) -> Result<(), StateError> {
        self.windows = self.windows.split_off(&start);
        self.dirty = self.dirty.split_off(&start);
        let mut expired = Vec::new();
        let bound = start.to_be_bytes();
        store.scan(
            Bound::Unbounded,
            Bound::Excluded(&bound),
            &mut |key, _, _| {
                expired.push(Bytes::copy_from_slice(key));
                std::ops::ControlFlow::Continue(())
            },
        )?;
        for key in expired {
            store.put(key, None, at);
        }
        Ok(())
    }
}

/// One window of a [`WindowCache`].
pub struct OpenWindow<'a, V> {
    start: i64,
    /// Its keys.
    pub table: &'a mut KeyTable<V>,
    dirty: &'a mut BTreeSet<i64>,
    hasher: &'a DefaultHashBuilder,
    codec: &'a dyn Codec<V>,
}

impl<V> OpenWindow<'_, V> {
    /// The slot of `key`, read from `store` if it is not cached.
    ///
    /// # Errors
    /// If the store fails or its value does not decode.
    #[inline]
    pub fn lookup(&mut self, store: &ByteStore, key: &[u8]) -> Result<usize, CacheError> {
        let hash = self.hasher.hash_one(key);
        if let Some(at) = self.table.find(hash, key) {
            return Ok(at);
        }
        let (value, timestamp) = match store.get(&window_key(self.start, key))? {
            Some((bytes, timestamp)) => (Some(self.codec.decode(&bytes)?), timestamp),
            None => (None, -1),
        };
        Ok(self.table.insert(hash, key, value, timestamp))
    }

    /// Says that the slot is newer than the store. True if it was not so before.
    #[inline]
    pub fn mark_dirty(&mut self, at: usize) -> bool {
        let first = self.table.mark_dirty(at);
        if first && self.table.dirty_len() == 1 {
            self.dirty.insert(self.start);
        }
        first
    }
}

/// The key of `key` in the window that starts at `start` in a window store.
pub fn window_key(start: i64, key: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(8 + key.len());
    out.extend_from_slice(&start.to_be_bytes());
    out.extend_from_slice(key);
    Bytes::from(out)
}

impl<V: Send + 'static> TypedCache for WindowCache<V> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn trim(&mut self) {
        let mut excess = self.size_bytes().saturating_sub(self.max_bytes);
        if excess == 0 {
            return;
        }
        // Oldest first: whole windows, but for the newest, then keys of those that are left.
        let newest = self.windows.last_key_value().map(|(start, _)| *start);
        let dirty = &self.dirty;
        self.windows.retain(|start, table| {
            if excess == 0 || Some(*start) == newest || dirty.contains(start) {
                return true;
            }
            excess = excess.saturating_sub(table.size_bytes());
            false
        });
        for table in self.windows.values_mut() {
            if excess == 0 {
                break;
            }
            let held = table.size_bytes();
            table.trim(held.saturating_sub(excess));
            excess = excess.saturating_sub(held - table.size_bytes());
        }
    }

    fn size_bytes(&self) -> usize {
        self.windows.values().map(KeyTable::size_bytes).sum()
    }

    fn dirty_bytes(&self) -> usize {
        let dirty = self
            .dirty
            .iter()
            .filter_map(|start| self.windows.get(start));
        dirty.map(KeyTable::dirty_bytes).sum()
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }
}
