//! Which address a client really has, behind proxies that may be believed and headers that may not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// This machine: where a proxy in front of a single server lives. Whoever else sends `X-Forwarded-For` may be a pupil.
pub const LOOPBACK: &str = "127.0.0.0/8,::1/128";

/// Addresses with a common prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: u128,
    bits: u32,
}

/// Some networks; `Default` has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// Text that is no list of networks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network: write addresses like 10.0.0.0/8 or fd00::/8, comma separated, or `none`")]
pub struct NoNetwork(String);

/// IPv4 as IPv4-mapped IPv6, so that both compare alike.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

fn mask(bits: u32) -> u128 {
    if bits == 0 { 0 } else { u128::MAX << (128 - bits) }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (most, shift) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let bits = bits.unwrap_or(most);
        (bits <= most).then(|| Self { address: number(address) & mask(bits + shift), bits: bits + shift })
    }

    fn contains(self, address: IpAddr) -> bool {
        number(address) & mask(self.bits) == self.address
    }
}

impl Networks {
    /// Reads a comma separated list of addresses and networks; `none` is none.
    pub fn parse(list: &str) -> Result<Self, NoNetwork> {
        if list.trim() == "none" {
            return Ok(Self::default());
        }
        list.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| Network::parse(entry).ok_or_else(|| NoNetwork(entry.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The client's address: the peer's, unless that is a proxy that is trusted; then the last address of
/// `X-Forwarded-For` that is none. Each proxy appends whom it heard from, so everything left of that may be invented
/// by the client.
pub fn client<'a>(peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>, trusted: &Networks) -> IpAddr {
    let mut client = peer.to_canonical();
    for entry in forwarded.flat_map(|value| value.split(',')).rev() {
        if !trusted.contains(client) {
            break;
        }
        let Some(address) = entry_address(entry.trim()) else { break };
        client = address;
    }
    client
}

/// An entry of `X-Forwarded-For`; some proxies write the port too.
fn entry_address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.split(']').next());
    let address = bare.or_else(|| entry.split_once(':').filter(|(_, port)| !port.contains(':')).map(|(host, _)| host));
    address.unwrap_or(entry).parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// What counts as one address: an IPv4 address, or the /64 of IPv6 that one household has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Household(u128);

impl Household {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(_) => Self(number(address)),
            IpAddr::V6(v6) => Self(u128::from(v6) & mask(64)),
        }
    }
}

impl fmt::Display for Household {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Ipv6Addr::from(self.0).to_canonical() {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

/// The address of a peer that is not known, which is treated as one client.
pub const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_hold_what_begins_alike() {
        let private = format!("{LOOPBACK},10.0.0.0/8, 172.16.0.0/12,192.168.0.0/16,fc00::/7");
        let private = Networks::parse(&private).unwrap();
        for (address, inside) in [
            ("127.0.0.1", true),
            ("10.255.1.2", true),
            ("172.15.0.1", false),
            ("172.31.255.255", true),
            ("172.32.0.1", false),
            ("192.168.7.7", true),
            ("8.8.8.8", false),
            ("::1", true),
            ("fd12::1", true),
            ("2001:db8::1", false),
            ("::ffff:10.1.2.3", true),
            ("::ffff:8.8.8.8", false),
        ] {
            assert_eq!(private.contains(ip(address)), inside, "{address}");
        }
        assert!(Networks::parse("0.0.0.0/0").unwrap().contains(ip("8.8.8.8")));
        assert!(!Networks::parse("0.0.0.0/0").unwrap().contains(ip("2001:db8::1")));
        assert!(Networks::parse("::/0").unwrap().contains(ip("8.8.8.8")));
        assert!(!Networks::parse("none").unwrap().contains(ip("127.0.0.1")));
        assert!(!Networks::parse(" ").unwrap().contains(ip("127.0.0.1")));
        assert!(Networks::parse("192.0.2.7, 2001:db8::/32").unwrap().contains(ip("192.0.2.7")));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for wrong in ["10.0.0.0/33", "10.0.0", "::/129", "host", "10.0.0.0/", "10.0.0.0/8/8", "all"] {
            let error = Networks::parse(&format!("127.0.0.1,{wrong}")).unwrap_err();
            assert!(error.to_string().contains(&format!("{wrong:?} is no network")), "{error}");
        }
    }

    #[test]
    fn the_client_is_who_the_last_trusted_proxy_heard() {
        let trusted = Networks::parse(&format!("{LOOPBACK},10.0.0.0/8,192.168.0.0/16,fd00::/8")).unwrap();
        for (peer, forwarded, expected) in [
            ("203.0.113.5", vec![], "203.0.113.5"),
            ("203.0.113.5", vec!["198.51.100.1"], "203.0.113.5"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["6.6.6.6", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", vec!["192.168.1.9"], "192.168.1.9"),
            ("10.0.0.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", vec!["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", vec!["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.1, unknown, 10.0.0.3"], "10.0.0.3"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
        ] {
            assert_eq!(client(ip(peer), forwarded.iter().copied(), &trusted), ip(expected), "{peer} {forwarded:?}");
        }
        assert_eq!(client(ip("10.0.0.1"), ["8.8.8.8"].into_iter(), &Networks::default()), ip("10.0.0.1"));
    }

    #[test]
    fn a_household_is_an_address_or_a_network_of_64_bits() {
        for (one, other, same) in [
            ("198.51.100.1", "198.51.100.1", true),
            ("198.51.100.1", "::ffff:198.51.100.1", true),
            ("198.51.100.1", "198.51.100.2", false),
            ("2001:db8:1:2:3::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            assert_eq!(Household::of(ip(one)) == Household::of(ip(other)), same, "{one} {other}");
        }
        assert_eq!(Household::of(ip("198.51.100.1")).to_string(), "198.51.100.1");
        assert_eq!(Household::of(ip("2001:db8:1:2:3::1")).to_string(), "2001:db8:1:2::/64");
    }
}
