//! The file source through its SPI: what it reads, and that it goes on exactly where it was.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail as its asserts do"
)]

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flate2::Compression;
use flate2::write::GzEncoder;
use headwater_connect::config::Properties;
use headwater_connect::connectors::file::FileSource;
use headwater_connect::converter::{Converter, JsonConverter, JsonSettings, StringConverter};
use headwater_connect::data::{SourceOffset, SourcePartition, SourceRecord};
use headwater_connect::spi::{
    ConnectError, SourceConnector, SourceOffsets, SourceProgress, SourceTask, SourceTaskContext,
};
use parking_lot::Mutex;
use proptest::prelude::*;

/// Offsets as a worker would keep them.
#[derive(Default)]
struct Kept(Mutex<Vec<(SourcePartition, SourceOffset)>>);

impl Kept {
    fn keep(&self, record: &SourceRecord) {
        let mut kept = self.0.lock();
        kept.retain(|(partition, _)| *partition != *record.source_partition);
        kept.push((
            (*record.source_partition).clone(),
            record.source_offset.clone(),
        ));
    }
}

#[async_trait]
impl SourceOffsets for Kept {
    async fn offset(
        &self,
        partition: &SourcePartition,
    ) -> Result<Option<SourceOffset>, ConnectError> {
        let kept = self.0.lock();
        Ok(kept
            .iter()
            .find(|(known, _)| known == partition)
            .map(|(_, offset)| offset.clone()))
    }
}

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

async fn started(properties: &Properties, kept: &Arc<Kept>) -> Box<dyn SourceTask> {
    let mut connector = FileSource::default();
    connector.start(properties).await.unwrap();
    let tasks = connector.task_configs(3).unwrap();
    assert_eq!(tasks.len(), 1);
    let mut task = connector.task();
    let context = SourceTaskContext {
        offsets: kept.clone(),
        connector: "c".into(),
        task: 0,
    };
    task.start(context, &tasks[0]).await.unwrap();
    task
}

/// Polls until the end of the input, keeping every row's offset.
async fn read_all(
    properties: &Properties,
    kept: &Arc<Kept>,
) -> (Vec<SourceRecord>, SourceProgress) {
    let mut task = started(properties, kept).await;
    let mut records = Vec::new();
    while !task.progress().at_end {
        records.extend(task.poll().await.unwrap());
    }
    records.iter().for_each(|record| kept.keep(record));
    let progress = task.progress();
    task.stop().await;
    (records, progress)
}

async fn failure(properties: &Properties) -> String {
    let mut task = started(properties, &Arc::default()).await;
    loop {
        match task.poll().await {
            Ok(_) => assert!(!task.progress().at_end, "it should have failed"),
            Err(error) => {
                task.stop().await;
                return error.trace();
            }
        }
    }
}

fn json(record: &SourceRecord) -> String {
    let settings = JsonSettings {
        schemas_enable: false,
        ..JsonSettings::default()
    };
    let data = &record.value;
    let bytes = JsonConverter::new(settings).to_bytes("t", data.schema.as_ref(), &data.value);
    String::from_utf8(bytes.unwrap().unwrap().to_vec()).unwrap()
}

fn key(record: &SourceRecord) -> Option<String> {
    let data = &record.key;
    let bytes = StringConverter::default().to_bytes("t", data.schema.as_ref(), &data.value);
    bytes
        .unwrap()
        .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

fn path_in(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().unwrap().to_owned()
}

fn gzip(path: &str, content: &[u8]) {
    let mut encoder = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap();
}

const FLIGHTS: &str = "carrier,flight,dep_time,minute,time_hour,late\r\n\
UA,1545,517,15,2013-01-01T10:00:00Z,1.5\r\n\
AA,NA,,40,2013-01-01T10:00:00Z,2\r\n\
\"B,6\",725,,0,2013-01-01T11:00:00Z,NA\r\n";

#[tokio::test]
async fn rows_become_objects_with_types_of_their_columns() {
    let dir = tempfile::tempdir().unwrap();
    let file = path_in(dir.path(), "flights.csv");
    std::fs::write(&file, FLIGHTS).unwrap();
    let properties = properties(&[
        ("file", &file),
        ("format", "csv"),
        ("topic", "flights"),
        ("key.fields", "carrier"),
        ("timestamp.column", "time_hour"),
        ("timestamp.add.minutes.column", "minute"),
    ]);
    let (records, progress) = read_all(&properties, &Arc::default()).await;
    let rows: Vec<String> = records.iter().map(json).collect();
    assert_eq!(
        rows,
        [
            r#"{"carrier":"UA","flight":1545,"dep_time":517,"minute":15,"time_hour":"2013-01-01T10:00:00Z","late":1.5}"#,
            r#"{"carrier":"AA","flight":null,"dep_time":null,"minute":40,"time_hour":"2013-01-01T10:00:00Z","late":2.0}"#,
            r#"{"carrier":"B,6","flight":725,"dep_time":null,"minute":0,"time_hour":"2013-01-01T11:00:00Z","late":null}"#,
        ]
    );
    let keys: Vec<Option<String>> = records.iter().map(key).collect();
    assert_eq!(
        keys,
        [Some("UA".into()), Some("AA".into()), Some("B,6".into())]
    );
    let times: Vec<Option<i64>> = records.iter().map(|record| record.timestamp).collect();
    let ten = 1_357_034_400_000;
    assert_eq!(
        times,
        [
            Some(ten + 900_000),
            Some(ten + 2_400_000),
            Some(ten + 3_600_000)
        ]
    );
    let length = FLIGHTS.len() as u64;
    assert_eq!(
        progress,
        SourceProgress {
            rows: 3,
            bytes: length,
            bytes_total: length,
            at_end: true
        }
    );
}

#[tokio::test]
async fn types_hold_over_all_files_and_declared_ones_win() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(path_in(dir.path(), "a.csv"), "model,n,code\n150,1,1\n").unwrap();
    std::fs::write(
        path_in(dir.path(), "b.csv"),
        "model,n,code\nA320-214,0.5,2\n",
    )
    .unwrap();
    let pattern = path_in(dir.path(), "*.csv");
    let properties = properties(&[
        ("files", &pattern),
        ("format", "csv"),
        ("topic", "planes"),
        ("types", "code:string"),
        ("key.fields", "model,n"),
        ("timestamp.value", "0"),
    ]);
    let (records, _) = read_all(&properties, &Arc::default()).await;
    let rows: Vec<String> = records.iter().map(json).collect();
    assert_eq!(
        rows,
        [
            r#"{"model":"150","n":1.0,"code":"1"}"#,
            r#"{"model":"A320-214","n":0.5,"code":"2"}"#,
        ]
    );
    assert!(records.iter().all(|record| record.timestamp == Some(0)));
    let settings = JsonSettings {
        schemas_enable: false,
        ..JsonSettings::default()
    };
    let key = &records[0].key;
    let key = JsonConverter::new(settings)
        .to_bytes("t", key.schema.as_ref(), &key.value)
        .unwrap();
    assert_eq!(key.unwrap(), r#"{"model":"150","n":1.0}"#);
}

#[tokio::test]
async fn a_compressed_file_reads_like_a_plain_one() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, packed) = (
        path_in(dir.path(), "f.csv"),
        path_in(dir.path(), "f.csv.gz"),
    );
    std::fs::write(&plain, FLIGHTS).unwrap();
    gzip(&packed, FLIGHTS.as_bytes());
    let of = |file: &str| properties(&[("file", file), ("format", "csv"), ("topic", "t")]);
    let (from_plain, plain_progress) = read_all(&of(&plain), &Arc::default()).await;
    let (from_packed, packed_progress) = read_all(&of(&packed), &Arc::default()).await;
    assert_eq!(plain_progress, packed_progress);
    let rows = |records: &[SourceRecord]| -> Vec<_> {
        records
            .iter()
            .map(|record| (json(record), record.source_offset.clone()))
            .collect()
    };
    assert_eq!(rows(&from_plain), rows(&from_packed));
}

#[tokio::test]
async fn json_lines_and_text_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let file = path_in(dir.path(), "x");
    std::fs::write(&file, "{\"b\":1,\"a\":\"x\"}\n\n{\"a\":null,\"b\":2.5}").unwrap();
    let pairs = [
        ("file", file.as_str()),
        ("format", "json"),
        ("topic", "t"),
        ("key.fields", "b"),
    ];
    let (records, _) = read_all(&properties(&pairs), &Arc::default()).await;
    let rows: Vec<String> = records.iter().map(json).collect();
    assert_eq!(rows, [r#"{"b":1,"a":"x"}"#, r#"{"a":null,"b":2.5}"#]);
    assert_eq!(key(&records[1]).as_deref(), Some("2.5"));

    std::fs::write(&file, "one\r\n\ntwo").unwrap();
    let pairs = [("file", file.as_str()), ("topic", "t"), ("tail", "false")];
    let (records, _) = read_all(&properties(&pairs), &Arc::default()).await;
    let rows: Vec<&str> = records
        .iter()
        .map(|record| record.value.value.as_str().unwrap())
        .collect();
    assert_eq!(rows, ["one", "", "two"]);
}

#[tokio::test]
async fn what_is_wrong_names_file_row_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let file = path_in(dir.path(), "bad.csv");
    let csv = |extra: &[(&str, &str)]| {
        let mut all = properties(&[("file", &file), ("format", "csv"), ("topic", "t")]);
        all.extend(properties(extra));
        all
    };
    std::fs::write(&file, "a,b\n1,2\n1\n").unwrap();
    let error = failure(&csv(&[])).await;
    assert!(
        error.contains("bad.csv, row 2 (at byte 8): it has 1 fields, but there are 2 columns"),
        "{error}"
    );
    std::fs::write(&file, "a,b\n1,x\n").unwrap();
    let error = failure(&csv(&[("types", "b:long")])).await;
    assert!(
        error.contains("column b has \"x\", which is no long"),
        "{error}"
    );
    let error = failure(&csv(&[("key.fields", "c")])).await;
    assert!(
        error.contains("key.fields names c, but the columns are a, b"),
        "{error}"
    );
    std::fs::write(&file, "a,a\n1,x\n").unwrap();
    assert!(
        failure(&csv(&[]))
            .await
            .contains("two columns are called a")
    );
    std::fs::write(&file, b"a\n\xff\n").unwrap();
    assert!(failure(&csv(&[])).await.contains("it is not UTF-8"));
    std::fs::remove_file(&file).unwrap();
    assert!(failure(&csv(&[])).await.contains("cannot read"));
}

#[tokio::test]
async fn a_file_that_became_shorter_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = path_in(dir.path(), "x.csv");
    std::fs::write(&file, "a\n1\n2\n").unwrap();
    let properties = properties(&[("file", &file), ("format", "csv"), ("topic", "t")]);
    let kept = Arc::default();
    read_all(&properties, &kept).await;
    std::fs::write(&file, "a\n1\n").unwrap();
    let mut task = started(&properties, &kept).await;
    let error = task.poll().await.unwrap_err().trace();
    assert!(error.contains("was cut or replaced"), "{error}");
    task.stop().await;
}

#[tokio::test]
async fn a_followed_file_gives_rows_as_they_are_finished() {
    let dir = tempfile::tempdir().unwrap();
    let file = path_in(dir.path(), "log");
    std::fs::write(&file, "one\ntw").unwrap();
    let properties = properties(&[("file", &file), ("topic", "t"), ("tail.interval.ms", "5")]);
    let kept = Arc::default();
    let mut task = started(&properties, &kept).await;
    let mut seen = Vec::new();
    let mut out = std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .unwrap();
    for (more, expected) in [("", 1), ("o\nthree\n", 3), ("four\n", 4)] {
        out.write_all(more.as_bytes()).unwrap();
        let reading = async {
            while seen.len() < expected {
                for record in task.poll().await.unwrap() {
                    kept.keep(&record);
                    seen.push(record.value.value.as_str().unwrap().to_owned());
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reading)
            .await
            .unwrap();
    }
    assert_eq!(seen, ["one", "two", "three", "four"]);
    task.stop().await;
    out.write_all(b"five\n").unwrap();
    let mut task = started(&properties, &kept).await;
    let mut rest = Vec::new();
    while rest.is_empty() {
        rest = task.poll().await.unwrap();
    }
    assert_eq!(rest[0].value.value.as_str(), Some("five"));
    task.stop().await;
}

/// Files of rows, some compressed, read with stops after any number of polls.
#[derive(Debug, Clone)]
struct Scenario {
    files: Vec<(Vec<(i64, String)>, bool)>,
    batch: usize,
    polls: Vec<usize>,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let row = (any::<i64>(), "[a-z \",\n]{1,8}");
    let file = (prop::collection::vec(row, 0..20), any::<bool>());
    let files = prop::collection::vec(file, 1..4);
    (files, 1usize..7, prop::collection::vec(0usize..4, 0..6)).prop_map(|(files, batch, polls)| {
        Scenario {
            files,
            batch,
            polls,
        }
    })
}

async fn rows_over_restarts(scenario: &Scenario) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for (index, (rows, packed)) in scenario.files.iter().enumerate() {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["n", "text"]).unwrap();
        for (number, text) in rows {
            writer.write_record([&number.to_string(), text]).unwrap();
        }
        let content = writer.into_inner().unwrap();
        let name = path_in(dir.path(), &format!("f{index}.csv"));
        if *packed {
            gzip(&format!("{name}.gz"), &content);
        } else {
            std::fs::write(&name, content).unwrap();
        }
    }
    let properties = properties(&[
        ("files", &path_in(dir.path(), "f*")),
        ("format", "csv"),
        ("topic", "t"),
        ("types", "n:long,text:string"),
        ("null.values", ""),
        ("batch.size", &scenario.batch.to_string()),
    ]);
    let kept = Arc::default();
    let mut rows = Vec::new();
    for polls in &scenario.polls {
        let mut task = started(&properties, &kept).await;
        for _ in 0..*polls {
            if task.progress().at_end {
                break;
            }
            for record in task.poll().await.unwrap() {
                kept.keep(&record);
                rows.push(json(&record));
            }
        }
        task.stop().await;
    }
    rows.extend(read_all(&properties, &kept).await.0.iter().map(json));
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_row_comes_once_whatever_the_stops(scenario in scenario()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let rows = runtime.block_on(rows_over_restarts(&scenario));
        let expected: Vec<String> = scenario
            .files
            .iter()
            .flat_map(|(rows, _)| rows)
            .map(|(number, text)| serde_json::json!({ "n": number, "text": text }).to_string())
            .collect();
        prop_assert_eq!(rows, expected);
    }
}
