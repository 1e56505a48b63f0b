//! Broker settings of what the broker is and where it can be reached.

use super::broker_keys::{BrokerKey, Place, Update, shape};
use super::value::{Check, ValueKind};

macro_rules! identity {
    ($name:literal, $kind:ident, $check:expr, $show:expr, $doc:literal) => {
        BrokerKey {
            name: $name,
            shape: shape(ValueKind::$kind, $check),
            update: Update::ReadOnly,
            doc: $doc,
            place: Place::Identity { show: $show },
        }
    };
}

/// What the broker is and where it can be reached.
pub(super) const IDENTITY: &[BrokerKey] = &[
    identity!(
        "advertised.listeners",
        List,
        Check::Any,
        |config| config
            .given("advertised.listeners")
            .or_else(|| config.show_advertised()),
        "What clients are told to connect to, if not the address listened on: NAME://HOST:PORT."
    ),
    identity!(
        "broker.id",
        Int,
        Check::AtLeast(0),
        |config| Some(config.node_id.to_string()),
        "Another name of node.id."
    ),
    identity!(
        "broker.rack",
        String,
        Check::Any,
        |config| config.rack.clone(),
        "The rack the broker stands in, as clients are told."
    ),
    identity!(
        "controller.listener.names",
        List,
        Check::Any,
        |config| config.given("controller.listener.names"),
        "Which of listeners are the controller's. They are not opened: the controller is in the same process, and alone."
    ),
    identity!(
        "controller.quorum.bootstrap.servers",
        List,
        Check::Any,
        |config| config
            .given("controller.quorum.bootstrap.servers")
            .or(Some(String::new())),
        "Where the controllers are: this node alone."
    ),
    identity!(
        "controller.quorum.voters",
        List,
        Check::Any,
        |config| config
            .given("controller.quorum.voters")
            .or(Some(String::new())),
        "The voters of the metadata quorum, ID@HOST:PORT: this node alone."
    ),
    identity!(
        "inter.broker.listener.name",
        String,
        Check::Any,
        |config| config.given("inter.broker.listener.name"),
        "The listener brokers use among each other: the one there is."
    ),
    identity!(
        "listener.security.protocol.map",
        String,
        Check::Any,
        |config| config
            .given("listener.security.protocol.map")
            .or_else(|| Some("PLAINTEXT:PLAINTEXT".to_owned())),
        "Protocol of each listener, NAME:PROTOCOL. Only PLAINTEXT is served."
    ),
    identity!(
        "listeners",
        List,
        Check::Any,
        |config| config
            .given("listeners")
            .or_else(|| config.show_listeners()),
        "Where the broker listens: one NAME://HOST:PORT for clients, and the controller's."
    ),
    identity!(
        "log.dir",
        List,
        Check::Any,
        |config| config.given("log.dir"),
        "The directory for all of the broker's data, where log.dirs is not given."
    ),
    identity!(
        "log.dirs",
        List,
        Check::Any,
        |config| config.given("log.dirs").or_else(|| config.show_data_dir()),
        "The directory for all of the broker's data. There is one."
    ),
    identity!(
        "node.id",
        Int,
        Check::AtLeast(0),
        |config| (config.node_id >= 0).then(|| config.node_id.to_string()),
        "Number of the node in its cluster. Fixed for the life of the data directory."
    ),
    identity!(
        "process.roles",
        List,
        Check::Among(&["broker", "controller"]),
        |_| Some("broker,controller".to_owned()),
        "What the node is: broker and controller."
    ),
];
