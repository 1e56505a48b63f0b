//! Kafka's listeners, reduced to what this node has: one for clients, without encryption.

use super::broker_config::{Advertised, InvalidBrokerConfig};

/// What the settings about listeners say.
pub(super) struct ListenerTexts<'a> {
    pub(super) listeners: Option<&'a str>,
    pub(super) advertised: Option<&'a str>,
    pub(super) controller_names: Option<&'a str>,
    pub(super) protocols: Option<&'a str>,
    pub(super) inter_broker_name: Option<&'a str>,
}

/// Where to listen and what to tell clients; `None` where nothing is said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) listen: Option<String>,
    pub(super) advertised: Option<Advertised>,
}

/// One entry of `listeners`: `NAME://HOST:PORT`.
struct Listener<'a> {
    name: &'a str,
    host: &'a str,
    port: u16,
}

impl ListenerTexts<'_> {
    /// Finds the one listener for clients. The controller's listener is not opened: the controller
    /// is in the same process, and alone.
    pub(super) fn resolve(&self) -> Result<Resolved, InvalidBrokerConfig> {
        let controllers: Vec<&str> = items(self.controller_names.unwrap_or("CONTROLLER")).collect();
        let mut resolved = Resolved::default();
        let mut client_name = None;
        if let Some(text) = self.listeners {
            let listener = self.client_listener("listeners", text, &controllers)?;
            client_name = Some(listener.name);
            let host = match listener.host {
                "" => "0.0.0.0",
                host => host,
            };
            resolved.listen = Some(format!("{host}:{}", listener.port));
        }
        if let Some(text) = self.advertised.filter(|text| !text.trim().is_empty()) {
            let listener = self.client_listener("advertised.listeners", text, &controllers)?;
            if client_name.is_some_and(|name| name != listener.name) {
                let reason = format!("{} is not among listeners", listener.name);
                return Err(InvalidBrokerConfig::new("advertised.listeners", reason));
            }
            resolved.advertised = Some(Advertised {
                host: listener.host.to_owned(),
                port: Some(listener.port),
            });
        }
        match (self.inter_broker_name, client_name) {
            (Some(name), Some(client)) if name.trim() != client => Err(InvalidBrokerConfig::new(
                "inter.broker.listener.name",
                format!("must be {client}, the listener there is"),
            )),
            _ => Ok(resolved),
        }
    }

    fn client_listener<'a>(
        &self,
        setting: &str,
        text: &'a str,
        controllers: &[&str],
    ) -> Result<Listener<'a>, InvalidBrokerConfig> {
        let mut client = None;
        for item in items(text) {
            let listener = parse(item).ok_or_else(|| {
                let reason = format!("{item} does not read NAME://HOST:PORT");
                InvalidBrokerConfig::new(setting, reason)
            })?;
            if controllers.contains(&listener.name) {
                continue;
            }
            let protocol = self.protocol_of(listener.name);
            if protocol != Some("PLAINTEXT") {
                let reason = format!(
                    "listener {} has the protocol {}; only PLAINTEXT is served",
                    listener.name,
                    protocol.unwrap_or("of none in listener.security.protocol.map")
                );
                return Err(InvalidBrokerConfig::new(setting, reason));
            }
            if client.is_some() {
                return Err(InvalidBrokerConfig::new(
                    setting,
                    "there is one listener for clients, besides the controller's",
                ));
            }
            client = Some(listener);
        }
        client.ok_or_else(|| InvalidBrokerConfig::new(setting, "there is no listener for clients"))
    }

    fn protocol_of<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        const OWN: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
        let Some(map) = self.protocols else {
            return OWN.contains(&name).then_some(name);
        };
        items(map)
            .filter_map(|item| item.split_once(':'))
            .find(|(listener, _)| listener.trim() == name)
            .map(|(_, protocol)| protocol.trim())
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn parse(item: &str) -> Option<Listener<'_>> {
    let (name, address) = item.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    (!name.is_empty()).then_some(Listener { name, host, port })
}

#[cfg(test)]
mod tests {
    use super::{Advertised, ListenerTexts, Resolved};

    const NOTHING: ListenerTexts<'static> = ListenerTexts {
        listeners: None,
        advertised: None,
        controller_names: None,
        protocols: None,
        inter_broker_name: None,
    };

    #[test]
    fn the_listener_for_clients_is_found_beside_the_controllers() {
        let stock = ListenerTexts {
            listeners: Some("PLAINTEXT://:9092,CONTROLLER://:9093"),
            advertised: Some("PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
            controller_names: Some("CONTROLLER"),
            protocols: Some("CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL"),
            inter_broker_name: Some("PLAINTEXT"),
        };
        let expected = Resolved {
            listen: Some("0.0.0.0:9092".to_owned()),
            advertised: Some(Advertised {
                host: "localhost".to_owned(),
                port: Some(9092),
            }),
        };
        assert_eq!(stock.resolve(), Ok(expected));
        let named = ListenerTexts {
            listeners: Some("OUTSIDE://[::1]:0"),
            protocols: Some("OUTSIDE:PLAINTEXT"),
            ..NOTHING
        };
        let listen = named.resolve().map(|resolved| resolved.listen);
        assert_eq!(listen, Ok(Some("[::1]:0".to_owned())));
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused() {
        for (listeners, protocols) in [
            ("SSL://:9093", None),
            ("A://:1", None),
            (
                "PLAINTEXT://:1,OTHER://:2",
                Some("PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT"),
            ),
            ("CONTROLLER://:9093", None),
            ("localhost:9092", None),
            ("PLAINTEXT://localhost", None),
        ] {
            let texts = ListenerTexts {
                listeners: Some(listeners),
                protocols,
                ..NOTHING
            };
            assert!(texts.resolve().is_err(), "{listeners}");
        }
    }
}
