//! Whether the cluster that is there can be used, decided in seconds: a half-dead one is replaced, never waited for.

use crate::provider::Container;

/// What was written down when a cluster was complete.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// The node's container.
    pub container: String,
    /// The node's image and kind's configuration: what a cluster is made from.
    pub recipe: String,
}

/// What can be seen of a cluster.
#[derive(Debug, Clone)]
pub struct Sight {
    /// The node's container, where there is one.
    pub container: Option<Container>,
    /// What was written down last, where anything was.
    pub record: Option<Record>,
    /// What a new cluster would be made from.
    pub recipe: String,
    /// What the API server says about itself and the node; asked only where the rest fits.
    pub answer: Answer,
}

/// The API server's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// None within seconds.
    Silence,
    /// It answers, and the node is not ready.
    NodeNotReady,
    /// It answers, and the node is ready.
    Ready,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is none: make one.
    Absent,
    /// It can be used.
    Usable,
    /// Delete it and make a new one, for this reason.
    Replace(&'static str),
}

/// Decides by what is seen. The order goes from what is certain to what needs an answer.
pub fn judge(sight: &Sight) -> Verdict {
    let Some(container) = &sight.container else { return Verdict::Absent };
    if !container.running {
        return Verdict::Replace("its node is stopped, as after a reboot");
    }
    let Some(record) = &sight.record else {
        return Verdict::Replace("it was never completed");
    };
    if record.container != container.id {
        return Verdict::Replace("its node is not the one that was completed");
    }
    if record.recipe != sight.recipe {
        return Verdict::Replace("it was made from other versions or settings");
    }
    match sight.answer {
        Answer::Ready => Verdict::Usable,
        Answer::NodeNotReady => Verdict::Replace("its node is not ready"),
        Answer::Silence => Verdict::Replace("its API server does not answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Sight {
        Sight {
            container: Some(Container { id: "one".into(), running: true }),
            record: Some(Record { container: "one".into(), recipe: "a".into() }),
            recipe: "a".into(),
            answer: Answer::Ready,
        }
    }

    #[test]
    fn a_healthy_cluster_is_used() {
        assert_eq!(judge(&healthy()), Verdict::Usable);
    }

    #[test]
    fn no_container_means_a_new_cluster_whatever_was_written_down() {
        assert_eq!(judge(&Sight { container: None, ..healthy() }), Verdict::Absent);
    }

    #[test]
    fn whatever_does_not_fit_is_replaced_and_said() {
        let stopped = Some(Container { id: "one".into(), running: false });
        let other = Some(Record { container: "two".into(), recipe: "a".into() });
        for (sight, word) in [
            (Sight { container: stopped, ..healthy() }, "stopped"),
            (Sight { record: None, ..healthy() }, "never completed"),
            (Sight { record: other, ..healthy() }, "not the one"),
            (Sight { recipe: "b".into(), ..healthy() }, "other versions"),
            (Sight { answer: Answer::Silence, ..healthy() }, "does not answer"),
            (Sight { answer: Answer::NodeNotReady, ..healthy() }, "not ready"),
        ] {
            let Verdict::Replace(reason) = judge(&sight) else { panic!("{sight:?} is taken for usable") };
            assert!(reason.contains(word), "{reason} for {sight:?}");
        }
    }
}
