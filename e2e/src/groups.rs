//! The groups of tests: what each proves, in the order in which they run.

/// One group of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Format,
    Lint,
    Unit,
    Generated,
    Charts,
    Web,
    ApiServer,
    Cluster,
}

/// What the list says about a group.
#[derive(Debug)]
pub struct Entry {
    pub group: Group,
    /// The word on the command line.
    pub name: &'static str,
    /// What is known when it passes, in one line.
    pub proves: &'static str,
    /// Whether it uses a running cluster.
    pub needs_cluster: bool,
}

/// Every group, quick ones first, so that a slip is told in seconds.
pub const ALL: &[Entry] = &[
    Entry {
        group: Group::Format,
        name: "format",
        proves: "every Rust file is formatted as `cargo fmt` writes it",
        needs_cluster: false,
    },
    Entry {
        group: Group::Lint,
        name: "lint",
        proves: "clippy has no complaint, and every dependency has a permissive licence and is from crates.io",
        needs_cluster: false,
    },
    Entry {
        group: Group::Unit,
        name: "unit",
        proves: "the tests beside the code pass: resource, operator, server, this harness",
        needs_cluster: false,
    },
    Entry {
        group: Group::Generated,
        name: "generated",
        proves: "the committed definition of the resource is the one that the code prints",
        needs_cluster: false,
    },
    Entry {
        group: Group::Charts,
        name: "charts",
        proves: "the charts lint and render, and their pods pass Pod Security `restricted`",
        needs_cluster: false,
    },
    Entry {
        group: Group::Web,
        name: "web",
        proves: "the web client's parts agree under random lessons, and people in real browsers draw together",
        needs_cluster: false,
    },
    Entry {
        group: Group::ApiServer,
        name: "apiserver",
        proves: "the newest and the oldest supported API server take what we give them",
        needs_cluster: false,
    },
    Entry {
        group: Group::Cluster,
        name: "cluster",
        proves: "on a real cluster everything works as a person meets it",
        needs_cluster: true,
    },
];

/// A group was asked for that does not exist.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("There is no group called {asked}. The groups are: {known}.")]
pub struct UnknownGroup {
    asked: String,
    known: String,
}

/// The groups of these names in the table's order, each once; all of them where no name is given.
pub fn select(names: &[String]) -> Result<Vec<&'static Entry>, UnknownGroup> {
    if let Some(asked) = names.iter().find(|name| !ALL.iter().any(|entry| entry.name == **name)) {
        let known = ALL.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
        return Err(UnknownGroup { asked: asked.clone(), known });
    }
    Ok(ALL.iter().filter(|entry| names.is_empty() || names.iter().any(|name| entry.name == name)).collect())
}

/// The list that `e2e/test --list` prints: one line a group.
pub fn list() -> String {
    let width = ALL.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let line = |entry: &Entry| {
        let cluster = if entry.needs_cluster { " (on a cluster)" } else { "" };
        format!("{:width$}  {}{cluster}", entry.name, entry.proves)
    };
    ALL.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Result<Vec<&'static str>, UnknownGroup> {
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        Ok(select(&asked)?.into_iter().map(|entry| entry.name).collect())
    }

    #[test]
    fn no_name_means_all_in_order() {
        assert_eq!(names(&[]).unwrap(), ALL.iter().map(|entry| entry.name).collect::<Vec<_>>());
    }

    #[test]
    fn chosen_groups_come_in_the_tables_order_and_once() {
        assert_eq!(names(&["unit", "format", "unit"]).unwrap(), ["format", "unit"]);
    }

    #[test]
    fn an_unknown_group_is_told_with_the_known_ones() {
        let message = names(&["unit", "untit"]).unwrap_err().to_string();
        assert!(message.contains("untit") && message.contains("format, lint, unit"), "{message}");
    }

    #[test]
    fn every_group_has_one_line_and_a_name_of_its_own() {
        assert_eq!(list().lines().count(), ALL.len());
        for (index, entry) in ALL.iter().enumerate() {
            assert!(!entry.proves.is_empty());
            assert!(ALL[..index].iter().all(|other| other.name != entry.name && other.group != entry.group));
        }
    }

    #[test]
    fn groups_that_need_a_cluster_come_last() {
        // Otherwise a slip that a second could have told waits for a cluster.
        assert!(ALL.is_sorted_by_key(|entry| entry.needs_cluster));
    }
}
