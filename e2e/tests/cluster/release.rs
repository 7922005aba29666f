//! Another release of the server: the image changes under a class that has drawn, goes wrong, and goes back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::site::{NAME, Site, cluster, has_own_node, until};

/// Gives an image that the node has a second name, as if a registry had a second release of it.
fn second_name(image: &str, tag: &str) -> String {
    let (repository, _) = image.rsplit_once(':').unwrap();
    let other = format!("{repository}:{tag}");
    cluster().on_node(&["ctr", "--namespace", "k8s.io", "images", "tag", "--force", image, &other]).unwrap();
    other
}

fn running_image(site: &Site) -> Option<Value> {
    let pod = site.server_pod()?;
    (pod["status"]["containerStatuses"][0]["ready"] == true).then(|| pod["spec"]["containers"][0]["image"].clone())
}

#[test]
fn a_release_comes_fails_and_goes_back_with_every_drawing() {
    if !has_own_node("a second release that no registry has") {
        return;
    }
    let site = Site::ready("release", &json!({}));
    let first = running_image(&site).unwrap().as_str().unwrap().to_owned();
    site.hold_lesson(&["draw", "--clients", "3", "--strokes", "10"]);
    let boards = site.boards();
    let volume = site.get("pvc", "physics-data").unwrap()["metadata"]["uid"].clone();

    let second = second_name(&first, "e2e-second");
    site.patch(&json!({"image": second})).unwrap();
    until("the second release serves", Duration::from_mins(2), || (running_image(&site)? == *second).then_some(()));
    site.wait_ready();
    assert_eq!(site.get("whiteboard", NAME).unwrap()["status"]["release"]["image"], json!(second));
    let cron_job = site.get("cronjob", "physics-backup").unwrap();
    let containers = &cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[0]["image"], json!(second), "backups are taken by the release that writes the data");
    assert_eq!(site.boards(), boards);

    site.patch(&json!({"image": "ghcr.io/nobody/nothing:2"})).unwrap();
    let told = site.wait_reason("Available", "ImageUnavailable");
    assert!(told.contains("ghcr.io/nobody/nothing:2"), "{told}");

    site.patch(&json!({"image": null})).unwrap();
    until("the first release serves again", Duration::from_mins(2), || (running_image(&site)? == *first).then_some(()));
    site.wait_ready();
    assert_eq!(site.boards(), boards);
    assert_eq!(site.get("pvc", "physics-data").unwrap()["metadata"]["uid"], volume, "the volume was never replaced");
}
