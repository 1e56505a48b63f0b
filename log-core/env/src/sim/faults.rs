//! Faults a test asks for: failing operations and a disk without room.

use std::io;

/// What shall fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Reading a file: an input/output error.
    Read,
    /// Writing to or cutting a file: an input/output error, nothing written.
    Write,
    /// Syncing a file: an error, and what was not synced is lost for good, since the kernel marks
    /// pages clean after a failed write-back.
    Sync,
    /// Removing a file: an input/output error, the file stays.
    Remove,
}

#[derive(Debug, Clone)]
struct Armed {
    fault: Fault,
    path_contains: String,
    remaining: u32,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    armed: Vec<Armed>,
    /// Bytes all files may hold together.
    pub(super) capacity: Option<u64>,
}

impl Faults {
    pub(super) fn arm(&mut self, fault: Fault, path_contains: &str, times: u32) {
        let path_contains = path_contains.to_owned();
        self.armed.push(Armed {
            fault,
            path_contains,
            remaining: times,
        });
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Fails if a fault of this kind is armed for `path`, and uses it up.
    pub(super) fn check(&mut self, fault: Fault, path: &str) -> io::Result<()> {
        let hit = self.armed.iter_mut().find(|armed| {
            armed.fault == fault && armed.remaining > 0 && path.contains(&armed.path_contains)
        });
        match hit {
            Some(armed) => {
                armed.remaining -= 1;
                Err(io::Error::other(format!(
                    "injected {fault:?} fault on {path}"
                )))
            }
            None => Ok(()),
        }
    }
}
