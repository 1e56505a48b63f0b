//! A coordinator with its log, its clock and the partitions it writes markers to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use headwater_coordination::placement::group_partition;
use headwater_coordination::transactions::{
    Effect, Input, Request, Response, TransactionConfig, TransactionCoordinator,
    WriteInTransaction, WriteMarkers,
};
use headwater_coordination::{
    Append, AppendId, LogEntry, Marker, Now, ProducerIdentity, Record, Time, Timestamp, Token,
};
use headwater_wire::ErrorCode;
use headwater_wire::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use headwater_wire::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use headwater_wire::messages::end_txn::EndTxnRequest;
use headwater_wire::messages::init_producer_id::InitProducerIdRequest;

pub(crate) const ID: &str = "tx";
pub(crate) const TOPIC: &str = "t";

pub(crate) struct World {
    pub(crate) machine: TransactionCoordinator,
    pub(crate) config: TransactionConfig,
    pub(crate) time: Time,
    pub(crate) log: Vec<(AppendId, Append)>,
    /// How many entries of the log are durable.
    pub(crate) durable: usize,
    /// Whether appends become durable at once.
    pub(crate) syncs: bool,
    /// Whether markers are written at once.
    pub(crate) writes_markers: bool,
    /// Markers asked for and not written yet.
    pub(crate) asked: Vec<WriteMarkers>,
    /// Every marker written, with the partition.
    pub(crate) markers: Vec<(String, i32, Marker)>,
    pub(crate) replies: BTreeMap<Token, Response>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) failed: bool,
    /// Whether producer ids are given as soon as they are wanted.
    pub(crate) gives_ids: bool,
    pub(crate) wants_id: bool,
    pub(crate) fresh: i64,
    wake: Option<Now>,
    tokens: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(TransactionConfig::default())
    }

    pub(crate) fn with(config: TransactionConfig) -> Self {
        let time = Time {
            now: Now::from_nanos(7),
            wall: Timestamp::from_millis(1_700_000_000_000),
        };
        let mut world = Self {
            machine: TransactionCoordinator::new(config.clone(), 3),
            config,
            time,
            log: Vec::new(),
            durable: 0,
            syncs: true,
            writes_markers: true,
            asked: Vec::new(),
            markers: Vec::new(),
            replies: BTreeMap::new(),
            effects: Vec::new(),
            failed: false,
            fresh: 1_000,
            gives_ids: true,
            wants_id: false,
            wake: None,
            tokens: 0,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        let mut out = Vec::new();
        self.machine.finish_loading(self.time, &mut out);
        self.carry_out(out);
        self.settle();
    }

    /// Loses everything but the first `keep` entries of the log, and starts again.
    pub(crate) fn crash(&mut self, keep: usize) {
        assert!(keep >= self.durable, "durable entries survive");
        self.log.truncate(keep);
        self.durable = keep;
        self.wake = None;
        self.failed = false;
        self.wants_id = false;
        self.asked.clear();
        self.machine = TransactionCoordinator::new(self.config.clone(), 3);
        for (_, append) in &self.log {
            let Append::Records(records) = append else {
                panic!("not records: {append:?}")
            };
            for record in records {
                let entry = LogEntry::Record {
                    key: &record.key,
                    value: record.value.as_deref(),
                    producer: None,
                };
                self.machine.load(entry).expect("records can be loaded");
            }
        }
        self.open();
    }

    pub(crate) fn restart(&mut self) {
        self.crash(self.log.len());
    }

    pub(crate) fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.machine.step(input, self.time, &mut out);
        self.carry_out(out);
        self.settle();
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.effects.push(effect.clone());
            match effect {
                Effect::Append { id, append } => {
                    // What the log refuses fails every transaction of the partition.
                    assert!(size_of(&append) <= self.config.max_append_bytes);
                    self.log.push((id, append));
                }
                Effect::Reply { token, response } => {
                    assert!(
                        self.replies.insert(token, response).is_none(),
                        "answered twice"
                    );
                }
                Effect::WriteMarkers(markers) => self.asked.push(markers),
                Effect::WakeAt(at) => self.wake = at,
                Effect::ProducerIdWanted => self.wants_id = true,
                Effect::Failed => self.failed = true,
            }
        }
    }

    fn settle(&mut self) {
        loop {
            if self.gives_ids && self.wants_id {
                self.give_id();
            } else if self.syncs && self.durable < self.log.len() {
                self.sync_disk();
            } else if self.writes_markers && !self.asked.is_empty() {
                self.write_markers();
            } else {
                return;
            }
        }
    }

    /// Gives the machine the producer id it asked for.
    pub(crate) fn give_id(&mut self) {
        assert!(std::mem::take(&mut self.wants_id), "an id is wanted");
        self.fresh += 1;
        let mut out = Vec::new();
        let input = Input::ProducerId(Some(self.fresh));
        self.machine.step(input, self.time, &mut out);
        self.carry_out(out);
    }

    /// Reports everything appended so far as durable.
    pub(crate) fn sync_disk(&mut self) {
        if self.durable < self.log.len() {
            self.durable = self.log.len();
            let id = self.log[self.durable - 1].0;
            let mut out = Vec::new();
            self.machine.step(Input::Durable(id), self.time, &mut out);
            self.carry_out(out);
        }
    }

    /// Writes all markers asked for so far.
    pub(crate) fn write_markers(&mut self) {
        for asked in std::mem::take(&mut self.asked) {
            let mut out = Vec::new();
            let input = self.written(&asked, asked.partitions.clone());
            self.machine.step(input, self.time, &mut out);
            self.carry_out(out);
        }
    }

    pub(crate) fn written(
        &mut self,
        asked: &WriteMarkers,
        partitions: BTreeMap<String, BTreeSet<i32>>,
    ) -> Input {
        for (topic, indexes) in &partitions {
            for index in indexes {
                self.markers.push((topic.clone(), *index, asked.marker));
            }
        }
        Input::MarkersWritten {
            transactional_id: asked.transactional_id.clone(),
            producer: asked.marker.producer,
            partitions,
        }
    }

    /// Lets time pass, waking the machine whenever it asked for it.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.time.now.after(span);
        while let Some(at) = self.wake.filter(|at| *at <= end) {
            self.set_now(at.max(self.time.now));
            let before = self.effects.len();
            self.step(Input::Wake);
            assert!(
                self.effects.len() > before,
                "the machine asks for its next wake"
            );
        }
        self.set_now(end);
    }

    fn set_now(&mut self, now: Now) {
        let passed = Duration::from_nanos(now.as_nanos() - self.time.now.as_nanos());
        self.time = Time {
            now,
            wall: self.time.wall.after(passed),
        };
    }

    pub(crate) fn send(&mut self, version: i16, request: Request) -> Token {
        self.tokens += 1;
        let token = Token(self.tokens);
        self.step(Input::Request {
            token,
            version,
            request,
        });
        token
    }

    pub(crate) fn is_answered(&self, token: Token) -> bool {
        self.replies.contains_key(&token)
    }

    pub(crate) fn take(&mut self, token: Token) -> Response {
        self.replies
            .remove(&token)
            .expect("the request is answered")
    }

    pub(crate) fn send_init(&mut self, version: i16, request: InitProducerIdRequest) -> Token {
        self.fresh += 1;
        let fresh = self.fresh;
        self.send(version, Request::InitProducerId { request, fresh })
    }

    pub(crate) fn init_with(
        &mut self,
        version: i16,
        request: InitProducerIdRequest,
    ) -> Result<ProducerIdentity, ErrorCode> {
        let token = self.send_init(version, request);
        self.take_init(token)
    }

    pub(crate) fn take_init(&mut self, token: Token) -> Result<ProducerIdentity, ErrorCode> {
        match self.take(token) {
            Response::InitProducerId(response) => match error(response.error_code) {
                ErrorCode::None => Ok(ProducerIdentity {
                    id: response.producer_id,
                    epoch: response.producer_epoch,
                }),
                code => Err(code),
            },
            other => panic!("not an initialisation: {other:?}"),
        }
    }

    pub(crate) fn init(&mut self) -> ProducerIdentity {
        self.init_with(4, initialising())
            .expect("a producer can be initialised")
    }

    pub(crate) fn take_code(&mut self, token: Token) -> ErrorCode {
        let code = match self.take(token) {
            Response::AddPartitions(response) => {
                response.results_by_topic_v3_and_below[0].results_by_partition[0]
                    .partition_error_code
            }
            Response::AddOffsets(response) => response.error_code,
            Response::End(response) => response.error_code,
            Response::InitProducerId(response) => response.error_code,
            Response::Write(code) => code.code(),
            Response::Transactions(result) => result.err().map_or(0, |code| code.code()),
        };
        error(code)
    }

    pub(crate) fn add(&mut self, producer: ProducerIdentity, partitions: &[i32]) -> ErrorCode {
        let token = self.send(3, adding(ID, producer, partitions));
        self.take_code(token)
    }

    pub(crate) fn end(&mut self, producer: ProducerIdentity, committed: bool) -> ErrorCode {
        let token = self.send(3, ending(ID, producer, committed));
        self.take_code(token)
    }

    /// Ends a transaction as a client of version 2 does; the producer that may go on.
    pub(crate) fn end_v2(
        &mut self,
        producer: ProducerIdentity,
        committed: bool,
    ) -> Result<ProducerIdentity, ErrorCode> {
        let token = self.send(5, ending(ID, producer, committed));
        self.take_end(token)
    }

    pub(crate) fn take_end(&mut self, token: Token) -> Result<ProducerIdentity, ErrorCode> {
        match self.take(token) {
            Response::End(response) => match error(response.error_code) {
                ErrorCode::None => Ok(ProducerIdentity {
                    id: response.producer_id,
                    epoch: response.producer_epoch,
                }),
                code => Err(code),
            },
            other => panic!("not an end: {other:?}"),
        }
    }

    /// Adds partitions as a write of version 2 does.
    pub(crate) fn write(&mut self, producer: ProducerIdentity, partitions: &[i32]) -> ErrorCode {
        let token = self.send(0, writing(producer, partitions));
        self.take_code(token)
    }

    /// Partitions of [`TOPIC`] that have a marker like this.
    pub(crate) fn marked(&self, producer: ProducerIdentity, committed: bool) -> BTreeSet<i32> {
        let wanted = Marker {
            producer,
            coordinator_epoch: 3,
            committed,
            bumps_epoch: false,
        };
        let is_wanted = |marker: &Marker| {
            Marker {
                bumps_epoch: false,
                ..*marker
            } == wanted
        };
        self.markers
            .iter()
            .filter(|(topic, _, marker)| topic == TOPIC && is_wanted(marker))
            .map(|(_, index, _)| *index)
            .collect()
    }
}

pub(crate) fn error(code: i16) -> ErrorCode {
    ErrorCode::from_code(code)
}

pub(crate) fn initialising() -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: Some(ID.to_owned()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    }
}

/// The initialisation of a producer that goes on after an error (KIP-360).
pub(crate) fn going_on(producer: ProducerIdentity) -> InitProducerIdRequest {
    InitProducerIdRequest {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        ..initialising()
    }
}

pub(crate) fn adding(id: &str, producer: ProducerIdentity, partitions: &[i32]) -> Request {
    Request::AddPartitions(AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: id.to_owned(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic {
            name: TOPIC.to_owned(),
            partitions: partitions.to_vec(),
        }],
        ..Default::default()
    })
}

/// Bytes of a batch, without the lengths in its records.
fn size_of(append: &Append) -> usize {
    const HEADER: usize = 61;
    let Append::Records(records) = append else {
        panic!("not records: {append:?}")
    };
    let of_record =
        |record: &Record| record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
    HEADER + records.iter().map(of_record).sum::<usize>()
}

pub(crate) fn writing(producer: ProducerIdentity, partitions: &[i32]) -> Request {
    Request::Write(write_in(producer, partitions))
}

pub(crate) fn write_in(producer: ProducerIdentity, partitions: &[i32]) -> WriteInTransaction {
    WriteInTransaction {
        transactional_id: ID.to_owned(),
        producer,
        partitions: [(TOPIC.to_owned(), partitions.iter().copied().collect())].into(),
        waited: Duration::ZERO,
    }
}

pub(crate) fn adding_offsets(producer: ProducerIdentity, group: &str) -> Request {
    let request = AddOffsetsToTxnRequest {
        transactional_id: ID.to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        group_id: group.to_owned(),
    };
    let partition = group_partition(group, 50);
    Request::AddOffsets { request, partition }
}

pub(crate) fn ending(id: &str, producer: ProducerIdentity, committed: bool) -> Request {
    Request::End(EndTxnRequest {
        transactional_id: id.to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        committed,
    })
}
