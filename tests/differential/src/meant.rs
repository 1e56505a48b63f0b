//! The differences that are meant, each with its reason. Everything else is a fault of ours.

use headwater_wire::ApiKey;

use crate::compare::Difference;

/// A difference that is meant.
pub(crate) struct Rule {
    /// What the report calls it.
    pub(crate) name: &'static str,
    /// Why ours is right, or better, or Kafka's a matter of how it is built.
    pub(crate) reason: &'static str,
    /// Whether a difference is one of these.
    holds: fn(ApiKey, i16, &Difference) -> bool,
}

/// Name of the rule about exceptions that nobody caught.
pub(crate) const UNCAUGHT: &str = "uncaught";

/// The rules, in the order in which they are asked.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: UNCAUGHT,
        reason: "Kafka answers UNKNOWN_SERVER_ERROR for an exception that nobody caught; ours names the fault",
        holds: |_, _, difference| {
            let is_code = difference.path.ends_with("error_code");
            is_code && difference.kafka == "-1" && difference.ours != "0"
        },
    },
    Rule {
        name: "refused",
        reason: "a key or version that nobody knows is refused with UNSUPPORTED_VERSION; Kafka \
                 closes the connection",
        holds: |_, _, difference| {
            difference.path == "(outcome)"
                && difference.ours == "answered {error_code: 35}"
                && difference.kafka == "connection closed"
        },
    },
    Rule {
        name: "words",
        reason: "a message for people says the same in our words; whether there is one is compared",
        holds: |_, _, difference| {
            let path = &difference.path;
            let is_text = path.ends_with("error_message") || path.ends_with("documentation");
            is_text && is_string(&difference.ours) && is_string(&difference.kafka)
        },
    },
    Rule {
        name: "explained",
        reason: "an error has a message for people where Kafka leaves it out",
        holds: |_, _, difference| {
            let is_text = difference.path.ends_with("error_message");
            is_text && is_string(&difference.ours) && difference.kafka == "null"
        },
    },
];

fn is_string(shown: &str) -> bool {
    shown.starts_with('"')
}

/// The rule that a difference falls under.
pub(crate) fn rule(key: ApiKey, version: i16, difference: &Difference) -> Option<&'static Rule> {
    RULES
        .iter()
        .find(|rule| (rule.holds)(key, version, difference))
}
