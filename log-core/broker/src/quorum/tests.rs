use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_env::sim::SimDisk;
use headwater_env::{Disk, SystemClock};
use headwater_storage::{Storage, StorageOptions};
use openraft::testing::{StoreBuilder, Suite};
use uuid::Uuid;

use super::log_store::LogStore;
use super::state_machine::StateMachine;
use super::types::{StorageError, Types};
use super::{MetadataQuorum, QuorumFiles, RaftQuorum};
use crate::metadata::{Command, NewTopic, Outcome};

fn open_storage(disk: &SimDisk, dir: &str) -> Storage {
    let options = StorageOptions::new(Path::new(dir), "cluster", 1);
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Storage::open(disk, Arc::new(SystemClock::new()), options).expect("a data directory")
}

fn files(storage: &Storage) -> QuorumFiles {
    QuorumFiles {
        log: storage.log("metadata").expect("a log"),
        vote: storage.register("metadata-vote").expect("a register"),
        snapshot: storage.register("metadata-snapshot").expect("a register"),
    }
}

/// Builds a store in a directory of its own for each of openraft's cases.
struct OnDisk {
    disk: SimDisk,
    count: AtomicU64,
}

impl StoreBuilder<Types, LogStore, StateMachine, Storage> for OnDisk {
    async fn build(&self) -> Result<(Storage, LogStore, StateMachine), StorageError> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let storage = open_storage(&self.disk, &format!("/{number}"));
        let files = files(&storage);
        let log_store = LogStore::open(files.log, files.vote).expect("an empty log");
        let state_machine = StateMachine::open(files.snapshot).expect("no snapshot");
        Ok((storage, log_store, state_machine))
    }
}

#[test]
fn the_store_passes_openrafts_own_suite() {
    let builder = OnDisk {
        disk: SimDisk::new(),
        count: AtomicU64::new(0),
    };
    Suite::test_all(builder).expect("openraft's suite passes");
}

fn topic(name: &str, id: u128) -> Command {
    Command::CreateTopic(NewTopic {
        name: name.into(),
        id: Uuid::from_u128(id),
        replicas: vec![vec![1]],
        configs: BTreeMap::new(),
    })
}

#[tokio::test]
async fn a_quorum_of_one_leads_at_once_and_remembers_over_crashes() {
    let disk = SimDisk::new();
    let mut known = 0;
    for round in 0..4_u128 {
        let storage = open_storage(&disk, "/node");
        let begun = std::time::Instant::now();
        let quorum = RaftQuorum::open(1, files(&storage))
            .await
            .expect("a quorum");
        // Far below openraft's election timeout: nobody waits for one.
        assert!(begun.elapsed().as_millis() < 1_000, "{:?}", begun.elapsed());
        assert_eq!(quorum.leader(), Some(1));
        assert_eq!(quorum.image().topics.len(), known, "round {round}");
        for index in 0..5 {
            let id = round * 5 + index;
            let outcome = quorum
                .submit(topic(&format!("t{id}"), id))
                .await
                .expect("committed");
            assert_eq!(outcome, Outcome::Done);
            known += 1;
            assert_eq!(
                quorum.image().topics.len(),
                known,
                "applied when it is answered"
            );
        }
        quorum.shutdown().await;
        drop(quorum);
        drop(storage);
        disk.crash(headwater_env::sim::Survival::Nothing);
    }
}

#[tokio::test]
async fn snapshots_take_the_place_of_the_log() {
    let disk = SimDisk::new();
    let storage = open_storage(&disk, "/node");
    let quorum = RaftQuorum::open(1, files(&storage))
        .await
        .expect("a quorum");
    let mut watch = quorum.watch();
    for id in 0..2_500_u128 {
        quorum
            .submit(topic(&format!("t{id}"), id))
            .await
            .expect("committed");
        if id % 2 == 0 {
            let gone = Command::DeleteTopic {
                id: Uuid::from_u128(id),
            };
            quorum.submit(gone).await.expect("committed");
        }
    }
    watch
        .wait_for(|image| image.topics.len() == 1_250)
        .await
        .expect("the image is followed");
    quorum.shutdown().await;
    drop(quorum);
    drop(storage);

    let storage = open_storage(&disk, "/node");
    assert!(
        storage
            .register("metadata-snapshot")
            .expect("a register")
            .load()
            .is_some()
    );
    drop(storage);
    let storage = open_storage(&disk, "/node");
    let quorum = RaftQuorum::open(1, files(&storage))
        .await
        .expect("a quorum");
    assert_eq!(quorum.image().topics.len(), 1_250);
    quorum.shutdown().await;
}
