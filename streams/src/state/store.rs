//! A partition of a store as operators see it.

use std::any::{Any, type_name};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use uuid::Uuid;

use super::layers::{Cell, Layer, Layers, size};
use super::{KeyLayout, StateError, StateStore, StoreId, StoreSpec, VisitEntry};

/// A cache of typed values over a [`ByteStore`]. Whoever fills it writes dirty values to the store
/// in its operator's `flush`.
pub trait TypedCache: Any + Send {
    /// For downcasting.
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// Called after each commit, and between commits when much can be forgotten: forget what is too
    /// much and not dirty.
    fn trim(&mut self);

    /// Bytes of the values held, roughly.
    fn size_bytes(&self) -> usize;

    /// Bytes of the dirty values among them.
    fn dirty_bytes(&self) -> usize;

    /// Bytes that it is to hold at most.
    fn max_bytes(&self) -> usize;

    /// Name of the type, for errors.
    fn type_name(&self) -> &'static str {
        type_name::<Self>()
    }
}

/// A store of a task: bytes, and a typed cache over them if its operators want one.
pub struct Store {
    bytes: ByteStore,
    cache: Option<Box<dyn TypedCache>>,
}

impl Store {
    /// A store over `bytes`, without a cache.
    pub fn new(bytes: ByteStore) -> Self {
        Self { bytes, cache: None }
    }

    /// The bytes.
    pub fn bytes(&mut self) -> &mut ByteStore {
        &mut self.bytes
    }

    /// The bytes, to look at.
    pub fn bytes_ref(&self) -> &ByteStore {
        &self.bytes
    }

    /// The cache, made by `make` if there is none yet, and the bytes.
    ///
    /// # Errors
    /// [`StateError::CacheType`] if there is a cache of another type.
    pub fn cached<C: TypedCache>(
        &mut self,
        make: impl FnOnce() -> C,
    ) -> Result<(&mut C, &mut ByteStore), StateError> {
        let cache = self.cache.get_or_insert_with(|| Box::new(make()));
        let found = cache.type_name();
        match cache.as_any_mut().downcast_mut::<C>() {
            Some(cache) => Ok((cache, &mut self.bytes)),
            None => Err(StateError::CacheType {
                store: self.bytes.id.store.clone(),
                expected: type_name::<C>(),
                found,
            }),
        }
    }

    /// Bytes of what is not yet in the backend and of the cache, roughly.
    pub fn size_bytes(&self) -> usize {
        self.cache.as_ref().map_or(0, |cache| cache.size_bytes())
            + self.bytes.uncommitted_bytes
            + self.bytes.pending_bytes()
    }

    /// Bytes of cached values that are newer than the store.
    pub fn dirty_bytes(&self) -> usize {
        self.cache.as_ref().map_or(0, |cache| cache.dirty_bytes())
    }

    /// Forgets cached values if there are too many, and enough that can be forgotten: looking for
    /// them costs.
    pub fn trim(&mut self) {
        let Some(cache) = &mut self.cache else {
            return;
        };
        let (held, most) = (cache.size_bytes(), cache.max_bytes());
        if held > most && held - cache.dirty_bytes().min(held) > most / 4 {
            cache.trim();
        }
    }

    /// Makes what was written true, after the changelog has it; `offset` is the first changelog
    /// offset after it, if it wrote to the changelog.
    pub fn commit(&mut self, offset: Option<i64>) {
        self.bytes.commit(offset);
        if let Some(cache) = &mut self.cache {
            cache.trim();
        }
    }
}

/// A record of a changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangelogRecord {
    /// Key, in the layout of the changelog.
    pub key: Bytes,
    /// Value; `None` deletes.
    pub value: Option<Bytes>,
    /// Timestamp of the value in ms.
    pub timestamp: i64,
}

/// Keys and values as bytes, each value with a timestamp; ordered by key.
///
/// Writes are uncommitted until the task commits; reads see them at once, [`StoreView`]s do not.
pub struct ByteStore {
    id: StoreId,
    layout: KeyLayout,
    changelog: bool,
    uncommitted: Layer,
    uncommitted_bytes: usize,
    layers: Arc<RwLock<Layers>>,
    restored_to: Option<i64>,
}

impl ByteStore {
    /// The store `spec` of partition `partition` over `backend`, whose changelog topic has the id
    /// `topic_id`. What the backend holds of another changelog topic is deleted.
    ///
    /// # Errors
    /// [`StateError::Backend`].
    pub fn open(
        spec: &StoreSpec,
        partition: i32,
        backend: Box<dyn StateStore>,
        topic_id: Uuid,
    ) -> Result<Self, StateError> {
        let id = StoreId {
            store: spec.name.clone(),
            partition,
        };
        let (layers, restored_to) = Layers::new(id.to_string(), backend, topic_id)?;
        Ok(Self {
            id,
            layout: spec.layout,
            changelog: spec.changelog,
            uncommitted: Layer::new(),
            uncommitted_bytes: 0,
            layers: Arc::new(RwLock::new(layers)),
            restored_to,
        })
    }

    /// Name and partition.
    pub fn id(&self) -> &StoreId {
        &self.id
    }

    /// Whether changes go to a changelog.
    pub fn has_changelog(&self) -> bool {
        self.changelog
    }

    /// The value of `key` and its timestamp.
    ///
    /// # Errors
    /// [`StateError`] if the backend fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<(Bytes, i64)>, StateError> {
        if !self.uncommitted.is_empty()
            && let Some(cell) = self.uncommitted.get(key)
        {
            return Ok(cell.value.clone().map(|value| (value, cell.timestamp)));
        }
        self.layers.read().get(key)
    }

    /// Sets or, with `None`, deletes the value of `key`, at `timestamp` (ms).
    pub fn put(&mut self, key: Bytes, value: Option<Bytes>, timestamp: i64) {
        let cell = Cell { value, timestamp };
        let added = size(&key, &cell);
        match self.uncommitted.insert(key, cell) {
            None => self.uncommitted_bytes += added,
            Some(replaced) => {
                let before = replaced.value.map_or(0, |value| value.len());
                let now = added.saturating_sub(before);
                self.uncommitted_bytes = self.uncommitted_bytes.max(now);
            }
        }
    }

    /// Visits entries in the order of keys with value and timestamp, uncommitted ones included.
    ///
    /// # Errors
    /// [`StateError`] if the backend fails.
    pub fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: &mut VisitEntry<'_>,
    ) -> Result<(), StateError> {
        self.layers
            .read()
            .scan(Some(&self.uncommitted), from, to, visit)
    }

    /// Visits the entries whose keys begin with `prefix`.
    ///
    /// # Errors
    /// [`StateError`] if the backend fails.
    pub fn scan_prefix(&self, prefix: &[u8], visit: &mut VisitEntry<'_>) -> Result<(), StateError> {
        let end = prefix_end(prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.scan(Bound::Included(prefix), to, visit)
    }

    /// Bytes written since the last commit, roughly.
    pub fn uncommitted_bytes(&self) -> usize {
        self.uncommitted_bytes
    }

    /// Bytes that wait to be written to the backend, roughly.
    pub fn pending_bytes(&self) -> usize {
        self.layers.read().pending_bytes()
    }

    /// What changed since the last commit, one record a key, in the order of keys.
    pub fn changes(&self) -> impl Iterator<Item = ChangelogRecord> {
        let layout = self.layout;
        self.uncommitted
            .iter()
            .map(move |(key, cell)| ChangelogRecord {
                key: to_changelog(layout, key),
                value: cell.value.clone(),
                timestamp: cell.timestamp,
            })
    }

    /// Whether anything changed since the last commit.
    pub fn is_changed(&self) -> bool {
        !self.uncommitted.is_empty()
    }

    fn commit(&mut self, offset: Option<i64>) {
        if self.uncommitted.is_empty() && offset.is_none() {
            return;
        }
        self.uncommitted_bytes = 0;
        self.layers
            .write()
            .commit(std::mem::take(&mut self.uncommitted), offset);
        if offset.is_some() {
            self.restored_to = offset;
        }
    }

    /// Says that at `at` (wall clock, ms) the changelog had nothing that the store does not have.
    pub(crate) fn confirm(&self, at: i64) {
        self.layers.write().confirm(at);
    }

    /// The last moment of which [`confirm`](Self::confirm) said so, restarts included; 0 if none.
    pub(crate) fn confirmed_at(&self) -> i64 {
        self.layers.read().confirmed_at()
    }

    /// Forgets all that the store and its backend hold.
    ///
    /// # Errors
    /// [`StateError`] if the backend fails.
    pub(crate) fn discard(&mut self) -> Result<(), StateError> {
        self.layers.write().discard()?;
        self.uncommitted.clear();
        self.uncommitted_bytes = 0;
        self.restored_to = None;
        Ok(())
    }

    /// First changelog offset that is not yet in this store; `None` if all are missing.
    pub fn restored_to(&self) -> Option<i64> {
        self.restored_to
    }

    /// Applies records of the changelog, whose next offset is then `next_offset`. Drains to the
    /// backend when much has gathered.
    ///
    /// # Errors
    /// [`StateError`] if the backend fails.
    pub fn restore(
        &mut self,
        records: impl IntoIterator<Item = ChangelogRecord>,
        next_offset: i64,
    ) -> Result<(), StateError> {
        let mut changes = Layer::new();
        for record in records {
            let cell = Cell {
                value: record.value,
                timestamp: record.timestamp,
            };
            changes.insert(from_changelog(self.layout, record.key), cell);
        }
        let mut layers = self.layers.write();
        layers.commit(changes, Some(next_offset));
        self.restored_to = Some(next_offset);
        if layers.pending_bytes() > RESTORE_PENDING_BYTES {
            layers.begin_drain();
            layers.drain(usize::MAX)?;
        }
        Ok(())
    }

    /// Begins to write what is committed to the backend, unless that is under way.
    pub fn begin_drain(&mut self) {
        self.layers.write().begin_drain();
    }

    /// Whether a drain has begun and not ended.
    pub fn is_draining(&self) -> bool {
        self.layers.read().is_draining()
    }

    /// Writes up to `entries` entries to the backend, the checkpoint after the last.
    ///
    /// # Errors
    /// [`StateError`] if the backend fails.
    pub fn drain(&mut self, entries: usize) -> Result<(), StateError> {
        self.layers.write().drain(entries)
    }

    /// A view of committed state for other threads.
    pub fn view(&self) -> StoreView {
        StoreView {
            id: self.id.clone(),
            layers: self.layers.clone(),
        }
    }
}

/// Restoring drains to the backend when this much has gathered.
const RESTORE_PENDING_BYTES: usize = 32 << 20;

/// Committed state of one partition of a store, readable from any thread while its task works.
#[derive(Clone)]
pub struct StoreView {
    id: StoreId,
    layers: Arc<RwLock<Layers>>,
}

impl StoreView {
    /// Name and partition.
    pub fn id(&self) -> &StoreId {
        &self.id
    }

    /// Whether both look at the same opening of the store, and not only at the same partition.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.layers, &other.layers)
    }

    /// The value of `key` and its timestamp in ms.
    ///
    /// # Errors
    /// [`StateError`] if the backend fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<(Bytes, i64)>, StateError> {
        self.layers.read().get(key)
    }

    /// Visits entries in the order of keys with value and timestamp. The task's next commit waits
    /// for the end of the scan.
    ///
    /// # Errors
    /// [`StateError`] if the backend fails.
    pub fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: &mut VisitEntry<'_>,
    ) -> Result<(), StateError> {
        self.layers.read().scan(None, from, to, visit)
    }
}

fn to_changelog(layout: KeyLayout, key: &Bytes) -> Bytes {
    match (layout, key.split_first_chunk::<8>()) {
        (KeyLayout::Window, Some((start, key))) => {
            let mut out = Vec::with_capacity(key.len() + 12);
            out.extend_from_slice(key);
            out.extend_from_slice(start);
            out.extend_from_slice(&[0; 4]);
            Bytes::from(out)
        }
        _ => key.clone(),
    }
}

fn from_changelog(layout: KeyLayout, key: Bytes) -> Bytes {
    match (layout, key.split_last_chunk::<12>()) {
        (KeyLayout::Window, Some((key, start))) => {
            let mut out = Vec::with_capacity(key.len() + 8);
            out.extend(start.iter().take(8));
            out.extend_from_slice(key);
            Bytes::from(out)
        }
        _ => key,
    }
}

/// The first key after all that begin with `prefix`; `None` if there is none.
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}
