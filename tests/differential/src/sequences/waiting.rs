//! What needs time: reads that wait for records, members and transactions that run out of time,
//! topics that are made because they are asked for.

use headwater_wire::ApiKey::{
    DescribeGroups, DescribeTransactions, Fetch, Heartbeat, InitProducerId, JoinGroup, Metadata,
    Produce, SyncGroup,
};
use headwater_wire::codec::Tree;
use uuid::Uuid;

use super::batch::Shape;
use super::classic::Member;
use super::fetch;
use super::produce::{Target, one};
use super::topics::{create, wait_for};
use crate::object::{Look, NULL, ask, object};
use crate::run::Run;

/// Fetches that wait at the end of a partition until there is something.
pub(crate) async fn fetches(run: &mut Run) {
    let name = run.name("w");
    let id = create(run, &name, 2, &[]).await;
    let target = Target { name, id };
    let mut end = 0;
    for _ in 0..3 {
        let version = run.version(Fetch);
        let topic = fetch::topic(&target, vec![fetch::partition(0, end)]);
        let Tree::Structure(mut fields) = fetch::plain_body(vec![topic]) else {
            return;
        };
        for (name, value) in &mut fields {
            if *name == "max_wait_ms" {
                *value = Tree::Int(8000);
            }
        }
        let waiting = run.begin(5, Fetch, version, Tree::Structure(fields));
        let shape = Shape::any(run);
        let batch = shape.batch(run);
        let version = run.version(Produce);
        run.call(Produce, version, one(&target, -1, 0, batch)).await;
        let answered = run.finish(waiting).await;
        let batches = answered.elements("responses.0.partitions.0.records");
        end += batches
            .iter()
            .map(|batch| batch.int("last_offset_delta") + 1)
            .sum::<i64>();
    }
}

/// Topics that exist because somebody asked for them.
pub(crate) async fn automatic_topics(run: &mut Run) {
    for nth in 0..4 {
        let version = run.version(Metadata);
        let name = match run.below(5) {
            0 => "not a name".to_owned(),
            1 => "..".to_owned(),
            _ => run.name(&format!("auto{nth}")),
        };
        let allowed = version < 4 || run.once_in(2);
        let topic = object! { topic_id: Uuid::nil(), name: &name };
        ask! { run, Metadata, version, {
            topics: [&topic, &topic],
            allow_auto_topic_creation: allowed,
        } };
        if allowed && name.starts_with(&run.prefix) {
            wait_for(run, &name, Some(4)).await;
        }
        let version = run.version_from(Metadata, 4);
        ask! { run, Metadata, version, {
            topics: [&topic],
            allow_auto_topic_creation: false,
        } };
    }
}

/// A member that says nothing any more leaves its group.
pub(crate) async fn members_expire(run: &mut Run) {
    let group = run.name("g");
    let mut member = Member::new(1, &group, None);
    let join = |member: &Member| {
        object! {
            group_id: &member.group,
            session_timeout_ms: 6000,
            rebalance_timeout_ms: 6000,
            member_id: &member.id,
            group_instance_id: NULL,
            protocol_type: "consumer",
            protocols: [object! { name: "range", metadata: bytes::Bytes::new() }],
        }
    };
    let version = run.version_to(JoinGroup, 3);
    let joined = run.call_once(1, JoinGroup, version, join(&member)).await;
    member.id = joined.look("member_id").clone();
    member.generation = i32::try_from(joined.int("generation_id")).unwrap_or(-1);
    let version = run.version(SyncGroup);
    ask! { run, SyncGroup, version, {
        group_id: &group,
        generation_id: member.generation,
        member_id: &member.id,
        protocol_type: "consumer",
        protocol_name: "range",
    } };
    let body = object! { groups: [&group] };
    run.settle_within(20, DescribeGroups, 5, body, |answer| {
        answer.look("groups.0.group_state") == &Tree::String("Empty".into())
    })
    .await;
    let version = run.version(DescribeGroups);
    ask! { run, DescribeGroups, version, { groups: [&group] } };
    let version = run.version(Heartbeat);
    ask! { run, Heartbeat, version, {
        group_id: &group,
        generation_id: member.generation,
        member_id: &member.id,
    } };
    let version = run.version_from(JoinGroup, 4);
    run.call_once(1, JoinGroup, version, join(&member)).await;
}

/// A transaction that takes too long is aborted, and its producer is fenced.
pub(crate) async fn transactions_expire(run: &mut Run) {
    let name = run.name("t");
    create(run, &name, 1, &[]).await;
    let id = run.name("x");
    let version = run.version(InitProducerId);
    let made = ask! { run, InitProducerId, version, {
        transactional_id: &id,
        transaction_timeout_ms: 1000,
        producer_id: -1_i64,
        producer_epoch: -1,
    } };
    let (producer, epoch) = (made.int("producer_id"), made.int("producer_epoch"));
    ask! { run, headwater_wire::ApiKey::AddPartitionsToTxn, 3, {
        v3_and_below_transactional_id: &id,
        v3_and_below_producer_id: producer,
        v3_and_below_producer_epoch: epoch,
        v3_and_below_topics: [object! { name: &name, partitions: [0] }],
    } };
    let body = object! { transactional_ids: [&id] };
    run.settle_within(30, DescribeTransactions, 0, body.clone(), |answer| {
        answer.look("transaction_states.0.transaction_state")
            == &Tree::String("CompleteAbort".into())
    })
    .await;
    run.call(DescribeTransactions, 0, body).await;
    let version = run.version_to(headwater_wire::ApiKey::EndTxn, 4);
    ask! { run, headwater_wire::ApiKey::EndTxn, version, {
        transactional_id: &id,
        producer_id: producer,
        producer_epoch: epoch,
        committed: true,
    } };
    let version = run.version(InitProducerId);
    ask! { run, InitProducerId, version, {
        transactional_id: &id,
        transaction_timeout_ms: 60_000,
        producer_id: -1_i64,
        producer_epoch: -1,
    } };
}
