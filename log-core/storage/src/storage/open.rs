//! Opening a data directory: lock, owner, format.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use headwater_env::{Clock, Disk};
use parking_lot::{Mutex, RwLock};

use super::syncer::Syncer;
use super::{Inner, Keeper, Storage};
use crate::checkpoint::CheckpointFile;
use crate::core::Core;
use crate::encoding::{Fields, PutFields};
use crate::error::{Corruption, FileError, OpenError};
use crate::fail_stop::AbortProcess;
use crate::medium::Medium;
use crate::options::{JournalOptions, StorageOptions};
use crate::raft::Register;
use crate::sealed::Magic;

const NODE_MAGIC: Magic = *b"HWNODE\0\0";
const BLOCK: u64 = 4096;

/// Whose data directory it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The cluster.
    pub cluster_id: String,
    /// The node in it.
    pub node_id: i32,
}

impl Storage {
    /// Whose directory this is; `None` if it is nobody's yet. A node that starts again learns its
    /// cluster's id by this. Takes no lock and changes nothing.
    ///
    /// # Errors
    /// [`OpenError`] if the file that says so is damaged or cannot be read.
    pub fn owner(disk: Arc<dyn Disk>, data_dir: &Path) -> Result<Option<Owner>, OpenError> {
        let medium = Medium::new(disk, Arc::new(AbortProcess));
        let path = data_dir.join("node");
        Ok(read_owner(&medium, &path)?.1)
    }

    /// Opens a data directory, making it if it does not exist. Only logs of opaque entries and
    /// registers can be used until [`Storage::recover`].
    ///
    /// # Errors
    /// [`OpenError`] if it is in use, belongs to another node, or is damaged.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: StorageOptions,
    ) -> Result<Self, OpenError> {
        check_options(&options.journal)?;
        let root = options.data_dir.clone();
        disk.create_dir_all(&root)
            .map_err(FileError::new("create", &root))?;
        let lock = disk
            .lock(&root.join("lock"))
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::WouldBlock => OpenError::Locked(root.clone()),
                _ => OpenError::File(FileError::new("lock", &root)(error)),
            })?;
        let medium = Medium::new(disk, Arc::clone(&options.fail_stop));
        check_owner(&medium, &root, &options)?;
        let journal_dir = root.join("journal");
        let partitions_dir = root.join("partitions");
        medium.make_dir(&root, &journal_dir)?;
        medium.make_dir(&root, &partitions_dir)?;
        let incarnation = Register::open(medium.clone(), &journal_dir.join("incarnation"))?;
        let (file, checkpoints) = CheckpointFile::open(medium.clone(), &root.join("checkpoints"))?;
        let core = Arc::new(Core::new(medium, clock, options, partitions_dir, file));
        let inner = Arc::new(Inner {
            core,
            partitions: RwLock::default(),
            syncer: Mutex::new(Syncer::default()),
            journal_dir,
            incarnation,
            checkpoints: Mutex::new(Some(checkpoints)),
            threads: Mutex::default(),
            is_closing: AtomicBool::new(false),
            lock: Mutex::new(Some(lock)),
        });
        Ok(Self {
            _keeper: Arc::new(Keeper(Arc::clone(&inner))),
            inner,
        })
    }
}

fn check_options(journal: &JournalOptions) -> Result<(), OpenError> {
    let is_sound =
        |bytes: u64| bytes >= 4 * BLOCK && bytes.is_multiple_of(BLOCK) && bytes <= 1 << 30;
    if !is_sound(journal.file_bytes) || !is_sound(journal.first_file_bytes) {
        return Err(OpenError::Options(
            "a journal file must be a multiple of 4 KiB, at least 16 KiB and at most 1 GiB",
        ));
    }
    if journal.files_max < 2 {
        return Err(OpenError::Options("the journal needs two files"));
    }
    if journal.group_bytes == 0 {
        return Err(OpenError::Options("a journal group needs room"));
    }
    Ok(())
}

/// Makes the names of a new data directory and of all directories above it durable: any of them may
/// have been made with it.
fn sync_names(medium: &Medium, root: &Path) -> Result<(), OpenError> {
    let above = root.ancestors().skip(1).enumerate();
    for (height, dir) in above {
        // The last ancestor of a relative path is empty.
        let dir = match dir.as_os_str().is_empty() {
            true => Path::new("."),
            false => dir,
        };
        match medium.disk.sync_dir(dir) {
            Ok(()) => {}
            // Where we may not look we have made nothing.
            Err(error) if height > 0 => {
                tracing::debug!(dir = %dir.display(), %error, "not synced");
            }
            Err(error) => return Err(FileError::new("sync", dir)(error).into()),
        }
    }
    Ok(())
}

/// Notes whose directory it is, or checks that it is ours.
fn check_owner(medium: &Medium, root: &Path, options: &StorageOptions) -> Result<(), OpenError> {
    let (register, owner) = read_owner(medium, &root.join("node"))?;
    let Some(owner) = owner else {
        let mut bytes = Vec::new();
        bytes.put_i32(options.node_id);
        bytes.put_bytes(options.cluster_id.as_bytes());
        register.store(&bytes)?;
        return sync_names(medium, root);
    };
    let wrong = |what, found: String, expected: String| OpenError::WrongOwner {
        path: root.to_owned(),
        what,
        found,
        expected,
    };
    if owner.cluster_id != options.cluster_id {
        return Err(wrong(
            "cluster",
            owner.cluster_id,
            options.cluster_id.clone(),
        ));
    }
    if owner.node_id != options.node_id {
        return Err(wrong(
            "node",
            owner.node_id.to_string(),
            options.node_id.to_string(),
        ));
    }
    Ok(())
}

fn read_owner(medium: &Medium, path: &Path) -> Result<(Register, Option<Owner>), OpenError> {
    let register = Register::open_as(medium.clone(), path, NODE_MAGIC)?;
    let Some(bytes) = register.load() else {
        return Ok((register, None));
    };
    let mut fields = Fields::new(&bytes);
    let node_id = fields.i32();
    let cluster_id = fields.bytes().and_then(|id| str::from_utf8(id).ok());
    let (Some(node_id), Some(cluster_id)) = (node_id, cluster_id) else {
        return Err(OpenError::Corrupt(Corruption {
            path: path.to_owned(),
            position: 0,
            reason: "it names no node".to_owned(),
        }));
    };
    let cluster_id = cluster_id.to_owned();
    Ok((
        register,
        Some(Owner {
            cluster_id,
            node_id,
        }),
    ))
}
