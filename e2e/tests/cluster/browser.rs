//! People in front of real browsers, on a site as a person gets it: through the ingress controller and TLS.

use e2e::web;
use serde_json::json;

use crate::site::{Site, address, cluster};

/// Two, then ten people draw on a site.
pub fn people_draw_on(site: &Site) {
    let url = format!("https://{}", site.host);
    web::browser_tests_on(&web::Site { url: &url, address: address(), authority: cluster().authority() }).unwrap();
}

#[test]
fn the_web_client_draws_through_the_ingress_controller_and_tls() {
    if cluster().is_ours() {
        println!("Not run by itself: people draw while the operator is listened to, see `alone`.");
        return;
    }
    people_draw_on(&Site::ready("browser", &json!({})));
}
