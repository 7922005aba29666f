use crds::Whiteboard;
use crds::condition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Resource, ResourceExt};

/// Longest note that the API takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Tells what changed between two lists of conditions. A lost event is not worth a failure: the status has it all.
pub async fn publish(recorder: &Recorder, whiteboard: &Whiteboard, old: &[Condition], new: &[Condition]) {
    let reference = whiteboard.object_ref(&());
    for event in transitions(old, new) {
        if let Err(error) = recorder.publish(&event, &reference).await {
            tracing::warn!(%error, whiteboard = whiteboard.name_any(), reason = event.reason, "an event was lost");
        }
    }
}

/// One event for each condition whose status or reason changed; conditions that only repeat another's news are silent.
fn transitions(old: &[Condition], new: &[Condition]) -> Vec<Event> {
    let news = new.iter().filter(|condition| {
        let before = old.iter().find(|old| old.type_ == condition.type_);
        let same = before.is_some_and(|old| old.status == condition.status && old.reason == condition.reason);
        // `Reconciling` and `Stalled` say what the others say already. Ready=False does too, but for refusals, which have
        // no other condition.
        let repeats = match condition.type_.as_str() {
            condition::RECONCILING | condition::STALLED => true,
            condition::READY => {
                condition.status != "True"
                    && new.iter().any(|other| {
                        other.type_ != condition.type_
                            && other.reason == condition.reason
                            && !matches!(other.type_.as_str(), condition::RECONCILING | condition::STALLED)
                    })
            }
            _ => false,
        };
        !same && !repeats
    });
    news.map(|condition| Event {
        type_: if condition.status == "False" && !progress(&condition.reason) {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason: condition.reason.clone(),
        note: Some(condition.message.chars().take(LONGEST_NOTE / 4).collect()),
        action: condition.type_.clone(),
        secondary: None,
    })
    .collect()
}

fn progress(reason: &str) -> bool {
    matches!(reason, "Installing" | "Updating" | "ServerStarting" | "Issuing" | "Provisioning")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(type_: &str, status: &str, reason: &str) -> Condition {
        Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.into(),
            message: "A sentence.".into(),
            observed_generation: None,
            last_transition_time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn only_changes_are_told() {
        let starting =
            [condition("Ready", "False", "ServerStarting"), condition("Available", "False", "ServerStarting")];
        let running = [condition("Ready", "True", "Running"), condition("Available", "True", "ServerAnswers")];
        let taken = [
            condition("Ready", "False", "HostTaken"),
            condition("Stalled", "True", "HostTaken"),
            condition("Available", "True", "ServerAnswers"),
        ];
        let told = |old: &[Condition], new: &[Condition]| -> Vec<String> {
            transitions(old, new).into_iter().map(|event| format!("{:?} {}", event.type_, event.reason)).collect()
        };
        assert_eq!(told(&[], &starting), ["Normal ServerStarting"]);
        assert_eq!(told(&starting, &starting), Vec::<String>::new());
        assert_eq!(told(&starting, &running), ["Normal Running", "Normal ServerAnswers"]);
        assert_eq!(told(&running, &taken), ["Warning HostTaken"]);
    }
}
