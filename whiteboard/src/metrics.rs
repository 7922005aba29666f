//! What the server counts, for `/metrics` in OpenMetrics. No board's name is ever a label.

mod latency;
mod month;

pub use crate::board::core::Closed;
pub use latency::Latency;
pub use month::MonthTotal;

use crate::store::BoardName;
use crate::store::writer::Commit;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::{self, Write};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

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
struct LineLabel {
    dialect: &'static str,
    transport: Transport,
}

/// One connection, counted for as long as this is kept.
#[derive(Debug)]
pub struct Counted {
    metrics: Arc<Metrics>,
    line: LineLabel,
}

impl Counted {
    /// Counts a connection of a dialect (such as [`crate::store::BoardName::CLASSROOM`]).
    pub fn new(metrics: &Arc<Metrics>, dialect: &'static str, transport: Transport) -> Self {
        let line = LineLabel { dialect, transport };
        metrics.connections.get_or_create(&line).inc();
        Self { metrics: metrics.clone(), line }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.metrics.connections.get_or_create(&self.line).dec();
    }
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
    connections: Family<LineLabel, Gauge>,
    closed: Family<ClosedLabel, Counter>,
    pub boards_open: Gauge,
    pub requests: Counter,
    pub refused: Counter,
    pub deliveries: Counter,
    pub bytes_sent: Counter,
    pub superseded: Counter,
    pub volatile_dropped: Counter,
    operations: Counter,
    commit_seconds: Latency,
    pub delivery_seconds: Latency,
    commit_failures: Counter,
    month_bytes: Gauge,
    month_limit_bytes: Gauge,
    database_bytes: Gauge,
    boards_stored: Gauge,
    disk_free_bytes: Gauge,
    disk_bytes: Gauge,
    memory_bytes: Gauge<f64, AtomicU64>,
    threads: Gauge,
    month: Mutex<MonthTotal>,
}

/// Values that are looked up when somebody asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampled {
    pub database_bytes: u64,
    pub boards_stored: u64,
    pub disk_free_bytes: u64,
    pub disk_bytes: u64,
    pub unix_ms: i64,
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
            commit_seconds: Latency::default(),
            delivery_seconds: Latency::default(),
            commit_failures: Counter::default(),
            month_bytes: Gauge::default(),
            month_limit_bytes: Gauge::default(),
            database_bytes: Gauge::default(),
            boards_stored: Gauge::default(),
            disk_free_bytes: Gauge::default(),
            disk_bytes: Gauge::default(),
            memory_bytes: Gauge::default(),
            threads: Gauge::default(),
            month: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register("connections", "Clients connected now", metrics.connections.clone());
        registry.register("connections_closed", "Connections closed by the server", metrics.closed.clone());
        registry.register("boards_open", "Boards in memory", metrics.boards_open.clone());
        registry.register("requests", "Requests of clients", metrics.requests.clone());
        registry.register("requests_refused", "Requests answered by an error", metrics.refused.clone());
        registry.register("deliveries", "Messages for clients, queued or written at once", metrics.deliveries.clone());
        registry.register_with_unit(
            "sent",
            "Payload sent to clients, bodies of HTTP answers too",
            Unit::Bytes,
            metrics.bytes_sent.clone(),
        );
        registry.register("superseded", "Whole boards left out for slow readers", metrics.superseded.clone());
        let dropped = metrics.volatile_dropped.clone();
        registry.register("volatile_dropped", "Volatile messages left out for slow readers", dropped);
        registry.register("operations", "Operations written to disk", metrics.operations.clone());
        let commit = metrics.commit_seconds.clone();
        registry.register_with_unit("commit", "Time from begin to durable commit", Unit::Seconds, commit);
        let delivery = metrics.delivery_seconds.clone();
        let help = "Time from a board deciding what happens to its clients having it queued, the disk in between where it must be";
        registry.register_with_unit("delivery", help, Unit::Seconds, delivery);
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
        registry.register("threads", "Threads of the server", metrics.threads.clone());
        let month = metrics.month_bytes.clone();
        registry.register_with_unit("sent_month", "Payload sent in this calendar month (UTC)", Unit::Bytes, month);
        let limit = metrics.month_limit_bytes.clone();
        let help = "What may be sent in a month (EGRESS_LIMIT_BYTES); 0 is no limit";
        registry.register_with_unit("sent_month_limit", help, Unit::Bytes, limit);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// Clients connected now, by dialect and in order of its name.
    pub fn connections_by_dialect(&self) -> Vec<(&'static str, i64)> {
        BoardName::DIALECTS
            .into_iter()
            .map(|dialect| {
                let of = |transport| self.connections.get_or_create(&LineLabel { dialect, transport }).get();
                (dialect, of(Transport::Polling) + of(Transport::Websocket))
            })
            .collect()
    }

    /// Clients connected now.
    pub fn connections(&self) -> i64 {
        self.connections_by_dialect().iter().map(|(_, count)| count).sum()
    }

    /// Connections closed by the server, for those reasons that occurred.
    pub fn closed_by_reason(&self) -> Vec<(&'static str, u64)> {
        let count = |reason: Closed| self.closed.get_or_create(&ClosedLabel { reason }).get();
        Closed::ALL.into_iter().map(|reason| (reason.label(), count(reason))).filter(|(_, count)| *count > 0).collect()
    }

    /// Commits and deliveries: how long they take.
    pub fn latencies(&self) -> [(&'static str, &Latency); 2] {
        [("commit", &self.commit_seconds), ("delivery", &self.delivery_seconds)]
    }

    /// Goes on from the month's total of before the restart. `limit`: what may be sent in a month.
    pub fn begin_month(&self, total: MonthTotal, limit: Option<u64>) {
        *self.month.lock().unwrap_or_else(PoisonError::into_inner) = total;
        self.month_limit_bytes.set(signed(limit.unwrap_or(0)));
    }

    /// The month's total, brought up to date.
    pub fn month(&self, unix_ms: i64) -> MonthTotal {
        let mut month = self.month.lock().unwrap_or_else(PoisonError::into_inner);
        month.update(self.bytes_sent.get(), unix_ms);
        month.clone()
    }

    /// What may be sent in a month, if there is a limit.
    pub fn month_limit(&self) -> Option<u64> {
        u64::try_from(self.month_limit_bytes.get()).ok().filter(|limit| *limit > 0)
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
            self.commit_seconds.observe(commit.took);
        }
    }

    /// The text for a scraper.
    pub fn render(&self, sampled: Sampled) -> Result<String, fmt::Error> {
        self.threads.set(signed(threads()));
        self.month_bytes.set(signed(self.month(sampled.unix_ms).bytes()));
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

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Threads of this process; 0 where the kernel does not tell.
pub fn threads() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok()).unwrap_or(0)
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
        let metrics = Arc::new(Metrics::default());
        let line = |dialect, transport| Counted::new(&metrics, dialect, transport);
        let held = [
            line(BoardName::CLASSROOM, Transport::Websocket),
            line(BoardName::CLASSROOM, Transport::Polling),
            line(BoardName::BOARD, Transport::Websocket),
        ];
        drop(line(BoardName::CLASSROOM, Transport::Websocket));
        metrics.bytes_sent.inc_by(7);
        metrics.begin_month(MonthTotal::restored(Some("2026-11 5"), 1_795_000_000_000), Some(99));
        metrics.closed(Closed::SlowReader);
        metrics.committed(Commit { rows: 7, bytes: 9, took: Duration::from_millis(3), failed: false });
        metrics.committed(Commit { rows: 1, bytes: 9, took: Duration::from_millis(3), failed: true });
        let sampled = Sampled {
            database_bytes: 4096,
            boards_stored: 2,
            disk_free_bytes: 5,
            disk_bytes: 6,
            unix_ms: 1_795_000_000_000,
        };
        let text = metrics.render(sampled).unwrap();
        for line in [
            r#"whiteboard_connections{dialect="classroom",transport="websocket"} 1"#,
            r#"whiteboard_connections{dialect="classroom",transport="polling"} 1"#,
            r#"whiteboard_connections{dialect="board",transport="websocket"} 1"#,
            "whiteboard_sent_bytes_total 7",
            "whiteboard_sent_month_bytes 12",
            "whiteboard_sent_month_limit_bytes 99",
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
        let statistics = Statistics { connections: 3, boards: 0, operations: 7, deliveries: 0 };
        assert_eq!(metrics.statistics(), statistics);
        assert_eq!(metrics.closed_by_reason(), [("slow_reader", 1)]);
        assert_eq!(metrics.latencies()[0].1.percentile_ms(99), Some(4.0));
        drop(held);
        assert_eq!(metrics.connections(), 0);
        assert!(resident_bytes() > 1_000_000 && threads() > 0);
    }
}
