//! Whether what a resource names is there and of use.

use k8s_openapi::api::core::v1::Secret;

/// Whether something that the resource names is there and of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    Missing,
    /// There, but of no use yet, and why.
    Unfit(String),
    Fit,
}

/// Whether a Secret holds what an Ingress needs: both keys of a `kubernetes.io/tls` Secret, in PEM.
pub fn of_certificate(secret: &Secret) -> Presence {
    let has = |key: &str| {
        let value = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice());
        value.is_some_and(|bytes| bytes.windows(11).any(|window| window == b"-----BEGIN "))
    };
    match (has("tls.crt"), has("tls.key")) {
        (true, true) => Presence::Fit,
        (false, _) => Presence::Unfit("its key tls.crt holds no PEM certificate".to_owned()),
        (true, false) => Presence::Unfit("its key tls.key holds no PEM private key".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn certificates_that_people_bring() {
        let secret = |entries: &[(&str, &str)]| Secret {
            data: Some(
                entries.iter().map(|(key, text)| ((*key).to_owned(), ByteString(text.as_bytes().to_vec()))).collect(),
            ),
            ..Secret::default()
        };
        let pem = "-----BEGIN CERTIFICATE-----\n";
        assert_eq!(of_certificate(&secret(&[("tls.crt", pem), ("tls.key", pem)])), Presence::Fit);
        for bad in [&[][..], &[("tls.crt", pem)], &[("tls.key", pem)], &[("tls.crt", "x"), ("tls.key", pem)]] {
            assert!(matches!(of_certificate(&secret(bad)), Presence::Unfit(_)), "{bad:?}");
        }
        assert!(matches!(of_certificate(&Secret::default()), Presence::Unfit(_)));
    }
}
