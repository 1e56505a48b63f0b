//! What a power cut leaves of a tree.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::tree::{DirState, FileChange, FileState, Inode, InodeId, ROOT, Tree};

/// How much of what was not synced outlives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Only what was synced.
    Nothing,
    /// All of it, as after `kill -9`.
    Everything,
    /// Per block and per name a state somewhere between, drawn from this seed: writes are lost,
    /// torn at block borders and reordered; lengths and names are kept or not, on their own.
    Seeded(u64),
}

pub(super) fn cut_power(tree: &mut Tree, survival: Survival) {
    let mut rng = match survival {
        Survival::Seeded(seed) => StdRng::seed_from_u64(seed),
        Survival::Nothing | Survival::Everything => StdRng::seed_from_u64(0),
    };
    for inode in tree.inodes.values_mut() {
        match inode {
            Inode::File(file) => {
                let content = match survival {
                    Survival::Nothing => Arc::clone(&file.durable),
                    Survival::Everything => after(file, file.pending.len()),
                    Survival::Seeded(_) => Arc::new(mixed(file, &mut rng)),
                };
                *file = FileState {
                    current: Arc::clone(&content),
                    durable: content,
                    pending: Vec::new(),
                };
            }
            Inode::Dir(dir) => {
                let names = match survival {
                    Survival::Nothing => dir.durable.clone(),
                    Survival::Everything => dir.current.clone(),
                    Survival::Seeded(_) => some_names(dir, &mut rng),
                };
                *dir = DirState {
                    current: names.clone(),
                    durable: names,
                    pending: Vec::new(),
                };
            }
        }
    }
    drop_unreachable(tree);
}

/// The content with the first `n` pending changes. After a failed sync this is not the current
/// one, since those pages are never written back.
fn after(file: &FileState, n: usize) -> Arc<Vec<u8>> {
    let mut content = file.durable.as_ref().clone();
    for change in file.pending.iter().take(n) {
        change.apply(&mut content);
    }
    Arc::new(content)
}

/// Each block as of its own moment between the last sync and the cut.
fn mixed(file: &FileState, rng: &mut StdRng) -> Vec<u8> {
    if file.pending.is_empty() {
        return file.durable.as_ref().clone();
    }
    let block = if rng.random_bool(0.5) { 512 } else { 4096 };
    let mut lengths = vec![file.durable.len()];
    for change in &file.pending {
        lengths.push(change.len_after(lengths[lengths.len() - 1]));
    }
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut result = file.durable.as_ref().clone();
    result.resize(longest, 0);

    let mut touching: BTreeMap<usize, Vec<&FileChange>> = BTreeMap::new();
    for change in &file.pending {
        let (from, to) = match change {
            FileChange::Write { at, bytes } => (*at, at + bytes.len()),
            FileChange::SetLen(len) => (*len, longest),
        };
        if from < to {
            for number in from / block..=(to - 1) / block {
                touching.entry(number).or_default().push(change);
            }
        }
    }
    // Runs that mostly keep and runs that mostly lose reach corners that a fair coin does not.
    let keep_all = [0.1, 0.5, 0.9][rng.random_range(0..3)];
    for (number, changes) in touching {
        let kept = if rng.random_bool(keep_all) {
            changes.len()
        } else {
            rng.random_range(0..changes.len())
        };
        let (start, end) = (number * block, longest.min((number + 1) * block));
        for change in &changes[..kept] {
            apply_within(change, &mut result, start, end);
        }
    }
    result.truncate(lengths[rng.random_range(0..lengths.len())]);
    result
}

fn apply_within(change: &FileChange, content: &mut [u8], start: usize, end: usize) {
    match change {
        FileChange::Write { at, bytes } => {
            let (from, to) = (start.max(*at), end.min(at + bytes.len()));
            if from < to {
                content[from..to].copy_from_slice(&bytes[from - at..to - at]);
            }
        }
        FileChange::SetLen(len) => {
            let from = start.max(*len);
            if from < end {
                content[from..end].fill(0);
            }
        }
    }
}

fn some_names(dir: &DirState, rng: &mut StdRng) -> BTreeMap<OsString, InodeId> {
    let mut names = dir.durable.clone();
    for change in &dir.pending {
        if rng.random_bool(0.5) {
            change.apply(&mut names);
        }
    }
    names
}

fn drop_unreachable(tree: &mut Tree) {
    let mut reachable = Vec::new();
    let mut open = vec![ROOT];
    while let Some(id) = open.pop() {
        reachable.push(id);
        if let Some(Inode::Dir(dir)) = tree.inodes.get(&id) {
            open.extend(dir.current.values());
        }
    }
    reachable.sort_unstable();
    tree.inodes
        .retain(|id, _| reachable.binary_search(id).is_ok());
}
