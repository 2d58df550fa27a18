//! TLS to registries, by rustls and the certificates that the machine trusts. A build without TLS reaches none over it.

#[cfg(feature = "tls")]
pub(super) use with::Trust;
#[cfg(not(feature = "tls"))]
pub(super) use without::Trust;

#[cfg(feature = "tls")]
mod with {
    use std::sync::Arc;

    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    /// How certificates of registries are checked.
    #[derive(Clone)]
    pub(in crate::gateway::registry) struct Trust(TlsConnector);

    impl std::fmt::Debug for Trust {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Trust")
        }
    }

    impl Trust {
        /// By what this machine trusts.
        ///
        /// # Errors
        /// Where it trusts nobody.
        pub(in crate::gateway::registry) async fn of_this_machine() -> Result<Self, String> {
            let read = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
            let read = read.map_err(|error| error.to_string())?;
            let mut roots = RootCertStore::empty();
            let (taken, _) = roots.add_parsable_certificates(read.certs);
            if taken == 0 {
                let why = read.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
                return Err(format!("this machine trusts no certificates{why}"));
            }
            Self::by(roots)
        }

        /// By these.
        ///
        /// # Errors
        /// Where rustls takes no such config.
        pub(in crate::gateway::registry) fn by(roots: RootCertStore) -> Result<Self, String> {
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Self(TlsConnector::from(Arc::new(config))))
        }

        /// Agrees on keys with a host.
        ///
        /// # Errors
        /// Where its certificate is not trusted, or it speaks no TLS.
        pub(in crate::gateway::registry) async fn secure(
            &self,
            host: &str,
            stream: TcpStream,
        ) -> Result<TlsStream<TcpStream>, String> {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
            self.0.connect(name, stream).await.map_err(|error| error.to_string())
        }
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use tokio::net::TcpStream;

    /// There is none.
    #[derive(Clone, Debug)]
    pub(in crate::gateway::registry) enum Trust {}

    impl Trust {
        /// # Errors
        /// Always.
        pub(in crate::gateway::registry) async fn of_this_machine() -> Result<Self, String> {
            Err("this build has no TLS: it asks registries in serve.insecure_registries only".into())
        }

        pub(in crate::gateway::registry) async fn secure(
            &self,
            _: &str,
            _: TcpStream,
        ) -> Result<TcpStream, String> {
            match *self {}
        }
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::{RootCertStore, ServerConfig};

    use super::Trust;
    use crate::gateway::registry::lookup::{Way, manifest};

    #[test]
    fn only_a_registry_whose_certificate_is_trusted_is_listened_to() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
            let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_no_client_auth()
                .with_single_cert(vec![cert.der().clone()], key)
                .expect("they go together");
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let listener = TcpListener::bind("localhost:0").await.expect("a free port");
            let port = listener.local_addr().expect("an address").port();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.expect("a connection");
                    let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                    let mut request = [0; 4_096];
                    let read = stream.read(&mut request).await.expect("a request");
                    assert!(request[..read].starts_with(b"GET /v2/library/a/manifests/x "));
                    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer.as_bytes()).await.expect("it listens");
                }
            });
            let authority = format!("localhost:{port}");
            let ask = async |roots: RootCertStore| {
                let trust = Trust::by(roots).expect("a config");
                manifest(Way { authority: &authority, trust: Some(&trust) }, "a:x").await
            };
            let mut roots = RootCertStore::empty();
            let nobody = ask(roots.clone()).await.expect_err("nobody is trusted");
            assert!(nobody.contains("certificate"), "{nobody}");
            roots.add(cert.der().clone()).expect("a root");
            assert_eq!(ask(roots).await, Ok(None));
        });
    }
}
