//! The broker's configuration as it is now: what it was started with, and on top of that what was
//! set since, for all brokers and for this one (KIP-226).

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::config::{
    BrokerConfig, BrokerSettings, InvalidBrokerConfig, TOPIC_KEYS, TopicDefaults, Update,
    broker_key,
};
use crate::metadata::ConfigImage;

/// Keeps the configuration in step with the metadata.
pub(crate) struct LiveConfig {
    started_with: BrokerConfig,
    built_in: BrokerConfig,
    now: RwLock<Arc<Effective>>,
}

/// The configuration as of one metadata image.
pub(crate) struct Effective {
    config: BrokerConfig,
    settings: Arc<BrokerSettings>,
    image: Arc<ConfigImage>,
}

/// Where a value comes from (KIP-226), as numbered in responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set on this broker while it runs.
    Broker = 2,
    /// Set on all brokers while they run.
    AllBrokers = 3,
    /// Set when the broker was started.
    Start = 4,
    /// Built in.
    Default = 5,
    /// Set on a logger, or inherited from another.
    Logger = 6,
    /// Set on the client metrics subscription.
    ClientMetrics = 7,
    /// Set on the group.
    Group = 8,
}

impl Source {
    pub(crate) fn code(self) -> i8 {
        self as i8
    }
}

/// A value that would count if those before it were not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synonym {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) source: Source,
}

/// Why a setting cannot be changed while the broker runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidChange {
    #[error("there is no broker setting {0}")]
    Unknown(String),
    #[error("{0} can only be given when the broker is started")]
    ReadOnly(&'static str),
    #[error("invalid value for {0}")]
    Value(#[from] InvalidBrokerConfig),
}

impl LiveConfig {
    pub(crate) fn new(started_with: BrokerConfig) -> Self {
        let now = Effective {
            settings: Arc::new(started_with.settings.clone()),
            config: started_with.clone(),
            image: Arc::default(),
        };
        Self {
            started_with,
            built_in: BrokerConfig::built_in(),
            now: RwLock::new(Arc::new(now)),
        }
    }

    /// The configuration as it is now.
    pub(crate) fn load(&self) -> Arc<Effective> {
        Arc::clone(&self.now.read())
    }

    /// Puts in force what the image says. Returns whether topics have other defaults than before.
    pub(crate) fn follow(&self, image: &Arc<ConfigImage>) -> bool {
        let before = self.load();
        if Arc::ptr_eq(&before.image, image) {
            return false;
        }
        let mut config = self.started_with.clone();
        for (name, value) in self.dynamic(image).into_iter().flatten().flatten() {
            // What does not hold any more, because a later release changed what is valid, is
            // left out rather than keep the node from starting.
            if let Err(error) = config.set(name, value) {
                tracing::error!(name, value, %error, "a setting is ignored");
            }
        }
        let is_changed = config.topic_defaults != before.config.topic_defaults;
        *self.now.write() = Arc::new(Effective {
            settings: Arc::new(config.settings.clone()),
            config,
            image: Arc::clone(image),
        });
        is_changed
    }

    /// What is set for all brokers, then what is set for this one.
    fn dynamic<'a>(&self, image: &'a ConfigImage) -> [Option<&'a BTreeMap<String, String>>; 2] {
        let own = self.started_with.node_id.to_string();
        [image.brokers.get(""), image.brokers.get(&own)]
    }

    /// Checks that a broker, or all of them under the empty name, can be given `values` in the
    /// place of what they were given. Returns the defaults that topics would have then.
    pub(crate) fn check(
        &self,
        name: &str,
        values: &BTreeMap<String, String>,
    ) -> Result<TopicDefaults, InvalidChange> {
        for name in values.keys() {
            let key = broker_key(name).ok_or_else(|| InvalidChange::Unknown(name.clone()))?;
            if key.update == Update::ReadOnly {
                return Err(InvalidChange::ReadOnly(key.name));
            }
        }
        let mut config = self.started_with.clone();
        let image = &self.load().image;
        let [all, own] = self.dynamic(image);
        let layers = match name {
            "" => [Some(values), own],
            _ => [all, Some(values)],
        };
        for (name, value) in layers.into_iter().flatten().flatten() {
            config.set(name, value)?;
        }
        config.settings.validate()?;
        config.check_topic_defaults()?;
        Ok(config.topic_defaults)
    }

    /// All values that a broker setting has somewhere, the one that counts first, with those of its
    /// coarser names, such as `log.retention.hours` behind `log.retention.ms`.
    pub(crate) fn synonyms(&self, name: &str) -> Vec<Synonym> {
        let among = TOPIC_KEYS.iter().map(|key| key.broker_names);
        let group = among
            .filter(|names| names.iter().any(|other| other.name == name))
            .max_by_key(|names| names.len());
        let names: Vec<&str> = match group {
            Some(names) => names.iter().map(|name| name.name).collect(),
            None => vec![name],
        };
        let now = self.load();
        let [all, own] = self.dynamic(&now.image);
        let keys: Vec<_> = names.iter().filter_map(|name| broker_key(name)).collect();
        let set = |values: Option<&BTreeMap<String, String>>, source| {
            let of_key = |key: &&crate::config::BrokerKey| {
                let value = values.and_then(|values| values.get(key.name))?.clone();
                let name = key.name;
                Some(Synonym {
                    name,
                    value,
                    source,
                })
            };
            keys.iter()
                .copied()
                .filter_map(|key| of_key(&key))
                .collect::<Vec<_>>()
        };
        let mut synonyms = set(own, Source::Broker);
        synonyms.extend(set(all, Source::AllBrokers));
        let at = |source| {
            keys.iter().filter_map(move |key| {
                let built_in = key.show(&self.built_in);
                let started = key.show(&self.started_with);
                let is_given = self.started_with.given(key.name).is_some() || started != built_in;
                let value = match source {
                    Source::Start if is_given => started,
                    Source::Start => None,
                    _ => built_in,
                };
                let name = key.name;
                value.map(|value| Synonym {
                    name,
                    value,
                    source,
                })
            })
        };
        synonyms.extend(at(Source::Start));
        synonyms.extend(at(Source::Default));
        // A coarser name that would count is not shown as the finer one's value.
        let first = synonyms.iter().position(|synonym| synonym.name == name);
        synonyms.split_off(first.unwrap_or(synonyms.len()))
    }
}

impl Effective {
    /// The settings in force.
    pub(crate) fn settings(&self) -> &Arc<BrokerSettings> {
        &self.settings
    }

    /// The defaults of topics in force.
    pub(crate) fn topic_defaults(&self) -> &TopicDefaults {
        &self.config.topic_defaults
    }

    /// The whole configuration in force.
    pub(crate) fn config(&self) -> &BrokerConfig {
        &self.config
    }

    /// What was set while the cluster runs.
    pub(crate) fn image(&self) -> &ConfigImage {
        &self.image
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::{InvalidChange, LiveConfig, Source};
    use crate::config::BrokerConfig;
    use crate::metadata::ConfigImage;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn started(pairs: &[(&str, &str)]) -> LiveConfig {
        let mut config = BrokerConfig::new("/d", "127.0.0.1:0");
        config.apply(values(pairs)).expect("they are valid");
        LiveConfig::new(config)
    }

    fn image(all: &[(&str, &str)], own: &[(&str, &str)]) -> Arc<ConfigImage> {
        let brokers = [(String::new(), values(all)), ("1".to_owned(), values(own))];
        Arc::new(ConfigImage {
            brokers: brokers.into(),
            ..ConfigImage::default()
        })
    }

    fn sources(live: &LiveConfig, name: &str) -> Vec<(String, Source)> {
        let shown = live.synonyms(name).into_iter();
        shown
            .map(|s| (format!("{}={}", s.name, s.value), s.source))
            .collect()
    }

    #[test]
    fn what_is_set_on_the_broker_counts_before_what_is_set_on_all() {
        let live = started(&[("message.max.bytes", "100")]);
        let is_changed = live.follow(&image(
            &[("message.max.bytes", "200"), ("max.connections", "7")],
            &[("message.max.bytes", "300")],
        ));
        assert!(is_changed);
        let now = live.load();
        assert_eq!(now.topic_defaults().get("max.message.bytes"), Some("300"));
        assert_eq!(now.settings().max_connections, 7);
        assert_eq!(
            sources(&live, "message.max.bytes"),
            [
                ("message.max.bytes=300".to_owned(), Source::Broker),
                ("message.max.bytes=200".to_owned(), Source::AllBrokers),
                ("message.max.bytes=100".to_owned(), Source::Start),
                ("message.max.bytes=1048588".to_owned(), Source::Default),
            ]
        );
        assert!(
            !live.follow(&image(
                &[("message.max.bytes", "1"), ("max.connections", "8")],
                &[("message.max.bytes", "300")]
            )),
            "topics see no difference"
        );
        assert!(live.follow(&image(&[], &[])));
        assert_eq!(
            live.load().topic_defaults().get("max.message.bytes"),
            Some("100")
        );
    }

    #[test]
    fn a_finer_name_shows_the_coarser_ones_behind_it_and_not_in_its_place() {
        let live = started(&[("log.retention.hours", "24")]);
        assert_eq!(sources(&live, "log.retention.ms"), []);
        live.follow(&image(&[("log.retention.ms", "5")], &[]));
        assert_eq!(
            sources(&live, "log.retention.ms"),
            [
                ("log.retention.ms=5".to_owned(), Source::AllBrokers),
                ("log.retention.hours=24".to_owned(), Source::Start),
                ("log.retention.hours=168".to_owned(), Source::Default),
            ]
        );
        assert_eq!(live.load().topic_defaults().get("retention.ms"), Some("5"));
    }

    #[test]
    fn changes_are_checked_before_they_are_made() {
        let live = started(&[]);
        let check = |name: &str, pairs: &[(&str, &str)]| live.check(name, &values(pairs));
        assert!(check("", &[("log.retention.ms", "5")]).is_ok());
        assert_eq!(
            check("1", &[("num.partitions", "5")]),
            Err(InvalidChange::ReadOnly("num.partitions"))
        );
        assert_eq!(
            check("1", &[("num.partition", "5")]),
            Err(InvalidChange::Unknown("num.partition".to_owned()))
        );
        assert!(check("", &[("log.cleaner.backoff.ms", "-1")]).is_err());
        assert!(check("", &[("log.segment.bytes", "1")]).is_err());
    }
}
