//! The result's file against what its sink has committed.

use std::path::Path;

use anyhow::{Context, bail};
use headwater_client::Admin;

use super::position::Ends;

/// Whether the sink's `group` has committed everything below `ends`, and the file is what it has
/// committed. A file that is longer is about to be cut, or to be committed.
///
/// # Errors
/// If the file is shorter: the sink refuses it, but may not have looked yet.
pub(super) async fn is_committed(
    admin: &Admin,
    group: &str,
    ends: &Ends,
    file: &Path,
) -> anyhow::Result<bool> {
    let partitions: Vec<_> = ends.keys().cloned().collect();
    let committed = admin
        .list_group_offsets(group, Some(&partitions), true)
        .await?;
    let has_reached = ends.iter().all(|(partition, end)| {
        *end <= 0 || committed.get(partition).is_some_and(|at| at.offset >= *end)
    });
    if !has_reached {
        return Ok(false);
    }
    let mut expected = 0_u64;
    for offset in committed.values().filter(|at| !at.metadata.is_empty()) {
        let length = offset.metadata.parse::<u64>();
        let length = length.with_context(|| format!("{group} has committed no length"))?;
        expected = expected.max(length);
    }
    let length = match std::fs::metadata(file) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    if length < expected {
        bail!(
            "{} has {length} bytes and {expected} are committed: it is another file than before, or \
             was cut; put the old one back, or start anew with another --data-dir",
            file.display()
        );
    }
    Ok(length == expected)
}
