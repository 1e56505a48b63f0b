//! How many connections there may be, and how fast they may come.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::config::BrokerSettings;

/// Why a connection is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("max.connections is reached, {0}")]
    All(u32),
    #[error("max.connections.per.ip is reached for this address, {0}")]
    OfAddress(u32),
}

/// Counts connections. At most as many addresses as there are connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// A connection's place among the others, given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    address: IpAddr,
}

impl Connections {
    /// Takes a place for a connection from `address`, by the limits of now.
    pub(super) fn admit(
        self: &Arc<Self>,
        settings: &BrokerSettings,
        address: IpAddr,
    ) -> Result<Place, Refused> {
        let address = address.to_canonical();
        let overrides = &settings.max_connections_per_ip_overrides;
        let own = overrides.get(&address.to_string());
        let of_address = own.copied().unwrap_or(settings.max_connections_per_ip);
        let mut counts = self.counts.lock();
        if counts.all >= settings.max_connections {
            return Err(Refused::All(settings.max_connections));
        }
        if counts.by_address.get(&address).copied().unwrap_or(0) >= of_address {
            return Err(Refused::OfAddress(of_address));
        }
        counts.all += 1;
        *counts.by_address.entry(address).or_default() += 1;
        Ok(Place {
            connections: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.connections.counts.lock();
        counts.all = counts.all.saturating_sub(1);
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// How long to wait after a connection until the next is accepted.
pub(super) fn pause(settings: &BrokerSettings) -> Option<Duration> {
    /// From here on the pause is shorter than accepting takes.
    const UNLIMITED: u32 = 1_000_000;
    match settings.max_connection_creation_rate {
        // None at all would leave nobody to say otherwise.
        0 => Some(Duration::from_secs(1)),
        rate if rate >= UNLIMITED => None,
        rate => Some(Duration::from_secs(1) / rate),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::{Connections, Refused};
    use crate::config::BrokerSettings;

    #[test]
    fn places_are_limited_and_given_back() {
        let connections = Arc::new(Connections::default());
        let mut settings = BrokerSettings {
            max_connections: 3,
            max_connections_per_ip: 1,
            ..BrokerSettings::default()
        };
        let overrides = &mut settings.max_connections_per_ip_overrides;
        overrides.insert("10.0.0.2".to_owned(), 2);
        let address = |last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        let one = connections.admit(&settings, address(1)).expect("the first");
        let refused = connections.admit(&settings, address(1)).err();
        assert_eq!(refused, Some(Refused::OfAddress(1)));
        let _two = connections.admit(&settings, address(2)).expect("another");
        let _three = connections.admit(&settings, address(2)).expect("it may");
        let refused = connections.admit(&settings, address(3)).err();
        assert_eq!(refused, Some(Refused::All(3)));
        drop(one);
        assert!(connections.admit(&settings, address(1)).is_ok());
    }
}
