//! What is checked about the charts without a cluster: they lint, they render, and what they render is careful.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use crate::cache::Cache;
use crate::{components, process};

const QUESTION: Duration = Duration::from_mins(1);
/// `kubectl apply` keeps a copy of an object in an annotation of at most 256 KiB: a definition must stay below.
const MOST_OF_A_DEFINITION: usize = 200_000;

/// Checks both charts as they are installed by default and with a few values that people set.
pub fn check(cache: &Cache) -> anyhow::Result<()> {
    let helm = components::HELM.ensure(cache)?;
    let folder = crate::repository().join("charts");
    for chart in ["whiteboard-crds", "whiteboard-operator"] {
        let chart = folder.join(chart);
        helm_with(&helm, &["lint", "--strict"], &chart, &[]).context("helm lint has a complaint")?;
        for values in [&[][..], &["replicas=2", "image.tag=other", "serverImage.tag=other", "logFormat=text"]] {
            // Only the operator's chart has these values; a definition has nothing to set.
            let values = if chart.ends_with("whiteboard-crds") { &[][..] } else { values };
            let rendered =
                helm_with(&helm, &["template", "whiteboard", "--namespace", "whiteboard-system"], &chart, values)?;
            let faults = faults(&objects(&rendered)?);
            anyhow::ensure!(
                faults.is_empty(),
                "{} rendered with {values:?} is not as careful as it has to be:\n{}",
                chart.display(),
                faults.join("\n")
            );
        }
    }
    let refused = helm_with(&helm, &["template"], &folder.join("whiteboard-operator"), &["replicas=many"]);
    anyhow::ensure!(refused.is_err(), "The schema of the chart's values lets `replicas=many` through.");
    Ok(())
}

fn helm_with(helm: &Path, arguments: &[&str], chart: &Path, values: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(helm);
    command.args(arguments).arg(chart).args(values.iter().flat_map(|value| ["--set", value]));
    Ok(process::read(&command, QUESTION)?)
}

/// The objects of a stream of YAML documents.
fn objects(yaml: &str) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    for document in yaml_serde::Deserializer::from_str(yaml) {
        let value = <Value as serde::Deserialize>::deserialize(document).context("helm rendered what is no YAML")?;
        if !value.is_null() {
            found.push(value);
        }
    }
    anyhow::ensure!(!found.is_empty(), "helm rendered nothing.");
    Ok(found)
}

/// What is wrong with rendered objects, a sentence each.
fn faults(objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for object in objects {
        let name = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
        let mut say = |fault: &str| found.push(format!("{name}: {fault}"));
        match text(&object["kind"]) {
            "CustomResourceDefinition" => {
                if text(&object["metadata"]["annotations"]["helm.sh/resource-policy"]) != "keep" {
                    say("`helm uninstall` would delete it, and with it every whiteboard of the cluster.");
                }
                if object.to_string().len() > MOST_OF_A_DEFINITION {
                    say("it is too large for `kubectl apply`.");
                }
            }
            "ClusterRole" | "Role" => {
                let rules = items(&object["rules"]);
                if rules.iter().any(|rule| {
                    ["verbs", "resources", "apiGroups"]
                        .iter()
                        .any(|part| items(&rule[*part]).contains(&Value::from("*")))
                }) {
                    say("a rule allows `*`.");
                }
            }
            _ => {}
        }
        let pod = &object["spec"]["template"]["spec"];
        if pod.is_object() {
            for fault in pod_faults(pod) {
                say(&fault);
            }
        }
    }
    found
}

/// What Pod Security `restricted` would refuse, and a root file system that can be written.
fn pod_faults(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for shared in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod[shared] == true {
            found.push(format!("its pod has {shared}."));
        }
    }
    if items(&pod["volumes"]).iter().any(|volume| volume.get("hostPath").is_some()) {
        found.push("its pod mounts a folder of the node.".to_owned());
    }
    let containers = [items(&pod["containers"]), items(&pod["initContainers"])].concat();
    for container in &containers {
        let name = text(&container["name"]);
        let own = &container["securityContext"];
        let either = |pointer: &str| own.pointer(pointer).or_else(|| pod["securityContext"].pointer(pointer)).cloned();
        let checks = [
            (either("/runAsNonRoot") == Some(true.into()), "may run as root"),
            (either("/seccompProfile/type") == Some("RuntimeDefault".into()), "has no seccomp profile"),
            (own["allowPrivilegeEscalation"] == false, "may gain privileges"),
            (own["capabilities"]["drop"] == serde_json::json!(["ALL"]), "keeps capabilities"),
            (own["capabilities"].get("add").is_none(), "adds capabilities"),
            (own["privileged"] != true, "is privileged"),
            (own["readOnlyRootFilesystem"] == true, "can write its root file system"),
            (!items(&container["ports"]).iter().any(|port| port.get("hostPort").is_some()), "takes a port of the node"),
            (container["resources"]["limits"].get("memory").is_some(), "has no limit of memory"),
        ];
        found.extend(checks.iter().filter(|(good, _)| !good).map(|(_, fault)| format!("container {name} {fault}.")));
    }
    found
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn careful() -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "o"}, "spec": {"template": {"spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "operator",
                "ports": [{"containerPort": 8080}],
                "resources": {"limits": {"memory": "128Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true,
                },
            }],
        }}}})
    }

    #[test]
    fn a_careful_deployment_has_no_fault() {
        assert_eq!(faults(&[careful()]), Vec::<String>::new());
    }

    #[test]
    fn each_carelessness_is_found() {
        let container = "/spec/template/spec/containers/0";
        for (pointer, value, word) in [
            ("/spec/template/spec/securityContext/runAsNonRoot".to_owned(), json!(false), "root"),
            ("/spec/template/spec/securityContext/seccompProfile".to_owned(), json!({}), "seccomp"),
            (format!("{container}/securityContext/allowPrivilegeEscalation"), json!(true), "gain"),
            (format!("{container}/securityContext/capabilities"), json!({}), "keeps"),
            (
                format!("{container}/securityContext/capabilities"),
                json!({"drop": ["ALL"], "add": ["NET_ADMIN"]}),
                "adds",
            ),
            (format!("{container}/securityContext/readOnlyRootFilesystem"), json!(false), "write"),
            (format!("{container}/ports/0"), json!({"hostPort": 80}), "port of the node"),
            (format!("{container}/resources"), json!({}), "memory"),
        ] {
            let mut object = careful();
            *object.pointer_mut(&pointer).unwrap() = value;
            let found = faults(&[object]);
            assert!(found.len() == 1 && found[0].contains(word), "{pointer}: {found:?}");
        }
        let mut object = careful();
        object["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
        object["spec"]["template"]["spec"]["volumes"] = json!([{"hostPath": {"path": "/"}}]);
        assert_eq!(faults(&[object]).len(), 2);
    }

    #[test]
    fn definitions_are_kept_and_roles_are_narrow() {
        let definition = json!({"kind": "CustomResourceDefinition", "metadata": {"name": "whiteboards"}});
        assert!(faults(&[definition])[0].contains("helm uninstall"));
        let role = json!({"kind": "ClusterRole", "metadata": {"name": "o"}, "rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}]});
        assert!(faults(&[role])[0].contains('*'));
    }

    #[test]
    fn documents_are_split_and_empty_ones_dropped() {
        assert_eq!(objects("---\nkind: A\n---\n# nothing\n---\nkind: B\n").unwrap().len(), 2);
        assert!(objects("").is_err());
        assert!(objects("a: [").is_err());
    }
}
