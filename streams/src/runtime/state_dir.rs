//! The state directory: the identity of the process, its lock, its stores.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::StreamsError;

/// The directory of one application on this machine, locked for this process.
pub(super) struct StateDir {
    path: PathBuf,
    process_id: Uuid,
    /// Unlocked when dropped.
    _lock: File,
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> StreamsError {
    let path = path.display().to_string();
    move |source| StreamsError::StateDir {
        path,
        action,
        source,
    }
}

impl StateDir {
    /// Makes the directory if need be, locks it, and reads or makes the process id: who comes back
    /// with the same directory is the same process to the group and to the transactions.
    pub(super) fn open(state_dir: &Path, application_id: &str) -> Result<Self, StreamsError> {
        let path = state_dir.join(application_id);
        fs::create_dir_all(&path).map_err(failed(&path, "creating"))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(failed(&lock_path, "creating"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let in_use = "another process uses it; give each its own state.dir";
                let source = io::Error::new(io::ErrorKind::WouldBlock, in_use);
                return Err(failed(&lock_path, "locking")(source));
            }
            Err(TryLockError::Error(source)) => return Err(failed(&lock_path, "locking")(source)),
        }
        let process_id = process_id(&path)?;
        Ok(Self {
            path,
            process_id,
            _lock: lock,
        })
    }

    pub(super) fn process_id(&self) -> Uuid {
        self.process_id
    }

    pub(super) fn stores(&self) -> PathBuf {
        self.path.join("stores")
    }
}

fn process_id(dir: &Path) -> Result<Uuid, StreamsError> {
    let path = dir.join("process-id");
    match fs::read_to_string(&path) {
        Ok(text) => {
            if let Ok(id) = Uuid::parse_str(text.trim()) {
                return Ok(id);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&path, "reading")(error)),
    }
    // Written aside and renamed: a crash leaves an id or none, never half of one.
    let id = Uuid::new_v4();
    let temporary = dir.join("process-id.new");
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(id.to_string().as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(failed(&path, "writing"))?;
    Ok(id)
}
