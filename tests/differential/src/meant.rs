//! The differences that are meant, each with its reason. Everything else is a fault of ours.

use headwater_wire::{ApiKey, catalog};
use uuid::Uuid;

use crate::answer::NOT_SERVED;
use crate::compare::Difference;

/// A difference with what it is in.
pub(crate) struct Case<'a> {
    pub(crate) key: ApiKey,
    /// The request, as it is shown.
    pub(crate) request: &'a str,
    /// What the sequence said of it.
    pub(crate) remark: &'a str,
    pub(crate) difference: &'a Difference,
}

/// A difference that is meant.
pub(crate) struct Rule {
    /// What the report calls it.
    pub(crate) name: &'static str,
    /// Why ours is right, or better, or Kafka's a matter of how it is built.
    pub(crate) reason: &'static str,
    /// Whether a difference is one of these.
    holds: fn(&Case<'_>) -> bool,
}

/// What a batch of the sequences says of its records' times when it lies.
const LYING_TIMESTAMP: &str = "-5";

/// What Kafka says of the times of records that all have negative ones.
const NO_TIMESTAMP: &str = "-1";

/// The rules, in the order in which they are asked.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "uncaught",
        reason: "Kafka answers UNKNOWN_SERVER_ERROR for an exception that nobody caught; ours \
                 names the fault",
        holds: |case| {
            let is_code = case.difference.path.ends_with("error_code");
            is_code && case.difference.kafka == "-1" && is_error(&case.difference.ours)
        },
    },
    Rule {
        name: "nil topic",
        reason: "a topic of the nil id is an error of its partitions, and the other topics are \
                 served; Kafka gives up the whole Fetch with UNKNOWN_SERVER_ERROR",
        holds: |case| {
            let Difference {
                path, ours, kafka, ..
            } = case.difference;
            case.key == ApiKey::Fetch
                && case.request.contains(&format!("topic_id: {}", Uuid::nil()))
                && (path == "error_code" && ours == "0" && kafka == "-1"
                    || path == "responses" && kafka == "(not there)")
        },
    },
    Rule {
        name: "preallocation",
        reason: "segments are not preallocated, the journal is: preallocate=true is refused",
        holds: |case| {
            case.key == ApiKey::CreateTopics
                && case.difference.path == "topics.error_code"
                && case.difference.ours == "40"
                && case.difference.kafka == "0"
                && case
                    .request
                    .contains("{name: \"preallocate\", value: \"TRUE\"}")
        },
    },
    Rule {
        name: "unknown settings",
        reason: "a setting of all brokers that nobody knows is refused, as that of one broker is; \
                 Kafka keeps it, for plugins",
        holds: |case| {
            case.key == ApiKey::IncrementalAlterConfigs
                && case.difference.place
                    == "responses[resource_type=4 resource_name=\"\"].error_code"
                && case.difference.ours == "40"
                && case.difference.kafka == "0"
                && case.request.contains("{name: \"no.such\"")
        },
    },
    Rule {
        name: "unanswered",
        reason: "Kafka never answers a Produce request whose records are null; ours refuses it",
        holds: |case| {
            case.key == ApiKey::Produce
                && case.difference.path == "(outcome)"
                && case.difference.kafka == "silence"
                && case.difference.ours.starts_with("answered")
        },
    },
    Rule {
        name: "compressed",
        reason: "compressed records are appended as they came: to decompress them would cost more \
                 than all else of a produce, so what the batch says of their times stays, and \
                 consumers are told of records that they cannot read",
        holds: |case| {
            let path = case.difference.path.as_str();
            let is_time = case.key == ApiKey::Fetch
                && path == "responses.partitions.records.max_timestamp"
                && (case.difference.ours == LYING_TIMESTAMP
                    || case.difference.kafka == NO_TIMESTAMP);
            let is_taken = case.key == ApiKey::Produce
                && case.remark == "garbage in the records"
                && path == "responses.partition_responses.error_code"
                && case.difference.ours == "0";
            is_time || is_taken
        },
    },
    Rule {
        name: "refused",
        reason: "a key or version that nobody knows is refused with UNSUPPORTED_VERSION; Kafka \
                 closes the connection",
        holds: |case| {
            case.difference.path == "(outcome)"
                && case.difference.ours == NOT_SERVED
                && case.difference.kafka == "connection closed"
        },
    },
    Rule {
        name: "text",
        reason: "a string that is not UTF-8 is refused, since it could not be given back as it \
                 came; Kafka replaces its bytes and goes on",
        holds: |case| is_only_refused(case, NOT_TEXT),
    },
    Rule {
        name: "words",
        reason: "a message for people says the same in our words; whether there is one is compared",
        holds: |case| {
            let path = &case.difference.path;
            let is_text = path.ends_with("error_message") || path.ends_with("documentation");
            is_text && is_string(&case.difference.ours) && is_string(&case.difference.kafka)
        },
    },
    Rule {
        name: "explained",
        reason: "an error has a message for people where Kafka leaves it out",
        holds: |case| {
            let is_text = case.difference.path.ends_with("error_message");
            is_text && is_string(&case.difference.ours) && case.difference.kafka == "null"
        },
    },
    Rule {
        name: "durability",
        reason: "a config that only Headwater has",
        holds: |case| {
            case.difference.place.contains("[name=\"durability\"]")
                && case.difference.kafka == "(not there)"
        },
    },
    Rule {
        name: "only validated",
        reason: "a topic that was only validated has no id; Kafka answers one that names nothing",
        holds: |case| {
            case.key == ApiKey::CreateTopics
                && case.difference.path == "topics.topic_id"
                && case.difference.ours == Uuid::nil().to_string()
                && case.request.contains("validate_only: true")
        },
    },
    Rule {
        name: "not advertised",
        reason: "security, quotas, telemetry, share and streams groups come later, and traffic \
                 between brokers is not there; the catalog's test has the reason of each key",
        holds: |case| {
            let key = case.difference.place.strip_prefix("api_keys[api_key=");
            let key = key.and_then(|key| ApiKey::from_code(key.strip_suffix(']')?.parse().ok()?));
            case.key == ApiKey::ApiVersions
                && case.difference.ours == "(not there)"
                && key.is_some_and(|key| catalog::find(key).is_none())
        },
    },
    Rule {
        name: "features",
        reason: "features of what is not there have no level, and those that are there cannot be \
                 switched off as Kafka's can, by level 0 or an old metadata.version",
        holds: |case| {
            let Difference { path, place, .. } = case.difference;
            let is_of = |names: &[&str]| {
                let is_in = |name: &&str| place.contains(&format!("[name=\"{name}\"]"));
                names.iter().any(is_in)
            };
            let absent = [
                "eligible.leader.replicas.version",
                "kraft.version",
                "share.version",
                "streams.version",
            ];
            let fixed = ["group.version", "metadata.version", "transaction.version"];
            case.key == ApiKey::ApiVersions
                && (path.ends_with("_features")
                    && is_of(&absent)
                    && case.difference.ours == "(not there)"
                    || path.starts_with("supported_features") && is_of(&fixed))
        },
    },
    Rule {
        name: "listeners",
        reason: "the quorum is reached by the broker's own listener; Kafka's has one of its own",
        holds: |case| {
            case.key == ApiKey::DescribeQuorum && case.difference.path == "nodes.listeners"
        },
    },
    Rule {
        name: "metadata log",
        reason: "positions and epochs of the metadata log are each server's own",
        holds: |case| match case.key {
            ApiKey::ApiVersions => case.difference.path == "finalized_features_epoch",
            ApiKey::DescribeQuorum => [
                "topics.partitions.leader_epoch",
                "topics.partitions.high_watermark",
                "topics.partitions.current_voters.log_end_offset",
                "topics.partitions.current_voters.last_fetch_timestamp",
                "topics.partitions.current_voters.last_caught_up_timestamp",
            ]
            .contains(&case.difference.path.as_str()),
            _ => false,
        },
    },
    Rule {
        name: "eligible leaders",
        reason: "Kafka's format command sets min.insync.replicas as a dynamic default, for the \
                 sake of eligible leader replicas (KIP-966), which one node does not have",
        holds: |case| {
            let path = &case.difference.path;
            case.difference
                .place
                .contains("[name=\"min.insync.replicas\"]")
                && (path.ends_with("source") || path.ends_with("synonyms"))
        },
    },
];

/// Remark about a request whose fault is a string that is not UTF-8.
pub(crate) const NOT_TEXT: &str = "has a string that is not UTF-8";

/// The differences that are to be judged: where Kafka gave up the whole request and ours refuses
/// it as well, there is nothing to compare field by field but the error. Where one did what the
/// other refused, what else they say of it follows from that.
pub(crate) fn compared(mut differences: Vec<Difference>) -> Vec<Difference> {
    let is_given_up = |difference: &Difference| {
        difference.path == "error_code" && difference.kafka == "-1" && is_error(&difference.ours)
    };
    if differences.iter().any(is_given_up) {
        differences.retain(is_given_up);
    }
    let done_by_one: Vec<String> = differences
        .iter()
        .filter(|difference| difference.is_done_by_one())
        .map(|difference| difference.place.clone())
        .collect();
    differences.retain(|difference| {
        let is_consequence = |place: &String| {
            let around = place.strip_suffix("error_code").unwrap_or(place);
            difference.place != *place && difference.place.starts_with(around)
        };
        !done_by_one.iter().any(is_consequence)
    });
    differences
}

/// Whether we close the connection where Kafka answers, to a request with this remark.
fn is_only_refused(case: &Case<'_>, remark: &str) -> bool {
    case.difference.path == "(outcome)"
        && case.difference.ours == "connection closed"
        && case.difference.kafka.starts_with("answered")
        && case.remark == remark
}

/// Whether an error code, as it is shown, says that something failed.
fn is_error(code: &str) -> bool {
    code.parse::<i16>().is_ok_and(|code| code != 0)
}

fn is_string(shown: &str) -> bool {
    shown.starts_with('"')
}

/// The rule that a difference falls under.
pub(crate) fn rule(case: &Case<'_>) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.holds)(case))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(path: &str, ours: &str, kafka: &str) -> Difference {
        Difference {
            path: path.to_owned(),
            place: path.to_owned(),
            ours: ours.to_owned(),
            kafka: kafka.to_owned(),
        }
    }

    fn name_of(difference: &Difference, remark: &str) -> Option<&'static str> {
        let case = Case {
            key: ApiKey::Heartbeat,
            request: "",
            remark,
            difference,
        };
        rule(&case).map(|rule| rule.name)
    }

    #[test]
    fn an_exception_of_kafka_excuses_another_error_and_nothing_else() {
        let both_fail = vec![
            difference("error_code", "42", "-1"),
            difference("member_id", "\"\"", "null"),
        ];
        let compared = super::compared(both_fail);
        assert_eq!(compared.len(), 1);
        assert_eq!(name_of(&compared[0], ""), Some("uncaught"));
        let ours_did_it = vec![
            difference("error_code", "0", "-1"),
            difference("member_id", "\"m\"", "null"),
        ];
        let compared = super::compared(ours_did_it);
        assert_eq!(compared.len(), 1);
        assert_eq!(name_of(&compared[0], ""), None);
        let absent = difference("error_code", "(not there)", "-1");
        assert_eq!(name_of(&absent, ""), None);
    }

    #[test]
    fn what_follows_from_an_error_of_one_of_them_is_no_difference_of_its_own() {
        let of = |partition: &str, field: &str, ours: &str, kafka: &str| Difference {
            path: format!("partitions.{field}"),
            place: format!("partitions[{partition}].{field}"),
            ours: ours.to_owned(),
            kafka: kafka.to_owned(),
        };
        let differences = vec![
            of("a", "base_offset", "3", "-1"),
            of("a", "error_code", "0", "87"),
            of("b", "base_offset", "4", "5"),
            of("c", "error_code", "2", "87"),
            of("c", "log_start_offset", "0", "-1"),
        ];
        let left = super::compared(differences);
        let left: Vec<_> = left.iter().map(|left| left.place.as_str()).collect();
        assert_eq!(
            left,
            [
                "partitions[a].error_code",
                "partitions[b].base_offset",
                "partitions[c].error_code",
                "partitions[c].log_start_offset",
            ]
        );
    }

    #[test]
    fn a_connection_may_be_closed_only_over_the_fault_that_is_remarked() {
        let closed = difference("(outcome)", "connection closed", "answered {}");
        assert_eq!(name_of(&closed, NOT_TEXT), Some("text"));
        assert_eq!(name_of(&closed, ""), None);
        let silent = difference("(outcome)", "silence", "answered {}");
        assert_eq!(name_of(&silent, NOT_TEXT), None);
    }
}
