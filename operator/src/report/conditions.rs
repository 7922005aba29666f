use crds::condition::{self, Reason};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// How long something that may still come from elsewhere is waited for before it counts as stuck.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// One judgement: whether something holds, why, and a sentence that says what to do where it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    status: &'static str,
    pub reason: Reason,
    pub message: String,
}

impl Verdict {
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: "True", reason, message: message.into() }
    }

    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: "False", reason, message: message.into() }
    }

    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: "Unknown", reason, message: message.into() }
    }

    pub fn holds(&self) -> bool {
        self.status == "True"
    }

    /// Whether time alone cannot bring it about.
    pub fn reason_needs_somebody(&self) -> bool {
        !matches!(
            self.reason,
            Reason::Installing
                | Reason::Updating
                | Reason::ServerStarting
                | Reason::Issuing
                | Reason::Provisioning
                | Reason::Resizing
                | Reason::Running
        )
    }

    /// Whether what is missing may be on its way, since others install it.
    pub fn may_come_from_elsewhere(&self) -> bool {
        matches!(
            self.reason,
            Reason::IssuerNotFound
                | Reason::IssuerNotReady
                | Reason::IssuingFailed
                | Reason::CertManagerMissing
                | Reason::SecretNotFound
                | Reason::SecretInvalid
                | Reason::StorageClassNotFound
                | Reason::NoDefaultStorageClass
                | Reason::IngressClassNotFound
                | Reason::NoDefaultIngressClass
                | Reason::ImageUnavailable
                | Reason::Unschedulable
                | Reason::ServerCrashes
        )
    }
}

/// The conditions as they were, and what new ones are made with.
pub struct Book<'a> {
    pub old: &'a [Condition],
    pub generation: Option<i64>,
    pub now: Timestamp,
}

impl Book<'_> {
    /// A condition, with the time of its last change kept where its status did not change.
    pub fn condition(&self, type_: &str, verdict: &Verdict) -> Condition {
        let same = self.find(type_).filter(|old| old.status == verdict.status);
        Condition {
            type_: type_.to_owned(),
            status: verdict.status.to_owned(),
            reason: verdict.reason.as_str().to_owned(),
            message: shortened(&verdict.message),
            observed_generation: self.generation,
            last_transition_time: same.map_or_else(|| Time(seconds(self.now)), |old| old.last_transition_time.clone()),
        }
    }

    /// How long a condition has not held; zero where it holds, or is new.
    pub fn waited_for(&self, type_: &str) -> SignedDuration {
        let since = self.find(type_).filter(|old| old.status != "True").map(|old| old.last_transition_time.0);
        since.map_or(SignedDuration::ZERO, |since| self.now.duration_since(since))
    }

    fn find(&self, type_: &str) -> Option<&Condition> {
        self.old.iter().find(|old| old.type_ == type_)
    }
}

/// The API keeps whole seconds: finer times would differ from themselves once read back.
pub fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Conditions that tell of children, which a refused resource keeps as they were.
pub fn keeps(type_: &str) -> bool {
    !matches!(type_, condition::READY | condition::RECONCILING | condition::STALLED)
}

/// In the order in which the API lists them.
pub fn sorted(mut all: Vec<Condition>) -> Vec<Condition> {
    all.sort_by_key(|one| condition::ALL.iter().position(|type_| *type_ == one.type_).unwrap_or(usize::MAX));
    all
}

/// The API allows 32,768 bytes; people read less.
fn shortened(message: &str) -> String {
    const MOST: usize = 1000;
    if message.len() <= MOST {
        return message.to_owned();
    }
    let end = (0..=MOST).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(type_: &str, status: &str, since: &str) -> Condition {
        Condition {
            type_: type_.into(),
            status: status.into(),
            reason: "Before".into(),
            message: String::new(),
            observed_generation: Some(1),
            last_transition_time: Time(since.parse().unwrap()),
        }
    }

    #[test]
    fn the_time_is_that_of_the_last_change_of_status() {
        let before = [old(condition::READY, "True", "2026-01-01T00:00:00Z")];
        let book = Book { old: &before, generation: Some(2), now: "2026-01-02T00:00:00.5Z".parse().unwrap() };
        let same = book.condition(condition::READY, &Verdict::yes(Reason::Running, "x"));
        assert_eq!(same.last_transition_time, before[0].last_transition_time);
        assert_eq!(same.observed_generation, Some(2));
        let changed = book.condition(condition::READY, &Verdict::no(Reason::ServerStarting, "x"));
        assert_eq!(changed.last_transition_time.0, "2026-01-02T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn waiting_counts_from_when_it_stopped_holding() {
        let before = [
            old(condition::READY, "False", "2026-01-01T00:00:00Z"),
            old(condition::AVAILABLE, "True", "2026-01-01T00:00:00Z"),
        ];
        let book = Book { old: &before, generation: None, now: "2026-01-01T00:03:00Z".parse().unwrap() };
        assert_eq!(book.waited_for(condition::READY), SignedDuration::from_mins(3));
        assert_eq!(book.waited_for(condition::AVAILABLE), SignedDuration::ZERO);
        assert_eq!(book.waited_for(condition::STORAGE_READY), SignedDuration::ZERO);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let cut = shortened(&"ä".repeat(2000));
        assert!(cut.len() <= 1003 && cut.ends_with('…'));
        assert_eq!(shortened("short"), "short");
    }
}
