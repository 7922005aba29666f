//! What the server looks at from time to time: the disk, its own numbers, the month's total.

use crate::limits::space::{Level, Space};
use crate::metrics::{Metrics, MonthTotal, resident_bytes, threads};
use crate::store::{Store, StoreError, clock, disk, reserve};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks at the disk: what drawing can write meanwhile is little beside what is kept free.
const DISK: Duration = Duration::from_secs(2);

/// Between two lines of statistics in the log, and two notes of the month's total.
const STATISTICS: Duration = Duration::from_mins(1);

/// Under which the month's total is kept in the database.
const MONTH: &str = "sent_month";

/// Looks at the disk once; tells when what is allowed has changed.
pub fn look_at_disk(space: &Space, data: &std::path::Path) {
    let Ok((free, size)) = disk::space(data) else { return };
    match space.measured(free, size) {
        Some(Level::Full) => tracing::error!(free, size, "the disk is full: changes are refused, make room on it"),
        Some(Level::Low) => tracing::warn!(free, size, "the disk is almost full: new boards are refused"),
        Some(Level::Ample) => tracing::info!(free, size, "the disk has room again"),
        None => {}
    }
}

/// Looks at the disk for ever, and keeps some room on it back.
pub async fn watch_disk(space: Arc<Space>, data: PathBuf) {
    let mut ticks = interval(DISK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        look_at_disk(&space, &data);
        if !space.is_full()
            && let Err(error) = reserve::keep(&data)
        {
            tracing::debug!("no room could be kept back on the disk: {error}");
        }
    }
}

/// Goes on with the month's total of before the restart.
pub fn begin_month(metrics: &Metrics, store: &Store, limit: Option<u64>) -> Result<(), StoreError> {
    let text = store.reader.meta_value(MONTH)?;
    metrics.begin_month(MonthTotal::restored(text.as_deref(), clock::now()), limit);
    Ok(())
}

/// Keeps the month's total.
pub async fn keep_month(metrics: &Metrics, store: &Store) {
    let text = metrics.month(clock::now()).text();
    if let Err(error) = store.writer.set_meta_value(MONTH, text).await {
        tracing::warn!("the bytes sent this month could not be noted: {error}");
    }
}

/// Writes a line of statistics each minute, and keeps the month's total if anything was sent.
pub async fn tell_statistics(metrics: Arc<Metrics>, store: Store) {
    let mut sent = metrics.bytes_sent.get();
    loop {
        tokio::time::sleep(STATISTICS).await;
        let now = metrics.statistics();
        tracing::info!(
            connections = now.connections,
            rooms = now.boards,
            operations = now.operations,
            deliveries = now.deliveries,
            memory_bytes = resident_bytes(),
            threads = threads(),
            "[STATS]"
        );
        if metrics.bytes_sent.get() != sent {
            sent = metrics.bytes_sent.get();
            keep_month(&metrics, &store).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_months_total_survives_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Store::open(directory.path(), |sentence| panic!("{sentence}"), |_| ()).unwrap();
        let (store, metrics) = (open(), Metrics::default());
        begin_month(&metrics, &store, None).unwrap();
        metrics.bytes_sent.inc_by(1234);
        keep_month(&metrics, &store).await;
        store.writer.close().await;
        let (store, metrics) = (open(), Metrics::default());
        begin_month(&metrics, &store, Some(5000)).unwrap();
        metrics.bytes_sent.inc_by(1);
        // The test would have to run at the very end of a month to see another one.
        assert_eq!((metrics.month(clock::now()).bytes(), metrics.month_limit()), (1235, Some(5000)));
    }
}
