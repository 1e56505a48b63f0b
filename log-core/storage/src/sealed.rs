//! The frame around every small file: magic, format version, length and checksum.

use std::path::Path;

use crate::encoding::{Fields, PutFields};
use crate::error::{Corruption, FileError, OpenError};
use headwater_env::Disk;

/// Format version of all files; a file of a newer one is refused.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Kinds of small files, by the eight bytes they start with.
pub(crate) type Magic = [u8; 8];

/// Largest small file read, so that a damaged length reserves nothing to speak of. A checkpoint of
/// 100,000 partitions with ten producers each stays below.
const SEALED_MAX: usize = 256 << 20;

pub(crate) fn seal(magic: Magic, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 20);
    bytes.put(&magic);
    bytes.put_u32(FORMAT_VERSION);
    bytes.put_bytes(payload);
    let crc = crc32c::crc32c(&bytes);
    bytes.put_u32(crc);
    bytes
}

/// Why a sealed file does not open.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Not what was written.
    Damaged(&'static str),
    /// Written by a newer build.
    Newer(u32),
}

pub(crate) fn unseal(magic: Magic, bytes: &[u8]) -> Result<&[u8], Broken> {
    let mut fields = Fields::new(bytes);
    let short = Broken::Damaged("it is too short");
    if fields.take(8).ok_or(short)? != magic {
        return Err(Broken::Damaged(
            "it starts with other bytes than files of its kind",
        ));
    }
    let version = fields.u32().ok_or(Broken::Damaged("it is too short"))?;
    if version > FORMAT_VERSION {
        return Err(Broken::Newer(version));
    }
    let payload = fields.bytes().ok_or(Broken::Damaged("it is too short"))?;
    let crc = fields.u32().ok_or(Broken::Damaged("it is too short"))?;
    if !fields.is_empty() {
        return Err(Broken::Damaged("it is too long"));
    }
    if crc32c::crc32c(bytes.get(..bytes.len() - 4).unwrap_or_default()) != crc {
        return Err(Broken::Damaged("its checksum does not match"));
    }
    Ok(payload)
}

/// Reads a whole small file; `None` if it does not exist.
pub(crate) fn read_file(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match disk.open(path) {
        Ok(file) => {
            let len = file.len().map_err(FileError::new("measure", path))?;
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(SEALED_MAX);
            let mut bytes = Vec::new();
            file.read_to(&mut bytes, 0, len)
                .map_err(FileError::new("read", path))?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::new("open", path)(error)),
    }
}

/// The error for a file that must be whole.
pub(crate) fn broken(path: &Path, broken: Broken) -> OpenError {
    match broken {
        Broken::Damaged(reason) => OpenError::Corrupt(Corruption {
            path: path.to_owned(),
            position: 0,
            reason: reason.to_owned(),
        }),
        Broken::Newer(found) => OpenError::NewerFormat {
            path: path.to_owned(),
            found,
            known: FORMAT_VERSION,
        },
    }
}
