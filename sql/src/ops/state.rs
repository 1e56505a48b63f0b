//! The little that operators need of a state store.

use bytes::Bytes;

use crate::SqlError;

/// Keyed state of one operator on one partition. Changes become visible to a restart with the
/// commit they are part of.
pub(crate) trait State {
    /// The value of `key`.
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, SqlError>;
    /// Sets the value of `key` as of `timestamp` (ms); `None` removes it.
    fn put(&mut self, key: Bytes, value: Option<Bytes>, timestamp: i64) -> Result<(), SqlError>;
}
