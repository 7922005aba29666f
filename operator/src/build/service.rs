use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::owned;
use crate::names;
use crate::validate::Site;

/// The Service: the public port for the Ingress, the admin port for backups and metrics.
pub fn service(site: &Site) -> Service {
    let port = |name: &str, port: i32| ServicePort {
        name: Some(name.to_owned()),
        port,
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    Service {
        metadata: owned(site, &site.name),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(names::selector(&site.name, names::SERVER)),
            ports: Some(vec![port("http", 80), port("admin", names::ADMIN_PORT)]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests_support::site;

    #[test]
    fn selects_the_server_alone() {
        let spec = service(&site("{}")).spec.unwrap();
        assert_eq!(spec.selector.unwrap()[names::COMPONENT], names::SERVER);
        let ports: Vec<_> = spec.ports.unwrap().into_iter().map(|port| (port.name.unwrap(), port.port)).collect();
        assert_eq!(ports, [("http".to_owned(), 80), ("admin".to_owned(), 9090)]);
    }
}
