//! The resource's own rules, on real API servers: the newest release and the oldest that the chart claims.

use std::time::Duration;

use e2e::apiserver::{ApiServer, Release};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// The committed definition, as people apply it.
const DEFINITION: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/whiteboard-crds/templates/whiteboards.yaml"));

/// Makes the kind known and waits until the API server serves it.
pub async fn define(server: &ApiServer) {
    let definition: CustomResourceDefinition = yaml_serde::from_str(DEFINITION).unwrap();
    Api::<CustomResourceDefinition>::all(server.client()).create(&PostParams::default(), &definition).await.unwrap();
    for _ in 0..100 {
        if whiteboards(server).list(&kube::api::ListParams::default()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the API server does not serve whiteboards after 10 s");
}

pub fn whiteboards(server: &ApiServer) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("tutorspace.app", "v1alpha1", "Whiteboard");
    Api::namespaced_with(server.client(), "default", &ApiResource::from_gvk_with_plural(&kind, "whiteboards"))
}

/// The smallest resource with `over` laid over its specification; `null` takes a field away.
pub fn whiteboard(name: &str, over: &Value) -> DynamicObject {
    let mut spec = json!({"host": format!("{name}.test"), "tls": {"issuer": {"name": "letsencrypt"}}});
    for (key, value) in over.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    serde_json::from_value(json!({
        "apiVersion": "tutorspace.app/v1alpha1", "kind": "Whiteboard", "metadata": {"name": name}, "spec": spec,
    }))
    .unwrap()
}

async fn both() -> [ApiServer; 2] {
    let servers = [ApiServer::start(Release::Newest).await.unwrap(), ApiServer::start(Release::Oldest).await.unwrap()];
    for server in &servers {
        define(server).await;
    }
    servers
}

fn message(result: Result<DynamicObject, kube::Error>) -> Option<String> {
    match result {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(status.message.clone()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_is_taken_and_what_is_refused_with_which_sentence() {
    let long_host = format!("{}.test", "a".repeat(64));
    let digest = format!("ghcr.io/x/server@sha256:{}", "0".repeat(64));
    let hosts: Vec<String> = (0..21).map(|number| format!("h{number}.test")).collect();
    let rows: Vec<(Value, Option<&str>)> = vec![
        (json!({}), None),
        (json!({"host": null}), Some("spec.host: Required value")),
        (json!({"host": "Physics.test"}), Some("must be a DNS name in lower case")),
        (json!({"host": "https://physics.test"}), Some("must be a DNS name in lower case")),
        (json!({"host": "physics.test:8443"}), Some("must be a DNS name in lower case")),
        (json!({"host": "physics.test/board"}), Some("must be a DNS name in lower case")),
        (json!({"host": "physics"}), Some("at least one dot")),
        (json!({"host": "*.physics.test"}), Some("wildcard")),
        (json!({"host": "10.0.0.1"}), Some("IP address")),
        (json!({"host": "a_b.test"}), Some("underscore")),
        (json!({"host": long_host}), Some("must be a DNS name")),
        (json!({"host": "xn--bcher-kva.test"}), None),
        (json!({"additionalHosts": ["a.test", "b.test"]}), None),
        (json!({"additionalHosts": ["a.test", "a.test"]}), Some("Duplicate value")),
        (json!({"additionalHosts": ["x.test"], "host": "x.test"}), Some("additionalHosts must not repeat host")),
        (json!({"additionalHosts": ["A.test"]}), Some("must be a DNS name in lower case")),
        (json!({"additionalHosts": hosts}), Some("must have at most 20 items")),
        (json!({"image": "ghcr.io/x/server:0.1.0"}), None),
        (json!({"image": "localhost:5000/server:dev"}), None),
        (json!({"image": digest}), None),
        (json!({"image": "ghcr.io/x/server"}), Some("with a tag or a digest")),
        (json!({"image": "ghcr.io/x/server:0.1 0"}), Some("with a tag or a digest")),
        (json!({"imagePullPolicy": "Sometimes"}), Some("supported values")),
        (json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}), Some("Duplicate value")),
        (json!({"tls": null}), Some("spec.tls: Required value")),
        (json!({"tls": {}}), Some("exactly one of tls.issuer")),
        (json!({"tls": {"issuer": {"name": "a"}, "secretName": "b"}}), Some("exactly one of tls.issuer")),
        (json!({"tls": {"issuer": {"name": "a"}, "disabled": true}}), Some("exactly one of tls.issuer")),
        (json!({"tls": {"issuer": {"name": "a", "kind": "Cluster"}}}), Some("supported values")),
        (json!({"tls": {"secretName": "mine"}}), None),
        (json!({"tls": {"disabled": true}}), None),
        (
            json!({"ingress": {"annotations": {"cert-manager.io/issuer": "x"}}}),
            Some("the certificate follows from spec.tls"),
        ),
        (json!({"ingress": {"className": "traefik", "annotations": {"a.b/c": "d"}}}), None),
        (json!({"storage": {"size": "1 GB"}}), Some("must be a size such as 1Gi")),
        (json!({"storage": {"size": "0"}}), Some("must be a size such as 1Gi")),
        (json!({"storage": {"size": "-1Gi"}}), Some("must be a size such as 1Gi")),
        (json!({"storage": {"whenDeleted": "Keep"}}), Some("supported values")),
        (json!({"resources": {"limits": {"cpu": 2, "memory": "1Gi"}}}), None),
        (json!({"resources": {"limits": {"cpu": "lots"}}}), Some("must be an amount such as")),
        (json!({"resources": {"limits": {"memory": "16Mi"}}}), Some("requests.memory is above limits.memory")),
        (json!({"resources": {"limits": {"memory": "16Mi"}, "requests": {"memory": "16Mi"}}}), None),
        (json!({"settings": {"corsOrigins": ["*"]}}), None),
        (json!({"settings": {"corsOrigins": ["https://a.test", "http://localhost:3000"]}}), None),
        (json!({"settings": {"corsOrigins": ["a.test"]}}), Some("an origin in lower case")),
        (json!({"settings": {"corsOrigins": ["https://a.test/"]}}), Some("without a path")),
        (json!({"settings": {"sessionTimeout": "1h30m"}}), None),
        (json!({"settings": {"sessionTimeout": "30s"}}), Some("between 1m and 8760h")),
        (json!({"settings": {"sessionTimeout": "1day"}}), Some("between 1m and 8760h")),
        (json!({"settings": {"sessionTimeout": "9000h"}}), Some("between 1m and 8760h")),
        (json!({"settings": {"logLevel": "loud"}}), Some("supported values")),
        (json!({"backup": {"schedule": "17 3 * *"}}), Some("cron schedule of five fields")),
        (json!({"backup": {"schedule": "TZ=UTC 17 3 * * *"}}), Some("cron schedule of five fields")),
        (json!({"backup": {"schedule": "@daily"}}), None),
        (json!({"backup": {"timeZone": "Europe/Rome"}}), None),
        (json!({"backup": {"timeZone": "Local"}}), Some("IANA name")),
        (json!({"backup": {"retention": {"daily": 0}}}), Some("greater than or equal to 1")),
        (json!({"backup": {"destination": {"volume": {"size": "much"}}}}), Some("must be a size such as 5Gi")),
        (json!({"podLabels": {"app.kubernetes.io/name": "x"}}), Some("the operator's own")),
        (json!({"podAnnotations": {"tutorspace.app/x": "x"}}), Some("the operator's own")),
        (json!({"tolerations": [{"key": "arch", "operator": "Exists"}], "nodeSelector": {"a": "b"}}), None),
        (json!({"networkPolicy": {"ingressFrom": [{"podSelector": {"matchLabels": {"app": "x"}}}]}}), None),
    ];
    let try_only = PostParams { dry_run: true, ..PostParams::default() };
    for server in both().await {
        for (over, refusal) in &rows {
            let told = message(whiteboards(&server).create(&try_only, &whiteboard("physics", over)).await);
            match (refusal, &told) {
                (None, None) => {}
                (Some(sentence), Some(told)) => assert!(told.contains(sentence), "{over}: {told}"),
                _ => panic!("{over}: {told:?}"),
            }
        }
    }
}

#[tokio::test]
async fn names_become_names_of_services_and_cron_jobs() {
    let (longest, too_long) = ("a".repeat(45), "a".repeat(46));
    let try_only = PostParams { dry_run: true, ..PostParams::default() };
    for server in both().await {
        for (name, taken) in [("physics", true), (&longest, true), (&too_long, false), ("1a", false), ("a.b", false)] {
            let told =
                message(whiteboards(&server).create(&try_only, &whiteboard(name, &json!({"host": "x.test"}))).await);
            assert_eq!(told.is_none(), taken, "{name}: {told:?}");
            assert!(told.is_none_or(|told| told.contains("at most 45 characters")), "{name}");
        }
    }
}

#[tokio::test]
async fn volumes_may_grow_and_never_shrink() {
    for server in both().await {
        let api = whiteboards(&server);
        let over = json!({"storage": {"size": "2Gi"}, "backup": {"destination": {"volume": {"size": "8Gi"}}}});
        api.create(&PostParams::default(), &whiteboard("physics", &over)).await.unwrap();
        for (spec, taken) in [
            (json!({"storage": {"size": "1Gi"}}), false),
            (json!({"storage": {"size": "2048Mi"}}), true),
            (json!({"storage": {"size": "3Gi"}}), true),
            (json!({"backup": {"destination": {"volume": {"size": "5Gi"}}}}), false),
            (json!({"backup": {"destination": {"volume": {"size": "9Gi"}}}}), true),
        ] {
            let told =
                message(api.patch("physics", &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await);
            assert_eq!(told.is_none(), taken, "{spec}: {told:?}");
            assert!(told.is_none_or(|told| told.contains("cannot shrink")), "{spec}");
        }
    }
}

#[tokio::test]
async fn a_size_that_the_volume_never_got_may_be_taken_back() {
    for server in both().await {
        let api = whiteboards(&server);
        api.create(&PostParams::default(), &whiteboard("physics", &json!({"storage": {"size": "1Gi"}}))).await.unwrap();
        let patch = |value| {
            let api = api.clone();
            async move { message(api.patch("physics", &PatchParams::default(), &Patch::Merge(value)).await) }
        };
        let status = |size: &str| Patch::Merge(json!({"status": {"volumes": {"data": size}}}));
        api.patch_status("physics", &PatchParams::default(), &status("1Gi")).await.unwrap();
        assert_eq!(patch(json!({"spec": {"storage": {"size": "4Gi"}}})).await, None);
        assert_eq!(patch(json!({"spec": {"storage": {"size": "2Gi"}}})).await, None);
        assert!(patch(json!({"spec": {"storage": {"size": "512Mi"}}})).await.is_some());
        // A volume that was grown by hand stops neither the status from saying so nor other changes.
        api.patch_status("physics", &PatchParams::default(), &status("8Gi")).await.unwrap();
        assert_eq!(patch(json!({"spec": {"settings": {"logLevel": "debug"}}})).await, None);
    }
}

#[tokio::test]
async fn the_smallest_resource_is_filled_with_defaults() {
    for server in both().await {
        let made =
            whiteboards(&server).create(&PostParams::default(), &whiteboard("physics", &json!({}))).await.unwrap();
        assert_eq!(
            made.data["spec"],
            json!({
                "host": "physics.test",
                "tls": {"issuer": {"name": "letsencrypt", "kind": "ClusterIssuer", "group": "cert-manager.io"}, "disabled": false},
                "ingress": {},
                "storage": {"size": "1Gi", "whenDeleted": "Retain"},
                "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
                "settings": {"corsOrigins": ["*"], "sessionTimeout": "24h", "logLevel": "info"},
                "backup": {
                    "schedule": "17 3 * * *", "suspend": false, "retention": {"daily": 7},
                    "destination": {"volume": {"size": "5Gi"}},
                },
                "networkPolicy": {"enabled": true},
            })
        );
    }
}
