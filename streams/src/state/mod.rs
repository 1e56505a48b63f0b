//! Stores: a typed write-back cache, uncommitted and committed layers of bytes, and a backend.
//!
//! What a commit changed goes to the changelog with that commit; the backend follows behind, with
//! committed values only. The changelog is the durability: a backend that does not open cleanly is
//! set aside and rebuilt from it.

mod backend;
mod cache;
mod claims;
mod layers;
mod memory;
mod sled;
mod spec;
mod store;

pub use self::sled::SledBackend;
pub use backend::{Checkpoint, StateBackend, StateError, StateStore, StoreId, Visit, VisitEntry};
pub use cache::{CacheError, KeyTable, OpenWindow, Slot, TableCache, WindowCache, window_key};
pub(crate) use claims::ClaimedBackend;
pub use memory::MemoryBackend;
pub use spec::{KeyLayout, StoreSpec};
pub use store::{ByteStore, ChangelogRecord, Store, StoreView, TypedCache};
