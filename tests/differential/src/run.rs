//! One sequence under way: requests go to both servers, their answers are compared.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use headwater_wire::codec::{EncodeError, Encoder, Tree};
use headwater_wire::{ApiKey, RequestHeader, catalog};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::answer::{NOT_SERVED, Outcome};
use crate::compare::{Comparison, Difference};
use crate::connection::{Connection, Reply};
use crate::foreign;
use crate::meant;
use crate::names::Names;
use crate::object::{Look, object, shown, unknown_name};
use crate::report::{Report, Unmeant};

/// How long the servers may take to agree on what is read, or to be ready to answer at all.
const AGREEMENT: Duration = Duration::from_secs(3);

/// Held by who asks something of the group without a name, which all sequences share: what one asks
/// has to come before what another asks on both servers, or on neither.
static UNNAMED_GROUP: Mutex<()> = Mutex::const_new(());

/// Held by who writes in a transaction. Kafka asks the coordinator for several clients at once, and
/// tells all of them what it found in the words that the first of them knows.
static VERIFICATION: Mutex<()> = Mutex::const_new(());

/// How long to wait before a request is sent again.
const AGAIN: Duration = Duration::from_millis(40);

/// Where the servers are, and which sequence this is.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) ours: String,
    pub(crate) kafka: String,
    pub(crate) seed: u64,
    pub(crate) sequence: u64,
    pub(crate) kind: &'static str,
    /// Front of all names, new for every run.
    pub(crate) prefix: String,
    /// Requests to leave out.
    pub(crate) skip: BTreeSet<usize>,
}

/// A sequence under way.
pub(crate) struct Run {
    pub(crate) rng: StdRng,
    /// Front of the names of this sequence.
    pub(crate) prefix: String,
    /// When it began, in milliseconds; the time of its records.
    pub(crate) start: i64,
    /// A word about the next request.
    remark: Option<&'static str>,
    pub(crate) report: Report,
    /// The requests, as far as they went.
    pub(crate) sent: Vec<String>,
    plan: Plan,
    names: Names,
    connections: HashMap<u32, Pair>,
    step: usize,
    /// Whether one server did what the other refused: what follows would differ for no reason of
    /// its own.
    parted: bool,
}

/// Connections of one client to both servers.
struct Pair {
    ours: Connection,
    kafka: Connection,
    correlation_id: i32,
}

/// A request on its way to both.
pub(crate) struct Pending {
    request: Request,
    client: u32,
    replies: Option<JoinHandle<(Pair, Reply, Reply)>>,
}

struct Request {
    key: ApiKey,
    version: i16,
    body: Tree,
    step: usize,
}

impl Run {
    pub(crate) fn new(plan: Plan) -> Self {
        let seed = plan
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add(plan.sequence);
        Self {
            rng: StdRng::seed_from_u64(seed),
            prefix: plan.prefix.clone(),
            start: now(),
            remark: None,
            report: Report {
                sequences: 1,
                ..Report::default()
            },
            sent: Vec::new(),
            plan,
            names: Names::default(),
            connections: HashMap::new(),
            step: 0,
            parted: false,
        }
    }

    /// Any version that the API has.
    pub(crate) fn version(&mut self, key: ApiKey) -> i16 {
        self.version_from(key, 0)
    }

    /// Any version that the API has, not below `min`.
    pub(crate) fn version_from(&mut self, key: ApiKey, min: i16) -> i16 {
        let (low, high) =
            catalog::find(key).map_or((0, 0), |api| (api.min_version, api.max_version));
        let low = low.max(min).min(high);
        // The newest is what most clients speak.
        if self.rng.random_ratio(1, 4) {
            high
        } else {
            self.rng.random_range(low..=high)
        }
    }

    /// Any version up to `max`.
    pub(crate) fn version_to(&mut self, key: ApiKey, max: i16) -> i16 {
        let low = catalog::find(key).map_or(0, |api| api.min_version);
        self.rng.random_range(low..=max.max(low))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end.max(1))
    }

    /// Yes, once in `n`.
    pub(crate) fn once_in(&mut self, n: u32) -> bool {
        self.rng.random_ratio(1, n.max(1))
    }

    /// One of them.
    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        let nth = self.below(of.len());
        of[nth].clone()
    }

    /// A name of this sequence.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Sends a request as the first client; Kafka's answer.
    pub(crate) async fn call(&mut self, key: ApiKey, version: i16, body: Tree) -> Tree {
        self.call_as(0, key, version, body).await
    }

    /// Sends a request as one of the clients; Kafka's answer, null if there is none.
    ///
    /// What only reads is asked again until the servers agree, for some seconds at most; what a
    /// server is not ready for is asked again of that server.
    pub(crate) async fn call_as(
        &mut self,
        client: u32,
        key: ApiKey,
        version: i16,
        body: Tree,
    ) -> Tree {
        let Some(request) = self.admit(key, version, body) else {
            return Tree::Null;
        };
        let _turn = turn_of(key, &request.body).await;
        let deadline = Instant::now() + AGREEMENT;
        let mut names = self.names.clone();
        let mut is_repeated = false;
        loop {
            let (mut ours, mut kafka) = self.ask(client, &request).await;
            while not_ready(&ours) && Instant::now() < deadline {
                tokio::time::sleep(AGAIN).await;
                ours = self.ask_ours(client, &request).await;
            }
            while not_ready(&kafka) && Instant::now() < deadline {
                tokio::time::sleep(AGAIN).await;
                kafka = self.ask_kafka(client, &request).await;
            }
            self.only_own(&request, &mut ours, &mut kafka);
            let mut comparison = Comparison::new(&mut names);
            comparison.outcomes(&ours, &kafka);
            let (fields, differences) =
                (comparison.fields, meant::compared(comparison.differences));
            let agreed = differences
                .iter()
                .all(|difference| self.rule(&request, difference).is_some());
            if agreed || !reads(key) || Instant::now() >= deadline {
                self.names = names;
                self.report.repeated += u64::from(is_repeated);
                self.note(&request, false, fields, differences);
                return answer(kafka);
            }
            is_repeated = true;
            names = self.names.clone();
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Sends a request exactly once to each; Kafka's answer.
    pub(crate) async fn call_once(
        &mut self,
        client: u32,
        key: ApiKey,
        version: i16,
        body: Tree,
    ) -> Tree {
        let _turn = turn_of(key, &body).await;
        let pending = self.begin(client, key, version, body);
        self.finish(pending).await
    }

    /// Sends a request whose answer comes later. Until [`finish`](Self::finish) the client waits.
    pub(crate) fn begin(
        &mut self,
        client: u32,
        key: ApiKey,
        version: i16,
        body: Tree,
    ) -> Option<Pending> {
        let request = self.admit(key, version, body)?;
        let mut pair = self.take_pair(client);
        let frames = self.frames(client, pair.correlation_id, &request);
        let replies = frames.map(|(ours, kafka)| {
            tokio::spawn(async move {
                let (ours, kafka) =
                    tokio::join!(pair.ours.exchange(&ours), pair.kafka.exchange(&kafka));
                (pair, ours, kafka)
            })
        });
        Some(Pending {
            request,
            client,
            replies,
        })
    }

    /// Waits for both answers and compares them; Kafka's answer.
    pub(crate) async fn finish(&mut self, pending: Option<Pending>) -> Tree {
        let Some(Pending {
            request,
            client,
            replies: Some(replies),
        }) = pending
        else {
            return Tree::Null;
        };
        let Ok((pair, ours, kafka)) = replies.await else {
            return Tree::Null;
        };
        let (key, version, id) = (request.key, request.version, pair.correlation_id);
        let mut ours = Outcome::of_raw(ours, key, version, id);
        let mut kafka = Outcome::of(kafka, key, version, id);
        self.connections.insert(client, pair);
        self.only_own(&request, &mut ours, &mut kafka);
        let mut comparison = Comparison::new(&mut self.names);
        comparison.outcomes(&ours, &kafka);
        let (fields, differences) = (comparison.fields, comparison.differences);
        self.note(&request, true, fields, differences);
        answer(kafka)
    }

    /// Sends bytes as they are to both, each on a connection of its own, and compares what they
    /// do. The answers are read as those of `key` in `version`.
    pub(crate) async fn send_raw(
        &mut self,
        what: &str,
        key: ApiKey,
        version: i16,
        correlation_id: i32,
        bytes: &[u8],
    ) {
        let body = Tree::Structure(vec![
            ("what", Tree::String(what.to_owned())),
            ("bytes", Tree::Bytes(Bytes::copy_from_slice(bytes))),
        ]);
        let step = self.step;
        self.step += 1;
        let request = Request {
            key,
            version,
            body,
            step,
        };
        self.sent.push(format!("{step} raw {what}"));
        if self.parted || self.plan.skip.contains(&step) {
            return;
        }
        let patience = Duration::from_secs(2);
        let mut connections = (
            Connection::new(&self.plan.ours),
            Connection::new(&self.plan.kafka),
        );
        let (ours, kafka) = tokio::join!(
            connections.0.exchange_within(bytes, patience),
            connections.1.exchange_within(bytes, patience)
        );
        let mut ours = Outcome::of_raw(ours, key, version, correlation_id);
        let mut kafka = Outcome::of_raw(kafka, key, version, correlation_id);
        self.only_own(&request, &mut ours, &mut kafka);
        let mut comparison = Comparison::new(&mut self.names);
        comparison.outcomes(&ours, &kafka);
        let (fields, differences) = (comparison.fields, comparison.differences);
        self.note(&request, false, fields, differences);
        // Every one of these has a connection of its own, and changes nothing.
        self.parted = false;
    }

    /// Waits until the coordinators of both servers are there, of any group and transaction.
    pub(crate) async fn wait_for_coordinators(&mut self) {
        let is_ready = |answer: &Tree| !NOT_YET.contains(&answer.int("error_code"));
        // So many names that each partition of the internal topics has some.
        for nth in 0..32 {
            let name = self.name(&format!("warm{nth}"));
            for key_type in [0, 1] {
                let body = object! { key: &name, key_type: key_type };
                self.settle_within(30, ApiKey::FindCoordinator, 1, body, is_ready)
                    .await;
            }
            let body = object! { group_id: &name, generation_id: 1, member_id: "warm" };
            self.settle_within(30, ApiKey::Heartbeat, 1, body, is_ready)
                .await;
            let body = object! { transactional_id: &name, producer_id: 1_i64 };
            self.settle_within(30, ApiKey::EndTxn, 1, body, is_ready)
                .await;
        }
    }

    /// Waits until both servers answer as `is_there` wants it. Nothing is compared.
    pub(crate) async fn settle(
        &mut self,
        key: ApiKey,
        version: i16,
        body: Tree,
        is_there: impl Fn(&Tree) -> bool,
    ) {
        self.settle_within(6, key, version, body, is_there).await;
    }

    /// As [`settle`](Self::settle), for so many seconds.
    pub(crate) async fn settle_within(
        &mut self,
        seconds: u64,
        key: ApiKey,
        version: i16,
        body: Tree,
        is_there: impl Fn(&Tree) -> bool,
    ) {
        let request = Request {
            key,
            version,
            body,
            step: self.step,
        };
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while !self.parted && Instant::now() < deadline {
            let (ours, kafka) = self.ask(0, &request).await;
            if let (Outcome::Answered(ours), Outcome::Answered(kafka)) = (&ours, &kafka)
                && is_there(ours)
                && is_there(kafka)
            {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Sends a request that has no answer, and one behind it on the same connection that has: its
    /// outcome shows whether the connection is still there.
    pub(crate) async fn send_unanswered(&mut self, key: ApiKey, version: i16, body: Tree) {
        let Some(request) = self.admit(key, version, body) else {
            return;
        };
        let behind = Request {
            key: ApiKey::ApiVersions,
            version: 0,
            body: Tree::Structure(Vec::new()),
            step: request.step,
        };
        let mut pair = self.take_pair(0);
        let id = pair.correlation_id;
        let (first, second) = (self.frames(0, id, &request), self.frames(0, id, &behind));
        if let (Some(first), Some(second)) = (first, second) {
            let (ours, kafka) = ([first.0, second.0].concat(), [first.1, second.1].concat());
            let (ours, kafka) =
                tokio::join!(pair.ours.exchange(&ours), pair.kafka.exchange(&kafka));
            let ours = Outcome::of(ours, behind.key, behind.version, id);
            let kafka = Outcome::of(kafka, behind.key, behind.version, id);
            // What it says is compared elsewhere.
            let differs = ours.kind() != kafka.kind();
            let difference = differs.then(|| Difference {
                path: "(connection afterwards)".to_owned(),
                place: "(connection afterwards)".to_owned(),
                ours: ours.kind(),
                kafka: kafka.kind(),
            });
            self.note(&request, true, 1, difference.into_iter().collect());
        }
        self.connections.insert(0, pair);
    }

    /// Waits until the clock shows a later millisecond than any that a server has seen so far.
    pub(crate) async fn next_millisecond(&self) {
        let before = now();
        while now() <= before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Says something about the next request, for the report.
    pub(crate) fn remark(&mut self, remark: &'static str) {
        self.remark = Some(remark);
    }

    /// The bytes of a request as they go to both servers, with the length in front.
    pub(crate) fn frame(&mut self, key: ApiKey, version: i16, body: &Tree) -> Option<Vec<u8>> {
        encode(key, version, 7, "raw", body)
            .inspect_err(|error| {
                self.report
                    .mistakes
                    .insert(format!("{key} v{version}: {error}"));
            })
            .ok()
    }

    /// A request that is to be sent; `None` if it is left out.
    fn admit(&mut self, key: ApiKey, version: i16, body: Tree) -> Option<Request> {
        let step = self.step;
        self.step += 1;
        let Some((fields, _)) = catalog::schema(key) else {
            self.report.lacking.insert(key);
            return None;
        };
        if let Some(name) = unknown_name(&body, fields) {
            self.report
                .mistakes
                .insert(format!("{key} has no field {name}"));
            return None;
        }
        if self.parted || self.plan.skip.contains(&step) {
            return None;
        }
        self.sent
            .push(format!("{step} {key} v{version} {}", shown(&body)));
        *self.report.sent.entry((key, version)).or_default() += 1;
        Some(Request {
            key,
            version,
            body,
            step,
        })
    }

    fn take_pair(&mut self, client: u32) -> Pair {
        let mut pair = self.connections.remove(&client).unwrap_or_else(|| Pair {
            ours: Connection::new(&self.plan.ours),
            kafka: Connection::new(&self.plan.kafka),
            correlation_id: 0,
        });
        pair.correlation_id += 1;
        pair
    }

    fn frames(
        &mut self,
        client: u32,
        correlation_id: i32,
        request: &Request,
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        let &Request {
            key,
            version,
            ref body,
            ..
        } = request;
        let client_id = format!("client{client}");
        let ours = self.names.to_ours("", body);
        let both = encode(key, version, correlation_id, &client_id, &ours).and_then(|ours| {
            let kafka = encode(key, version, correlation_id, &client_id, body)?;
            Ok((ours, kafka))
        });
        both.inspect_err(|error| {
            self.report
                .mistakes
                .insert(format!("{key} v{version}: {error}"));
        })
        .ok()
    }

    async fn ask(&mut self, client: u32, request: &Request) -> (Outcome, Outcome) {
        let mut pair = self.take_pair(client);
        let id = pair.correlation_id;
        let outcomes = match self.frames(client, id, request) {
            Some((ours, kafka)) => {
                let (ours, kafka) =
                    tokio::join!(pair.ours.exchange(&ours), pair.kafka.exchange(&kafka));
                let (key, version) = (request.key, request.version);
                (
                    Outcome::of_raw(ours, key, version, id),
                    Outcome::of(kafka, key, version, id),
                )
            }
            None => (Outcome::Silence, Outcome::Silence),
        };
        self.connections.insert(client, pair);
        outcomes
    }

    async fn ask_ours(&mut self, client: u32, request: &Request) -> Outcome {
        let mut pair = self.take_pair(client);
        let id = pair.correlation_id;
        let reply = match self.frames(client, id, request) {
            Some((ours, _)) => pair.ours.exchange(&ours).await,
            None => Reply::Silence,
        };
        self.connections.insert(client, pair);
        Outcome::of(reply, request.key, request.version, id)
    }

    async fn ask_kafka(&mut self, client: u32, request: &Request) -> Outcome {
        let mut pair = self.take_pair(client);
        let id = pair.correlation_id;
        let reply = match self.frames(client, id, request) {
            Some((_, kafka)) => pair.kafka.exchange(&kafka).await,
            None => Reply::Silence,
        };
        self.connections.insert(client, pair);
        Outcome::of(reply, request.key, request.version, id)
    }

    /// Drops from answers to "all of them" what other sequences and other users made.
    fn only_own(&self, request: &Request, ours: &mut Outcome, kafka: &mut Outcome) {
        for outcome in [ours, kafka] {
            if let Outcome::Answered(tree) = outcome {
                foreign::drop(tree, &request.body, &self.prefix);
            }
        }
    }

    fn rule(&self, request: &Request, difference: &Difference) -> Option<&'static meant::Rule> {
        meant::rule(&meant::Case {
            key: request.key,
            request: &shown(&request.body),
            remark: self.remark.unwrap_or_default(),
            difference,
        })
    }

    fn note(&mut self, request: &Request, once: bool, fields: u64, differences: Vec<Difference>) {
        self.report.requests += 1;
        self.report.fields += fields;
        let of_kind = self.report.kinds.entry(self.plan.kind).or_default();
        of_kind.requests += 1;
        let changes = (once || !reads(request.key)) && self.plan.kind != "versions";
        for difference in meant::compared(differences) {
            if let Some(rule) = self.rule(request, &difference) {
                *self.report.meant.entry(rule.name).or_default() += 1;
                self.parted |= changes && difference.is_done_by_one();
                continue;
            }
            self.parted |= changes && parts(&difference);
            let of_kind = self.report.kinds.entry(self.plan.kind).or_default();
            of_kind.unmeant += 1;
            self.report.unmeant.push(Unmeant {
                key: request.key,
                version: request.version,
                request: format!(
                    "{} {}",
                    shown(&request.body),
                    self.remark.unwrap_or_default()
                ),
                difference,
                kind: self.plan.kind,
                sequence: self.plan.sequence,
                step: request.step,
            });
        }
        self.remark = None;
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(0))
}

fn answer(outcome: Outcome) -> Tree {
    match outcome {
        Outcome::Answered(tree) => tree,
        _ => Tree::Null,
    }
}

/// A request as a frame.
fn encode(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: &str,
    body: &Tree,
) -> Result<Vec<u8>, EncodeError> {
    let mut out = Encoder::framed();
    RequestHeader::new(key, version, correlation_id, Some(client_id.to_owned()))
        .encode(&mut out)?;
    if let (Some(api), Some((fields, _))) = (catalog::find(key), catalog::schema(key)) {
        out.set_flexible(version >= api.flexible_from);
        body.put(fields, &mut out, version)?;
    }
    Ok(out.finish_frame()?.concat())
}

/// The turns of a request that is about what all sequences share.
async fn turn_of(key: ApiKey, body: &Tree) -> [Option<MutexGuard<'static, ()>>; 2] {
    let unnamed = Tree::String(String::new());
    let is_unnamed =
        *body.look("group_id") == unnamed || body.elements("groups_names").contains(&unnamed);
    let is_verified = matches!(key, ApiKey::Produce | ApiKey::TxnOffsetCommit)
        && *body.look("transactional_id") != Tree::Null;
    let mut turns = [None, None];
    for (turn, (is_needed, shared)) in turns
        .iter_mut()
        .zip([(is_unnamed, &UNNAMED_GROUP), (is_verified, &VERIFICATION)])
    {
        if is_needed {
            *turn = Some(shared.lock().await);
        }
    }
    turns
}

/// Whether one of the servers did what the other refused.
fn parts(difference: &Difference) -> bool {
    let Difference { path, ours, .. } = difference;
    // What is not served at all changes nothing.
    path == "(outcome)" && ours != NOT_SERVED || path == "session_id" || difference.is_done_by_one()
}

/// Whether a request of this API changes nothing, so that it can be sent again.
fn reads(key: ApiKey) -> bool {
    matches!(
        key,
        ApiKey::ListOffsets
            | ApiKey::Metadata
            | ApiKey::OffsetFetch
            | ApiKey::FindCoordinator
            | ApiKey::DescribeGroups
            | ApiKey::ListGroups
            | ApiKey::ApiVersions
            | ApiKey::OffsetForLeaderEpoch
            | ApiKey::DescribeConfigs
            | ApiKey::DescribeLogDirs
            | ApiKey::ListPartitionReassignments
            | ApiKey::DescribeQuorum
            | ApiKey::DescribeCluster
            | ApiKey::DescribeProducers
            | ApiKey::DescribeTransactions
            | ApiKey::ListTransactions
            | ApiKey::ConsumerGroupDescribe
            | ApiKey::ListConfigResources
            | ApiKey::DescribeTopicPartitions
            | ApiKey::Fetch
    )
}

/// Errors that say so: a coordinator that loads or moves, a transaction that ends.
const NOT_YET: [i64; 4] = [14, 15, 16, 51];

/// Whether the server says that it cannot answer yet: a coordinator that loads, a transaction that
/// ends.
fn not_ready(outcome: &Outcome) -> bool {
    fn says_so(tree: &Tree) -> bool {
        match tree {
            Tree::Array(elements) => elements.iter().any(says_so),
            Tree::Structure(fields) => fields.iter().any(|(name, value)| {
                name.ends_with("error_code") && NOT_YET.contains(&value.int("")) || says_so(value)
            }),
            _ => false,
        }
    }
    match outcome {
        Outcome::Answered(tree) => says_so(tree),
        _ => false,
    }
}
