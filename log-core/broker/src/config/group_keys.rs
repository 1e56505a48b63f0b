//! The table of what groups can set for themselves (KIP-848).

use std::collections::BTreeMap;
use std::time::Duration;

use super::settings::{BrokerSettings, ConsumerGroupSettings};
use super::value::{Check, Shape, Value, ValueKind};

/// One setting of groups.
pub(crate) struct GroupKey {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) default: GroupDefault,
    pub(crate) doc: &'static str,
}

/// Where the value of a group that sets none comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GroupDefault {
    /// A broker setting that is served.
    Broker(&'static str),
    /// A constant, under the name of a broker setting that has no effect here.
    Fixed {
        name: &'static str,
        value: &'static str,
    },
}

/// Why a group's configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidGroupConfig {
    #[error("unknown group config name: {0}")]
    UnknownName(String),
    #[error("invalid value {value} for configuration {name}: {reason}")]
    Value {
        name: String,
        value: String,
        reason: String,
    },
    #[error("{name} is {value} ms, which is not between the broker's limits, {least} and {most}")]
    Limits {
        name: &'static str,
        value: u128,
        least: u128,
        most: u128,
    },
    #[error("consumer.heartbeat.interval.ms must be less than consumer.session.timeout.ms")]
    NoTimeForHeartbeats,
}

/// Times of a group of the consumer protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConsumerGroupTimes {
    /// `consumer.session.timeout.ms`.
    pub(crate) session_timeout: Duration,
    /// `consumer.heartbeat.interval.ms`.
    pub(crate) heartbeat_interval: Duration,
    /// `consumer.assignment.interval.ms`.
    pub(crate) assignment_interval: Duration,
}

/// Checks what a group sets.
pub(crate) fn check_group(
    settings: &BrokerSettings,
    values: &BTreeMap<String, String>,
) -> Result<(), InvalidGroupConfig> {
    for (name, text) in values {
        let key = GROUP_KEYS.iter().find(|key| key.name == name);
        let key = key.ok_or_else(|| InvalidGroupConfig::UnknownName(name.clone()))?;
        key.shape
            .read(text)
            .map_err(|reason| InvalidGroupConfig::Value {
                name: name.clone(),
                value: text.clone(),
                reason,
            })?;
    }
    let limits = &settings.consumer_group;
    let times = times(limits, values);
    let within = |name, value: Duration, (least, most): (Duration, Duration)| {
        if !values.contains_key(name) || (least..=most).contains(&value) {
            return Ok(());
        }
        Err(InvalidGroupConfig::Limits {
            name,
            value: value.as_millis(),
            least: least.as_millis(),
            most: most.as_millis(),
        })
    };
    within(
        "consumer.session.timeout.ms",
        times.session_timeout,
        (limits.min_session_timeout, limits.max_session_timeout),
    )?;
    within(
        "consumer.heartbeat.interval.ms",
        times.heartbeat_interval,
        (limits.min_heartbeat_interval, limits.max_heartbeat_interval),
    )?;
    within(
        "consumer.assignment.interval.ms",
        times.assignment_interval,
        (
            limits.min_assignment_interval,
            limits.max_assignment_interval,
        ),
    )?;
    if times.heartbeat_interval >= times.session_timeout {
        return Err(InvalidGroupConfig::NoTimeForHeartbeats);
    }
    Ok(())
}

/// The times of a group that sets `values`, within the broker's limits: these may have become
/// narrower since the group set its own.
pub(crate) fn times_of(
    settings: &BrokerSettings,
    values: Option<&BTreeMap<String, String>>,
) -> ConsumerGroupTimes {
    let nothing = BTreeMap::new();
    let limits = &settings.consumer_group;
    let own = times(limits, values.unwrap_or(&nothing));
    let clamp = |value: Duration, least: Duration, most: Duration| value.min(most).max(least);
    ConsumerGroupTimes {
        session_timeout: clamp(
            own.session_timeout,
            limits.min_session_timeout,
            limits.max_session_timeout,
        ),
        heartbeat_interval: clamp(
            own.heartbeat_interval,
            limits.min_heartbeat_interval,
            limits.max_heartbeat_interval,
        ),
        assignment_interval: clamp(
            own.assignment_interval,
            limits.min_assignment_interval,
            limits.max_assignment_interval,
        ),
    }
}

fn times(
    defaults: &ConsumerGroupSettings,
    values: &BTreeMap<String, String>,
) -> ConsumerGroupTimes {
    let millis = |name: &str, default: Duration| {
        let value = values.get(name).map(|text| INT.read(text));
        match value {
            Some(Ok(Value::Integer(value))) => {
                Duration::from_millis(u64::try_from(value).unwrap_or(0))
            }
            _ => default,
        }
    };
    ConsumerGroupTimes {
        session_timeout: millis("consumer.session.timeout.ms", defaults.session_timeout),
        heartbeat_interval: millis(
            "consumer.heartbeat.interval.ms",
            defaults.heartbeat_interval,
        ),
        assignment_interval: millis(
            "consumer.assignment.interval.ms",
            defaults.assignment_interval,
        ),
    }
}

const INT: Shape = Shape {
    kind: ValueKind::Int,
    check: Check::Any,
};

const fn int(least: i64) -> Shape {
    Shape {
        kind: ValueKind::Int,
        check: Check::AtLeast(least),
    }
}

const fn text(known: &'static [&'static str]) -> Shape {
    Shape {
        kind: ValueKind::String,
        check: Check::OneOf(known),
    }
}

const fn served(
    name: &'static str,
    shape: Shape,
    broker: &'static str,
    doc: &'static str,
) -> GroupKey {
    let default = GroupDefault::Broker(broker);
    GroupKey {
        name,
        shape,
        default,
        doc,
    }
}

const fn unserved(
    name: &'static str,
    shape: Shape,
    broker: &'static str,
    value: &'static str,
    doc: &'static str,
) -> GroupKey {
    let default = GroupDefault::Fixed {
        name: broker,
        value,
    };
    GroupKey {
        name,
        shape,
        default,
        doc,
    }
}

const SHARE: &str = "Accepted without effect: share groups are not served.";
const STREAMS: &str = "Accepted without effect: streams groups are not served.";

/// All settings of groups, by name.
pub(crate) static GROUP_KEYS: &[GroupKey] = &[
    served(
        "consumer.assignment.interval.ms",
        int(0),
        "group.consumer.assignment.interval.ms",
        "Least time between two assignments of a group of the consumer protocol, in milliseconds.",
    ),
    served(
        "consumer.heartbeat.interval.ms",
        int(1),
        "group.consumer.heartbeat.interval.ms",
        "How often members of the consumer protocol are to heartbeat, in milliseconds.",
    ),
    served(
        "consumer.session.timeout.ms",
        int(1),
        "group.consumer.session.timeout.ms",
        "Silence after which a member of the consumer protocol is gone, in milliseconds.",
    ),
    unserved(
        "share.assignment.interval.ms",
        int(0),
        "group.share.assignment.interval.ms",
        "1000",
        SHARE,
    ),
    unserved(
        "share.auto.offset.reset",
        Shape {
            kind: ValueKind::String,
            check: Check::OffsetReset,
        },
        "share.auto.offset.reset",
        "latest",
        SHARE,
    ),
    unserved(
        "share.delivery.count.limit",
        int(2),
        "group.share.delivery.count.limit",
        "5",
        SHARE,
    ),
    unserved(
        "share.heartbeat.interval.ms",
        int(1),
        "group.share.heartbeat.interval.ms",
        "5000",
        SHARE,
    ),
    unserved(
        "share.isolation.level",
        text(&["read_committed", "read_uncommitted"]),
        "share.isolation.level",
        "read_uncommitted",
        SHARE,
    ),
    unserved(
        "share.partition.max.record.locks",
        int(100),
        "group.share.partition.max.record.locks",
        "2000",
        SHARE,
    ),
    unserved(
        "share.record.lock.duration.ms",
        int(1000),
        "group.share.record.lock.duration.ms",
        "30000",
        SHARE,
    ),
    unserved(
        "share.renew.acknowledge.enable",
        Shape {
            kind: ValueKind::Boolean,
            check: Check::Any,
        },
        "share.renew.acknowledge.enable",
        "true",
        SHARE,
    ),
    unserved(
        "share.session.timeout.ms",
        int(1),
        "group.share.session.timeout.ms",
        "45000",
        SHARE,
    ),
    unserved(
        "streams.assignment.interval.ms",
        int(0),
        "group.streams.assignment.interval.ms",
        "1000",
        STREAMS,
    ),
    unserved(
        "streams.heartbeat.interval.ms",
        int(1),
        "group.streams.heartbeat.interval.ms",
        "5000",
        STREAMS,
    ),
    unserved(
        "streams.initial.rebalance.delay.ms",
        int(0),
        "group.streams.initial.rebalance.delay.ms",
        "3000",
        STREAMS,
    ),
    unserved(
        "streams.num.standby.replicas",
        int(0),
        "group.streams.num.standby.replicas",
        "0",
        STREAMS,
    ),
    unserved(
        "streams.session.timeout.ms",
        int(1),
        "group.streams.session.timeout.ms",
        "45000",
        STREAMS,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::{InvalidGroupConfig, check_group, times_of};
    use crate::config::BrokerSettings;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_group_stays_within_the_brokers_limits() {
        let settings = BrokerSettings::default();
        let check = |name, value| check_group(&settings, &values(&[(name, value)]));
        assert_eq!(check("consumer.session.timeout.ms", "46000"), Ok(()));
        assert!(matches!(
            check("consumer.session.timeout.ms", "1000"),
            Err(InvalidGroupConfig::Limits { least: 45_000, .. })
        ));
        assert!(check("consumer.heartbeat.interval.ms", "15001").is_err());
        assert!(check("share.auto.offset.reset", "foo").is_err());
        assert_eq!(check("share.auto.offset.reset", "by_duration:PT1H"), Ok(()));
        assert_eq!(
            check("no.such", "1"),
            Err(InvalidGroupConfig::UnknownName("no.such".to_owned()))
        );
    }

    #[test]
    fn times_come_from_the_group_then_the_broker_and_stay_within_its_limits() {
        let mut settings = BrokerSettings::default();
        let own = values(&[("consumer.session.timeout.ms", "50000")]);
        let times = times_of(&settings, Some(&own));
        assert_eq!(times.session_timeout, Duration::from_secs(50));
        assert_eq!(times.heartbeat_interval, Duration::from_secs(5));
        settings.consumer_group.max_session_timeout = Duration::from_secs(48);
        let times = times_of(&settings, Some(&own));
        assert_eq!(times.session_timeout, Duration::from_secs(48));
        assert_eq!(
            times_of(&settings, None).session_timeout,
            Duration::from_secs(45)
        );
    }
}
