//! Connectors of users: registered, run, and started anew when what failed may pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail as its asserts do"
)]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use headwater_client::admin::OffsetSpec;
use headwater_client::{IsolationLevel, TopicPartition};
use headwater_connect::Plugins;
use headwater_connect::config::{ConfigDef, ConfigKey, Properties};
use headwater_connect::data::{
    SchemaAndValue, SinkRecord, SourceOffset, SourcePartition, SourceRecord,
};
use headwater_connect::spi::{
    ConnectError, ConnectorConfig, SinkConnector, SinkOffsets, SinkTask, SinkTaskContext,
    SourceConnector, SourceTask, SourceTaskContext,
};
use headwater_connect::worker::{State, WorkerConfig};
use parking_lot::Mutex;
use support::{Log, Process, path_in, properties, worker_config};

/// Counts to `limit`; fails once, half-way, in a way that may pass.
struct Counter {
    properties: Properties,
    failures: Arc<AtomicUsize>,
}

impl ConnectorConfig for Counter {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new([
            ConfigKey::string("topic", None).required(),
            ConfigKey::long("limit", Some(10)).at_least(0),
        ])
    }
}

#[async_trait]
impl SourceConnector for Counter {
    async fn start(&mut self, properties: &Properties) -> Result<(), ConnectError> {
        self.properties = properties.clone();
        Ok(())
    }

    fn task_configs(&self, max_tasks: usize) -> Result<Vec<Properties>, ConnectError> {
        let task = |task: usize| {
            let mut properties = self.properties.clone();
            properties.insert("task".to_owned(), task.to_string());
            properties
        };
        Ok((0..max_tasks).map(task).collect())
    }

    fn task(&self) -> Box<dyn SourceTask> {
        let failures = self.failures.clone();
        Box::new(CounterTask {
            failures,
            topic: "".into(),
            next: 0,
            limit: 0,
            partition: Arc::default(),
        })
    }
}

struct CounterTask {
    failures: Arc<AtomicUsize>,
    topic: Arc<str>,
    partition: Arc<SourcePartition>,
    next: i64,
    limit: i64,
}

#[async_trait]
impl SourceTask for CounterTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        properties: &Properties,
    ) -> Result<(), ConnectError> {
        self.topic = properties["topic"].as_str().into();
        // A connector's properties are as they were given; the definition fills in defaults.
        let def = ConfigDef::new([ConfigKey::long("limit", Some(10))]).allow_prefix("");
        self.limit = def.parse(properties)?.integer("limit").unwrap();
        let name = ("task".to_owned(), properties["task"].as_str().into());
        self.partition = Arc::new(SourcePartition::from_iter([name]));
        let kept = context.offsets.offset(&self.partition).await?;
        self.next = kept
            .and_then(|offset| offset.get("next")?.as_i64())
            .unwrap_or(0);
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>, ConnectError> {
        if self.next == self.limit {
            return std::future::pending().await;
        }
        if self.next == self.limit / 2 && self.failures.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(ConnectError::retriable(
                "the counter stumbled",
                "on purpose",
            ));
        }
        self.next += 1;
        let text = format!(
            "{}:{}",
            self.partition["task"].as_str().unwrap(),
            self.next - 1
        );
        Ok(vec![SourceRecord {
            source_partition: self.partition.clone(),
            source_offset: SourceOffset::from_iter([("next".to_owned(), self.next.into())]),
            topic: self.topic.clone(),
            partition: None,
            key: SchemaAndValue::NULL,
            value: SchemaAndValue::schemaless(text.as_str()),
            timestamp: Some(7),
            headers: vec![("kind".to_owned(), SchemaAndValue::schemaless("count"))],
        }])
    }
}

/// A source whose task panics.
struct Clumsy;

impl ConnectorConfig for Clumsy {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::default()
    }
}

#[async_trait]
impl SourceConnector for Clumsy {
    async fn start(&mut self, _properties: &Properties) -> Result<(), ConnectError> {
        Ok(())
    }

    fn task_configs(&self, _max_tasks: usize) -> Result<Vec<Properties>, ConnectError> {
        Ok(vec![Properties::new()])
    }

    fn task(&self) -> Box<dyn SourceTask> {
        Box::new(Self)
    }
}

#[async_trait]
impl SourceTask for Clumsy {
    async fn start(
        &mut self,
        _context: SourceTaskContext,
        _properties: &Properties,
    ) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>, ConnectError> {
        panic!("dropped it");
    }
}

/// Keeps what it is given, but reports what is bad; its first puts fail in a way that may pass.
#[derive(Clone, Default)]
struct Memory {
    records: Arc<Mutex<Vec<SinkRecord>>>,
    failures: Arc<AtomicUsize>,
    context: Option<SinkTaskContext>,
}

impl ConnectorConfig for Memory {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::default()
    }
}

#[async_trait]
impl SinkConnector for Memory {
    async fn start(&mut self, _properties: &Properties) -> Result<(), ConnectError> {
        Ok(())
    }

    fn task_configs(&self, max_tasks: usize) -> Result<Vec<Properties>, ConnectError> {
        Ok(vec![Properties::new(); max_tasks])
    }

    fn task(&self) -> Box<dyn SinkTask> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl SinkTask for Memory {
    async fn start(
        &mut self,
        context: SinkTaskContext,
        _properties: &Properties,
    ) -> Result<(), ConnectError> {
        self.context = Some(context);
        Ok(())
    }

    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        let is_bad = |record: &SinkRecord| record.value.value.as_str() == Some("bad");
        let reporter = &self.context.as_ref().unwrap().reporter;
        for record in records.iter().filter(|record| is_bad(record)) {
            let error = ConnectError::failed("what a thing to say");
            reporter.report(record, error).await?;
        }
        if self.failures.fetch_add(1, Ordering::SeqCst) < 3 {
            return Err(ConnectError::retriable("the memory slipped", "on purpose"));
        }
        let good = records.iter().filter(|record| !is_bad(record));
        self.records.lock().extend(good.cloned());
        Ok(())
    }

    async fn pre_commit(&mut self, positions: SinkOffsets) -> Result<SinkOffsets, ConnectError> {
        Ok(positions)
    }
}

#[test]
fn tasks_go_on_after_failures_that_pass() {
    let log = Log::start();
    let (failures, memory) = (Arc::new(AtomicUsize::new(0)), Memory::default());
    let (counted, kept) = (failures.clone(), memory.clone());
    let plugins = Plugins::default()
        .with_source("com.example.CounterConnector", "1.0", move || {
            Box::new(Counter {
                properties: Properties::new(),
                failures: counted.clone(),
            })
        })
        .with_sink("com.example.MemoryConnector", "1.0", move || {
            Box::new(kept.clone())
        });
    let process = Process::start(
        &log,
        WorkerConfig {
            plugins,
            ..worker_config()
        },
    );
    let worker = &process.worker;
    let create = |name: &str, pairs: &[(&str, &str)]| {
        process
            .run(worker.put_connector(name, properties(pairs)))
            .unwrap();
    };
    create(
        "counter",
        &[
            ("connector.class", "Counter"),
            ("topic", "counts"),
            ("tasks.max", "2"),
            ("header.converter", "StringConverter"),
            ("value.converter", "StringConverter"),
            // The failed task is started anew after at most this.
            ("errors.retry.delay.max.ms", "20"),
            ("topic.creation.default.partitions", "2"),
            ("topic.creation.default.replication.factor", "1"),
        ],
    );
    create(
        "memory",
        &[
            ("connector.class", "Memory"),
            ("topics", "counts"),
            ("tasks.max", "2"),
            ("header.converter", "StringConverter"),
            ("value.converter", "StringConverter"),
            ("errors.retry.timeout", "60000"),
            ("errors.retry.delay.max.ms", "5"),
        ],
    );
    process.until("all counts", |_| memory.records.lock().len() >= 20);
    let mut values: Vec<String> = memory
        .records
        .lock()
        .iter()
        .map(|record| record.value.value.to_string())
        .collect();
    values.sort();
    let mut expected: Vec<String> = (0..2)
        .flat_map(|task| (0..10).map(move |n| format!("{task}:{n}")))
        .collect();
    expected.sort();
    assert_eq!(values, expected);
    let first = memory.records.lock()[0].clone();
    assert_eq!(first.timestamp, Some(7));
    assert_eq!(first.headers[0].1.value.as_str(), Some("count"));
    // Each of the two tasks came by the stumbling block, and one of them again.
    assert_eq!(failures.load(Ordering::SeqCst), 3);
    process.until("both tasks to run", |worker| {
        let status = worker.status("counter").unwrap();
        status
            .tasks
            .iter()
            .all(|task| task.state == State::Running.name())
    });
}

#[test]
fn a_panic_of_a_task_is_a_failure_like_any_other() {
    let log = Log::start();
    let plugins = Plugins::default().with_source("com.example.Clumsy", "1", || Box::new(Clumsy));
    let process = Process::start(
        &log,
        WorkerConfig {
            plugins,
            ..worker_config()
        },
    );
    let config = properties(&[("connector.class", "Clumsy")]);
    process
        .run(process.worker.put_connector("clumsy", config))
        .unwrap();
    process.until("the failure", |worker| {
        let status = worker.status("clumsy").unwrap();
        let task = status.tasks.first();
        task.and_then(|task| task.trace.as_deref()) == Some("the task panicked: dropped it")
    });
}

#[test]
fn a_record_that_is_reported_in_each_try_is_one_dead_letter() {
    let (log, dir) = (Log::start(), tempfile::tempdir().unwrap());
    let input = path_in(dir.path(), "in");
    std::fs::write(&input, "a\nbad\nb\n").unwrap();
    let memory = Memory::default();
    let kept = memory.clone();
    let plugins = Plugins::default().with_sink("com.example.MemoryConnector", "1.0", move || {
        Box::new(kept.clone())
    });
    let process = Process::start(
        &log,
        WorkerConfig {
            plugins,
            ..worker_config()
        },
    );
    let create = |name: &str, pairs: &[(&str, &str)]| {
        let created = process.worker.put_connector(name, properties(pairs));
        process.run(created).unwrap();
    };
    create(
        "source",
        &[
            ("connector.class", "FileStreamSource"),
            ("file", &input),
            ("topic", "rows"),
            ("tail", "false"),
            ("value.converter", "StringConverter"),
        ],
    );
    process.until("the rows", |worker| {
        let tasks = worker.progress("source");
        tasks.first().is_some_and(|task| task.source.at_end)
    });
    create(
        "memory",
        &[
            ("connector.class", "Memory"),
            ("topics", "rows"),
            ("value.converter", "StringConverter"),
            ("errors.tolerance", "all"),
            ("errors.deadletterqueue.topic.name", "dead"),
            ("errors.deadletterqueue.topic.replication.factor", "1"),
            ("errors.retry.timeout", "60000"),
            ("errors.retry.delay.max.ms", "5"),
        ],
    );
    process.until("the account", |worker| {
        worker.progress("memory")[0].records == 2
    });
    assert_eq!(process.worker.progress("memory")[0].skipped, 1);
    assert_eq!(memory.failures.load(Ordering::SeqCst), 4);
    assert_eq!(memory.records.lock().len(), 2);
    let dead = TopicPartition::new("dead", 0);
    let ends = process.run(async {
        let wanted = HashMap::from([(dead.clone(), OffsetSpec::Latest)]);
        let admin = log.client().admin();
        admin
            .list_offsets(&wanted, IsolationLevel::ReadUncommitted)
            .await
    });
    let end = ends[&dead].as_ref().unwrap().as_ref().unwrap();
    assert_eq!(end.offset, 1, "one dead letter");
}
