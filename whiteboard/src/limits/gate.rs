//! Who may connect: the limits of connections applied to a request's peer and headers.

use super::address::{self, Household, Networks};
use super::connections::{Admission, Connections, Full};
use std::net::IpAddr;

/// The gate of the public port.
#[derive(Clone, Debug)]
pub struct Gate {
    trusted: Networks,
    connections: Connections,
}

impl Gate {
    /// `trusted`: proxies whose `X-Forwarded-For` is believed.
    pub fn new(trusted: Networks, connections: Connections) -> Self {
        Self { trusted, connections }
    }

    /// The address of the client behind a request; `forwarded` are the values of `X-Forwarded-For`.
    pub fn client<'a>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
        address::client(peer, forwarded, &self.trusted)
    }

    /// Whose part what a client does counts for. One whose address is hidden behind that of a trusted proxy (k3s hides all
    /// of them, as it comes) counts for the site only: everybody would share one address' part.
    pub fn household(&self, client: IpAddr) -> Option<Household> {
        (!self.trusted.contains(client)).then(|| Household::of(client))
    }

    /// Admits one more connection from a client, for as long as the answer is kept.
    pub fn admit(&self, client: IpAddr) -> Result<Admission, Full> {
        let admitted = self.connections.admit(self.household(client));
        if let Err(full) = &admitted {
            tracing::debug!(%client, "a connection was refused: {full}");
        }
        admitted
    }

    /// Connections now.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_behind_one_proxy_are_told_apart() {
        let gate = Gate::new(Networks::parse("10.0.0.0/8").unwrap(), Connections::new(9, 1));
        let proxy: IpAddr = [10, 0, 0, 1].into();
        let mut held = Vec::new();
        // The proxy says nothing, or names another proxy: no address' share is used up.
        for forwarded in [None, Some("10.0.0.9"), Some("10.0.0.9")] {
            held.push(gate.admit(gate.client(proxy, forwarded.into_iter())).unwrap());
        }
        for (peer, forwarded, admitted) in [
            (proxy, "192.0.2.1", true),
            (proxy, "192.0.2.2", true),
            (proxy, "192.0.2.1", false),
            (proxy, "192.0.2.9, 192.0.2.1", false),
            // Somebody who is no proxy may write what they like.
            ([192, 0, 2, 1].into(), "192.0.2.77", false),
        ] {
            let outcome = gate.admit(gate.client(peer, [forwarded].into_iter()));
            assert_eq!(outcome.is_ok(), admitted, "{peer} {forwarded}");
            held.extend(outcome.ok());
        }
        assert_eq!(gate.connections().len(), 5);
    }
}
