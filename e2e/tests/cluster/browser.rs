//! People in front of real browsers, on a site as a person gets it: through the ingress controller and TLS.

use e2e::web;
use serde_json::json;

use crate::site::{Site, address, cluster};

#[test]
fn the_web_client_draws_through_the_ingress_controller_and_tls() {
    let site = Site::ready("browser", &json!({}));
    let url = format!("https://{}", site.host);
    web::browser_tests_on(&web::Site { url: &url, address: address(), authority: cluster().authority() }).unwrap();
}
