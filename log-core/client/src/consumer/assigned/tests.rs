use headwater_wire::records::{BatchBuilder, BatchOptions, RecordBatch};

use super::*;

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("t", index)
}

fn batch(index: i32, base_offset: i64, records: usize) -> Fetched {
    let options = BatchOptions {
        base_offset,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    for _ in 0..records {
        builder.append(0, None, Some(b"value"), &[]).expect("fits");
    }
    let mut bytes = builder.build().expect("has records");
    let batch = RecordBatch::split_from(&mut bytes)
        .expect("valid")
        .expect("whole");
    let next_offset = batch.header.next_offset();
    let batch = FetchedBatch {
        partition: partition(index),
        batch,
        start_offset: base_offset,
    };
    Fetched {
        batch: Some(batch),
        next_offset,
    }
}

fn hidden(next_offset: i64) -> Fetched {
    Fetched {
        batch: None,
        next_offset,
    }
}

const WATERMARKS: Watermarks = Watermarks {
    log_start_offset: 0,
    high_watermark: 100,
    last_stable_offset: 100,
};

fn at(assigned: &mut Assigned, index: i32, offset: i64) -> u64 {
    assert!(assigned.seek(&partition(index), Position::At(offset)));
    let (todo, _) = assigned.todo(Instant::now(), 1_000);
    let todo = todo
        .into_iter()
        .find(|todo| todo.partition == partition(index))
        .expect("todo");
    assert_eq!(todo.kind, TodoKind::Fetch(offset));
    assigned.set_busy(&todo.partition, todo.id);
    todo.id
}

#[test]
fn new_partitions_ask_for_their_committed_offset_once() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(1), partition(0)]);
    let (todo, _) = assigned.todo(Instant::now(), 1_000);
    assert_eq!(todo.len(), 2);
    assert_eq!(todo[0].kind, TodoKind::FindCommitted);
    for todo in &todo {
        assigned.set_busy(&todo.partition, todo.id);
    }
    assert!(assigned.todo(Instant::now(), 1_000).0.is_empty());
    assigned.found(&todo[0].partition, todo[0].id, Position::At(7));
    assert_eq!(assigned.position(&todo[0].partition), Some(7));
    assert_eq!(assigned.position(&todo[1].partition), None);
    let (todo, _) = assigned.todo(Instant::now(), 1_000);
    assert_eq!(todo[0].kind, TodoKind::Fetch(7));
}

#[test]
fn polls_move_the_position_and_fetches_run_ahead() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(0)]);
    let id = at(&mut assigned, 0, 0);
    let fetched = vec![batch(0, 0, 3), hidden(5), batch(0, 5, 2), hidden(8)];
    assert!(assigned.fetched(&partition(0), id, fetched, WATERMARKS));
    assert_eq!(assigned.position(&partition(0)), Some(0));
    assert_eq!(
        assigned.todo(Instant::now(), 1_000).0[0].kind,
        TodoKind::Fetch(8)
    );
    assert_eq!(assigned.take(1).len(), 1, "a batch is taken whole");
    assert_eq!(assigned.position(&partition(0)), Some(3));
    assert_eq!(assigned.take(100).len(), 1);
    assert_eq!(
        assigned.position(&partition(0)),
        Some(8),
        "hidden records are passed over"
    );
    assert_eq!(assigned.buffered_bytes(), 0);
}

#[test]
fn a_stretch_that_nobody_may_see_moves_the_position_by_itself() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(0)]);
    let id = at(&mut assigned, 0, 0);
    assigned.fetched(&partition(0), id, vec![hidden(4)], WATERMARKS);
    assert_eq!(assigned.position(&partition(0)), Some(4));
}

#[test]
fn what_comes_after_a_seek_or_a_rebalance_is_dropped() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(0)]);
    let id = at(&mut assigned, 0, 0);
    assert!(assigned.seek(&partition(0), Position::At(50)));
    assert!(!assigned.fetched(&partition(0), id, vec![batch(0, 0, 3)], WATERMARKS));
    assert_eq!(assigned.position(&partition(0)), Some(50));
    assert!(assigned.take(100).is_empty());

    let id = at(&mut assigned, 0, 60);
    assigned.assign([]);
    assert!(!assigned.fetched(&partition(0), id, vec![batch(0, 60, 3)], WATERMARKS));
    assigned.assign([partition(0)]);
    assert!(!assigned.fetched(&partition(0), id, vec![batch(0, 60, 3)], WATERMARKS));
}

#[test]
fn partitions_that_stay_keep_what_they_have() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(0), partition(1)]);
    let id = at(&mut assigned, 0, 0);
    assigned.fetched(&partition(0), id, vec![batch(0, 0, 3)], WATERMARKS);
    assigned.assign([partition(0), partition(2)]);
    assert_eq!(assigned.take(100).len(), 1);
}

#[test]
fn full_and_paused_partitions_are_not_fetched() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(0), partition(1)]);
    let id = at(&mut assigned, 0, 0);
    at(&mut assigned, 1, 0);
    assigned.fetched(&partition(0), id, vec![batch(0, 0, 30)], WATERMARKS);
    assert!(assigned.todo(Instant::now(), 100).0.is_empty());
    assert_eq!(assigned.todo(Instant::now(), 100_000).0.len(), 1);
    assert!(assigned.set_paused(&partition(0), true));
    assert!(assigned.todo(Instant::now(), 100_000).0.is_empty());
    assert!(
        assigned.take(100).is_empty(),
        "buffered records wait while paused"
    );
    assigned.set_paused(&partition(0), false);
    assert_eq!(assigned.take(100).len(), 1);
}

#[test]
fn partitions_take_turns() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(0), partition(1), partition(2)]);
    for index in 0..3 {
        let id = at(&mut assigned, index, 0);
        let fetched = vec![batch(index, 0, 10), batch(index, 10, 10)];
        assigned.fetched(&partition(index), id, fetched, WATERMARKS);
    }
    let mut order = Vec::new();
    for _ in 0..6 {
        let taken = assigned.take(10);
        assert_eq!(taken.len(), 1);
        order.push((taken[0].partition.partition, taken[0].start_offset));
    }
    order.sort_unstable();
    assert_eq!(order, [(0, 0), (0, 10), (1, 0), (1, 10), (2, 0), (2, 10)]);
}

#[test]
fn failures_wait_for_their_time() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(0)]);
    let id = at(&mut assigned, 0, 0);
    let now = Instant::now();
    let later = now + std::time::Duration::from_secs(1);
    assigned.failed(&partition(0), id, Some(later));
    assert_eq!(assigned.todo(now, 100), (vec![], Some(later)));
    assert_eq!(assigned.todo(later, 100).0.len(), 1);
}

#[test]
fn a_position_in_another_log_goes_back_to_where_they_part() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(0)]);
    let id = at(&mut assigned, 0, 10);
    assigned.fetched(&partition(0), id, vec![batch(0, 10, 5)], WATERMARKS);
    assigned.take(100);
    assert_eq!(assigned.position(&partition(0)), Some(15));
    // Read ahead up to 20, of which polls have returned 15.
    assigned.fetched(&partition(0), id, vec![batch(0, 15, 5)], WATERMARKS);
    assert_eq!(
        assigned.diverged(&partition(0), id + 9, 12),
        None,
        "another"
    );
    assert_eq!(assigned.diverged(&partition(0), id, 18), None);
    assert_eq!(assigned.position(&partition(0)), Some(15));
    assert_eq!(assigned.buffered_bytes(), 0);
    let id = at(&mut assigned, 0, 15);
    assert_eq!(assigned.diverged(&partition(0), id, 12), Some(15));
    assert_eq!(assigned.position(&partition(0)), Some(12));
}

#[test]
fn a_committed_position_is_checked_once_in_each_leaders_epoch() {
    let mut assigned = Assigned::default();
    assigned.assign([partition(0)]);
    let id = assigned.todo(Instant::now(), 1_000).0[0].id;
    assigned.set_busy(&partition(0), id);
    assigned.found_committed(&partition(0), id, 40, Some(3));
    let (todo, _) = assigned.todo(Instant::now(), 1_000);
    assert_eq!(todo[0].kind, TodoKind::Fetch(40));
    let epochs = |read, checked| Some(Epochs { read, checked });
    assert_eq!(todo[0].epochs, epochs(3, -1));
    assigned.set_busy(&partition(0), id);
    assigned.checked(&partition(0), id, 5);
    let (todo, _) = assigned.todo(Instant::now(), 1_000);
    assert_eq!(todo[0].epochs, epochs(3, 5));
}
