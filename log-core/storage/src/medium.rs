//! The disk together with the rule that a failed sync ends everything.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_env::{Disk, DiskFile};

use crate::error::{FileError, Stopped};
use crate::fail_stop::FailStop;

/// A disk on which every sync either succeeds or stops the storage.
#[derive(Debug, Clone)]
pub(crate) struct Medium {
    pub(crate) disk: Arc<dyn Disk>,
    stop: Arc<StopSwitch>,
}

#[derive(Debug)]
struct StopSwitch {
    stopped: AtomicBool,
    hook: Arc<dyn FailStop>,
}

impl Medium {
    pub(crate) fn new(disk: Arc<dyn Disk>, hook: Arc<dyn FailStop>) -> Self {
        Self {
            disk,
            stop: Arc::new(StopSwitch {
                stopped: AtomicBool::new(false),
                hook,
            }),
        }
    }

    /// # Errors
    /// `Stopped` once a sync failed or the storage was shut down.
    pub(crate) fn check(&self) -> Result<(), Stopped> {
        if self.stop.stopped.load(Ordering::Acquire) {
            Err(Stopped)
        } else {
            Ok(())
        }
    }

    /// Refuses all that comes after; an orderly end.
    pub(crate) fn shut(&self) {
        self.stop.stopped.store(true, Ordering::Release);
    }

    /// Ends the process, or at least everything that would acknowledge.
    pub(crate) fn fail(&self, reason: &str) -> Stopped {
        if !self.stop.stopped.swap(true, Ordering::AcqRel) {
            self.stop.hook.fail_stop(reason);
        }
        Stopped
    }

    pub(crate) fn sync_file(&self, file: &dyn DiskFile, path: &Path) -> Result<(), Stopped> {
        self.check()?;
        file.sync_data()
            .map_err(|error| self.fail(&format!("cannot sync {}: {error}", path.display())))
    }

    /// Syncs a directory's names. No error if the directory was removed meanwhile.
    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<(), Stopped> {
        self.check()?;
        match self.disk.sync_dir(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(self.fail(&format!("cannot sync directory {}: {error}", dir.display())))
            }
            _ => Ok(()),
        }
    }

    /// Makes a directory, durable with all parents below `root`.
    pub(crate) fn make_dir(&self, root: &Path, dir: &Path) -> Result<(), MakeDirError> {
        if self
            .disk
            .exists(dir)
            .map_err(FileError::new("look for", dir))?
        {
            return Ok(());
        }
        self.disk
            .create_dir_all(dir)
            .map_err(FileError::new("create", dir))?;
        let mut parents: Vec<PathBuf> = Vec::new();
        let mut at = dir.parent();
        while let Some(parent) = at {
            parents.push(parent.to_owned());
            if parent == root {
                break;
            }
            at = parent.parent();
        }
        for parent in parents.iter().rev() {
            self.sync_dir(parent)?;
        }
        Ok(())
    }
}

/// Why a directory could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeDirError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<MakeDirError> for crate::error::OpenError {
    fn from(error: MakeDirError) -> Self {
        match error {
            MakeDirError::File(error) => Self::File(error),
            MakeDirError::Stopped(error) => Self::Stopped(error),
        }
    }
}
