//! Who sees what during a quiz: teachers see all, everybody else their own elements and the teachers'.

use super::elements::Owner;
use super::event::Changed;
use super::identity::{Role, UserId};
use crate::board::core::ClientId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Somebody who looks at the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eyes {
    pub user: UserId,
    pub role: Role,
}

impl Eyes {
    /// Whether these see what belongs to `owner` while a quiz runs.
    pub fn see(self, owner: Owner) -> bool {
        self.role == Role::Teacher || owner.teacher || owner.user == self.user
    }

    /// What this client makes is its user's.
    pub fn owner(self) -> Owner {
        Owner { user: self.user, teacher: self.role == Role::Teacher }
    }
}

/// The part of a change that somebody may see during a quiz; `owners`: whose its elements are, then whose those deleted.
/// None if nothing of it.
pub fn visible(changed: &Arc<Changed>, owners: &[Owner], eyes: Eyes) -> Option<Arc<Changed>> {
    let sees: Vec<bool> = owners.iter().map(|owner| eyes.see(*owner)).collect();
    if sees.iter().all(|sees| *sees) {
        return Some(changed.clone());
    }
    let elements = changed.elements.iter().zip(&sees).filter(|(_, sees)| **sees);
    let deleted = changed.deleted.iter().zip(sees.iter().skip(changed.elements.len())).filter(|(_, sees)| **sees);
    let part = Changed {
        seq: changed.seq,
        by: changed.by,
        elements: elements.map(|(element, _)| element.clone()).collect(),
        deleted: deleted.map(|(deleted, _)| deleted.clone()).collect(),
    };
    (!part.elements.is_empty() || !part.deleted.is_empty()).then(|| Arc::new(part))
}

/// Who gets which part of a change during a quiz. Those who get the same are together, so that it is encoded once.
pub fn split(
    changed: &Arc<Changed>,
    owners: &[Owner],
    viewers: impl Iterator<Item = (ClientId, Eyes)>,
) -> Vec<(Arc<[ClientId]>, Arc<Changed>)> {
    let pupils: BTreeSet<UserId> = owners.iter().filter(|owner| !owner.teacher).map(|owner| owner.user).collect();
    // Teachers; each pupil something belongs to; everybody else.
    let mut groups: BTreeMap<(bool, Option<UserId>), (Eyes, Vec<ClientId>)> = BTreeMap::new();
    for (client, eyes) in viewers {
        let teacher = eyes.role == Role::Teacher;
        let own = (!teacher && pupils.contains(&eyes.user)).then_some(eyes.user);
        groups.entry((teacher, own)).or_insert((eyes, Vec::new())).1.push(client);
    }
    let parts =
        groups.into_values().filter_map(|(eyes, clients)| Some((clients.into(), visible(changed, owners, eyes)?)));
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::scene::element::{Deleted, Element, Stamp};

    const TEACHER: Eyes = Eyes { user: UserId(9), role: Role::Teacher };
    const ANN: Eyes = Eyes { user: UserId(1), role: Role::Pupil };
    const BOB: Eyes = Eyes { user: UserId(2), role: Role::Pupil };
    const VIEWER: Eyes = Eyes { user: UserId(3), role: Role::Viewer };

    fn changed(elements: &[&str], deleted: &[&str]) -> Arc<Changed> {
        let element = |id: &&str| {
            Element::from_text(&format!(r#"{{"id":"{id}","type":"t","version":1,"versionNonce":0}}"#)).unwrap()
        };
        let gone = |id: &&str| Deleted { id: (*id).into(), stamp: Stamp { version: 2, nonce: 0 } };
        Arc::new(Changed {
            seq: 4,
            by: UserId(1),
            elements: elements.iter().map(element).collect(),
            deleted: deleted.iter().map(gone).collect(),
        })
    }

    fn ids(changed: &Changed) -> Vec<String> {
        let elements = changed.elements.iter().map(|element| element.id().to_string());
        elements.chain(changed.deleted.iter().map(|deleted| format!("-{}", deleted.id))).collect()
    }

    #[test]
    fn quiz_pupils_see_their_own_and_teachers_elements() {
        for (eyes, owner, sees) in [
            (TEACHER, ANN, true),
            (ANN, TEACHER, true),
            (ANN, ANN, true),
            (ANN, BOB, false),
            (VIEWER, ANN, false),
            (VIEWER, TEACHER, true),
        ] {
            assert_eq!(eyes.see(owner.owner()), sees, "{eyes:?} {owner:?}");
        }
    }

    #[test]
    fn a_change_is_split_by_who_may_see_it() {
        let all = changed(&["t", "a"], &["b", "t2"]);
        let owners = [TEACHER.owner(), ANN.owner(), BOB.owner(), TEACHER.owner()];
        let viewers = [(1, TEACHER), (2, ANN), (3, BOB), (4, VIEWER), (5, ANN), (6, TEACHER)];
        let parts: Vec<_> = split(&all, &owners, viewers.into_iter())
            .into_iter()
            .map(|(clients, part)| (clients.to_vec(), ids(&part)))
            .collect();
        assert_eq!(
            parts,
            [
                (vec![4], vec!["t".to_owned(), "-t2".to_owned()]),
                (vec![2, 5], vec!["t".to_owned(), "a".to_owned(), "-t2".to_owned()]),
                (vec![3], vec!["t".to_owned(), "-b".to_owned(), "-t2".to_owned()]),
                (vec![1, 6], vec!["t".to_owned(), "a".to_owned(), "-b".to_owned(), "-t2".to_owned()]),
            ]
        );
    }

    #[test]
    fn who_may_see_nothing_of_it_is_told_nothing() {
        let owners = [ANN.owner()];
        let parts = split(&changed(&["a"], &[]), &owners, [(2, BOB), (3, VIEWER)].into_iter());
        assert!(parts.is_empty());
        assert_eq!(visible(&changed(&["a"], &[]), &owners, BOB), None);
    }

    #[test]
    fn a_change_of_nothing_is_for_everybody() {
        let parts = split(&changed(&[], &[]), &[], [(1, TEACHER), (2, BOB), (3, VIEWER)].into_iter());
        assert_eq!(parts.iter().map(|(clients, _)| clients.len()).sum::<usize>(), 3);
    }
}
