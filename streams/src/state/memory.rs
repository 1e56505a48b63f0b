//! State in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::backend::Visit;
use super::{Checkpoint, StateBackend, StateError, StateStore, StoreId};

/// Keeps state in memory for as long as the process lives. After a restart everything is restored
/// from the changelogs.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    stores: Arc<Mutex<HashMap<StoreId, Arc<RwLock<Contents>>>>>,
}

#[derive(Debug, Default)]
struct Contents {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    checkpoint: Option<Checkpoint>,
}

impl MemoryBackend {
    /// An empty backend.
    pub fn new() -> Self {
        Self::default()
    }
}

impl StateBackend for MemoryBackend {
    fn open(&self, id: &StoreId) -> Result<Box<dyn StateStore>, StateError> {
        let contents = self.stores.lock().entry(id.clone()).or_default().clone();
        Ok(Box::new(MemoryStore { contents }))
    }

    fn flush(&self) -> Result<(), StateError> {
        Ok(())
    }
}

struct MemoryStore {
    contents: Arc<RwLock<Contents>>,
}

impl StateStore for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.contents.read().entries.get(key).cloned())
    }

    fn write(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateError> {
        let entries = &mut self.contents.write().entries;
        match value {
            Some(value) => entries.insert(key.to_vec(), value.to_vec()),
            None => entries.remove(key),
        };
        Ok(())
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StateError> {
        if super::layers::is_empty_range(from, to) {
            return Ok(());
        }
        for (key, value) in self.contents.read().entries.range::<[u8], _>((from, to)) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> Result<bool, StateError> {
        Ok(self.contents.read().entries.is_empty())
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StateError> {
        Ok(self.contents.read().checkpoint)
    }

    fn set_checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), StateError> {
        self.contents.write().checkpoint = Some(checkpoint);
        Ok(())
    }

    fn clear(&mut self) -> Result<(), StateError> {
        *self.contents.write() = Contents::default();
        Ok(())
    }
}
