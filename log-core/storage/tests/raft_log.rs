//! Logs of opaque entries and registers are durable when a call returns, wherever the power is cut.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod harness;

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use harness::*;
use headwater_env::sim::{SimClock, SimDisk, Survival};
use headwater_env::{Disk, Random, SeededRandom, Timestamp};
use headwater_storage::{Log, LogError, OpenError, Register, Storage};

fn open(disk: &SimDisk) -> Result<(Storage, Log, Register), OpenError> {
    let stops = Arc::new(Stops::default());
    let clock = Arc::new(SimClock::new(Timestamp::from_millis(0)));
    let storage = Storage::open(Arc::new(disk.clone()), clock, small_options(&stops))?;
    let (log, register) = (storage.log("metadata")?, storage.register("vote")?);
    Ok((storage, log, register))
}

/// What the log may hold: first index, entries, and how few of the entries would do.
#[derive(Debug, Clone, Default)]
struct Model {
    first: u64,
    entries: Vec<Bytes>,
    needed: usize,
    /// First index after the purge under way.
    first_after: u64,
    vote: Vec<Option<Bytes>>,
}

impl Model {
    fn check(&self, log: &Log, register: &Register) -> Result<(), String> {
        let (first, next) = (log.first_index(), log.next_index());
        if first != self.first && first != self.first_after {
            return Err(format!(
                "first index is {first}, not {} or {}",
                self.first, self.first_after
            ));
        }
        let end = self.first + self.entries.len() as u64;
        let needed = self.first + self.needed as u64;
        if !(needed.max(first)..=end.max(self.first_after)).contains(&next) {
            return Err(format!("next index is {next}, not {needed}..={end}"));
        }
        let found = log.read(first..next).map_err(|error| error.to_string())?;
        let skipped = (first - self.first) as usize;
        if found
            != self
                .entries
                .get(skipped..skipped + found.len())
                .unwrap_or_default()
        {
            return Err("entries differ".to_owned());
        }
        if !self.vote.contains(&register.load()) {
            return Err(format!(
                "vote is {:?}, not one of {:?}",
                register.load(),
                self.vote
            ));
        }
        Ok(())
    }
}

#[test]
fn every_cut_leaves_what_a_returned_call_promised() {
    let disk = SimDisk::new();
    let (storage, log, register) = open(&disk).unwrap();
    let model = Arc::new(Mutex::new(Model {
        vote: vec![None],
        ..Model::default()
    }));
    let failure: Arc<Mutex<Option<String>>> = Arc::default();
    let points = Arc::new(Mutex::new(0));
    let (expected, seen, counter) = (
        Arc::clone(&model),
        Arc::clone(&failure),
        Arc::clone(&points),
    );
    disk.observe(Box::new(move |number, operation, image| {
        *counter.lock().unwrap() += 1;
        let model = expected.lock().unwrap().clone();
        for survival in [
            Survival::Nothing,
            Survival::Everything,
            Survival::Seeded(number),
            Survival::Seeded(!number),
        ] {
            let image = image.image();
            image.crash(survival);
            let result = match open(&image) {
                Ok((_storage, log, register)) => model.check(&log, &register),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = result {
                let place = format!("cut before {number} {operation:?}, {survival:?}");
                seen.lock()
                    .unwrap()
                    .get_or_insert(format!("{place}: {error}"));
            }
        }
    }));
    let random = SeededRandom::new(9);
    for step in 0..150 {
        let (first, next) = (log.first_index(), log.next_index());
        match random.below(10) {
            0..6 => {
                let entries: Vec<Bytes> = (0..1 + random.below(4))
                    .map(|n| {
                        let len = random.below(900) as usize;
                        Bytes::from(format!("{step} {n}").into_bytes().repeat(1 + len / 10))
                    })
                    .collect();
                model
                    .lock()
                    .unwrap()
                    .entries
                    .extend(entries.iter().cloned());
                log.append(next, &entries).unwrap();
            }
            6 => {
                let index = first + random.below(next - first + 1);
                model.lock().unwrap().needed = (index - first) as usize;
                log.truncate_from(index).unwrap();
                model
                    .lock()
                    .unwrap()
                    .entries
                    .truncate((index - first) as usize);
            }
            7 => {
                let index = first + random.below(next - first + 4);
                model.lock().unwrap().first_after = index;
                log.purge_before(index).unwrap();
                let mut model = model.lock().unwrap();
                let gone = (index - first) as usize;
                model.entries = model.entries.get(gone..).unwrap_or_default().to_vec();
                model.first = index;
            }
            _ => {
                let vote = Bytes::from(format!("vote {step}"));
                model.lock().unwrap().vote.push(Some(vote.clone()));
                register.store(&vote).unwrap();
                model.lock().unwrap().vote = vec![Some(vote)];
            }
        }
        let mut model = model.lock().unwrap();
        model.needed = model.entries.len();
        model.first_after = model.first;
        assert_eq!(failure.lock().unwrap().take(), None);
        model.check(&log, &register).unwrap();
    }
    disk.stop_observing();
    drop(storage);
    let points = *points.lock().unwrap();
    assert!(points > 250, "{points}");
}

#[test]
fn entries_follow_each_other_and_reads_stay_inside() {
    let disk = SimDisk::new();
    let (_storage, log, _) = open(&disk).unwrap();
    let entry = [Bytes::from_static(b"e")];
    assert!(matches!(
        log.append(1, &entry),
        Err(LogError::NotNext {
            found: 1,
            expected: 0
        })
    ));
    log.append(0, &entry).unwrap();
    log.append(1, &entry).unwrap();
    assert!(matches!(
        log.read(1..3),
        Err(LogError::OutOfRange { index: 2, .. })
    ));
    log.purge_before(1).unwrap();
    assert!(matches!(
        log.read(0..2),
        Err(LogError::OutOfRange {
            index: 0,
            first: 1,
            next: 2
        })
    ));
    assert!(matches!(
        log.truncate_from(0),
        Err(LogError::OutOfRange { .. })
    ));
    log.purge_before(10).unwrap();
    assert_eq!((log.first_index(), log.next_index()), (10, 10));
    log.append(10, &entry).unwrap();
    assert_eq!(log.read(10..11).unwrap(), entry);
}

#[test]
fn damage_to_a_synced_entry_is_an_error_and_not_the_end() {
    let disk = SimDisk::new();
    let (storage, log, _) = open(&disk).unwrap();
    for index in 0..5 {
        log.append(index, &[Bytes::from(vec![b'e'; 40])]).unwrap();
    }
    drop((storage, log));
    let dir = Path::new("/data/logs/metadata");
    let name = disk
        .list(dir)
        .unwrap()
        .into_iter()
        .find(|e| e.name.ends_with(".entries"))
        .unwrap();
    let path = dir.join(name.name);
    for byte in 0..32 + 4 * 64 {
        if (24..32).contains(&byte) {
            continue;
        }
        let image = disk.image();
        image.flip_bit(&path, byte, (byte % 8) as u32).unwrap();
        let is_refused = matches!(
            open(&image),
            Err(OpenError::Corrupt(_) | OpenError::NewerFormat { .. })
        );
        assert!(is_refused, "byte {byte}");
    }
}
