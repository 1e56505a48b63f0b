//! Fetch sessions (KIP-227), by name and by id.

use headwater_wire::ErrorCode;
use headwater_wire::messages::delete_topics::DeleteTopicsRequest;
use headwater_wire::messages::fetch::{FetchRequest, FetchResponse, FetchTopic, ForgottenTopic};
use headwater_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use uuid::Uuid;

use super::client::{Client, TestBroker, batch, fetch, values};

/// Sessions of the versions with names, and of those with ids.
const VERSIONS: [i16; 3] = [7, 12, 18];

/// A session as its client sees it.
struct Session<'a> {
    client: &'a mut Client,
    version: i16,
    id: i32,
    epoch: i32,
}

impl<'a> Session<'a> {
    async fn begin(
        client: &'a mut Client,
        version: i16,
        topics: Vec<FetchTopic>,
    ) -> (Self, FetchResponse) {
        let request = FetchRequest {
            session_epoch: 0,
            max_wait_ms: 0,
            topics,
            ..fetch("", 0, 0)
        };
        let response = client.call(&request, version).await;
        assert_eq!(response.error_code, 0);
        assert_ne!(response.session_id, 0, "a session begins");
        let id = response.session_id;
        let session = Self {
            client,
            version,
            id,
            epoch: 1,
        };
        (session, response)
    }

    fn request(&self, topics: Vec<FetchTopic>) -> FetchRequest {
        FetchRequest {
            session_id: self.id,
            session_epoch: self.epoch,
            max_wait_ms: 0,
            topics,
            ..fetch("", 0, 0)
        }
    }

    async fn send(&mut self, request: FetchRequest) -> FetchResponse {
        self.epoch += 1;
        self.client.call(&request, self.version).await
    }

    /// The next fetch, which changes nothing.
    async fn next(&mut self) -> FetchResponse {
        self.send(self.request(Vec::new())).await
    }
}

/// The topic as a request of `version` names it, with partitions and their offsets.
fn topic(name: &str, id: Uuid, partitions: &[(i32, i64)]) -> FetchTopic {
    let partitions = partitions.iter().flat_map(|(partition, offset)| {
        fetch(name, *partition, *offset).topics.remove(0).partitions
    });
    FetchTopic {
        topic: name.to_owned(),
        topic_id: id,
        partitions: partitions.collect(),
    }
}

async fn id_of(client: &mut Client, name: &str) -> Uuid {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(name.to_owned()),
            ..Default::default()
        }]),
        ..Default::default()
    };
    client.call(&request, 12).await.topics.remove(0).topic_id
}

/// Partitions of the answer with their errors.
fn errors(response: &FetchResponse) -> Vec<(i32, i16)> {
    assert_eq!(response.error_code, 0);
    let partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions);
    partitions
        .map(|data| (data.partition_index, data.error_code))
        .collect()
}

fn error(response: &FetchResponse) -> ErrorCode {
    assert!(response.responses.is_empty());
    ErrorCode::from_code(response.error_code)
}

#[tokio::test]
async fn a_session_tells_what_is_news() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let mut other = broker.client().await;
    for version in VERSIONS {
        let name = format!("t{version}");
        client.create_topic(&name, 3, &[]).await;
        let id = id_of(&mut client, &name).await;
        let all = vec![topic(&name, id, &[(0, 0), (1, 0)])];
        let (mut session, first) = Session::begin(&mut client, version, all).await;
        assert_eq!(errors(&first), [(0, 0), (1, 0)]);

        let nothing = session.next().await;
        assert_eq!((errors(&nothing), nothing.session_id), (vec![], session.id));

        other.produce(&name, 1, batch(&["a"])).await;
        let mut news = session.next().await;
        assert_eq!(errors(&news), [(1, 0)]);
        let data = news.responses.remove(0).partitions.remove(0);
        assert_eq!(data.high_watermark, 1);
        assert_eq!(values(data.records), [(0, "a".to_owned())]);
        assert_eq!(
            errors(&session.next().await),
            [(1, 0)],
            "it was not asked to go on"
        );
        let moved = session.request(vec![topic(&name, id, &[(1, 1)])]);
        assert_eq!(errors(&session.send(moved).await), []);

        let more = session.request(vec![topic(&name, id, &[(2, 0), (7, 0)])]);
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!(errors(&session.send(more).await), [(2, 0), (7, unknown)]);
        assert_eq!(
            errors(&session.next().await),
            [(7, unknown)],
            "errors are told every time"
        );
        let forget = FetchRequest {
            forgotten_topics_data: vec![ForgottenTopic {
                topic: name.clone(),
                topic_id: id,
                partitions: vec![7, 1],
            }],
            ..session.request(Vec::new())
        };
        assert_eq!(errors(&session.send(forget).await), []);
        other.produce(&name, 1, batch(&["b"])).await;
        assert_eq!(errors(&session.next().await), []);

        let forget = FetchRequest {
            forgotten_topics_data: vec![ForgottenTopic {
                topic: name,
                topic_id: id,
                partitions: vec![0, 2],
            }],
            ..session.request(Vec::new())
        };
        let last = session.send(forget).await;
        assert_eq!(
            (errors(&last), last.session_id),
            (vec![], 0),
            "an empty session ends"
        );
        assert_eq!(
            error(&session.next().await),
            ErrorCode::FetchSessionIdNotFound
        );
    }
}

#[tokio::test]
async fn requests_out_of_turn_are_refused() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let id = id_of(&mut client, "t").await;
    for version in VERSIONS {
        let all = vec![topic("t", id, &[(0, 0)])];
        let (mut session, _) = Session::begin(&mut client, version, all.clone()).await;
        let early = FetchRequest {
            session_epoch: 9,
            ..session.request(Vec::new())
        };
        let answer = session.client.call(&early, version).await;
        assert_eq!(error(&answer), ErrorCode::InvalidFetchSessionEpoch);
        let unknown = FetchRequest {
            session_id: session.id ^ 1,
            ..session.request(Vec::new())
        };
        let answer = session.client.call(&unknown, version).await;
        assert_eq!(error(&answer), ErrorCode::FetchSessionIdNotFound);
        let none = FetchRequest {
            session_id: 0,
            ..session.request(Vec::new())
        };
        let answer = session.client.call(&none, version).await;
        assert_eq!(error(&answer), ErrorCode::FetchSessionIdNotFound);
        let changed = if version < 13 { 13 } else { 12 };
        let request = session.request(Vec::new());
        let answer = session.client.call(&request, changed).await;
        assert_eq!(error(&answer), ErrorCode::FetchSessionTopicIdError);
        assert_eq!(
            errors(&session.next().await),
            [],
            "it goes on after all of that"
        );

        let replaced = FetchRequest {
            session_epoch: 0,
            ..session.request(all.clone())
        };
        let answer = session.client.call(&replaced, version).await;
        assert!(answer.session_id != 0 && answer.session_id != session.id);
        assert_eq!(
            error(&session.next().await),
            ErrorCode::FetchSessionIdNotFound
        );
        session.id = answer.session_id;
        session.epoch = 1;
        let last = FetchRequest {
            session_epoch: -1,
            ..session.request(all)
        };
        let answer = session.client.call(&last, version).await;
        assert_eq!((errors(&answer), answer.session_id), (vec![(0, 0)], 0));
        assert_eq!(
            error(&session.next().await),
            ErrorCode::FetchSessionIdNotFound
        );
    }
}

#[tokio::test]
async fn a_session_waits_for_any_of_its_partitions() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let mut other = broker.client().await;
    client.create_topic("t", 4, &[]).await;
    let id = id_of(&mut client, "t").await;
    let all = vec![topic("t", id, &[(0, 0), (1, 0), (2, 0), (3, 0), (9, 0)])];
    let (session, _) = Session::begin(&mut client, 17, all).await;
    let request = FetchRequest {
        max_wait_ms: 15_000,
        ..session.request(Vec::new())
    };
    session.client.send(&request, 17).await;
    other.produce("t", 3, batch(&["a"])).await;
    let mut answer = session.client.receive::<FetchRequest>(17).await;
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(errors(&answer), [(3, 0), (9, unknown)]);
    let records = answer.responses.remove(0).partitions.remove(0).records;
    assert_eq!(values(records), [(0, "a".to_owned())]);
}

#[tokio::test]
async fn who_was_served_goes_to_the_end() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    client.create_topic("t", 3, &[]).await;
    for partition in 0..3 {
        client.produce("t", partition, batch(&["a"])).await;
        client.produce("t", partition, batch(&["b"])).await;
    }
    let id = id_of(&mut client, "t").await;
    let request = FetchRequest {
        session_epoch: 0,
        max_bytes: 1,
        topics: vec![topic("t", id, &[(0, 0), (1, 0), (2, 0)])],
        ..fetch("", 0, 0)
    };
    let first = client.call(&request, 15).await;
    let served = |response: &FetchResponse| {
        let partitions = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partitions);
        let full = partitions.filter(|data| data.records.as_ref().is_some_and(|r| !r.is_empty()));
        full.map(|data| data.partition_index).collect::<Vec<_>>()
    };
    assert_eq!(served(&first), [0]);
    let mut turns = Vec::new();
    for epoch in 1..=6 {
        let next = FetchRequest {
            session_id: first.session_id,
            session_epoch: epoch,
            max_bytes: 1,
            topics: Vec::new(),
            ..request.clone()
        };
        turns.extend(served(&client.call(&next, 15).await));
    }
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
}

#[tokio::test]
async fn a_topic_made_again_is_another_by_id_and_the_same_by_name() {
    let broker = TestBroker::start().await;
    let mut client = broker.client().await;
    let mut other = broker.client().await;
    for (version, made_again) in [(12, ErrorCode::None), (18, ErrorCode::InconsistentTopicId)] {
        other.create_topic("t", 1, &[]).await;
        let id = id_of(&mut other, "t").await;
        let all = vec![topic("t", id, &[(0, 0)])];
        let (mut session, _) = Session::begin(&mut client, version, all).await;
        let delete = DeleteTopicsRequest {
            topic_names: vec!["t".to_owned()],
            timeout_ms: 10_000,
            ..Default::default()
        };
        assert_eq!(other.call(&delete, 5).await.responses[0].error_code, 0);
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!(errors(&session.next().await), [(0, unknown)]);
        other.create_topic("t", 1, &[]).await;
        assert_eq!(errors(&session.next().await), [(0, made_again.code())]);
        other.call(&delete, 5).await;
    }
    let never = vec![topic("", Uuid::from_u128(7), &[(0, 0)])];
    let (mut session, first) = Session::begin(&mut client, 18, never).await;
    let unknown = ErrorCode::UnknownTopicId.code();
    assert_eq!(errors(&first), [(0, unknown)]);
    assert_eq!(errors(&session.next().await), [(0, unknown)]);
}

#[tokio::test]
async fn without_a_slot_a_client_does_without_a_session() {
    let broker = TestBroker::start_with(|config| config.settings.fetch_session_slots = 1).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let id = id_of(&mut client, "t").await;
    let all = vec![topic("t", id, &[(0, 0)])];
    let (mut session, _) = Session::begin(&mut client, 16, all.clone()).await;
    let second = FetchRequest {
        session_epoch: 0,
        max_wait_ms: 0,
        topics: all,
        ..fetch("", 0, 0)
    };
    let answer = session.client.call(&second, 16).await;
    assert_eq!((errors(&answer), answer.session_id), (vec![(0, 0)], 0));
    assert_eq!(
        errors(&session.next().await),
        [],
        "the first keeps its slot"
    );
}
