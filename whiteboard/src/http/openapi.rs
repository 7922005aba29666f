//! The document that describes the HTTP API, and the proof that it describes what is served.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// OpenAPI 3.1, as text.
pub const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /api/openapi.json`
pub async fn document() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (headers, DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::boards;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};

    const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

    fn read() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// Each operation, as `METHOD path`.
    fn operations(document: &Value) -> BTreeMap<String, Value> {
        let paths = document["paths"].as_object().unwrap();
        paths
            .iter()
            .flat_map(|(path, item)| {
                METHODS.iter().filter_map(move |method| {
                    let operation = item.get(method)?;
                    Some((format!("{} {path}", method.to_uppercase()), operation.clone()))
                })
            })
            .collect()
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let described: BTreeSet<String> = operations(&read()).into_keys().collect();
        let served: BTreeSet<String> =
            boards::table().iter().map(|(path, method, _)| format!("{method} {path}")).collect();
        assert_eq!(described, served);
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_a_summary_and_answers() {
        let mut names = BTreeSet::new();
        for (route, operation) in operations(&read()) {
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{route}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{route}");
            assert!(operation["responses"].as_object().unwrap().len() > 1, "{route}: good ones and refusals");
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_everything_is_used() {
        let document = read();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for kind in ["parameters", "schemas", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                assert!(found.contains(&format!("#/components/{kind}/{name}")), "{name} is not used");
            }
        }
    }

    #[test]
    fn every_part_of_a_path_is_a_parameter() {
        let document = read();
        for (path, item) in document["paths"].as_object().unwrap() {
            let parts: Vec<&str> = path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
            let described: Vec<&str> = item["parameters"]
                .as_array()
                .map(|list| list.iter().map(|one| one["$ref"].as_str().unwrap().rsplit('/').next().unwrap()).collect())
                .unwrap_or_default();
            assert_eq!(parts, described, "{path}");
            for name in parts {
                assert_eq!(document["components"]["parameters"][name]["in"], "path");
            }
        }
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    match value.as_str() {
                        Some(reference) if key == "$ref" => {
                            found.insert(reference.to_owned());
                        }
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
}
