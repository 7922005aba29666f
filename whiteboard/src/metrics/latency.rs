//! How long things take, counted without a lock: many connections observe at the same time.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets: 2^n quarters of a millisecond, 0.25 ms to 8.192 s; one more holds the rest.
const BOUNDS: usize = 16;
const FIRST: Duration = Duration::from_micros(250);

#[derive(Debug, Default)]
struct Inner {
    buckets: [AtomicU64; BOUNDS + 1],
    nanoseconds: AtomicU64,
}

/// A histogram of durations; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Latency(Arc<Inner>);

fn bound(bucket: usize) -> Duration {
    FIRST * (1 << bucket)
}

impl Latency {
    /// Counts something that took so long.
    pub fn observe(&self, took: Duration) {
        let bucket = (0..BOUNDS).find(|bucket| took <= bound(*bucket)).unwrap_or(BOUNDS);
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.0.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn counts(&self) -> [u64; BOUNDS + 1] {
        std::array::from_fn(|bucket| self.0.buckets[bucket].load(Ordering::Relaxed))
    }

    /// The bound that so many percent stayed within, in milliseconds; none if nothing was counted or it took longer
    /// than the largest bound.
    pub fn percentile_ms(&self, percent: u64) -> Option<f64> {
        let counts = self.counts();
        let all: u64 = counts.iter().sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        (bucket < BOUNDS).then(|| bound(bucket).as_secs_f64() * 1000.0)
    }
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = self.counts();
        let bounds = (0..BOUNDS).map(|bucket| bound(bucket).as_secs_f64()).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let sum = Duration::from_nanos(self.0.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::{Registry, Unit};

    #[test]
    fn percentiles_are_bounds_of_buckets() {
        let latency = Latency::default();
        assert_eq!(latency.percentile_ms(50), None);
        for ms in 1..=100 {
            latency.observe(Duration::from_millis(ms));
        }
        for (percent, expected) in [(0, 1.0), (1, 1.0), (2, 2.0), (50, 64.0), (64, 64.0), (65, 128.0), (100, 128.0)] {
            assert_eq!(latency.percentile_ms(percent), Some(expected), "{percent} %");
        }
        latency.observe(Duration::from_mins(1));
        assert_eq!((latency.percentile_ms(99), latency.percentile_ms(100)), (Some(128.0), None));
    }

    #[test]
    fn the_text_is_that_of_a_histogram() {
        let latency = Latency::default();
        let mut registry = Registry::default();
        registry.register_with_unit("delivery", "Time", Unit::Seconds, latency.clone());
        latency.observe(Duration::from_micros(250));
        latency.observe(Duration::from_micros(251));
        latency.observe(Duration::from_secs(9));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "# TYPE delivery_seconds histogram",
            "# UNIT delivery_seconds seconds",
            "delivery_seconds_sum 9.000501",
            "delivery_seconds_count 3",
            r#"delivery_seconds_bucket{le="0.00025"} 1"#,
            r#"delivery_seconds_bucket{le="0.0005"} 2"#,
            r#"delivery_seconds_bucket{le="8.192"} 2"#,
            r#"delivery_seconds_bucket{le="+Inf"} 3"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
