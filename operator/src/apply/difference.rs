//! Decides, pure, whether a live object differs from what it should be, and what brings it back.

use crds::Quantity;
use serde_json::{Map, Value};

use crate::{hex, names};

/// What brings a live object to what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Nothing to do.
    None,
    /// Server-side apply: a field of ours is missing, changed, or wished no longer.
    Apply,
    /// Replace: somebody else set fields that we never had, which applying ours would leave as they are.
    Replace,
}

/// The wished object with a hash of itself among its annotations: by it, a field that is no longer wished is noticed.
pub fn stamped(mut wished: Value) -> Value {
    wished["metadata"]["annotations"][names::APPLIED] = Value::String(hex::fingerprint(&wished.to_string()));
    wished
}

/// Compares a wished object, as [`stamped`] gives it, with the live one.
pub fn difference(wished: &Value, live: &Value) -> Difference {
    let (others, our_updates) = writers(live);
    // A claim's specification is completed by the cluster itself, and can hardly be edited.
    let claim = wished["kind"] == "PersistentVolumeClaim";
    if others && !claim {
        return Difference::Replace;
    }
    if covers(wished, live, false) {
        return Difference::None;
    }
    // Fields that an earlier replacement of ours wrote are not given up by a later apply.
    if our_updates && !claim { Difference::Replace } else { Difference::Apply }
}

/// Whether others hold fields of the object's substance, and whether we hold some by replacement rather than by apply.
fn writers(live: &Value) -> (bool, bool) {
    let mut others = false;
    let mut our_updates = false;
    for entry in live["metadata"]["managedFields"].as_array().into_iter().flatten() {
        if entry["subresource"].is_string() || !substance(&entry["fieldsV1"]) {
            continue;
        }
        if entry["manager"] != names::MANAGER {
            others = true;
        } else if entry["operation"] == "Update" {
            our_updates = true;
        }
    }
    (others, our_updates)
}

/// Whether a field set reaches beyond metadata and status. Annotations of a pod template do not count: `kubectl rollout
/// restart` works by them.
fn substance(fields: &Value) -> bool {
    fn deep(path: &[&str], fields: &Value) -> bool {
        let Some(map) = fields.as_object() else { return true };
        if path == ["f:spec", "f:template", "f:metadata", "f:annotations"] {
            return false;
        }
        let inner: Vec<_> = map.iter().filter(|(key, _)| *key != ".").collect();
        if inner.is_empty() {
            return true;
        }
        let on_the_way = ["f:spec", "f:template", "f:metadata", "f:annotations"].starts_with(path);
        !on_the_way || inner.iter().any(|(key, value)| deep(&[path, &[key.as_str()]].concat(), value))
    }
    fields.as_object().into_iter().flatten().any(|(key, value)| {
        !matches!(key.as_str(), "f:metadata" | "f:status" | "f:apiVersion" | "f:kind") && deep(&[key.as_str()], value)
    })
}

/// Whether everything in `wished` stands in `live`; what the API server adds by default does not count.
///
/// Amounts are compared by value within `resources`: the API server rewrites `1000m` as `1`.
fn covers(wished: &Value, live: &Value, amounts: bool) -> bool {
    match (wished, live) {
        (Value::Object(wished), Value::Object(live)) => wished.iter().all(|(key, value)| match live.get(key) {
            // Items of a list do not say what they are.
            None => is_empty(value) || matches!(key.as_str(), "apiVersion" | "kind"),
            Some(found) if key == "ownerReferences" => contains_all(value, found),
            Some(found) => covers(value, found, amounts || key == "resources"),
        }),
        (Value::Array(wished), Value::Array(live)) => {
            wished.len() == live.len() && wished.iter().zip(live).all(|(wished, live)| covers(wished, live, amounts))
        }
        (Value::String(wished), Value::String(live)) => {
            let value = |text: &String| Quantity(text.clone()).value();
            wished == live || (amounts && value(wished).is_some() && value(wished) == value(live))
        }
        _ => wished == live,
    }
}

fn contains_all(wished: &Value, live: &Value) -> bool {
    let live = live.as_array().map(Vec::as_slice).unwrap_or_default();
    wished.as_array().into_iter().flatten().all(|wished| live.iter().any(|live| covers(wished, live, false)))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// The live object with all its substance as wished: what others added is gone, what the cluster allocated stays.
pub fn replacement(wished: &Value, live: &Value) -> Value {
    let mut result = live.clone();
    let empty = Map::new();
    let (wished_fields, live_fields) = (wished.as_object().unwrap_or(&empty), live.as_object().unwrap_or(&empty));
    let metadata = |key: &str| matches!(key, "metadata" | "status" | "apiVersion" | "kind");
    for key in live_fields.keys().chain(wished_fields.keys()).filter(|key| !metadata(key)) {
        match wished_fields.get(key) {
            Some(value) => result[key] = value.clone(),
            None => drop(result.as_object_mut().and_then(|fields| fields.remove(key))),
        }
    }
    for key in ["labels", "annotations"] {
        for (name, value) in wished["metadata"][key].as_object().unwrap_or(&empty) {
            result["metadata"][key][name] = value.clone();
        }
    }
    if !is_empty(&wished["metadata"]["ownerReferences"]) {
        result["metadata"]["ownerReferences"] = wished["metadata"]["ownerReferences"].clone();
    }
    if let Some(metadata) = result["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    if wished["kind"] == "Service" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if !live["spec"][field].is_null() {
                result["spec"][field] = live["spec"][field].clone();
            }
        }
    }
    let annotations = ["spec", "template", "metadata", "annotations"];
    let at = |value: &Value| annotations.iter().try_fold(value, |value, key| value.get(key)).cloned();
    if wished["kind"] == "Deployment"
        && let Some(Value::Object(kept)) = at(live)
    {
        let mut all = kept;
        all.extend(at(wished).and_then(|value| value.as_object().cloned()).unwrap_or_default());
        result["spec"]["template"]["metadata"]["annotations"] = Value::Object(all);
    }
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wished() -> Value {
        stamped(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "physics", "labels": {"a": "b"}, "ownerReferences": [{"uid": "1", "kind": "Whiteboard"}]},
            "spec": {
                "replicas": 1,
                "template": {"metadata": {}, "spec": {"nodeSelector": {}, "containers": [
                    {"name": "server", "env": [{"name": "A", "value": "1"}], "resources": {"limits": {"cpu": "1000m"}}},
                ]}},
            },
        }))
    }

    /// As the API server gives it back: defaults filled in, amounts rewritten.
    fn live() -> Value {
        let mut live = wished();
        live["metadata"]["uid"] = json!("7");
        live["metadata"]["ownerReferences"] = json!([{"uid": "0"}, {"uid": "1", "kind": "Whiteboard"}]);
        live["metadata"]["labels"]["added"] = json!("by a tool");
        live["spec"]["progressDeadlineSeconds"] = json!(600);
        live["spec"]["template"]["spec"].as_object_mut().unwrap().remove("nodeSelector");
        live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("1");
        live["metadata"]["managedFields"] = json!([
            {"manager": names::MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
            {"manager": "kube-controller-manager", "operation": "Update",
             "fieldsV1": {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}},
        ]);
        live
    }

    fn written_by(manager: &str, operation: &str, fields: impl serde::Serialize) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": fields})
    }

    #[test]
    fn what_the_api_server_adds_is_no_difference() {
        assert_eq!(difference(&wished(), &live()), Difference::None);
    }

    #[test]
    fn every_change_of_ours_is_a_difference() {
        type Change = fn(&mut Value);
        let changes: [(&str, Change); 8] = [
            ("a scalar", |live| live["spec"]["replicas"] = json!(0)),
            ("a label", |live| live["metadata"]["labels"]["a"] = json!("c")),
            ("a label gone", |live| drop(live["metadata"]["labels"].as_object_mut().unwrap().remove("a"))),
            ("the owner gone", |live| live["metadata"]["ownerReferences"] = json!([])),
            ("an amount", |live| {
                live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("2");
            }),
            ("a longer list", |live| {
                live["spec"]["template"]["spec"]["containers"][0]["env"] =
                    json!([{"name": "A", "value": "1"}, {"name": "B"}]);
            }),
            ("a shorter list", |live| live["spec"]["template"]["spec"]["containers"][0]["env"] = json!([])),
            ("an older wish", |live| live["metadata"]["annotations"][names::APPLIED] = json!("0000")),
        ];
        for (what, change) in changes {
            let mut live = live();
            change(&mut live);
            assert_eq!(difference(&wished(), &live), Difference::Apply, "{what}");
        }
    }

    #[test]
    fn fields_of_others_are_taken_back() {
        for (what, entry, expected) in [
            (
                "kubectl edit",
                written_by(
                    "kubectl-edit",
                    "Update",
                    json!({"f:spec": {"f:template": {"f:spec": {"f:nodeSelector": {}}}}}),
                ),
                Difference::Replace,
            ),
            (
                "apply by another",
                written_by("kubectl", "Apply", json!({"f:spec": {"f:paused": {}}})),
                Difference::Replace,
            ),
            ("data", written_by("kubectl-edit", "Update", json!({"f:data": {"f:x": {}}})), Difference::Replace),
            (
                "labels",
                written_by("kubectl-label", "Update", json!({"f:metadata": {"f:labels": {"f:x": {}}}})),
                Difference::None,
            ),
            (
                "kubectl rollout restart",
                written_by(
                    "kubectl-rollout",
                    "Update",
                    json!({"f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}}}}),
                ),
                Difference::None,
            ),
            (
                "labels of the template",
                written_by(
                    "kubectl",
                    "Update",
                    json!({"f:spec": {"f:template": {"f:metadata": {"f:labels": {"f:x": {}}}}}}),
                ),
                Difference::Replace,
            ),
        ] {
            let mut live = live();
            live["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
            assert_eq!(difference(&wished(), &live), expected, "{what}");
        }
    }

    #[test]
    fn after_a_replacement_changes_are_replacements() {
        let mut live = live();
        let entry = written_by(names::MANAGER, "Update", json!({"f:spec": {"f:paused": {}}}));
        live["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
        assert_eq!(difference(&wished(), &live), Difference::None);
        live["spec"]["replicas"] = json!(3);
        assert_eq!(difference(&wished(), &live), Difference::Replace);
    }

    #[test]
    fn claims_are_only_ever_applied() {
        let wished = stamped(
            json!({"kind": "PersistentVolumeClaim", "metadata": {}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
        );
        let mut live = wished.clone();
        live["metadata"]["managedFields"] =
            json!([written_by("kube-controller-manager", "Update", json!({"f:spec": {"f:volumeName": {}}}))]);
        assert_eq!(difference(&wished, &live), Difference::None);
        live["spec"]["resources"]["requests"]["storage"] = json!("1024Mi");
        assert_eq!(difference(&wished, &live), Difference::None);
        live["spec"]["resources"]["requests"]["storage"] = json!("2Gi");
        assert_eq!(difference(&wished, &live), Difference::Apply);
    }

    #[test]
    fn amounts_are_texts_elsewhere() {
        assert!(!covers(&json!({"data": {"A": "1000m"}}), &json!({"data": {"A": "1"}}), false));
    }

    #[test]
    fn a_replacement_keeps_what_the_cluster_allocated() {
        let wished = stamped(json!({"kind": "Service", "metadata": {"labels": {"a": "b"}}, "spec": {"ports": [80]}}));
        let live = json!({
            "kind": "Service", "metadata": {"resourceVersion": "5", "uid": "7", "labels": {"x": "y"}, "managedFields": []},
            "spec": {"clusterIP": "10.0.0.1", "ports": [81], "externalIPs": ["1.2.3.4"]}, "status": {"x": 1},
        });
        let result = replacement(&wished, &live);
        assert_eq!(result["spec"], json!({"clusterIP": "10.0.0.1", "ports": [80]}));
        assert_eq!(result["metadata"]["resourceVersion"], "5");
        assert_eq!(result["metadata"]["labels"], json!({"a": "b", "x": "y"}));
        assert!(result["metadata"].get("managedFields").is_none());
    }

    #[test]
    fn a_replacement_keeps_the_mark_of_a_restart() {
        let mut live = live();
        live["spec"]["template"]["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": "now"});
        live["spec"]["template"]["spec"]["nodeSelector"] = json!({"x": "y"});
        live["data"] = json!({"foreign": "1"});
        let result = replacement(&wished(), &live);
        assert_eq!(result["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"], "now");
        assert_eq!(result["spec"]["template"]["spec"]["nodeSelector"], json!({}));
        assert!(result.get("data").is_none());
    }
}
