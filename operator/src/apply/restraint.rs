use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often one object is taken back within [`SPAN`].
const MOST: u32 = 10;
const SPAN: Duration = Duration::from_mins(1);

/// Keeps a quarrel from becoming a storm: where something else keeps changing an object of ours, it is taken back a few
/// times a minute, not at each change.
#[derive(Default)]
pub struct Restraint(Mutex<HashMap<String, (Instant, u32)>>);

impl Restraint {
    /// Counts one more time that `object` is to be taken back; false where it has to wait.
    pub fn allows(&self, object: &str, now: Instant) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|_, (since, _)| now.duration_since(*since) < SPAN);
        let (_, count) = counts.entry(object.to_owned()).or_insert((now, 0));
        *count += 1;
        *count <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_times_a_minute_each() {
        let restraint = Restraint::default();
        let start = Instant::now();
        for _ in 0..MOST {
            assert!(restraint.allows("Service a", start));
        }
        assert!(!restraint.allows("Service a", start + Duration::from_secs(30)));
        assert!(restraint.allows("Service b", start + Duration::from_secs(30)));
        assert!(restraint.allows("Service a", start + SPAN));
    }
}
