//! What an administrator asks beyond topics, records and groups.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::gate::Gate;
use crate::support::{cluster, unique, until};
use headwater_client::admin::{
    AbortTransactionSpec, ConfigResource, DescribeConfigsOptions, ElectionType, FeatureUpdate,
    ListTransactionsOptions, MemberToRemove, NewPartitions, NewTopic, OffsetSpec, TransactionState,
};
use headwater_client::{
    ClientError, IsolationLevel, OffsetAndMetadata, ProducerConfig, ProducerRecord, TopicPartition,
};
use headwater_wire::{ApiKey, ErrorCode, RequestKind};
use uuid::Uuid;

#[tokio::test]
async fn topics_are_described_and_deleted_by_their_ids() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let name = cluster.topic("by-id", 2).await;
    let by_name = admin.describe_topics(&[&name]).await.expect("asked");
    let id = by_name[&name].as_ref().expect("described").id;
    let unknown = Uuid::new_v4();
    let by_id = admin
        .describe_topics_by_id(&[id, unknown])
        .await
        .expect("asked");
    let described = by_id[&id].as_ref().expect("described");
    assert_eq!((&*described.name, described.partition_count()), (&*name, 2));
    let error = by_id[&unknown].as_ref().expect_err("unknown");
    assert_eq!(error.code(), Some(ErrorCode::UnknownTopicId));

    let deleted = admin
        .delete_topics_by_id(&[id, unknown])
        .await
        .expect("asked");
    assert!(deleted[&id].is_ok());
    let error = deleted[&unknown].as_ref().expect_err("unknown");
    assert_eq!(error.code(), Some(ErrorCode::UnknownTopicId));
}

#[tokio::test]
async fn topics_can_be_asked_about_without_being_made() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let (good, bad) = (unique("good"), unique("bad"));
    let wrong = NewTopic::new(&bad, 1).config("retention.ms", "soon");
    let topics = vec![NewTopic::new(&good, 1), wrong];
    let valid = admin.validate_topics(topics).await.expect("asked");
    assert!(valid[&good].is_ok());
    let error = valid[&bad].as_ref().expect_err("invalid");
    assert_eq!(error.code(), Some(ErrorCode::InvalidConfig));
    let described = admin.describe_topics(&[&good]).await.expect("asked");
    assert!(described[&good].is_err(), "it was not to be made");

    let node = admin.describe_cluster().await.expect("told").nodes[0].id;
    let assigned = NewTopic::with_assignments(&good, vec![vec![node]]);
    admin.create_topic(assigned).await.expect("created");
    let more = NewPartitions {
        total: 2,
        assignments: Some(vec![vec![node]]),
    };
    admin.create_partitions(&good, more).await.expect("grown");
}

#[tokio::test]
async fn offsets_of_many_groups_come_at_once() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let topic = cluster.topic("offsets", 2).await;
    let at = |partition| TopicPartition::new(topic.as_str(), partition);
    let groups = [unique("one"), unique("two"), unique("none")];
    for (group, offset) in groups.iter().zip([3, 4]) {
        let offsets = HashMap::from([
            (at(0), OffsetAndMetadata::new(offset)),
            (at(1), OffsetAndMetadata::new(offset + 10)),
        ]);
        let altered = admin.alter_group_offsets(group, &offsets).await;
        assert!(altered.expect("asked").values().all(Result::is_ok));
    }
    let wanted = HashMap::from([
        (groups[0].clone(), None),
        (groups[1].clone(), Some(vec![at(1)])),
        (groups[2].clone(), None),
    ]);
    let listed = admin.list_consumer_group_offsets(&wanted, true).await;
    let listed = listed.expect("asked");
    let of = |group: &String| listed[group].as_ref().expect("listed");
    assert_eq!(of(&groups[0]).len(), 2);
    assert_eq!(
        of(&groups[1]),
        &HashMap::from([(at(1), OffsetAndMetadata::new(14))])
    );
    assert!(of(&groups[2]).is_empty());

    let deleted = admin.delete_group_offsets(&groups[0], &[at(0)]).await;
    assert!(deleted.expect("asked")[&at(0)].is_ok());
    let left = admin.list_group_offsets(&groups[0], None, true).await;
    assert_eq!(
        left.expect("listed").into_keys().collect::<Vec<_>>(),
        [at(1)]
    );
    let nobody = MemberToRemove::Dynamic("nobody".to_owned());
    let removed = admin
        .remove_members_from_consumer_group(&groups[0], std::slice::from_ref(&nobody), "a test")
        .await
        .expect("asked");
    let error = removed[&nobody].as_ref().expect_err("no such member");
    assert_eq!(error.code(), Some(ErrorCode::UnknownMemberId));
}

#[tokio::test]
async fn the_largest_timestamp_and_both_ends_are_found() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let topic = cluster.topic("specs", 1).await;
    let at = TopicPartition::new(topic.as_str(), 0);
    let producer = cluster
        .client
        .producer(ProducerConfig::default())
        .expect("one");
    for timestamp in [1000, 3000, 2000] {
        let record = ProducerRecord::new(topic.as_str(), "x").timestamp(timestamp);
        producer
            .send(record)
            .await
            .expect("sent")
            .await
            .expect("written");
    }
    for (spec, offset) in [
        (OffsetSpec::Earliest, Some(0)),
        (OffsetSpec::MaxTimestamp, Some(1)),
        (OffsetSpec::Timestamp(1500), Some(1)),
        (OffsetSpec::Timestamp(9000), None),
        (OffsetSpec::EarliestLocal, Some(0)),
    ] {
        let wanted = HashMap::from([(at.clone(), spec)]);
        let mut listed = admin
            .list_offsets(&wanted, IsolationLevel::ReadUncommitted)
            .await;
        let found = listed.remove(&at).expect("an answer").expect("listed");
        assert_eq!(found.map(|found| found.offset), offset, "{spec:?}");
    }
    let ends = admin
        .end_offsets(std::slice::from_ref(&at), IsolationLevel::ReadCommitted)
        .await
        .expect("found");
    assert_eq!(ends[&at], 3);
}

#[tokio::test]
async fn configurations_are_replaced_whole_and_told_with_their_places() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let name = unique("replaced");
    let topic = NewTopic::new(&name, 1).config("retention.ms", "1000");
    admin.create_topic(topic).await.expect("created");
    let resource = ConfigResource::Topic(name);
    let replaced = [("max.message.bytes".to_owned(), "5000".to_owned())];
    let replaced = [(resource.clone(), replaced.to_vec())];
    let altered = admin.alter_configs(&replaced, false).await.expect("asked");
    assert!(altered[&resource].is_ok());
    let options = DescribeConfigsOptions {
        include_synonyms: true,
        include_documentation: true,
    };
    until("the change", || async {
        let asked = std::slice::from_ref(&resource);
        let described = admin.describe_configs(asked, options).await.expect("asked");
        let entries = described[&resource].as_ref().expect("described").clone();
        let find = |name: &str| entries.iter().find(|entry| entry.name == name).cloned();
        let bytes = find("max.message.bytes").expect("there");
        assert!(bytes.documentation.is_some() && !bytes.synonyms.is_empty());
        bytes.value.as_deref() == Some("5000")
            && find("retention.ms").expect("there").value.as_deref() != Some("1000")
    })
    .await;
    let listed = admin.list_config_resources(&[]).await.expect("listed");
    assert!(listed.contains(&resource));
}

#[tokio::test]
async fn nodes_tell_of_directories_quorum_features_and_leaders() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let topic = cluster.topic("told", 1).await;
    let at = TopicPartition::new(topic.as_str(), 0);
    let node = admin.describe_cluster().await.expect("told").nodes[0].id;
    let asked = Some(std::slice::from_ref(&at));
    // A node has a partition a moment after the controller.
    until("the directory of the partition", || async {
        let dirs = admin.describe_log_dirs(&[node], asked).await;
        let dirs = dirs.expect("asked").remove(&node).expect("told");
        let mut dirs = dirs.expect("described").into_iter();
        dirs.any(|dir| dir.replicas.contains_key(&at))
    })
    .await;
    assert!(admin.describe_log_dirs(&[4711], None).await.is_err());
    let nowhere = HashMap::from([(at.clone(), "/no/such/directory".to_owned())]);
    let moved = admin.alter_replica_log_dirs(node, &nowhere).await;
    assert!(moved.expect("asked")[&at].is_err());

    let quorum = admin.describe_metadata_quorum().await.expect("told");
    assert_eq!(quorum.leader, Some(quorum.voters[0].replica_id));
    let features = admin.describe_features().await.expect("told");
    assert!(features.finalized.contains_key("metadata.version"));

    let elected = admin.elect_leaders(ElectionType::Preferred, asked).await;
    let error = elected.expect("asked")[&at]
        .clone()
        .expect_err("led already");
    assert_eq!(error.code(), Some(ErrorCode::ElectionNotNeeded));
    let ended = HashMap::from([(at.clone(), None)]);
    let ended = admin.alter_partition_reassignments(&ended).await;
    let error = ended.expect("asked")[&at]
        .clone()
        .expect_err("none under way");
    assert_eq!(error.code(), Some(ErrorCode::NoReassignmentInProgress));
    let reassignments = admin.list_partition_reassignments(asked).await;
    assert!(reassignments.expect("listed").is_empty());
}

#[tokio::test]
async fn an_open_transaction_is_found_and_ended() {
    let cluster = cluster().await;
    let admin = cluster.client.admin();
    let topic = cluster.topic("open", 1).await;
    let at = TopicPartition::new(topic.as_str(), 0);
    let id = unique("transactional");
    let producer = cluster
        .client
        .producer(ProducerConfig::transactional(&id))
        .expect("one");
    producer.init_transactions().await.expect("ready");
    producer.begin_transaction().expect("begun");
    let record = ProducerRecord::new(topic.as_str(), "x");
    producer
        .send(record)
        .await
        .expect("sent")
        .await
        .expect("written");

    let options = ListTransactionsOptions {
        states: vec!["Ongoing".to_owned()],
        running_longer_than: Some(Duration::ZERO),
        ..ListTransactionsOptions::default()
    };
    let listed = admin.list_transactions(&options).await.expect("listed");
    let listing = listed.iter().find(|listed| listed.transactional_id == id);
    let producer_id = listing.expect("it is open").producer_id;
    let described = admin.describe_transactions(&[&id]).await.expect("asked");
    let described = described[&id].as_ref().expect("described");
    assert_eq!(described.state, TransactionState::Ongoing);
    assert_eq!(described.partitions, std::slice::from_ref(&at));

    let asked = std::slice::from_ref(&at);
    let states = admin.describe_producers(asked).await.expect("asked");
    let state = &states[&at].as_ref().expect("described")[0];
    assert_eq!(state.producer_id, producer_id);
    assert_eq!(state.current_transaction_start_offset, Some(0));
    let spec = AbortTransactionSpec {
        partition: at.clone(),
        producer_id,
        producer_epoch: i16::try_from(state.producer_epoch).expect("an epoch"),
        coordinator_epoch: 0,
    };
    admin.abort_transaction(&spec).await.expect("aborted");
    let states = admin.describe_producers(asked).await.expect("asked");
    let state = &states[&at].as_ref().expect("described")[0];
    assert_eq!(state.current_transaction_start_offset, None);

    let fenced = admin.fence_producers(&[&id]).await.expect("asked");
    assert!(fenced[&id].as_ref().expect("fenced").producer_epoch > described.producer_epoch);
}

#[tokio::test]
async fn a_trial_is_not_asked_of_brokers_that_would_do_it() {
    let cluster = cluster().await;
    let gate = Gate::new(&cluster.bootstrap);
    gate.limit_version(ApiKey::UpdateFeatures, 0);
    let admin = gate.client().admin();
    let features = admin.describe_features().await.expect("told");
    let feature = "metadata.version".to_owned();
    let level = features.finalized[&feature];
    for (update, validate_only) in [
        (FeatureUpdate::Upgrade(level), true),
        (FeatureUpdate::SafeDowngrade(level), false),
    ] {
        let updates = HashMap::from([(feature.clone(), update)]);
        let updated = admin.update_features(&updates, validate_only).await;
        let error = updated.expect_err("not known to version 0");
        assert!(matches!(error, ClientError::Protocol { .. }), "{error}");
    }
}

#[tokio::test]
async fn fencing_leaves_the_coordinator_time_to_write_it_down() {
    let cluster = cluster().await;
    let gate = Gate::new(&cluster.bootstrap);
    let id = unique("tx");
    let fenced = gate.client().admin().fence_producers(&[&id]).await;
    assert!(fenced.expect("asked")[&id].is_ok());
    let timeouts = gate.seen(ApiKey::InitProducerId).into_iter();
    let timeouts = timeouts.filter_map(|request| match request {
        RequestKind::InitProducerId(request) => Some(request.transaction_timeout_ms),
        _ => None,
    });
    let timeouts: Vec<i32> = timeouts.collect();
    assert!(!timeouts.is_empty());
    assert!(
        timeouts.iter().all(|timeout| *timeout >= 1_000),
        "{timeouts:?}"
    );
}

#[tokio::test]
async fn offsets_of_what_is_not_there_are_not_waited_for() {
    let cluster = cluster().await;
    let there = TopicPartition::new(cluster.topic("there", 1).await, 0);
    let beyond = TopicPartition::new(there.topic.clone(), 1);
    let gone = TopicPartition::new(unique("gone"), 0);
    let all = [&there, &beyond, &gone];
    let wanted = all.map(|partition| (partition.clone(), OffsetSpec::Latest));
    let started = Instant::now();
    let listed = cluster
        .client
        .admin()
        .list_offsets(&wanted.into(), IsolationLevel::ReadUncommitted)
        .await;
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(listed[&there].is_ok());
    for missing in [&beyond, &gone] {
        let error = listed[missing].as_ref().expect_err("not there");
        let code = error.code();
        assert_eq!(code, Some(ErrorCode::UnknownTopicOrPartition), "{error}");
    }
}
