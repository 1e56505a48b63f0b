//! Who may write to a partition of a store.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::backend::Visit;
use super::{Checkpoint, StateBackend, StateError, StateStore, StoreId};

/// A backend that lets only the last opener of a partition write to it. The threads of a process
/// learn of a rebalance at their own times: who gave a partition up may still be writing when who
/// got it begins.
pub(crate) struct ClaimedBackend {
    backend: Arc<dyn StateBackend>,
    claims: Mutex<HashMap<StoreId, Claim>>,
}

/// Whether it still holds. Locked for reading during each write, so that whoever takes it away
/// knows that nothing is under way.
type Claim = Arc<RwLock<bool>>;

impl ClaimedBackend {
    pub(crate) fn new(backend: Arc<dyn StateBackend>) -> Self {
        Self {
            backend,
            claims: Mutex::default(),
        }
    }
}

impl StateBackend for ClaimedBackend {
    fn open(&self, id: &StoreId) -> Result<Box<dyn StateStore>, StateError> {
        let claim = Claim::new(RwLock::new(true));
        let before = self.claims.lock().insert(id.clone(), claim.clone());
        if let Some(before) = before {
            *before.write() = false;
        }
        Ok(Box::new(ClaimedStore {
            name: id.to_string(),
            store: self.backend.open(id)?,
            claim,
        }))
    }

    fn flush(&self) -> Result<(), StateError> {
        self.backend.flush()
    }
}

struct ClaimedStore {
    name: String,
    store: Box<dyn StateStore>,
    claim: Claim,
}

impl ClaimedStore {
    fn change(
        &mut self,
        work: impl FnOnce(&mut dyn StateStore) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let holds = self.claim.read();
        if !*holds {
            return Err(StateError::TakenOver {
                store: self.name.clone(),
            });
        }
        work(&mut *self.store)
    }
}

impl StateStore for ClaimedStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        self.store.get(key)
    }

    fn write(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateError> {
        self.change(|store| store.write(key, value))
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StateError> {
        self.store.scan(from, to, visit)
    }

    fn is_empty(&self) -> Result<bool, StateError> {
        self.store.is_empty()
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StateError> {
        self.store.checkpoint()
    }

    fn set_checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), StateError> {
        self.change(|store| store.set_checkpoint(checkpoint))
    }

    fn clear(&mut self) -> Result<(), StateError> {
        self.change(|store| store.clear())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    use bytes::Bytes;
    use uuid::Uuid;

    use super::super::{ByteStore, MemoryBackend, Store, StoreSpec};
    use super::*;

    fn open(backend: &dyn StateBackend) -> Store {
        let spec = StoreSpec::key_value("store");
        let id = StoreId {
            store: spec.name.clone(),
            partition: 0,
        };
        let part = backend.open(&id).unwrap();
        Store::new(ByteStore::open(&spec, 0, part, Uuid::from_u128(1)).unwrap())
    }

    /// Commits a value under ten keys.
    fn commit(store: &mut Store, value: &'static str, offset: i64) {
        for n in 0..10_u8 {
            let value = Bytes::from_static(value.as_bytes());
            store.bytes().put(Bytes::from(vec![n]), Some(value), 0);
        }
        store.commit(Some(offset));
    }

    fn drain(store: &mut Store, entries: usize) -> Result<(), StateError> {
        store.bytes().begin_drain();
        store.bytes().drain(entries)
    }

    fn contents(store: &Store) -> BTreeMap<u8, String> {
        let mut found = BTreeMap::new();
        let unbounded = Bound::Unbounded;
        store
            .bytes_ref()
            .scan(unbounded, unbounded, &mut |key, value, _| {
                found.insert(key[0], String::from_utf8(value.to_vec()).unwrap());
                ControlFlow::Continue(())
            })
            .unwrap();
        found
    }

    #[test]
    fn who_gave_a_store_up_cannot_finish_a_drain_into_that_of_who_got_it() {
        let backend = ClaimedBackend::new(Arc::new(MemoryBackend::new()));
        let mut old = open(&backend);
        commit(&mut old, "old", 10);
        drain(&mut old, 4).unwrap();
        // No checkpoint was reached: the next owner begins with nothing.
        let mut new = open(&backend);
        assert_eq!(new.bytes_ref().restored_to(), None);
        let error = drain(&mut old, usize::MAX).unwrap_err();
        assert!(matches!(error, StateError::TakenOver { .. }), "{error}");
        assert_eq!(contents(&new), BTreeMap::new());
        commit(&mut new, "new", 20);
        drain(&mut new, usize::MAX).unwrap();
        drain(&mut old, usize::MAX).unwrap_err();
        let last = open(&backend);
        assert_eq!(last.bytes_ref().restored_to(), Some(20));
        assert!(contents(&last).values().all(|value| value == "new"));
    }

    #[test]
    fn stores_of_others_are_not_touched() {
        let backend = ClaimedBackend::new(Arc::new(MemoryBackend::new()));
        let mut store = open(&backend);
        let other = StoreId {
            store: "store".to_owned(),
            partition: 1,
        };
        let _other = backend.open(&other).unwrap();
        commit(&mut store, "value", 10);
        drain(&mut store, usize::MAX).unwrap();
        assert_eq!(open(&backend).bytes_ref().restored_to(), Some(10));
    }
}
