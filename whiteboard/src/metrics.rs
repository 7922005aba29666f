//! What the server counts, for `/metrics` in OpenMetrics. No board's name is ever a label.

pub use crate::board::core::Closed;
use crate::store::writer::Commit;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::fmt::{self, Write};
use std::sync::atomic::AtomicU64;

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Polling,
    Websocket,
}

impl EncodeLabelValue for Transport {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Polling => "polling",
            Self::Websocket => "websocket",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransportLabel {
    transport: Transport,
}

impl EncodeLabelValue for Closed {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.label())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClosedLabel {
    reason: Closed,
}

/// All counters of the process. Cloning is not needed: share it in an `Arc`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    connections: Family<TransportLabel, Gauge>,
    closed: Family<ClosedLabel, Counter>,
    pub boards_open: Gauge,
    pub requests: Counter,
    pub refused: Counter,
    pub deliveries: Counter,
    pub bytes_sent: Counter,
    pub superseded: Counter,
    pub volatile_dropped: Counter,
    operations: Counter,
    commit_seconds: Histogram,
    commit_failures: Counter,
    database_bytes: Gauge,
    boards_stored: Gauge,
    disk_free_bytes: Gauge,
    disk_bytes: Gauge,
    memory_bytes: Gauge<f64, AtomicU64>,
}

/// Values that are looked up when somebody asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampled {
    pub database_bytes: u64,
    pub boards_stored: u64,
    pub disk_free_bytes: u64,
    pub disk_bytes: u64,
}

/// A summary for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub connections: i64,
    pub boards: i64,
    pub operations: u64,
    pub deliveries: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("whiteboard");
        let metrics = Self {
            connections: Family::default(),
            closed: Family::default(),
            boards_open: Gauge::default(),
            requests: Counter::default(),
            refused: Counter::default(),
            deliveries: Counter::default(),
            bytes_sent: Counter::default(),
            superseded: Counter::default(),
            volatile_dropped: Counter::default(),
            operations: Counter::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            commit_failures: Counter::default(),
            database_bytes: Gauge::default(),
            boards_stored: Gauge::default(),
            disk_free_bytes: Gauge::default(),
            disk_bytes: Gauge::default(),
            memory_bytes: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("connections", "Clients connected now", metrics.connections.clone());
        registry.register("connections_closed", "Connections closed by the server", metrics.closed.clone());
        registry.register("boards_open", "Boards in memory", metrics.boards_open.clone());
        registry.register("requests", "Requests of clients", metrics.requests.clone());
        registry.register("requests_refused", "Requests answered by an error", metrics.refused.clone());
        registry.register("deliveries", "Messages queued for clients", metrics.deliveries.clone());
        registry.register_with_unit("sent", "Payload sent to clients", Unit::Bytes, metrics.bytes_sent.clone());
        registry.register("superseded", "Whole boards left out for slow readers", metrics.superseded.clone());
        let dropped = metrics.volatile_dropped.clone();
        registry.register("volatile_dropped", "Volatile messages left out for slow readers", dropped);
        registry.register("operations", "Operations written to disk", metrics.operations.clone());
        let commit = metrics.commit_seconds.clone();
        registry.register_with_unit("commit", "Time from begin to durable commit", Unit::Seconds, commit);
        registry.register("commit_failures", "Commits that failed", metrics.commit_failures.clone());
        let database = metrics.database_bytes.clone();
        registry.register_with_unit("database", "Size of the database with its log", Unit::Bytes, database);
        registry.register("boards_stored", "Boards on disk", metrics.boards_stored.clone());
        let free = metrics.disk_free_bytes.clone();
        registry.register_with_unit("disk_free", "Free space where the data lies", Unit::Bytes, free);
        let size = metrics.disk_bytes.clone();
        registry.register_with_unit("disk_size", "Size of the disk where the data lies", Unit::Bytes, size);
        let memory = metrics.memory_bytes.clone();
        registry.register_with_unit("memory_resident", "Resident memory of the server", Unit::Bytes, memory);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    pub fn connected(&self, transport: Transport) {
        self.connections.get_or_create(&TransportLabel { transport }).inc();
    }

    pub fn disconnected(&self, transport: Transport) {
        self.connections.get_or_create(&TransportLabel { transport }).dec();
    }

    /// Clients connected now, over all transports.
    pub fn connections(&self) -> i64 {
        [Transport::Polling, Transport::Websocket]
            .map(|transport| self.connections.get_or_create(&TransportLabel { transport }).get())
            .iter()
            .sum()
    }

    /// What the log tells from time to time.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            connections: self.connections(),
            boards: self.boards_open.get(),
            operations: self.operations.get(),
            deliveries: self.deliveries.get(),
        }
    }

    pub fn closed(&self, reason: Closed) {
        self.closed.get_or_create(&ClosedLabel { reason }).inc();
    }

    pub fn committed(&self, commit: Commit) {
        if commit.failed {
            self.commit_failures.inc();
        } else {
            self.operations.inc_by(commit.rows as u64);
            self.commit_seconds.observe(commit.took.as_secs_f64());
        }
    }

    /// The text for a scraper.
    pub fn render(&self, sampled: Sampled) -> Result<String, fmt::Error> {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.database_bytes.set(signed(sampled.database_bytes));
        self.boards_stored.set(signed(sampled.boards_stored));
        self.disk_free_bytes.set(signed(sampled.disk_free_bytes));
        self.disk_bytes.set(signed(sampled.disk_bytes));
        #[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^52 bytes")]
        self.memory_bytes.set(resident_bytes() as f64);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Resident memory of this process; 0 where the kernel does not tell.
pub fn resident_bytes() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/statm") else { return 0 };
    let pages: u64 = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_text_holds_what_was_counted() {
        let metrics = Metrics::default();
        metrics.connected(Transport::Websocket);
        metrics.connected(Transport::Websocket);
        metrics.connected(Transport::Polling);
        metrics.disconnected(Transport::Websocket);
        metrics.closed(Closed::SlowReader);
        metrics.committed(Commit { rows: 7, bytes: 9, took: Duration::from_millis(3), failed: false });
        metrics.committed(Commit { rows: 1, bytes: 9, took: Duration::from_millis(3), failed: true });
        let sampled = Sampled { database_bytes: 4096, boards_stored: 2, disk_free_bytes: 5, disk_bytes: 6 };
        let text = metrics.render(sampled).unwrap();
        for line in [
            r#"whiteboard_connections{transport="websocket"} 1"#,
            r#"whiteboard_connections_closed_total{reason="slow_reader"} 1"#,
            "whiteboard_operations_total 7",
            "whiteboard_commit_failures_total 1",
            "whiteboard_commit_seconds_count 1",
            "whiteboard_database_bytes 4096",
            "whiteboard_boards_stored 2",
            "whiteboard_disk_free_bytes 5",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        let statistics = Statistics { connections: 2, boards: 0, operations: 7, deliveries: 0 };
        assert_eq!(metrics.statistics(), statistics);
        assert!(resident_bytes() > 1_000_000);
    }
}
