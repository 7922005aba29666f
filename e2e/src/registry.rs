//! Whether public image registries can be reached from here.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use crate::process;

/// Whether this registry answers as registries do. Asked once a run and registry; no answer within 3 s is a no.
pub fn answers(registry: &str) -> bool {
    static KNOWN: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());
    let Ok(mut known) = KNOWN.lock() else { return false };
    if let Some(answer) = known.get(registry) {
        return *answer;
    }
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--output", "/dev/null", "--max-time", "3", "--write-out", "%{http_code}"]);
    curl.arg(format!("https://{}/v2/", host(registry)));
    let status = process::read(&curl, Duration::from_secs(6)).unwrap_or_default();
    let answer = is_registry(&status);
    known.insert(registry.to_owned(), answer);
    answer
}

/// The registry of a full image name.
pub fn of(image: &str) -> &str {
    image.split('/').next().unwrap_or(image)
}

/// `docker.io` is a name in images only; its registry is elsewhere.
fn host(registry: &str) -> &str {
    if registry == "docker.io" { "registry-1.docker.io" } else { registry }
}

/// Registries answer `/v2/` with 200, or with 401 where they want a token first.
fn is_registry(status: &str) -> bool {
    matches!(status.trim(), "200" | "401")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_the_first_part_of_a_full_name() {
        assert_eq!(of("quay.io/jetstack/cert-manager-webhook:v1.21.1"), "quay.io");
        assert_eq!(of("docker.io/library/traefik:v3.7.9"), "docker.io");
        assert_eq!(host(of("docker.io/library/traefik:v3.7.9")), "registry-1.docker.io");
        assert_eq!(host("ghcr.io"), "ghcr.io");
    }

    #[test]
    fn only_what_answers_like_a_registry_is_one() {
        for (status, expected) in
            [("200", true), ("401\n", true), ("403", false), ("404", false), ("000", false), ("", false)]
        {
            assert_eq!(is_registry(status), expected, "{status}");
        }
    }

    #[test]
    fn a_name_that_does_not_exist_does_not_answer() {
        assert!(!answers("registry.invalid"));
    }
}
