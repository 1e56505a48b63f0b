//! Consumers of the consumer protocol, as far as the coordinator sees them.

use std::collections::BTreeSet;

use headwater_coordination::Token;
use headwater_coordination::groups::{Client, Request, Response};
use headwater_wire::ErrorCode;
use headwater_wire::messages::consumer_group_describe::{
    ConsumerGroupDescribeRequest, DescribedGroup,
};
use headwater_wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use uuid::Uuid;

use crate::world::{GROUP, World, error};

pub(crate) type Owned = BTreeSet<(Uuid, i32)>;

/// A consumer that does what it is told, when it is made to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consumer {
    pub(crate) id: String,
    pub(crate) instance: Option<String>,
    pub(crate) topics: Vec<String>,
    pub(crate) regex: Option<String>,
    pub(crate) assignor: Option<String>,
    pub(crate) epoch: i32,
    /// What it was last told to own.
    pub(crate) assigned: Owned,
    /// What it owns.
    pub(crate) owned: Owned,
}

impl Consumer {
    pub(crate) fn new(id: &str, topics: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn matching(id: &str, regex: &str) -> Self {
        Self {
            regex: Some(regex.to_owned()),
            ..Self::new(id, &[])
        }
    }

    pub(crate) fn stationary(id: &str, instance: &str, topics: &[&str]) -> Self {
        Self {
            instance: Some(instance.to_owned()),
            ..Self::new(id, topics)
        }
    }

    /// What it sends: everything when it joins, otherwise only what it owns.
    pub(crate) fn request(&self) -> ConsumerGroupHeartbeatRequest {
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP.to_owned(),
            member_id: self.id.clone(),
            member_epoch: self.epoch,
            instance_id: self.instance.clone(),
            topic_partitions: Some(by_topic(&self.owned)),
            ..Default::default()
        };
        if self.epoch != 0 {
            return request;
        }
        ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: 60_000,
            subscribed_topic_names: Some(self.topics.clone()),
            subscribed_topic_regex: self.regex.clone(),
            server_assignor: self.assignor.clone(),
            ..request
        }
    }

    /// A heartbeat; whatever it says to give up is given up, whatever is new is taken.
    pub(crate) fn beat(&mut self, world: &mut World) -> ErrorCode {
        let response = world.beat(self.request());
        let code = self.learn(&response);
        self.owned = self.assigned.clone();
        code
    }

    /// Takes an answer for what it says, without acting on it.
    pub(crate) fn learn(&mut self, response: &ConsumerGroupHeartbeatResponse) -> ErrorCode {
        let code = error(response.error_code);
        if code == ErrorCode::None {
            self.epoch = response.member_epoch;
            if let Some(assignment) = &response.assignment {
                self.assigned = partitions(&assignment.topic_partitions);
            }
        } else {
            self.forget();
        }
        code
    }

    /// It is fenced: it owns nothing and has to join again.
    pub(crate) fn forget(&mut self) {
        self.epoch = 0;
        self.assigned.clear();
        self.owned.clear();
    }

    pub(crate) fn leave(&mut self, world: &mut World, epoch: i32) -> ErrorCode {
        let request = ConsumerGroupHeartbeatRequest {
            member_epoch: epoch,
            topic_partitions: None,
            ..self.request()
        };
        self.forget();
        error(world.beat(request).error_code)
    }

    /// How many partitions it owns.
    pub(crate) fn load(&self) -> usize {
        self.owned.len()
    }
}

fn by_topic(owned: &Owned) -> Vec<TopicPartitions> {
    let topics: BTreeSet<Uuid> = owned.iter().map(|(topic, _)| *topic).collect();
    topics
        .into_iter()
        .map(|topic_id| TopicPartitions {
            topic_id,
            partitions: owned
                .iter()
                .filter(|(topic, _)| *topic == topic_id)
                .map(|(_, partition)| *partition)
                .collect(),
        })
        .collect()
}

fn partitions(topics: &[TopicPartitions]) -> Owned {
    topics
        .iter()
        .flat_map(|topic| {
            topic
                .partitions
                .iter()
                .map(|index| (topic.topic_id, *index))
        })
        .collect()
}

impl World {
    pub(crate) fn send_beat(
        &mut self,
        version: i16,
        request: ConsumerGroupHeartbeatRequest,
    ) -> Token {
        let fresh = self.fresh();
        let client = Client {
            id: "client".to_owned(),
            host: "/127.0.0.1".to_owned(),
        };
        let request = Request::ConsumerHeartbeat {
            request,
            client,
            pattern: None,
            fresh,
        };
        self.send(version, request)
    }

    pub(crate) fn take_beat(&mut self, token: Token) -> ConsumerGroupHeartbeatResponse {
        match self.take(token) {
            Response::ConsumerHeartbeat(response) => response,
            other => panic!("not a heartbeat: {other:?}"),
        }
    }

    pub(crate) fn beat(
        &mut self,
        request: ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        let token = self.send_beat(1, request);
        self.take_beat(token)
    }

    /// The group as ConsumerGroupDescribe shows it.
    pub(crate) fn described(&mut self) -> DescribedGroup {
        let request = ConsumerGroupDescribeRequest {
            group_ids: vec![GROUP.to_owned()],
            ..Default::default()
        };
        let token = self.send(1, Request::ConsumerDescribe(request));
        match self.take(token) {
            Response::ConsumerDescribe(response) => response.groups[0].clone(),
            other => panic!("not a description: {other:?}"),
        }
    }
}

/// Lets consumers go round until the group is stable, and checks that every partition of `topics`
/// has exactly one owner.
pub(crate) fn settle(world: &mut World, consumers: &mut [&mut Consumer]) {
    for _ in 0..20 {
        world.pass(std::time::Duration::from_millis(1_100));
        for consumer in consumers.iter_mut() {
            consumer.beat(world);
        }
        let state = world.described().group_state;
        if state == "Stable" && consumers.iter().all(|consumer| consumer.epoch > 0) {
            return;
        }
    }
    panic!("the group does not settle: {:?}", world.described());
}
