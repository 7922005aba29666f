//! What the operator counts, for `/metrics`.

use std::sync::Mutex;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The operator's metrics. Cheap to share: counting takes no lock.
pub struct Metrics {
    registry: Mutex<Registry>,
    reconciles: Family<Outcome, Counter>,
    duration: Histogram,
    writes: Family<Kind, Counter>,
    whiteboards: Family<Phase, Gauge>,
    leader: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Phase {
    phase: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("whiteboard_operator");
        let metrics = Self {
            registry: Mutex::new(Registry::default()),
            reconciles: Family::default(),
            // 1 ms to 16 s.
            duration: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
            writes: Family::default(),
            whiteboards: Family::default(),
            leader: Gauge::default(),
        };
        registry.register("reconciles", "Reconciles by outcome", metrics.reconciles.clone());
        registry.register_with_unit(
            "reconcile_duration",
            "How long reconciles took",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register("writes", "Objects written, by kind", metrics.writes.clone());
        registry.register("whiteboards", "Whiteboards by phase", metrics.whiteboards.clone());
        registry.register("leader", "1 while this process holds the lease", metrics.leader.clone());
        Self { registry: Mutex::new(registry), ..metrics }
    }
}

impl Metrics {
    /// Counts one reconcile.
    pub fn reconciled(&self, took: Duration, well: bool) {
        self.reconciles.get_or_create(&Outcome { outcome: if well { "success" } else { "error" } }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts one written object.
    pub fn wrote(&self, kind: &str) {
        self.writes.get_or_create(&Kind { kind: kind.to_owned() }).inc();
    }

    /// Tells whether this process holds the lease.
    pub fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// Sets how many Whiteboards there are in each phase; phases that are not named have none.
    pub fn phases(&self, counts: impl IntoIterator<Item = (String, i64)>) {
        self.whiteboards.clear();
        for (phase, count) in counts {
            self.whiteboards.get_or_create(&Phase { phase }).set(count);
        }
    }

    /// Everything in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_show_in_the_text() {
        let metrics = Metrics::default();
        metrics.wrote("Service");
        metrics.reconciled(Duration::from_millis(3), true);
        metrics.leads(true);
        metrics.phases([("Running".to_owned(), 2)]);
        let text = metrics.text();
        for line in [
            "whiteboard_operator_writes_total{kind=\"Service\"} 1",
            "whiteboard_operator_reconciles_total{outcome=\"success\"} 1",
            "whiteboard_operator_leader 1",
            "whiteboard_operator_whiteboards{phase=\"Running\"} 2",
            "whiteboard_operator_reconcile_duration_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
    }
}
