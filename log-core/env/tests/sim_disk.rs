//! The simulated disk keeps what was synced and may lose anything else.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::Path;

use headwater_env::sim::{Fault, SimDisk, Survival};
use headwater_env::{Disk, RealDisk};

fn content(disk: &dyn Disk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open(Path::new(path)).ok()?;
    let mut bytes = Vec::new();
    file.read_to(&mut bytes, 0, 1 << 20).unwrap();
    Some(bytes)
}

fn disk_with_synced_file() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/a/b")).unwrap();
    let file = disk.create(Path::new("/a/b/f")).unwrap();
    file.write_all_at(&[1; 8192], 0).unwrap();
    file.sync_data().unwrap();
    for dir in ["/", "/a", "/a/b"] {
        disk.sync_dir(Path::new(dir)).unwrap();
    }
    disk
}

#[test]
fn synced_bytes_and_names_survive_everything_else_may_go() {
    let disk = disk_with_synced_file();
    let file = disk.open(Path::new("/a/b/f")).unwrap();
    file.write_all_at(&[2; 4096], 4096).unwrap();
    file.write_all_at(&[3; 10], 8192).unwrap();
    disk.create(Path::new("/a/b/g"))
        .unwrap()
        .write_all_at(b"x", 0)
        .unwrap();

    let lost = disk.image();
    lost.crash(Survival::Nothing);
    assert_eq!(content(&lost, "/a/b/f"), Some(vec![1; 8192]));
    assert_eq!(content(&lost, "/a/b/g"), None);

    let kept = disk.image();
    kept.crash(Survival::Everything);
    let mut all = vec![1; 4096];
    all.extend([2; 4096]);
    all.extend([3; 10]);
    assert_eq!(content(&kept, "/a/b/f"), Some(all));
    assert_eq!(content(&kept, "/a/b/g"), Some(b"x".to_vec()));
}

#[test]
fn seeds_tear_writes_at_block_borders_and_repeat() {
    let disk = disk_with_synced_file();
    let file = disk.open(Path::new("/a/b/f")).unwrap();
    file.write_all_at(&[2; 8192], 0).unwrap();
    let mut torn = 0;
    for seed in 0..64 {
        let image = disk.image();
        image.crash(Survival::Seeded(seed));
        let bytes = content(&image, "/a/b/f").unwrap();
        assert_eq!(bytes.len(), 8192);
        for block in bytes.chunks(512) {
            assert!(
                block.iter().all(|b| *b == block[0]),
                "a block of 512 bytes is whole"
            );
        }
        torn += u32::from(bytes.contains(&1) && bytes.contains(&2));
        let again = disk.image();
        again.crash(Survival::Seeded(seed));
        assert_eq!(content(&again, "/a/b/f").unwrap(), bytes);
    }
    assert!(torn > 10, "{torn} of 64 seeds tore the write");
}

#[test]
fn a_rename_that_was_not_synced_leaves_the_old_or_the_new_file() {
    let disk = disk_with_synced_file();
    let new = disk.create(Path::new("/a/b/f.tmp")).unwrap();
    new.write_all_at(b"new", 0).unwrap();
    new.sync_data().unwrap();
    disk.rename(Path::new("/a/b/f.tmp"), Path::new("/a/b/f"))
        .unwrap();
    let (mut old_seen, mut new_seen) = (false, false);
    for seed in 0..32 {
        let image = disk.image();
        image.crash(Survival::Seeded(seed));
        match content(&image, "/a/b/f").unwrap().as_slice() {
            b"new" => new_seen = true,
            bytes if bytes == [1; 8192] => old_seen = true,
            other => panic!("{other:?}"),
        }
    }
    assert!(old_seen && new_seen);
}

#[test]
fn a_failed_sync_loses_what_was_not_synced_even_if_tried_again() {
    let disk = disk_with_synced_file();
    let file = disk.open(Path::new("/a/b/f")).unwrap();
    file.write_all_at(&[9; 512], 0).unwrap();
    disk.inject(Fault::Sync, "b/f", 1);
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    assert_eq!(content(&disk, "/a/b/f").unwrap()[0], 9);
    disk.crash(Survival::Nothing);
    assert_eq!(content(&disk, "/a/b/f").unwrap()[0], 1);
}

#[test]
fn handles_and_locks_end_with_the_power() {
    let disk = disk_with_synced_file();
    let file = disk.open(Path::new("/a/b/f")).unwrap();
    let lock = disk.lock(Path::new("/a/lock")).unwrap();
    assert!(disk.lock(Path::new("/a/lock")).is_err());
    disk.crash(Survival::Everything);
    assert!(file.write_all_at(b"x", 0).is_err());
    let again = disk.lock(Path::new("/a/lock")).unwrap();
    drop(lock);
    assert!(
        disk.lock(Path::new("/a/lock")).is_err(),
        "the old lock's end frees nothing"
    );
    drop(again);
    disk.lock(Path::new("/a/lock")).unwrap();
}

#[test]
fn a_full_disk_refuses_to_grow_but_overwrites() {
    let disk = disk_with_synced_file();
    disk.set_capacity(Some(8192));
    let file = disk.open(Path::new("/a/b/f")).unwrap();
    file.write_all_at(&[5; 8192], 0).unwrap();
    let error = file.write_all_at(&[5; 1], 8192).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn the_observer_can_cut_the_power_before_every_operation() {
    let disk = SimDisk::new();
    let (sender, seen) = std::sync::mpsc::channel();
    disk.observe(Box::new(move |number, _, image| {
        image.crash(Survival::Nothing);
        sender.send((number, content(image, "/f"))).unwrap();
    }));
    let file = disk.create(Path::new("/f")).unwrap();
    file.write_all_at(b"one", 0).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(b"two", 0).unwrap();
    let seen: Vec<_> = seen.try_iter().collect();
    let one = Some(b"one".to_vec());
    let empty = Some(Vec::new());
    assert_eq!(
        seen,
        [(0, None), (1, None), (2, None), (3, empty), (4, one)]
    );
}

#[test]
fn the_real_disk_reads_what_it_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::new();
    let path = dir.path().join("x/y");
    disk.create_dir_all(&path).unwrap();
    let file = disk.create(&path.join("f")).unwrap();
    let slices: Vec<_> = (0..600_u32).map(|n| n.to_le_bytes()).collect();
    let slices: Vec<_> = slices
        .iter()
        .map(|bytes| std::io::IoSlice::new(bytes))
        .collect();
    file.write_all_vectored_at(&slices, 5).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(&path).unwrap();
    assert_eq!(file.len().unwrap(), 2405);
    let mut bytes = vec![7];
    assert_eq!(file.read_to(&mut bytes, 5 + 4 * 599, 100).unwrap(), 4);
    assert_eq!(bytes, [&[7][..], &599_u32.to_le_bytes()].concat());
    file.preallocate(10_000).unwrap();
    assert_eq!(file.len().unwrap(), 10_000);
    let lock = disk.lock(&path.join("lock")).unwrap();
    assert!(disk.lock(&path.join("lock")).is_err());
    drop(lock);
    disk.lock(&path.join("lock")).unwrap();
    assert_eq!(disk.list(&path).unwrap().len(), 2);
    assert!(disk.open_file_limit() > 0);
}
