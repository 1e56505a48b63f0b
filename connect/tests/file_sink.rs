//! The file sink through its SPI: that the file and the commits stay together over crashes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail as its asserts do"
)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use headwater_client::{OffsetAndMetadata, TopicPartition};
use headwater_connect::config::Properties;
use headwater_connect::connectors::file::FileSink;
use headwater_connect::data::{SchemaAndValue, SinkRecord, Value};
use headwater_connect::spi::{
    CommittedPosition, ConnectError, ErrantRecordReporter, SinkConnector, SinkOffsets, SinkTask,
    SinkTaskContext,
};
use parking_lot::Mutex;
use proptest::prelude::*;

/// Takes bad records if it is told to tolerate them.
#[derive(Default)]
struct Reporter {
    tolerates: bool,
    reported: Mutex<Vec<i64>>,
}

#[async_trait]
impl ErrantRecordReporter for Reporter {
    async fn report(&self, record: &SinkRecord, error: ConnectError) -> Result<(), ConnectError> {
        if !self.tolerates {
            return Err(error);
        }
        self.reported.lock().push(record.offset);
        Ok(())
    }
}

async fn started(file: &Path, reporter: Arc<Reporter>) -> Result<Box<dyn SinkTask>, ConnectError> {
    let properties: Properties = [("file".to_owned(), file.to_str().unwrap().to_owned())]
        .into_iter()
        .collect();
    let mut connector = FileSink::default();
    connector.start(&properties).await?;
    let tasks = connector.task_configs(4)?;
    assert_eq!(tasks.len(), 1);
    let mut task = connector.task();
    let context = SinkTaskContext {
        reporter,
        connector: "s".into(),
        task: 0,
    };
    task.start(context, &tasks[0]).await?;
    Ok(task)
}

fn record(partition: i32, offset: i64, value: Value) -> SinkRecord {
    SinkRecord {
        topic: "t".into(),
        partition,
        offset,
        timestamp: Some(0),
        key: SchemaAndValue::NULL,
        value: SchemaAndValue::schemaless(value),
        headers: Vec::new(),
    }
}

fn positions(offsets: &[(i32, i64)]) -> SinkOffsets {
    let position = |(partition, offset): &(i32, i64)| {
        (
            TopicPartition::new("t", *partition),
            OffsetAndMetadata::new(*offset),
        )
    };
    offsets.iter().map(position).collect()
}

fn committed(offsets: &SinkOffsets, partitions: i32) -> Vec<CommittedPosition> {
    (0..partitions)
        .map(|partition| {
            let partition = TopicPartition::new("t", partition);
            let committed = offsets.get(&partition).cloned();
            CommittedPosition {
                partition,
                committed,
            }
        })
        .collect()
}

#[tokio::test]
async fn values_are_lines_and_their_length_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new/out.jsonl");
    let mut task = started(&file, Arc::default()).await.unwrap();
    task.open(&committed(&SinkOffsets::new(), 2)).await.unwrap();
    let map = Value::Map(vec![
        ("n".into(), Value::Int64(1)),
        ("x".into(), Value::Null),
    ]);
    let batch = [
        record(0, 0, "{\"as\": \"it is\"}".into()),
        record(1, 0, map),
        record(0, 1, Value::Null),
        record(0, 2, Value::Bytes(bytes::Bytes::from_static(b"raw"))),
    ];
    task.put(&batch).await.unwrap();
    let offsets = task.pre_commit(positions(&[(0, 3), (1, 1)])).await.unwrap();
    let content = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        content,
        "{\"as\": \"it is\"}\n{\"n\":1,\"x\":null}\nnull\nraw\n"
    );
    let length = content.len().to_string();
    assert!(
        offsets.values().all(|offset| offset.metadata == length),
        "{offsets:?}"
    );
}

#[tokio::test]
async fn what_was_not_committed_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    let mut task = started(&file, Arc::default()).await.unwrap();
    task.open(&committed(&SinkOffsets::new(), 1)).await.unwrap();
    task.put(&[record(0, 0, "kept".into())]).await.unwrap();
    let offsets = task.pre_commit(positions(&[(0, 1)])).await.unwrap();
    task.put(&[record(0, 1, "lost".into())]).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept\nlost\n");
    drop(task);
    let mut task = started(&file, Arc::default()).await.unwrap();
    task.open(&committed(&offsets, 1)).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept\n");
    task.put(&[record(0, 1, "again".into())]).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept\nagain\n");
}

#[tokio::test]
async fn a_file_that_does_not_fit_its_commits_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    let refusal = |content: &'static str, offsets: SinkOffsets| {
        let file = file.clone();
        async move {
            std::fs::write(&file, content).unwrap();
            let mut task = started(&file, Arc::default()).await.unwrap();
            let error = task
                .open(&committed(&offsets, 2))
                .await
                .unwrap_err()
                .trace();
            assert_eq!(
                std::fs::read_to_string(&file).unwrap(),
                content,
                "it must stay as it is"
            );
            error
        }
    };
    let with = |lengths: &[(i32, &str)]| -> SinkOffsets {
        let offset = |(partition, text): &(i32, &str)| {
            let position = OffsetAndMetadata::with_metadata(5, *text);
            (TopicPartition::new("t", *partition), position)
        };
        lengths.iter().map(offset).collect()
    };
    let error = refusal("theirs\n", SinkOffsets::new()).await;
    assert!(
        error.contains("7 bytes") && error.contains("never been committed"),
        "{error}"
    );
    let error = refusal("short\n", with(&[(0, "9"), (1, "9")])).await;
    assert!(error.contains("6 bytes, but 9 were committed"), "{error}");
    let error = refusal("x\n", with(&[(0, "2"), (1, "0")])).await;
    assert!(error.contains("different lengths"), "{error}");
    let error = refusal("x\n", with(&[(0, "")])).await;
    assert!(error.contains("no length of a file"), "{error}");
}

#[tokio::test]
async fn a_second_writer_is_refused_until_the_first_ends() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    let mut first = started(&file, Arc::default()).await.unwrap();
    let error = started(&file, Arc::default()).await.err().unwrap();
    let trace = error.trace();
    assert!(
        trace.contains("being written by another task or process"),
        "{trace}"
    );
    assert!(error.is_retriable(), "the first may end");
    first.stop().await;
    assert!(started(&file, Arc::default()).await.is_ok());
}

#[tokio::test]
async fn a_value_with_a_line_break_is_reported_and_the_others_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    let batch = [
        record(0, 0, "a".into()),
        record(0, 1, "b\nc".into()),
        record(0, 2, "d".into()),
    ];
    let mut task = started(&file, Arc::default()).await.unwrap();
    task.open(&committed(&SinkOffsets::new(), 1)).await.unwrap();
    let error = task.put(&batch).await.unwrap_err().to_string();
    assert!(
        error.contains("t-0 at offset 1 has a line break"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
    drop(task);
    let reporter = Arc::new(Reporter {
        tolerates: true,
        ..Reporter::default()
    });
    let mut task = started(&file, reporter.clone()).await.unwrap();
    task.open(&committed(&SinkOffsets::new(), 1)).await.unwrap();
    task.put(&batch).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\nd\n");
    assert_eq!(*reporter.reported.lock(), [1]);
}

/// What happens to the sink, one after the other.
#[derive(Debug, Clone)]
enum Step {
    Put(i32, usize),
    Commit,
    /// The process dies; this many bytes of a torn write are left behind.
    Crash(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3, 1usize..5).prop_map(|(partition, count)| Step::Put(partition, count)),
        2 => Just(Step::Commit),
        1 => (0usize..9).prop_map(Step::Crash),
    ]
}

async fn lines_over_crashes(steps: &[Step]) -> (Vec<String>, BTreeMap<i32, i64>) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    let mut offsets = SinkOffsets::new();
    let mut next: BTreeMap<i32, i64> = (0..3).map(|partition| (partition, 0)).collect();
    let mut task = started(&file, Arc::default()).await.unwrap();
    task.open(&committed(&offsets, 3)).await.unwrap();
    let of = |next: &BTreeMap<i32, i64>| {
        positions(
            &next
                .iter()
                .map(|(partition, offset)| (*partition, *offset))
                .collect::<Vec<_>>(),
        )
    };
    // As a worker does before the first put.
    offsets.extend(task.pre_commit(of(&next)).await.unwrap());
    for step in steps.iter().chain([&Step::Commit]) {
        match step {
            Step::Put(partition, count) => {
                let at = next.get_mut(partition).unwrap();
                let end = *at + i64::try_from(*count).unwrap();
                let batch: Vec<SinkRecord> = (*at..end)
                    .map(|offset| {
                        record(*partition, offset, format!("{partition}:{offset}").into())
                    })
                    .collect();
                task.put(&batch).await.unwrap();
                *at = end;
            }
            Step::Commit => offsets.extend(task.pre_commit(of(&next)).await.unwrap()),
            Step::Crash(torn) => {
                drop(task);
                let mut out = std::fs::OpenOptions::new()
                    .append(true)
                    .open(&file)
                    .unwrap();
                out.write_all(&b"torn-torn"[..*torn]).unwrap();
                drop(out);
                task = started(&file, Arc::default()).await.unwrap();
                task.open(&committed(&offsets, 3)).await.unwrap();
                for (partition, offset) in &offsets {
                    next.insert(partition.partition, offset.offset);
                }
            }
        }
    }
    let content = std::fs::read_to_string(&file).unwrap();
    (content.lines().map(str::to_owned).collect(), next)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn each_record_is_one_line_whatever_the_crashes(steps in prop::collection::vec(step(), 0..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (lines, ends) = runtime.block_on(lines_over_crashes(&steps));
        for (partition, end) in ends {
            let prefix = format!("{partition}:");
            let of: Vec<&String> = lines.iter().filter(|line| line.starts_with(&prefix)).collect();
            let expected: Vec<String> = (0..end).map(|offset| format!("{prefix}{offset}")).collect();
            prop_assert_eq!(of, expected.iter().collect::<Vec<_>>());
        }
        prop_assert!(lines.iter().all(|line| !line.contains("torn")));
    }
}
