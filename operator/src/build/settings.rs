use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::owned;
use crate::validate::{Certificate, Site};
use crate::{hex, names};

/// Where the server's container finds the generated token.
pub const KEYS_PATH: &str = "/keys";
/// Where the server's container keeps the drawings.
pub const DATA_PATH: &str = "/data";

/// The private networks that clusters use for pods, services and load balancers: only these reach a site's pod (see the
/// network policy), and an ingress controller among them says whom it speaks for.
const PROXIES: &str = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,100.64.0.0/10,fc00::/7,fe80::/10";

/// The server's settings, as the environment that it reads.
pub fn config_map(site: &Site) -> ConfigMap {
    let settings = &site.spec.settings;
    let environment = [
        ("DATA_DIR", DATA_PATH.to_owned()),
        ("PORT", names::HTTP_PORT.to_string()),
        ("ADMIN_PORT", names::ADMIN_PORT.to_string()),
        ("ADMIN_TOKEN_FILE", format!("{KEYS_PATH}/{}", names::ADMIN_TOKEN)),
        ("CORS_ORIGINS", settings.cors_origins.join(",")),
        ("SESSION_TIMEOUT", site.session_timeout.as_secs().to_string()),
        ("LOG_LEVEL", settings.log_level.as_str().to_owned()),
        ("LOG_FORMAT", "json".to_owned()),
        ("TRUSTED_PROXIES", PROXIES.to_owned()),
        ("HTTPS_REDIRECT", (site.tls != Certificate::None).to_string()),
    ];
    ConfigMap {
        metadata: owned(site, &site.name),
        data: Some(environment.map(|(name, value)| (name.to_owned(), value)).into()),
        ..ConfigMap::default()
    }
}

/// A short hash of settings: the pod template carries it, so that a change of them rolls the pod.
pub fn fingerprint(settings: &ConfigMap) -> String {
    let entries: BTreeMap<_, _> = settings.data.iter().flatten().collect();
    let text: Vec<String> = entries.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    hex::fingerprint(&text.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests_support::site;

    fn value(spec: &str, name: &str) -> String {
        config_map(&site(spec)).data.unwrap()[name].clone()
    }

    #[test]
    fn settings_become_environment() {
        for (spec, name, expected) in [
            ("{}", "CORS_ORIGINS", "*"),
            (
                r#"{"settings": {"corsOrigins": ["https://a.org", "https://b.org"]}}"#,
                "CORS_ORIGINS",
                "https://a.org,https://b.org",
            ),
            ("{}", "SESSION_TIMEOUT", "86400"),
            (r#"{"settings": {"sessionTimeout": "1h30m"}}"#, "SESSION_TIMEOUT", "5400"),
            ("{}", "LOG_LEVEL", "info"),
            (r#"{"settings": {"logLevel": "debug"}}"#, "LOG_LEVEL", "debug"),
            ("{}", "HTTPS_REDIRECT", "true"),
            (r#"{"tls": {"disabled": true}}"#, "HTTPS_REDIRECT", "false"),
            ("{}", "TRUSTED_PROXIES", PROXIES),
            ("{}", "ADMIN_TOKEN_FILE", "/keys/admin-token"),
        ] {
            assert_eq!(value(spec, name), expected, "{spec}");
        }
    }

    #[test]
    fn the_fingerprint_follows_the_settings_alone() {
        let of = |spec: &str| fingerprint(&config_map(&site(spec)));
        assert_eq!(of("{}"), of(r#"{"podLabels": {"team": "physics"}}"#));
        assert_ne!(of("{}"), of(r#"{"settings": {"logLevel": "debug"}}"#));
    }
}
