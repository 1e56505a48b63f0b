//! A bound on open segment files.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};

use headwater_env::{Disk, DiskFile};
use parking_lot::Mutex;

use super::Segment;

/// Keeps at most `limit` segment files open; the one opened longest ago is closed first. Closing
/// loses nothing: a file is opened again when it is needed, and what was written and not synced
/// belongs to the file, not to the handle.
#[derive(Debug)]
pub(crate) struct HandlePool {
    disk: Arc<dyn Disk>,
    limit: usize,
    open: Mutex<VecDeque<Weak<Segment>>>,
}

impl HandlePool {
    pub(crate) fn new(disk: Arc<dyn Disk>, limit: usize) -> Self {
        Self {
            disk,
            limit: limit.max(1),
            open: Mutex::new(VecDeque::new()),
        }
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(path)
    }

    pub(super) fn adopt(&self, segment: &Arc<Segment>, file: Arc<dyn DiskFile>) {
        segment.set_handle(Some(file));
        let mut open = self.open.lock();
        open.push_back(Arc::downgrade(segment));
        if open.len() <= self.limit {
            return;
        }
        // Segments that are gone closed their files themselves.
        open.retain(|segment| segment.strong_count() > 0);
        while open.len() > self.limit {
            if let Some(oldest) = open.pop_front().and_then(|oldest| oldest.upgrade()) {
                oldest.set_handle(None);
            }
        }
    }
}
