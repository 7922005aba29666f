//! The process: health first, then caches, then the lease, then work; and all of it backwards at SIGTERM.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt;
use futures::channel::oneshot;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, Config};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Options;
use crate::controller::{self, Context};
use crate::http::{self, Health};
use crate::leader::Candidate;
use crate::metrics::Metrics;
use crate::{logging, names, watch};

/// How long reconciles under way may take at the end.
const FAREWELL: Duration = Duration::from_secs(20);

/// Runs until it is asked to end (`Ok`) or cannot go on (`Err`).
pub async fn run(options: Options) -> anyhow::Result<()> {
    logging::start(options.log_format, &options.log_level)?;
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a second cryptography provider is linked in"))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    let mut stop = std::pin::pin!(stop);

    let config =
        Config::infer().await.context("no cluster: run this in a pod, or point KUBECONFIG at a kubeconfig file")?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), server = %config.cluster_url, "starting");
    let client = Client::try_from(config)?;

    let (health, metrics) = (Health::default(), Arc::new(Metrics::default()));
    let mut served = tokio::spawn(http::serve(options.listen, health.clone(), metrics.clone()));

    let mut watches = watch::start(&client);
    tokio::select! {
        () = watches.caches.synced() => {}
        () = &mut stop => return Ok(()),
        ended = &mut served => return ended?,
    }
    health.ready();
    tracing::info!("the caches are filled");

    let (namespace, name) = (&options.lease_namespace, &options.lease_name);
    let mut candidate = Candidate::new(&client, namespace, name, &options.identity, options.lease_duration());
    {
        let acquired = candidate.acquire();
        let mut acquired = std::pin::pin!(acquired);
        loop {
            tokio::select! {
                () = &mut acquired => break,
                () = &mut stop => return Ok(()),
                ended = &mut served => return ended?,
                // Whoever waits has no use for them: every Whiteboard is looked at once the lease is held.
                _ = watches.triggers.next() => {}
            }
        }
    }
    metrics.leads(true);

    let recorder = Recorder::new(
        client.clone(),
        Reporter { controller: names::MANAGER.into(), instance: Some(options.identity.clone()) },
    );
    let context =
        Arc::new(Context::new(client, watches.caches.clone(), metrics.clone(), recorder, options.server_image.clone()));
    let (finish, finished) = oneshot::channel::<()>();
    let work = controller::run(context, watches.triggers, options.concurrency, async move {
        let _ = finished.await;
    });
    let mut work = tokio::spawn(work);

    let ended = tokio::select! {
        () = &mut stop => Ok(()),
        lost = candidate.hold() => Err(anyhow::Error::from(lost)),
        ended = &mut served => ended?.and(Err(anyhow::anyhow!("the health server ended"))),
        _ = &mut work => Err(anyhow::anyhow!("the controller ended")),
        _ = watches.tasks.join_next() => Err(anyhow::anyhow!("a watch ended")),
    };
    if ended.is_ok() {
        tracing::info!("stopping");
        let _ = finish.send(());
        if !work.is_finished() && tokio::time::timeout(FAREWELL, &mut work).await.is_err() {
            tracing::warn!("a reconcile did not end in time; what it left undone is done at the next start");
        }
        candidate.release().await;
    }
    // After a lost lease nothing more may be written: the process ends at once.
    ended
}
