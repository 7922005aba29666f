//! Reads the API server's audit log: who wrote what. The policy in `addons/audit-policy.yaml` makes it.

/// One write that the API server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The user as the API server knows it, such as `system:serviceaccount:whiteboard-system:whiteboard-operator`.
    pub user: String,
    /// `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// `resource.group/subresource` with absent parts left out: `pods`, `deployments.apps`, `whiteboards.tutorspace.app/status`.
    pub resource: String,
    /// Empty for what has no namespace.
    pub namespace: String,
    /// Empty where the server chose the name or all were meant.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// When the request arrived: RFC 3339 in UTC with microseconds, so that text order is time order.
    pub at: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: User,
    object_ref: Option<Object>,
    response_status: Option<Status>,
    request_received_timestamp: String,
}

#[derive(serde::Deserialize)]
struct User {
    username: String,
}

#[derive(serde::Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Object {
    resource: String,
    namespace: String,
    name: String,
    api_group: String,
    subresource: String,
}

#[derive(serde::Deserialize)]
struct Status {
    code: Option<u16>,
}

/// A line of the log that is no audit event: the log is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("Line {line} of the audit log is no audit event ({source}).")]
pub struct AuditError {
    line: usize,
    source: serde_json::Error,
}

/// The writes in a log, in its order. A last line without its line end is still being written and left out.
pub fn writes(log: &str) -> Result<Vec<Write>, AuditError> {
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    let mut found = Vec::new();
    for (index, line) in whole.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let event: Event = serde_json::from_str(line).map_err(|source| AuditError { line: index + 1, source })?;
        if event.stage == "ResponseComplete" && is_write(&event.verb) {
            found.push(Write::from(event));
        }
    }
    Ok(found)
}

fn is_write(verb: &str) -> bool {
    matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection")
}

impl From<Event> for Write {
    fn from(event: Event) -> Self {
        let object = event.object_ref.unwrap_or_default();
        let mut resource = object.resource;
        for (mark, part) in [('.', &object.api_group), ('/', &object.subresource)] {
            if !part.is_empty() {
                resource.push(mark);
                resource.push_str(part);
            }
        }
        Self {
            user: event.user.username,
            verb: event.verb,
            resource,
            namespace: object.namespace,
            name: object.name,
            code: event.response_status.and_then(|status| status.code).unwrap_or_default(),
            at: event.request_received_timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(verb: &str, stage: &str, object: &str) -> String {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"{stage}","requestURI":"/x","verb":"{verb}","user":{{"username":"someone","groups":["a"]}},"sourceIPs":["10.0.0.1"],"objectRef":{object},"responseStatus":{{"metadata":{{}},"code":201}},"requestReceivedTimestamp":"2026-01-01T00:00:00.000001Z","stageTimestamp":"2026-01-01T00:00:00.000002Z"}}"#
        )
    }

    #[test]
    fn names_of_resources_read_as_in_rbac() {
        for (object, expected) in [
            (r#"{"resource":"pods","namespace":"a","name":"b","apiVersion":"v1"}"#, "pods"),
            (r#"{"resource":"deployments","apiGroup":"apps","name":"b"}"#, "deployments.apps"),
            (r#"{"resource":"pods","name":"b","subresource":"status"}"#, "pods/status"),
            (
                r#"{"resource":"whiteboards","apiGroup":"tutorspace.app","subresource":"status"}"#,
                "whiteboards.tutorspace.app/status",
            ),
        ] {
            let log = event("patch", "ResponseComplete", object) + "\n";
            assert_eq!(writes(&log).unwrap()[0].resource, expected);
        }
    }

    #[test]
    fn only_answered_writes_count() {
        let pod = r#"{"resource":"pods","namespace":"school","name":"b"}"#;
        let log = [
            event("get", "ResponseComplete", pod),
            event("create", "RequestReceived", pod),
            event("create", "ResponseComplete", pod),
            event("watch", "ResponseComplete", pod),
            event("delete", "ResponseComplete", pod),
        ]
        .join("\n")
            + "\n";
        let found = writes(&log).unwrap();
        assert_eq!(found.iter().map(|write| write.verb.as_str()).collect::<Vec<_>>(), ["create", "delete"]);
        assert_eq!(found[0].user, "someone");
        assert_eq!((found[0].namespace.as_str(), found[0].name.as_str(), found[0].code), ("school", "b", 201));
        assert_eq!(found[0].at, "2026-01-01T00:00:00.000001Z");
    }

    #[test]
    fn a_line_that_is_still_being_written_is_left_for_later() {
        let whole = event("create", "ResponseComplete", r#"{"resource":"pods"}"#);
        assert_eq!(writes(&format!("{whole}\n{}", &whole[..40])).unwrap().len(), 1);
        assert_eq!(writes(&whole).unwrap().len(), 0);
        assert_eq!(writes("").unwrap().len(), 0);
    }

    #[test]
    fn a_broken_line_is_told_by_its_number() {
        let whole = event("create", "ResponseComplete", r#"{"resource":"pods"}"#);
        let error = writes(&format!("{whole}\nnonsense\n")).unwrap_err().to_string();
        assert!(error.starts_with("Line 2 "), "{error}");
    }
}
