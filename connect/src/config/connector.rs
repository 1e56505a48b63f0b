//! The keys that every connector has, Kafka Connect's names and defaults.

use std::time::Duration;

use regex::Regex;

use super::errors::ConfigErrors;
use super::key::{ConfigKey, Importance, Width};
use super::{Config, ConfigDef, Properties};

/// The keys of every connector.
pub fn connector_config_def() -> ConfigDef {
    let common = "Common";
    let errors = "Error Handling";
    ConfigDef::new([
        ConfigKey::string("name", None)
            .required()
            .not_empty()
            .check(no_control_characters)
            .importance(Importance::High)
            .group(common)
            .display_name("Connector name")
            .doc("The connector's name, unique in its cluster."),
        ConfigKey::class("connector.class", None)
            .required()
            .importance(Importance::High)
            .group(common)
            .width(Width::Long)
            .display_name("Connector class")
            .doc("The connector's class: in full, its simple name, or that without Connector."),
        ConfigKey::int("tasks.max", Some(1))
            .at_least(1)
            .importance(Importance::High)
            .group(common)
            .display_name("Tasks max")
            .doc("The most tasks to use."),
        ConfigKey::class("key.converter", None)
            .importance(Importance::Low)
            .group(common)
            .display_name("Key converter class")
            .doc("How keys are written to and read from the log. The worker's if left out."),
        ConfigKey::class("value.converter", None)
            .importance(Importance::Low)
            .group(common)
            .display_name("Value converter class")
            .doc("How values are written to and read from the log. The worker's if left out."),
        ConfigKey::class("header.converter", None)
            .importance(Importance::Low)
            .group(common)
            .display_name("Header converter class")
            .doc("How header values are written and read. The worker's if left out."),
        ConfigKey::string("errors.tolerance", Some("none"))
            .one_of(&["none", "all"])
            .group(errors)
            .display_name("Error Tolerance")
            .doc("What a record that cannot be converted does: none fails the task, all skips it."),
        ConfigKey::long("errors.retry.timeout", Some(0))
            .at_least(-1)
            .group(errors)
            .display_name("Retry Timeout for Errors")
            .doc("How long a failed put is tried again, in milliseconds; -1 is for ever."),
        ConfigKey::long("errors.retry.delay.max.ms", Some(60_000))
            .at_least(1)
            .group(errors)
            .display_name("Maximum Delay Between Retries for Errors")
            .doc("The longest pause between two tries, in milliseconds."),
        ConfigKey::boolean("errors.log.enable", Some(false))
            .group(errors)
            .display_name("Log Errors")
            .doc("Log every record that is skipped."),
        ConfigKey::boolean("errors.log.include.messages", Some(false))
            .group(errors)
            .display_name("Log Error Details")
            .doc("Put the record's topic, partition, offset, key and value into that log."),
    ])
    .allow_prefix("key.converter.")
    .allow_prefix("value.converter.")
    .allow_prefix("header.converter.")
}

/// The keys of every source connector, those of every connector included.
pub fn source_config_def() -> ConfigDef {
    let eos = "Exactly Once Support";
    connector_config_def()
        .merged(ConfigDef::new([
            ConfigKey::list("topic.creation.groups", "")
                .group("Topic Creation")
                .width(Width::Long)
                .doc(
                    "Groups of topics with settings of their own, topic.creation.<group>.*; the \
                      group default takes what no other includes.",
                ),
            ConfigKey::string("exactly.once.support", Some("requested"))
                .one_of(&["requested", "required"])
                .group(eos)
                .doc("required fails the connector if it cannot be exactly-once."),
            ConfigKey::string("transaction.boundary", Some("poll"))
                .one_of(&["poll", "interval"])
                .dependents(&["transaction.boundary.interval.ms"])
                .group(eos)
                .doc(
                    "When a transaction of an exactly-once source commits: after each poll, or \
                      after an interval.",
                ),
            ConfigKey::long("transaction.boundary.interval.ms", None)
                .at_least(0)
                .group(eos)
                .doc("The interval; the worker's offset.flush.interval.ms if left out."),
        ]))
        .allow_prefix("topic.creation.")
}

/// The keys of every sink connector, those of every connector included.
pub fn sink_config_def() -> ConfigDef {
    connector_config_def().merged(ConfigDef::new([
        ConfigKey::list("topics", "")
            .importance(Importance::High)
            .group("Common")
            .doc("The topics to read. Either this or topics.regex."),
        ConfigKey::string("topics.regex", Some(""))
            .importance(Importance::High)
            .check(|text| {
                Regex::new(text)
                    .map(drop)
                    .map_err(|error| error.to_string())
            })
            .group("Common")
            .doc("Reads the topics whose whole name matches. Either this or topics."),
        ConfigKey::string("errors.deadletterqueue.topic.name", Some(""))
            .group("Error Handling")
            .doc("The topic that records go to which this connector cannot convert or write."),
        ConfigKey::int("errors.deadletterqueue.topic.replication.factor", Some(3))
            .at_least(-1)
            .group("Error Handling")
            .doc(
                "Its replication factor when it is created; at most the number of brokers is \
                  used.",
            ),
        ConfigKey::boolean("errors.deadletterqueue.context.headers.enable", Some(false))
            .group("Error Handling")
            .doc("Add headers that say where the record came from and what went wrong."),
    ]))
}

/// The keys of one group of `topic.creation`, named without the prefix.
fn topic_rules_def() -> ConfigDef {
    ConfigDef::new([
        ConfigKey::int("partitions", Some(-1)).doc("Partitions; -1 is the broker's default."),
        ConfigKey::int("replication.factor", Some(-1)).doc("Replicas; -1 is the broker's default."),
        ConfigKey::list("include", "").doc("Regular expressions of the topics in the group."),
        ConfigKey::list("exclude", "").doc("Those that are not, whatever includes them."),
    ])
    .allow_prefix("")
}

fn no_control_characters(name: &str) -> Result<(), String> {
    if name.chars().any(char::is_control) {
        return Err("String may not contain control characters".to_owned());
    }
    Ok(())
}

/// The keys under a prefix, without it.
pub(crate) fn settings_under(properties: &Properties, prefix: &str) -> Properties {
    let under = properties
        .range(prefix.to_owned()..)
        .take_while(|(key, _)| key.starts_with(prefix));
    under
        .map(|(key, value)| {
            (
                key.get(prefix.len()..).unwrap_or_default().to_owned(),
                value.clone(),
            )
        })
        .collect()
}

/// What every connector is told.
#[derive(Clone, Debug)]
pub struct ConnectorSettings {
    /// `name`.
    pub name: String,
    /// `connector.class`, as given.
    pub class: String,
    /// `tasks.max`.
    pub tasks_max: usize,
    /// `errors.*`.
    pub errors: ErrorSettings,
}

/// What to do with records that fail.
#[derive(Clone, Debug)]
pub struct ErrorSettings {
    /// `errors.tolerance=all`.
    pub tolerate_all: bool,
    /// `errors.retry.timeout`; `None` is for ever.
    pub retry_timeout: Option<Duration>,
    /// `errors.retry.delay.max.ms`.
    pub retry_delay_max: Duration,
    /// `errors.log.enable`.
    pub log: bool,
    /// `errors.log.include.messages`.
    pub log_messages: bool,
}

impl ConnectorSettings {
    /// Reads them from a configuration that [`connector_config_def`] has parsed.
    pub fn new(config: &Config) -> Self {
        let millis = |key: &str| {
            config
                .integer(key)
                .and_then(|value| u64::try_from(value).ok())
        };
        Self {
            name: config.text("name"),
            class: config.text("connector.class"),
            tasks_max: config.count("tasks.max").max(1),
            errors: ErrorSettings {
                tolerate_all: config.string("errors.tolerance") == Some("all"),
                retry_timeout: millis("errors.retry.timeout").map(Duration::from_millis),
                retry_delay_max: Duration::from_millis(
                    millis("errors.retry.delay.max.ms").unwrap_or(60_000),
                ),
                log: config.boolean("errors.log.enable"),
                log_messages: config.boolean("errors.log.include.messages"),
            },
        }
    }
}

/// When an exactly-once source commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionBoundary {
    /// After the rows of each poll.
    Poll,
    /// After this long; `None` is the worker's `offset.flush.interval.ms`.
    Interval(Option<Duration>),
}

/// What every source is told.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// `exactly.once.support=required`.
    pub exactly_once_required: bool,
    /// `transaction.boundary`.
    pub boundary: TransactionBoundary,
    /// Rules of `topic.creation`, `default` last; empty leaves it to the broker.
    pub topics: Vec<TopicSpec>,
}

/// How topics of a group are created.
#[derive(Clone, Debug)]
pub struct TopicSpec {
    include: Vec<Regex>,
    exclude: Vec<Regex>,
    /// `partitions`; -1 is the broker's default.
    pub partitions: i32,
    /// `replication.factor`; -1 is the broker's default.
    pub replication_factor: i16,
    /// Every other key: the topic's configuration.
    pub configs: Properties,
}

impl TopicSpec {
    /// Whether the group has this topic.
    pub fn covers(&self, topic: &str) -> bool {
        let matches = |rules: &[Regex]| rules.iter().any(|rule| rule.is_match(topic));
        matches(&self.include) && !matches(&self.exclude)
    }

    fn parse(group: &str, properties: &Properties) -> Result<Self, ConfigErrors> {
        let prefix = format!("topic.creation.{group}.");
        let own = settings_under(properties, &prefix);
        let config = topic_rules_def().parse(&own)?;
        let mut errors = ConfigErrors::default();
        if group == "default" {
            for key in ["partitions", "replication.factor"] {
                if !own.contains_key(key) {
                    let key = format!("{prefix}{key}");
                    let message = format!(
                        "Missing required configuration \"{key}\" which has no default value."
                    );
                    errors.push(key, message);
                }
            }
        }
        let mut rules = |key: &str| {
            let mut compiled = Vec::new();
            for text in config.list(key) {
                match whole(text) {
                    Ok(rule) => compiled.push(rule),
                    Err(error) => errors.push(format!("{prefix}{key}"), error.to_string()),
                }
            }
            compiled
        };
        let exclude = rules("exclude");
        let mut include = rules("include");
        if group == "default" {
            include = whole(".*").into_iter().collect();
        }
        errors.into_result()?;
        let replication = config.integer("replication.factor").unwrap_or(-1);
        let partitions = config.integer("partitions").unwrap_or(-1);
        let known = ["partitions", "replication.factor", "include", "exclude"];
        let configs = own
            .into_iter()
            .filter(|(key, _)| !known.contains(&key.as_str()))
            .collect();
        Ok(Self {
            include,
            exclude,
            partitions: i32::try_from(partitions).unwrap_or(-1),
            replication_factor: i16::try_from(replication).unwrap_or(-1),
            configs,
        })
    }
}

/// A pattern that must match a whole topic name, as Java's `matches` does.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

impl SourceSettings {
    /// Reads them from a configuration that [`source_config_def`] has parsed.
    ///
    /// # Errors
    /// [`ConfigErrors`] for the groups of `topic.creation`.
    pub fn new(config: &Config, properties: &Properties) -> Result<Self, ConfigErrors> {
        let interval = config.integer("transaction.boundary.interval.ms");
        let interval = interval.and_then(|value| u64::try_from(value).ok());
        let boundary = match config.string("transaction.boundary") {
            Some("interval") => TransactionBoundary::Interval(interval.map(Duration::from_millis)),
            _ => TransactionBoundary::Poll,
        };
        let mut topics = Vec::new();
        let mut errors = ConfigErrors::default();
        let mut groups = config.list("topic.creation.groups").to_vec();
        let has_default = !settings_under(properties, "topic.creation.default.").is_empty();
        if has_default || !groups.is_empty() {
            groups.retain(|group| group != "default");
            groups.push("default".to_owned());
        }
        for key in settings_under(properties, "topic.creation.").keys() {
            let group = key.split('.').next().unwrap_or_default();
            if group != "groups" && !groups.iter().any(|known| known == group) {
                let message =
                    format!("topic.creation.{key} belongs to no group of topic.creation.groups");
                errors.push(format!("topic.creation.{key}"), message);
            }
        }
        for group in &groups {
            match TopicSpec::parse(group, properties) {
                Ok(spec) => topics.push(spec),
                Err(wrong) => errors.merge(wrong),
            }
        }
        errors.into_result()?;
        let exactly_once_required = config.string("exactly.once.support") == Some("required");
        Ok(Self {
            exactly_once_required,
            boundary,
            topics,
        })
    }
}

/// What every sink is told.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// `topics`, or none if `topics.regex` is used.
    pub topics: Vec<String>,
    /// `topics.regex`.
    pub topics_regex: Option<Regex>,
    /// `errors.deadletterqueue.topic.name`.
    pub dead_letter_topic: Option<String>,
    /// `errors.deadletterqueue.topic.replication.factor`.
    pub dead_letter_replication: i16,
    /// `errors.deadletterqueue.context.headers.enable`.
    pub dead_letter_headers: bool,
}

impl SinkSettings {
    /// Reads them from a configuration that [`sink_config_def`] has parsed.
    ///
    /// # Errors
    /// [`ConfigErrors`] if not exactly one of `topics` and `topics.regex` is set, or if the dead
    /// letters would be read again.
    pub fn new(config: &Config) -> Result<Self, ConfigErrors> {
        let topics = config.list("topics").to_vec();
        let pattern = config.text("topics.regex");
        let mut errors = ConfigErrors::default();
        if topics.is_empty() == pattern.is_empty() {
            let message = if topics.is_empty() {
                "Must configure one of topics or topics.regex"
            } else {
                "topics and topics.regex are mutually exclusive options, but both are set."
            };
            errors.push("topics", message);
            errors.push("topics.regex", message);
        }
        let topics_regex = if pattern.is_empty() {
            None
        } else {
            whole(&pattern).ok()
        };
        let dead_letter_topic = config.text("errors.deadletterqueue.topic.name");
        let read_again = topics.contains(&dead_letter_topic)
            || topics_regex.as_ref().is_some_and(|rule| {
                !dead_letter_topic.is_empty() && rule.is_match(&dead_letter_topic)
            });
        if read_again {
            errors.push(
                "errors.deadletterqueue.topic.name",
                format!("The dead letter queue topic {dead_letter_topic} is one of the sink's own topics"),
            );
        }
        errors.into_result()?;
        let factor = config.integer("errors.deadletterqueue.topic.replication.factor");
        Ok(Self {
            topics,
            topics_regex,
            dead_letter_topic: Some(dead_letter_topic).filter(|name| !name.is_empty()),
            dead_letter_replication: factor
                .and_then(|value| i16::try_from(value).ok())
                .unwrap_or(3),
            dead_letter_headers: config.boolean("errors.deadletterqueue.context.headers.enable"),
        })
    }
}
