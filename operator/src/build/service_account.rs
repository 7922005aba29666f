use k8s_openapi::api::core::v1::ServiceAccount;

use super::owned;
use crate::validate::Site;

/// An account of the site's own, without any right and without a token: the pods talk to nobody but each other.
pub fn service_account(site: &Site) -> ServiceAccount {
    ServiceAccount {
        metadata: owned(site, &site.name),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests_support::site;

    #[test]
    fn has_no_token_and_an_owner() {
        let account = service_account(&site("{}"));
        assert_eq!(account.automount_service_account_token, Some(false));
        let owners = account.metadata.owner_references.unwrap();
        assert_eq!(owners.len(), 1);
        assert_eq!(owners[0].controller, Some(true));
        assert_eq!(owners[0].kind, "Whiteboard");
    }
}
