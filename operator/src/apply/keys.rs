use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Error;
use crate::validate::Site;
use crate::{hex, names};

/// Bytes of randomness in a generated token.
const STRENGTH: usize = 32;

/// The Secret of keys: what it holds is kept, what is missing is generated. Servers read the token anew at each use, so a
/// new one takes no restart.
pub fn wished(site: &Site, live: Option<&Secret>) -> Result<Secret, Error> {
    let held =
        live.and_then(|secret| secret.data.as_ref()?.get(names::ADMIN_TOKEN)).filter(|token| !token.0.is_empty());
    let token = match held {
        Some(token) => token.clone(),
        None => ByteString(generate()?.into_bytes()),
    };
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(names::keys(&site.name)),
            namespace: Some(site.namespace.clone()),
            labels: Some(names::labels(&site.name)),
            owner_references: Some(vec![site.owner.clone()]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(names::ADMIN_TOKEN.to_owned(), token)])),
        ..Secret::default()
    })
}

fn generate() -> Result<String, Error> {
    let mut bytes = [0; STRENGTH];
    getrandom::fill(&mut bytes).map_err(|error| Error::Write {
        action: "generating a token for",
        object: "the Secret of keys".to_owned(),
        source: kube::Error::Service(Box::new(error)),
    })?;
    Ok(hex::hex(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests_support::{empty_observed, whiteboard};
    use crate::validate::validate;

    #[test]
    fn a_token_is_generated_once_and_kept() {
        let site = validate(&whiteboard("physics", "{}"), &empty_observed(), "example.org/server:1").unwrap();
        let first = wished(&site, None).unwrap();
        let token = |secret: &Secret| secret.data.as_ref().unwrap()[names::ADMIN_TOKEN].0.clone();
        assert_eq!(token(&first).len(), STRENGTH * 2);
        assert_eq!(token(&wished(&site, Some(&first)).unwrap()), token(&first));
        assert_ne!(token(&wished(&site, None).unwrap()), token(&first));

        let mut emptied = first.clone();
        emptied.data = None;
        assert_eq!(token(&wished(&site, Some(&emptied)).unwrap()).len(), STRENGTH * 2);
    }
}
