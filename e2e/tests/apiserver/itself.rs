//! The API server that other tests build on does what they rely on.

use std::collections::BTreeMap;

use e2e::apiserver::{ApiServer, Release};
use e2e::versions;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};

async fn both() -> [(ApiServer, &'static str); 2] {
    let newest = ApiServer::start(Release::Newest).await.unwrap();
    let oldest = ApiServer::start(Release::Oldest).await.unwrap();
    [(newest, versions::KUBERNETES), (oldest, versions::KUBERNETES_OLDEST)]
}

fn settings(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([("subject".to_owned(), "physics".to_owned())])),
        ..ConfigMap::default()
    }
}

#[tokio::test]
async fn both_releases_store_objects_and_write_down_who_wrote_them() {
    for (server, version) in both().await {
        let told = server.client().apiserver_version().await.unwrap().git_version;
        assert_eq!(told, format!("v{version}"));

        let maps: Api<ConfigMap> = Api::namespaced(server.client(), "default");
        maps.create(&PostParams::default(), &settings("lesson")).await.unwrap();
        assert_eq!(maps.get("lesson").await.unwrap().data, settings("lesson").data);
        maps.delete("lesson", &DeleteParams::default()).await.unwrap();

        let writes = server.writes().unwrap();
        let ours: Vec<_> = writes.iter().filter(|write| write.name == "lesson").collect();
        let verbs: Vec<_> = ours.iter().map(|write| (write.user.as_str(), write.verb.as_str())).collect();
        assert_eq!(verbs, [("admin", "create"), ("admin", "delete")]);
    }
}

#[tokio::test]
async fn somebody_without_rights_is_refused() {
    let server = ApiServer::start(Release::Newest).await.unwrap();
    let pupil = server.client_as("pupil").await.unwrap();
    let refused = Api::<ConfigMap>::namespaced(pupil, "default").create(&PostParams::default(), &settings("x")).await;
    assert!(matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403), "{refused:?}");
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_data() {
    let server = ApiServer::start(Release::Newest).await.unwrap();
    let (client, folder) = (server.client(), server.kubeconfig().parent().unwrap().to_owned());
    drop(server);
    assert!(!folder.exists());
    assert!(client.apiserver_version().await.is_err());
}
