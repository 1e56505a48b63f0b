//! The real thing: files, threads, many appenders.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod harness;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use harness::{batch, contents, id, known};
use headwater_env::sim::{Fault, SimDisk};
use headwater_env::{RealDisk, SystemClock};
use headwater_storage::{
    AppendError, AppendOrigin, KnownPartition, LogConfig, OpenError, Storage, StorageOptions,
};

const PARTITIONS: i32 = 12;

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 256 << 10,
        ..LogConfig::default()
    }
}

fn open(dir: &Path) -> Result<Storage, OpenError> {
    let mut options = StorageOptions::new(dir, "cluster", 1);
    options.journal.file_bytes = 1 << 20;
    options.journal.first_file_bytes = 256 << 10;
    options.journal.group_bytes = 256 << 10;
    options.checkpoint_interval = Duration::from_millis(200);
    let disk = Arc::new(RealDisk::new());
    let storage = Storage::open(disk, Arc::new(SystemClock::new()), options)?;
    let all: Vec<KnownPartition> = (0..PARTITIONS)
        .map(|partition| known(id(1, partition), &config()))
        .collect();
    let recovery = storage.recover(&all)?;
    assert_eq!(recovery.quarantined, []);
    Ok(storage)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_appenders_are_acknowledged_and_all_is_there_after_a_restart() {
    const TASKS: u64 = 8;
    const APPENDS: u64 = 150;
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).unwrap();
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let storage = storage.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..APPENDS {
                let partition = ((task * 7 + n) % PARTITIONS as u64) as i32;
                let log = storage.partition(&id(1, partition)).unwrap();
                let value = format!("{task} {n} {}", "x".repeat(3000));
                let appended = log
                    .append(&[batch(&[value.as_bytes()])], AppendOrigin::Client)
                    .unwrap();
                storage.wait_durable(appended.lsn).await.unwrap();
                assert!(log.durable_end_offset() > appended.last_offset);
                let mut watch = log.watch();
                let end = watch
                    .wait_for(|state| state.end > appended.last_offset)
                    .await
                    .unwrap()
                    .end;
                assert!(end <= log.log_end_offset());
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!(matches!(open(dir.path()), Err(OpenError::Locked(_))));
    // First without saying goodbye, then in order.
    drop(storage);
    for _ in 0..2 {
        let storage = open(dir.path()).unwrap();
        let mut values: Vec<String> = storage
            .partitions()
            .iter()
            .flat_map(|log| contents(log))
            .map(|(_, _, value)| value.unwrap().trim_end_matches('x').to_owned())
            .collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len() as u64, TASKS * APPENDS);
        storage.shutdown().unwrap();
    }
}

#[tokio::test]
async fn waiting_ends_when_the_storage_does() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).unwrap();
    let log = storage.partition(&id(1, 0)).unwrap();
    let appended = log.append(&[batch(&[b"a"])], AppendOrigin::Client).unwrap();
    storage.shutdown().unwrap();
    storage.wait_durable(appended.lsn).await.unwrap();
    assert!(log.append(&[batch(&[b"b"])], AppendOrigin::Client).is_err());
}

#[test]
fn an_append_does_not_wait_for_ever_for_a_journal_that_stays_full() {
    let disk = SimDisk::new();
    let mut options = StorageOptions::new("/data", "cluster", 1);
    options.journal.file_bytes = 64 << 10;
    options.journal.first_file_bytes = 32 << 10;
    options.journal.files_max = 2;
    options.journal.group_bytes = 16 << 10;
    options.journal.room_wait = Duration::from_millis(50);
    let storage = Storage::open(
        Arc::new(disk.clone()),
        Arc::new(SystemClock::new()),
        options,
    )
    .unwrap();
    storage.recover(&[]).unwrap();
    let log = storage
        .create_partition(id(1, 0), "topic", config())
        .unwrap();
    disk.inject(Fault::Write, "checkpoints.tmp", u32::MAX);
    let value = [b'v'; 1000];
    let append = || log.append(&[batch(&[&value])], AppendOrigin::Client);
    let refused = (0..1_000).find_map(|_| append().err());
    assert!(matches!(refused, Some(AppendError::NoRoom(_))));
    let end = log.log_end_offset();
    disk.clear_faults();
    let appended = (0..1_000).find_map(|_| append().ok()).unwrap();
    assert_eq!(appended.base_offset, end, "nothing of the refused ones");
    storage.shutdown().unwrap();
}
