//! Who is on a canvas: connections, and the people behind them. A person with two tabs is one entry.

use super::action::{Role, User};
use crate::board::core::ClientId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One connection.
#[derive(Clone, Debug)]
pub struct Person {
    pub user: Arc<User>,
    pub role: Role,
}

/// All connections, by the number of the client.
#[derive(Debug, Default)]
pub struct People(BTreeMap<ClientId, Person>);

impl People {
    pub fn enter(&mut self, client: ClientId, user: User, role: Role) -> Arc<User> {
        let user = Arc::new(user);
        self.0.insert(client, Person { user: user.clone(), role });
        user
    }

    /// The person who left, and whether that was their last connection.
    pub fn leave(&mut self, client: ClientId) -> Option<(Arc<User>, bool)> {
        let person = self.0.remove(&client)?;
        let is_last = !self.0.values().any(|other| other.user.id == person.user.id);
        Some((person.user, is_last))
    }

    pub fn get(&self, client: ClientId) -> Option<&Person> {
        self.0.get(&client)
    }

    pub fn iter(&self) -> impl Iterator<Item = (ClientId, &Person)> {
        self.0.iter().map(|(client, person)| (*client, person))
    }

    /// Each person once, in the order in which they came; name and colour as of their newest connection.
    pub fn present(&self) -> Vec<Arc<User>> {
        let mut present: Vec<Arc<User>> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for person in self.0.values() {
            let place = *places.entry(person.user.id).or_insert(present.len());
            match present.get_mut(place) {
                Some(known) => *known = person.user.clone(),
                None => present.push(person.user.clone()),
            }
        }
        present
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: i64, color: &str) -> User {
        User { id, username: format!("user{id}").into(), color: color.into() }
    }

    #[test]
    fn two_tabs_are_one_person() {
        let mut people = People::default();
        for (client, id, color) in [(1, 7, "#111"), (2, 8, "#222"), (3, 7, "#333")] {
            people.enter(client, user(id, color), Role::Editor);
        }
        let shown: Vec<(i64, String)> = people.present().iter().map(|user| (user.id, user.color.to_string())).collect();
        assert_eq!(shown, [(7, "#333".to_owned()), (8, "#222".to_owned())]);
        for (client, expected) in [(1, Some((7, false))), (1, None), (3, Some((7, true))), (2, Some((8, true)))] {
            assert_eq!(people.leave(client).map(|(user, is_last)| (user.id, is_last)), expected);
        }
        assert!(people.present().is_empty() && people.get(2).is_none());
    }
}
