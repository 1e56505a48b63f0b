use super::*;

fn accumulator(batch_size: usize, buffer_memory: usize) -> Accumulator {
    let config = ProducerConfig {
        batch_size,
        buffer_memory,
        ..ProducerConfig::default()
    };
    Accumulator::new(config)
}

fn append(
    accumulator: &Accumulator,
    queue: &Arc<PartitionQueue>,
    size: usize,
) -> Result<i32, AppendError> {
    let value = vec![7; size];
    accumulator.append(queue, &mut queue.state.lock(), 0, None, Some(&value), &[])
}

#[test]
fn records_gather_in_one_batch_until_it_is_full() {
    let accumulator = accumulator(1_000, 100_000);
    let queue = accumulator.queue("t", 3).expect("a partition");
    for index in 0..7 {
        assert_eq!(append(&accumulator, &queue, 100).expect("room"), index);
    }
    assert_eq!(
        append(&accumulator, &queue, 500).expect("room"),
        0,
        "the next batch"
    );
    let state = queue.state.lock();
    assert_eq!(
        state
            .closed
            .iter()
            .map(|batch| batch.records)
            .collect::<Vec<_>>(),
        [7]
    );
    assert_eq!(state.open.as_ref().map(|batch| batch.records), Some(1));
    assert_eq!(accumulator.take_listed().len(), 1);
    assert_eq!(accumulator.incomplete().len(), 2);
}

#[test]
fn a_record_larger_than_a_batch_goes_alone() {
    let accumulator = accumulator(1_000, 1 << 20);
    let queue = accumulator.queue("t", 0).expect("a partition");
    assert_eq!(append(&accumulator, &queue, 50_000).expect("room"), 0);
    assert_eq!(append(&accumulator, &queue, 10).expect("room"), 0);
    assert_eq!(queue.state.lock().closed.len(), 1);
}

#[test]
fn a_record_larger_than_a_request_is_refused() {
    let accumulator = accumulator(1_000, 4 << 20);
    let queue = accumulator.queue("t", 0).expect("a partition");
    let error = append(&accumulator, &queue, 1 << 20).expect_err("too large");
    assert!(
        matches!(
            error,
            AppendError::Rejected(ClientError::RecordTooLarge { .. })
        ),
        "{error}"
    );
    assert!(queue.state.lock().is_idle());
}

#[test]
fn memory_is_bounded_and_comes_back_when_batches_are_settled() {
    let accumulator = accumulator(10_000, 30_000);
    let queue = accumulator.queue("t", 0).expect("a partition");
    let mut appended = 0;
    while append(&accumulator, &queue, 1_000).is_ok() {
        appended += 1;
    }
    assert!((18..=30).contains(&appended), "{appended}");
    assert!(accumulator.memory.is_starved());
    let batches: Vec<Batch> = {
        let mut state = queue.state.lock();
        let open = state.open.take();
        state.closed.drain(..).chain(open).collect()
    };
    for batch in batches {
        accumulator.settle(batch, Err(ClientError::Closed("the producer")));
    }
    assert!(accumulator.incomplete().is_empty());
    assert!(matches!(
        accumulator.take_failure(),
        Some(ClientError::Closed(_))
    ));
    assert!(accumulator.take_failure().is_none());
    assert!(accumulator.memory.try_take(30_000), "everything came back");
}

#[test]
fn batches_larger_than_the_first_reservation_grow() {
    let accumulator = accumulator(200_000, 1 << 20);
    let queue = accumulator.queue("t", 0).expect("a partition");
    for _ in 0..190 {
        append(&accumulator, &queue, 1_000).expect("room");
    }
    assert!(queue.state.lock().closed.is_empty());
}

#[test]
fn retries_are_put_back_in_the_order_of_their_first_sending() {
    let accumulator = accumulator(1_000, 1 << 20);
    let queue = accumulator.queue("t", 0).expect("a partition");
    for _ in 0..4 {
        append(&accumulator, &queue, 900).expect("room");
    }
    let mut state = queue.state.lock();
    let state = &mut *state;
    let mut sent: Vec<Batch> = state.closed.drain(..).collect();
    for batch in &mut sent {
        batch.sequence = Some(state.sequences.assign(batch.records));
    }
    let last = state.open.take().expect("the fourth");
    state.closed.push_back(last);
    for index in [1, 0, 0] {
        state.requeue(sent.remove(index));
    }
    let order: Vec<Option<i32>> = state.closed.iter().map(|batch| batch.sequence).collect();
    assert_eq!(order, [Some(0), Some(1), Some(2), None]);
}

#[test]
fn impossible_partitions_are_refused() {
    let accumulator = accumulator(1_000, 30_000);
    assert!(accumulator.queue("t", -1).is_err());
    assert!(accumulator.queue("t", i32::MAX).is_err());
}
