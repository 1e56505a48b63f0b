//! A coordinator with its log, its clock and its clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_coordination::groups::{
    Client, Effect, GroupConfig, GroupCoordinator, GroupSettings, Input, Request, Response, Topics,
    TopicsView,
};
use headwater_coordination::{
    Append, AppendId, LogEntry, Marker, Now, ProducerIdentity, Record, Time, Timestamp, Token,
};
use headwater_wire::ErrorCode;
use headwater_wire::internal;
use headwater_wire::messages::consumer_protocol::ConsumerProtocolSubscription;
use headwater_wire::messages::heartbeat::HeartbeatRequest;
use headwater_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use headwater_wire::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity,
};
use headwater_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use headwater_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use headwater_wire::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use headwater_wire::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use uuid::Uuid;

pub(crate) const GROUP: &str = "g";
pub(crate) const TOPIC: &str = "t";

/// The topics of the world: a name, an id and a number of partitions each.
#[derive(Clone, Debug, Default)]
pub(crate) struct FewTopics {
    version: u64,
    ids: u128,
    by_name: BTreeMap<String, (Uuid, i32)>,
    pub(crate) settings: GroupSettings,
}

impl FewTopics {
    /// Makes a topic or lets it grow, and returns its id.
    pub(crate) fn set(&mut self, name: &str, partitions: i32) -> Uuid {
        self.version += 1;
        let topic = self.by_name.entry(name.to_owned()).or_insert_with(|| {
            self.ids += 1;
            (Uuid::from_u128(0x7000 + self.ids), 0)
        });
        topic.1 = partitions;
        topic.0
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.version += 1;
        self.by_name.remove(name);
    }

    /// Every partition of every topic.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = (&str, Uuid, i32)> {
        self.by_name.iter().flat_map(|(name, (id, count))| {
            (0..*count).map(move |index| (name.as_str(), *id, index))
        })
    }
}

impl TopicsView for FewTopics {
    fn version(&self) -> u64 {
        self.version
    }

    fn find(&self, name: &str) -> Option<(Uuid, i32)> {
        self.by_name.get(name).copied()
    }

    fn name_of(&self, id: Uuid) -> Option<&str> {
        self.by_name
            .iter()
            .find(|(_, (other, _))| *other == id)
            .map(|(name, _)| name.as_str())
    }

    fn for_each_name(&self, each: &mut dyn FnMut(&str)) {
        self.by_name.keys().for_each(|name| each(name));
    }

    fn group_settings(&self, _group_id: &str) -> GroupSettings {
        self.settings
    }
}

pub(crate) struct World {
    pub(crate) machine: GroupCoordinator,
    pub(crate) config: GroupConfig,
    pub(crate) time: Time,
    pub(crate) log: Vec<(AppendId, Append)>,
    /// How many entries of the log are durable.
    pub(crate) durable: usize,
    /// Whether appends become durable at once.
    pub(crate) syncs: bool,
    pub(crate) replies: BTreeMap<Token, Response>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) failed: bool,
    pub(crate) topics: FewTopics,
    wake: Option<Now>,
    tokens: u64,
    ids: u128,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(GroupConfig {
            initial_rebalance_delay: Duration::ZERO,
            ..GroupConfig::default()
        })
    }

    pub(crate) fn with(config: GroupConfig) -> Self {
        let time = Time {
            now: Now::from_nanos(7),
            wall: Timestamp::from_millis(1_700_000_000_000),
        };
        let mut world = Self {
            machine: GroupCoordinator::new(config.clone()),
            config,
            time,
            log: Vec::new(),
            durable: 0,
            syncs: true,
            replies: BTreeMap::new(),
            effects: Vec::new(),
            failed: false,
            topics: FewTopics::default(),
            wake: None,
            tokens: 0,
            ids: 0,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        let mut out = Vec::new();
        self.machine.finish_loading(self.time, &mut out);
        self.carry_out(out);
    }

    /// Loses everything but the first `keep` entries of the log, and starts again.
    pub(crate) fn crash(&mut self, keep: usize) {
        assert!(keep >= self.durable, "durable entries survive");
        self.log.truncate(keep);
        self.durable = keep;
        self.wake = None;
        self.failed = false;
        self.machine = GroupCoordinator::new(self.config.clone());
        for (_, append) in &self.log {
            load(&mut self.machine, append);
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
        if self.syncs {
            self.sync_disk();
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.effects.push(effect.clone());
            match effect {
                Effect::Append { id, append } => {
                    // What the log refuses fails every group of the partition.
                    assert!(size_of(&append) <= self.config.max_append_bytes);
                    self.log.push((id, append));
                }
                Effect::Reply { token, response } => {
                    assert!(
                        self.replies.insert(token, response).is_none(),
                        "answered twice"
                    );
                }
                Effect::WakeAt(at) => self.wake = at,
                Effect::Failed => self.failed = true,
            }
        }
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

    /// Lets time pass, waking the machine whenever it asked for it.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.time.now.after(span);
        while let Some(at) = self.wake.filter(|at| *at <= end) {
            self.set_now(at.max(self.time.now));
            let before = self.effects.len();
            self.step(Input::Wake);
            assert!(
                self.wake != Some(at) || self.effects.len() > before,
                "timers move on"
            );
        }
        self.set_now(end);
    }

    /// Lets time pass, and the caller's timers be late.
    pub(crate) fn pass_unnoticed(&mut self, span: Duration) {
        self.set_now(self.time.now.after(span));
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
            topics: Topics::new(Arc::new(self.topics.clone())),
            request,
        });
        token
    }

    pub(crate) fn fresh(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    pub(crate) fn is_answered(&self, token: Token) -> bool {
        self.replies.contains_key(&token)
    }

    pub(crate) fn take(&mut self, token: Token) -> Response {
        self.replies
            .remove(&token)
            .expect("the request is answered")
    }

    pub(crate) fn send_join(&mut self, version: i16, request: JoinGroupRequest) -> Token {
        let fresh = self.fresh();
        let client = Client {
            id: "client".to_owned(),
            host: "/127.0.0.1".to_owned(),
        };
        self.send(
            version,
            Request::Join {
                request,
                client,
                fresh,
            },
        )
    }

    pub(crate) fn take_join(&mut self, token: Token) -> JoinGroupResponse {
        match self.take(token) {
            Response::Join(response) => response,
            other => panic!("not a join: {other:?}"),
        }
    }

    pub(crate) fn join(&mut self, version: i16, request: JoinGroupRequest) -> JoinGroupResponse {
        let token = self.send_join(version, request);
        self.take_join(token)
    }

    /// Joins a dynamic member, which first has to get its id, and returns the id and its token.
    pub(crate) fn enter(&mut self) -> (String, Token) {
        let asked = self.join(9, joining(""));
        assert_eq!(error(asked.error_code), ErrorCode::MemberIdRequired);
        let token = self.send_join(9, joining(&asked.member_id));
        (asked.member_id, token)
    }

    pub(crate) fn send_sync(&mut self, request: SyncGroupRequest) -> Token {
        self.send(5, Request::Sync(request))
    }

    pub(crate) fn take_sync(&mut self, token: Token) -> SyncGroupResponse {
        match self.take(token) {
            Response::Sync(response) => response,
            other => panic!("not a sync: {other:?}"),
        }
    }

    pub(crate) fn sync(&mut self, request: SyncGroupRequest) -> SyncGroupResponse {
        let token = self.send_sync(request);
        self.take_sync(token)
    }

    /// A stable group of one dynamic member: its id, in generation 1.
    pub(crate) fn stable(&mut self) -> String {
        let (id, token) = self.enter();
        let joined = self.take_join(token);
        assert_eq!((joined.generation_id, &joined.leader), (1, &id));
        let synced = self.sync(syncing(&id, 1, &[(&id, "all")]));
        assert_eq!(error(synced.error_code), ErrorCode::None);
        id
    }

    pub(crate) fn heartbeat(&mut self, id: &str, generation: i32) -> ErrorCode {
        self.heartbeat_as(id, None, generation)
    }

    pub(crate) fn heartbeat_as(
        &mut self,
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: GROUP.to_owned(),
            generation_id: generation,
            member_id: id.to_owned(),
            group_instance_id: instance.map(str::to_owned),
        };
        let token = self.send(4, Request::Heartbeat(request));
        match self.take(token) {
            Response::Heartbeat(response) => error(response.error_code),
            other => panic!("not a heartbeat: {other:?}"),
        }
    }

    pub(crate) fn leave(&mut self, version: i16, request: LeaveGroupRequest) -> LeaveGroupResponse {
        let token = self.send(version, Request::Leave(request));
        match self.take(token) {
            Response::Leave(response) => response,
            other => panic!("not a leave: {other:?}"),
        }
    }

    pub(crate) fn commit(&mut self, request: OffsetCommitRequest) -> ErrorCode {
        let token = self.send(9, Request::OffsetCommit(request));
        self.take_commit(token)
    }

    pub(crate) fn take_commit(&mut self, token: Token) -> ErrorCode {
        match self.take(token) {
            Response::OffsetCommit(response) => error(response.topics[0].partitions[0].error_code),
            other => panic!("not a commit: {other:?}"),
        }
    }

    pub(crate) fn txn_commit(&mut self, request: TxnOffsetCommitRequest) -> ErrorCode {
        let token = self.send(3, Request::TxnOffsetCommit(request));
        match self.take(token) {
            Response::TxnOffsetCommit(response) => {
                error(response.topics[0].partitions[0].error_code)
            }
            other => panic!("not a transactional commit: {other:?}"),
        }
    }

    pub(crate) fn end_transaction(&mut self, producer: ProducerIdentity, committed: bool) {
        self.tokens += 1;
        let token = Token(self.tokens);
        let marker = Marker {
            producer,
            coordinator_epoch: 0,
            committed,
            bumps_epoch: false,
        };
        self.step(Input::EndTransaction { token, marker });
        assert_eq!(self.take(token), Response::MarkerWritten);
    }

    /// The offset and metadata of a partition, or the error.
    pub(crate) fn fetch(
        &mut self,
        partition: i32,
        stable: bool,
    ) -> Result<(i64, String), ErrorCode> {
        let topics = vec![OffsetFetchRequestTopics {
            name: TOPIC.to_owned(),
            partition_indexes: vec![partition],
            ..Default::default()
        }];
        let groups = vec![OffsetFetchRequestGroup {
            group_id: GROUP.to_owned(),
            topics: Some(topics),
            ..Default::default()
        }];
        let request = OffsetFetchRequest {
            groups,
            require_stable: stable,
            ..Default::default()
        };
        let token = self.send(9, Request::OffsetFetch(request));
        let Response::OffsetFetch(response) = self.take(token) else {
            panic!("not a fetch")
        };
        let partition = response.groups[0].topics[0].partitions[0].clone();
        match error(partition.error_code) {
            ErrorCode::None => Ok((
                partition.committed_offset,
                partition.metadata.unwrap_or_default(),
            )),
            code => Err(code),
        }
    }

    pub(crate) fn fetched(&mut self, partition: i32) -> i64 {
        self.fetch(partition, false)
            .expect("offsets can be fetched")
            .0
    }
}

/// Bytes of a batch, without the lengths in its records.
fn size_of(append: &Append) -> usize {
    const HEADER: usize = 61;
    let (Append::Records(records) | Append::Transactional(_, records)) = append else {
        return HEADER;
    };
    let of_record =
        |record: &Record| record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
    HEADER + records.iter().map(of_record).sum::<usize>()
}

pub(crate) fn load(machine: &mut GroupCoordinator, append: &Append) {
    let (producer, records) = match append {
        Append::Marker(marker) => {
            machine
                .load(LogEntry::Marker(*marker))
                .expect("markers can be loaded");
            return;
        }
        Append::Records(records) => (None, records),
        Append::Transactional(producer, records) => (Some(*producer), records),
    };
    for record in records {
        let entry = LogEntry::Record {
            key: &record.key,
            value: record.value.as_deref(),
            producer,
        };
        machine.load(entry).expect("records can be loaded");
    }
}

pub(crate) fn error(code: i16) -> ErrorCode {
    ErrorCode::from_code(code)
}

/// The metadata of a consumer that subscribes to `topics`.
pub(crate) fn subscription(topics: &[&str]) -> Bytes {
    let subscription = ConsumerProtocolSubscription {
        topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        ..Default::default()
    };
    internal::encode(&subscription, 3).expect("subscriptions can be encoded")
}

/// A consumer's join, subscribed to [`TOPIC`], with the protocol `range`.
pub(crate) fn joining(member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: GROUP.to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: member_id.to_owned(),
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol("range", &[TOPIC])],
        ..Default::default()
    }
}

pub(crate) fn joining_static(instance: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_instance_id: Some(instance.to_owned()),
        ..joining("")
    }
}

pub(crate) fn protocol(name: &str, topics: &[&str]) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol {
        name: name.to_owned(),
        metadata: subscription(topics),
    }
}

pub(crate) fn syncing(
    member_id: &str,
    generation: i32,
    shares: &[(&str, &str)],
) -> SyncGroupRequest {
    let assignments = shares
        .iter()
        .map(|(id, share)| SyncGroupRequestAssignment {
            member_id: (*id).to_owned(),
            assignment: Bytes::copy_from_slice(share.as_bytes()),
        })
        .collect();
    SyncGroupRequest {
        group_id: GROUP.to_owned(),
        generation_id: generation,
        member_id: member_id.to_owned(),
        assignments,
        ..Default::default()
    }
}

pub(crate) fn leaving(members: &[(&str, Option<&str>)]) -> LeaveGroupRequest {
    let members = members
        .iter()
        .map(|(id, instance)| MemberIdentity {
            member_id: (*id).to_owned(),
            group_instance_id: instance.map(str::to_owned),
            reason: None,
        })
        .collect();
    LeaveGroupRequest {
        group_id: GROUP.to_owned(),
        members,
        ..Default::default()
    }
}

/// A commit for one partition of [`TOPIC`].
pub(crate) fn committing(
    id: &str,
    generation: i32,
    partition: i32,
    offset: i64,
) -> OffsetCommitRequest {
    let partitions = vec![OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        committed_metadata: Some("m".to_owned()),
        ..Default::default()
    }];
    let topics = vec![OffsetCommitRequestTopic {
        name: TOPIC.to_owned(),
        partitions,
        ..Default::default()
    }];
    OffsetCommitRequest {
        group_id: GROUP.to_owned(),
        generation_id_or_member_epoch: generation,
        member_id: id.to_owned(),
        topics,
        ..Default::default()
    }
}

/// A transactional commit for one partition of [`TOPIC`], outside any generation.
pub(crate) fn txn_committing(
    producer: ProducerIdentity,
    partition: i32,
    offset: i64,
) -> TxnOffsetCommitRequest {
    let partitions = vec![TxnOffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        ..Default::default()
    }];
    TxnOffsetCommitRequest {
        transactional_id: "tx".to_owned(),
        group_id: GROUP.to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        topics: vec![TxnOffsetCommitRequestTopic {
            name: TOPIC.to_owned(),
            partitions,
        }],
        ..Default::default()
    }
}
