//! CoreDNS's configuration: every name under `.test` is the node, as a person's DNS would have it.

const BEGIN: &str = "    # whiteboard-e2e: names under .test are this node\n";
const END: &str = "    # whiteboard-e2e: end\n";

/// The configuration with the names of `.test` answered by this IPv4 address. The same comes back where it is so
/// already; nothing where the configuration has no server block to add to.
pub fn with_test_names(corefile: &str, address: &str) -> Option<String> {
    let clean = without_test_names(corefile);
    // Right after the opening of the first server block, which kubeadm writes for the root zone.
    let open = clean.find("{\n")? + 2;
    let block = format!(
        "{BEGIN}    template IN A test {{\n       answer \"{{{{ .Name }}}} 5 IN A {address}\"\n    }}\n    \
         template IN AAAA test {{\n       rcode NOERROR\n    }}\n{END}"
    );
    Some(format!("{}{block}{}", &clean[..open], &clean[open..]))
}

fn without_test_names(corefile: &str) -> String {
    match (corefile.find(BEGIN), corefile.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{}", &corefile[..begin], &corefile[end + END.len()..])
        }
        _ => corefile.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBEADMS: &str = ".:53 {\n    errors\n    ready\n    forward . /etc/resolv.conf\n}\n";

    #[test]
    fn the_names_are_added_once_and_the_rest_stays() {
        let once = with_test_names(KUBEADMS, "10.89.0.2").unwrap();
        assert!(once.starts_with(".:53 {\n    # whiteboard-e2e"), "{once}");
        assert!(once.contains("answer \"{{ .Name }} 5 IN A 10.89.0.2\""), "{once}");
        assert!(once.ends_with("    errors\n    ready\n    forward . /etc/resolv.conf\n}\n"), "{once}");
        assert_eq!(with_test_names(&once, "10.89.0.2").unwrap(), once);
        assert_eq!(without_test_names(&once), KUBEADMS);
    }

    #[test]
    fn another_address_replaces_the_first() {
        let once = with_test_names(KUBEADMS, "10.89.0.2").unwrap();
        let again = with_test_names(&once, "10.89.0.9").unwrap();
        assert!(again.contains("10.89.0.9") && !again.contains("10.89.0.2"), "{again}");
        assert_eq!(again.matches("template IN A test").count(), 1);
    }

    #[test]
    fn a_file_without_a_server_is_left_alone() {
        assert_eq!(with_test_names("# nothing", "10.89.0.2"), None);
    }
}
