//! Damage to what was synced is never cut away: it stops the node or quarantines the partition.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod harness;

use std::path::{Path, PathBuf};

use harness::*;
use headwater_env::Disk;
use headwater_env::sim::{SimDisk, Survival};
use headwater_storage::{AppendError, AppendOrigin, LogConfig, OpenError, ReadError, Unusable};
use headwater_wire::records::RecordBatch;

const CLIENT: AppendOrigin = AppendOrigin::Client;

fn size(disk: &SimDisk, path: &Path) -> u64 {
    disk.open(path).unwrap().len().unwrap()
}

fn flipped(disk: &SimDisk, path: &Path, byte: u64, bit: u32) -> SimDisk {
    let image = disk.image();
    image.flip_bit(path, byte, bit).unwrap();
    image
}

/// A node's disk after five synced groups of one append each, none in a checkpoint.
fn five_groups() -> (SimDisk, Vec<usize>) {
    let disk = SimDisk::new();
    let node = Node::start(&disk, &[]);
    let log = node.create(id(1, 0), &small_config());
    let mut sizes = Vec::new();
    for n in 0..5_u8 {
        let batch = batch(&[&[b'a' + n; 50]]);
        sizes.push(batch.bytes.len());
        log.append(&[batch], CLIENT).unwrap();
        node.commit();
    }
    drop(node);
    disk.crash(Survival::Nothing);
    (disk, sizes)
}

#[test]
fn every_flipped_bit_in_a_synced_group_but_the_last_stops_the_node() {
    let (disk, sizes) = five_groups();
    let journal = Path::new("/data/journal/journal-000000.log");
    let mut stopped = 0;
    for (group, size) in sizes.iter().enumerate() {
        let start = 4096 * (group as u64 + 1);
        // Group header, frame header, batch.
        for byte in (start..start + 48).chain(start + 64..start + 64 + 60 + *size as u64) {
            let image = flipped(&disk, journal, byte, (byte % 8) as u32);
            let result = Node::try_start(&image, &[known(id(1, 0), &small_config())]);
            if group + 1 < sizes.len() {
                assert!(
                    matches!(result, Err(OpenError::Corrupt(_))),
                    "group {group} byte {byte}"
                );
                stopped += 1;
            } else {
                // Nothing tells damage to the very last group from a torn tail.
                let node = result.unwrap();
                assert_eq!(node.partition(id(1, 0)).log_end_offset(), 4);
            }
        }
    }
    assert!(stopped > 600);
    // A refused start changed nothing: with the bit turned back, all is there.
    let image = flipped(&disk, journal, 4096 + 100, 1);
    assert!(Node::try_start(&image, &[known(id(1, 0), &small_config())]).is_err());
    image.flip_bit(journal, 4096 + 100, 1).unwrap();
    let node = Node::start(&image, &[known(id(1, 0), &small_config())]);
    assert_eq!(node.partition(id(1, 0)).log_end_offset(), 5);
}

#[test]
fn damage_to_the_files_that_start_the_node_stops_it() {
    let (disk, _) = five_groups();
    for path in [
        "journal/journal-000000.log",
        "journal/incarnation",
        "checkpoints",
        "node",
    ] {
        let path = PathBuf::from("/data").join(path);
        for byte in 0..size(&disk, &path).min(28) {
            let image = flipped(&disk, &path, byte, 3);
            let result = Node::try_start(&image, &[known(id(1, 0), &small_config())]);
            let is_refused = matches!(
                result,
                Err(OpenError::Corrupt(_) | OpenError::NewerFormat { .. })
            );
            assert!(is_refused, "{} byte {byte}", path.display());
        }
    }
}

/// A disk with a log of forty records in many segments, all synced and checkpointed.
fn checkpointed() -> (SimDisk, LogConfig) {
    let disk = SimDisk::new();
    let config = small_config();
    let node = Node::start(&disk, &[]);
    for topic in [1, 2] {
        let log = node.create(id(topic, 0), &config);
        for n in 0..40_u8 {
            log.append(&[batch(&[&[n; 300]])], CLIENT).unwrap();
        }
    }
    node.storage.shutdown().unwrap();
    drop(node);
    disk.crash(Survival::Nothing);
    (disk, config)
}

fn segments(disk: &SimDisk, extension: &str) -> Vec<PathBuf> {
    let dir = PathBuf::from("/data/partitions").join(id(1, 0).to_string());
    let entries = disk.list(&dir).unwrap();
    entries
        .into_iter()
        .filter(|entry| entry.name.ends_with(extension))
        .map(|entry| dir.join(entry.name))
        .collect()
}

fn batch_starts(disk: &SimDisk, path: &Path) -> Vec<u64> {
    let mut bytes = Vec::new();
    disk.open(path)
        .unwrap()
        .read_to(&mut bytes, 64, 1 << 20)
        .unwrap();
    let (mut bytes, mut at) = (bytes::Bytes::from(bytes), 64);
    let mut starts = Vec::new();
    while let Some(batch) = RecordBatch::split_from(&mut bytes).unwrap() {
        starts.push(at);
        at += batch.bytes.len() as u64;
    }
    starts
}

#[test]
fn a_flipped_bit_in_a_segment_is_noticed_when_read_and_quarantines() {
    let (disk, config) = checkpointed();
    for path in segments(&disk, ".log") {
        let starts = batch_starts(&disk, &path);
        for byte in (64..size(&disk, &path)).step_by(97) {
            // Base offset and leader epoch lie outside a batch's checksum.
            if starts
                .iter()
                .any(|start| (*start..start + 16).contains(&byte))
            {
                continue;
            }
            let image = flipped(&disk, &path, byte, 5);
            let all = [known(id(1, 0), &config), known(id(2, 0), &config)];
            let node = Node::start(&image, &all);
            let log = node.partition(id(1, 0));
            let mut offset = 0;
            let mut damage = None;
            while offset < 40 && damage.is_none() {
                match log.read(offset, 1, true, i64::MAX) {
                    Ok(bytes) => {
                        let batch = parse(bytes);
                        assert_eq!(batch.verify_crc(), Ok(()));
                        assert_eq!(batch.header.base_offset, offset);
                        offset += 1;
                    }
                    Err(error) => damage = Some(error),
                }
            }
            if let Some(damage) = damage {
                assert!(matches!(damage, ReadError::Corrupt(_)), "{damage}");
                let refused = log.append(&[batch(&[b"x"])], CLIENT);
                let is_quarantined = matches!(
                    refused,
                    Err(AppendError::Unusable(Unusable::Quarantined { .. }))
                );
                assert!(is_quarantined);
            }
            let other = node.partition(id(2, 0));
            assert_eq!(read_all(&other, 0).len(), 40);
            other.append(&[batch(&[b"x"])], CLIENT).unwrap();
        }
    }
}

#[test]
fn a_missing_or_short_segment_quarantines_its_partition_and_keeps_the_rest_readable() {
    let (disk, config) = checkpointed();
    let all = [known(id(1, 0), &config), known(id(2, 0), &config)];
    for path in segments(&disk, ".log") {
        for is_removed in [true, false] {
            let image = disk.image();
            if is_removed {
                image.remove_file(&path).unwrap();
            } else {
                image.open(&path).unwrap().set_len(500).unwrap();
            }
            let node = Node::start(&image, &all);
            assert_eq!(node.recovery.quarantined, [id(1, 0)], "{}", path.display());
            assert_eq!(
                node.partition(id(1, 0)).log_end_offset(),
                40,
                "nothing is cut"
            );
            assert_eq!(read_all(&node.partition(id(2, 0)), 0).len(), 40);
        }
    }
}

#[test]
fn indexes_and_snapshots_are_made_again_or_done_without() {
    let (disk, config) = checkpointed();
    for extension in [".index", ".producers"] {
        for path in segments(&disk, extension) {
            let mut images = vec![disk.image()];
            images[0].remove_file(&path).unwrap();
            for byte in (0..size(&disk, &path)).step_by(7) {
                images.push(flipped(&disk, &path, byte, 2));
            }
            for image in images {
                let node = Node::start(
                    &image,
                    &[known(id(1, 0), &config), known(id(2, 0), &config)],
                );
                let log = node.partition(id(1, 0));
                assert_eq!(node.recovery.quarantined, []);
                for offset in (0..40).rev() {
                    let batch = parse(log.read(offset, 1, true, i64::MAX).unwrap());
                    assert_eq!(batch.header.base_offset, offset);
                }
                assert_eq!(log.truncate_to(17).unwrap(), 17);
            }
        }
    }
}
