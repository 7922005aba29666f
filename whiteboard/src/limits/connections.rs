//! How many connections there may be, of all clients together and of one address.

use super::address::Household;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why one more connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error(
        "This server has as many connections as it may have ({0}). Try again later, \
         or ask the person who runs it to raise MAX_CONNECTIONS."
    )]
    Site(usize),
    #[error(
        "There are too many connections from your address ({0}). Close some, \
         or ask the person who runs the server to raise MAX_CONNECTIONS_PER_ADDRESS."
    )]
    Address(usize),
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    households: HashMap<Household, usize>,
}

#[derive(Debug)]
struct Inner {
    site: usize,
    address: usize,
    counts: Mutex<Counts>,
}

/// Counts connections; share it by cloning.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Inner>);

/// The right to one connection; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    connections: Connections,
    household: Option<Household>,
}

impl Admission {
    /// Whose part it counts for; none if the client's address is hidden.
    pub fn household(&self) -> Option<Household> {
        self.household
    }
}

impl Connections {
    /// At most so many connections of all clients, and of one household (one at least).
    pub fn new(site: usize, address: usize) -> Self {
        Self(Arc::new(Inner { site, address: address.max(1), counts: Mutex::default() }))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Two numbers, changed together without anything between that can panic.
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits one more connection; one of no household counts for all together only.
    pub fn admit(&self, household: Option<Household>) -> Result<Admission, Full> {
        let mut counts = self.counts();
        if counts.all >= self.0.site {
            return Err(Full::Site(self.0.site));
        }
        if let Some(household) = household {
            let mine = counts.households.entry(household).or_default();
            if *mine >= self.0.address {
                return Err(Full::Address(self.0.address));
            }
            *mine += 1;
        }
        counts.all += 1;
        Ok(Admission { connections: self.clone(), household })
    }

    /// Connections now.
    pub fn len(&self) -> usize {
        self.counts().all
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.connections.counts();
        counts.all -= 1;
        if let Some(household) = &self.household
            && let Some(mine) = counts.households.get_mut(household)
        {
            *mine -= 1;
            if *mine == 0 {
                counts.households.remove(household);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn household(last: u8) -> Household {
        Household::of([192, 0, 2, last].into())
    }

    #[test]
    fn an_address_has_a_share_and_the_site_an_end() {
        let connections = Connections::new(5, 2);
        let mut held = Vec::new();
        for (last, expected) in [
            (1, None),
            (1, None),
            (1, Some(Full::Address(2))),
            (2, None),
            (2, None),
            (3, None),
            (3, Some(Full::Site(5))),
            (4, Some(Full::Site(5))),
        ] {
            match connections.admit(Some(household(last))) {
                Ok(admission) => {
                    assert_eq!(expected, None, "{last}");
                    held.push(admission);
                }
                Err(full) => assert_eq!(Some(full), expected, "{last}"),
            }
        }
        held.remove(0);
        assert!(connections.admit(Some(household(1))).is_ok(), "what was given back can be had again");
        assert!(connections.admit(None).is_ok(), "a proxy has no share of its own");
        held.clear();
        assert!(connections.is_empty() && connections.counts().households.is_empty(), "nothing is kept of who left");
    }

    #[test]
    fn refusals_tell_what_to_do() {
        assert!(Full::Site(7).to_string().contains("(7). Try again later, or ask"));
        assert!(Full::Address(7).to_string().contains("MAX_CONNECTIONS_PER_ADDRESS"));
    }
}
