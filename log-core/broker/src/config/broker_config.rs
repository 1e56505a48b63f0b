//! The broker's own configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::broker_keys::{BROKER_KEYS, BrokerKey, broker_key};
use super::elsewhere::{Family, family};
use super::listeners::{ListenerTexts, Resolved};
use super::nearest::nearest;
use super::settings::BrokerSettings;
use super::topic_config::TopicConfig;
use super::topic_defaults::TopicDefaults;

/// Everything a broker is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerConfig {
    /// Directory that holds all of the node's data; created if it is not there.
    pub data_dir: PathBuf,
    /// Address to listen on, `HOST:PORT`; port 0 takes a free one.
    pub listen: String,
    /// What clients are told to connect to, if not the address listened on.
    pub advertised: Option<Advertised>,
    /// `node.id`, from 0. Fixed for the life of the data directory.
    pub node_id: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Settings with defaults.
    pub settings: BrokerSettings,
    /// Defaults of topics.
    pub topic_defaults: TopicDefaults,
    /// What [`BrokerConfig::apply`] was given, by name of the setting.
    pub(super) given: BTreeMap<&'static str, String>,
}

/// Where clients reach the broker, when it is not where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// Host name or address.
    pub host: String,
    /// Port; `None` is the one listened on.
    pub port: Option<u16>,
}

/// Why a broker configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct InvalidBrokerConfig {
    /// Name of the setting.
    pub name: String,
    /// What is wrong, or what is expected.
    pub reason: String,
}

impl InvalidBrokerConfig {
    pub(super) fn new(name: &str, reason: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            reason: reason.into(),
        }
    }
}

impl BrokerConfig {
    /// The defaults, on `data_dir`, listening on `listen`.
    pub fn new(data_dir: impl Into<PathBuf>, listen: impl Into<String>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: listen.into(),
            advertised: None,
            node_id: 1,
            rack: None,
            settings: BrokerSettings::default(),
            topic_defaults: TopicDefaults::default(),
            given: BTreeMap::new(),
        }
    }

    /// A configuration from Kafka's properties, such as
    /// [`parse_properties`](super::parse_properties) reads from a `server.properties`: `log.dirs`
    /// must be among them; without `listeners` it is `PLAINTEXT://:9092`.
    ///
    /// # Errors
    /// [`InvalidBrokerConfig`], as for [`BrokerConfig::apply`].
    pub fn from_properties(
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, InvalidBrokerConfig> {
        let mut config = Self::new(PathBuf::new(), "0.0.0.0:9092");
        config.apply(pairs)?;
        if config.data_dir.as_os_str().is_empty() {
            let reason = "must be set: it is where all data is kept";
            return Err(InvalidBrokerConfig::new("log.dirs", reason));
        }
        Ok(config)
    }

    /// Sets what Kafka's properties say. Of a name that comes twice the last counts. Settings that
    /// have no effect here are accepted with a warning; what cannot be done is an error.
    ///
    /// # Errors
    /// [`InvalidBrokerConfig`] for a name that is not known, with the one it may have been meant to
    /// be, a value that cannot be, and values that contradict each other.
    pub fn apply(
        &mut self,
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), InvalidBrokerConfig> {
        for (name, text) in pairs {
            self.set(&name, &text)?;
        }
        self.resolve_identity()?;
        self.settings.validate()?;
        self.check_topic_defaults()
    }

    /// What a setting was given, if it was.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        self.given.get(name).cloned()
    }

    /// Sets one property. Those about the broker's identity take effect with
    /// [`BrokerConfig::resolve_identity`].
    pub(crate) fn set(&mut self, name: &str, text: &str) -> Result<(), InvalidBrokerConfig> {
        let Some(key) = broker_key(name) else {
            return match family(name) {
                Some(Family::WithoutEffect(reason)) => {
                    tracing::warn!("{name} has no effect: {reason}");
                    Ok(())
                }
                Some(Family::Refused(reason)) => {
                    let reason = format!("cannot be set: {reason}");
                    Err(InvalidBrokerConfig::new(name, reason))
                }
                None => Err(unknown(name)),
            };
        };
        let shown = key
            .apply(self, text)
            .map_err(|reason| InvalidBrokerConfig::new(name, reason))?;
        if let Some(reason) = key.without_effect() {
            tracing::warn!("{name} has no effect: {reason}");
        }
        self.given.insert(key.name, shown);
        Ok(())
    }

    /// Checks that the defaults of topics can be a topic's configuration.
    pub(crate) fn check_topic_defaults(&self) -> Result<(), InvalidBrokerConfig> {
        TopicConfig::new(&self.topic_defaults, &BTreeMap::new())
            .map(drop)
            .map_err(|error| InvalidBrokerConfig::new("the defaults of topics", error.to_string()))
    }

    fn resolve_identity(&mut self) -> Result<(), InvalidBrokerConfig> {
        let ids = ["node.id", "broker.id"].map(|name| (name, self.given.get(name)));
        if let [(_, Some(node)), (name, Some(broker))] = ids
            && node != broker
        {
            return Err(InvalidBrokerConfig::new(
                name,
                "must be the same as node.id",
            ));
        }
        if let Some(id) = ids.into_iter().find_map(|(_, id)| id) {
            self.node_id = id.parse().unwrap_or(self.node_id);
        }
        if let Some(rack) = self.given("broker.rack") {
            self.rack = Some(rack);
        }
        self.resolve_directory()?;
        self.check_alone()?;
        let text = |name| self.given.get(name).map(String::as_str);
        let texts = ListenerTexts {
            listeners: text("listeners"),
            advertised: text("advertised.listeners"),
            controller_names: text("controller.listener.names"),
            protocols: text("listener.security.protocol.map"),
            inter_broker_name: text("inter.broker.listener.name"),
        };
        let Resolved { listen, advertised } = texts.resolve()?;
        if let Some(listen) = listen {
            self.listen = listen;
        }
        if advertised.is_some() {
            self.advertised = advertised;
        }
        Ok(())
    }

    fn resolve_directory(&mut self) -> Result<(), InvalidBrokerConfig> {
        for name in ["log.dirs", "log.dir"] {
            if let Some(dir) = self.given.get(name) {
                if dir.is_empty() || dir.contains(',') {
                    return Err(InvalidBrokerConfig::new(name, "must be one directory"));
                }
                self.data_dir = dir.into();
                break;
            }
        }
        Ok(())
    }

    /// Checks that nothing says there are other nodes.
    fn check_alone(&self) -> Result<(), InvalidBrokerConfig> {
        if let Some(roles) = self.given.get("process.roles")
            && !(roles.contains("broker") && roles.contains("controller"))
        {
            let reason = "must be broker,controller: a node is both";
            return Err(InvalidBrokerConfig::new("process.roles", reason));
        }
        let own = format!("{}@", self.node_id);
        if let Some(voters) = self.given.get("controller.quorum.voters")
            && !voters.is_empty()
            && (voters.contains(',') || !voters.starts_with(&own))
        {
            let reason = format!("must be this node alone, {own}HOST:PORT");
            return Err(InvalidBrokerConfig::new("controller.quorum.voters", reason));
        }
        if let Some(servers) = self.given.get("controller.quorum.bootstrap.servers")
            && servers.contains(',')
        {
            let name = "controller.quorum.bootstrap.servers";
            return Err(InvalidBrokerConfig::new(name, "must be this node alone"));
        }
        Ok(())
    }

    pub(super) fn show_listeners(&self) -> Option<String> {
        (!self.listen.is_empty()).then(|| format!("PLAINTEXT://{}", self.listen))
    }

    pub(super) fn show_advertised(&self) -> Option<String> {
        let Some(advertised) = &self.advertised else {
            return self.show_listeners();
        };
        let port = match (advertised.port, self.listen.rsplit_once(':')) {
            (Some(port), _) => port.to_string(),
            (None, Some((_, port))) => port.to_owned(),
            (None, None) => String::new(),
        };
        Some(format!("PLAINTEXT://{}:{port}", advertised.host))
    }

    pub(super) fn show_data_dir(&self) -> Option<String> {
        let dir = self.data_dir.display().to_string();
        (!dir.is_empty()).then_some(dir)
    }

    /// What every setting is before anybody sets it.
    pub(crate) fn built_in() -> Self {
        Self {
            node_id: -1,
            ..Self::new(PathBuf::new(), "")
        }
    }
}

fn unknown(name: &str) -> InvalidBrokerConfig {
    let known = BROKER_KEYS.iter().map(|key: &&BrokerKey| key.name);
    let reason = match nearest(name, known) {
        Some(near) => format!("there is no such setting; did you mean {near}?"),
        None => "there is no such setting".to_owned(),
    };
    InvalidBrokerConfig::new(name, reason)
}

#[cfg(test)]
mod tests;
