//! The command line, and the environment that says the same.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;

use crate::logging::Format;

/// Turns Whiteboard resources into running whiteboards. Installed by the Helm chart whiteboard-operator; to run it by hand
/// against the cluster of your kubeconfig: `operator --server-image … --lease-namespace default`.
#[derive(Clone, Debug, Parser)]
#[command(name = "operator", version)]
pub struct Options {
    /// Image of the server for Whiteboards that name none: that of the operator's own release.
    #[arg(long, env = "SERVER_IMAGE")]
    pub server_image: String,

    /// Address of /livez, /readyz and /metrics.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// Namespace of the Lease by which several operators agree on one that works.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub lease_namespace: String,

    /// Name of the Lease.
    #[arg(long, env = "LEASE_NAME", default_value = "whiteboard-operator")]
    pub lease_name: String,

    /// Name of this process in the Lease.
    #[arg(long, env = "POD_NAME", default_value_t = default_identity())]
    pub identity: String,

    /// Seconds without a renewal after which another operator takes over.
    #[arg(long, env = "LEASE_SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(3..=300))]
    pub lease_seconds: u32,

    /// How many Whiteboards are worked on at a time.
    #[arg(long, env = "CONCURRENCY", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,

    /// A level, or a filter such as info,operator=debug.
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,

    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: Format,
}

impl Options {
    /// How long the Lease holds without a renewal.
    pub fn lease_duration(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.into())
    }
}

fn default_identity() -> String {
    format!("process-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Options::command().debug_assert();
    }
}
