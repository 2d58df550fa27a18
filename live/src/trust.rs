//! TLS to registries and to where traces are fetched, by rustls and the certificates that the machine trusts. A build without TLS reaches none over it.

#[cfg(feature = "tls")]
pub(crate) use with::Trust;
#[cfg(not(feature = "tls"))]
pub(crate) use without::Trust;

#[cfg(feature = "tls")]
mod with {
    use std::sync::Arc;

    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    /// How certificates are checked.
    #[derive(Clone)]
    pub(crate) struct Trust(TlsConnector);

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
        pub(crate) async fn of_this_machine() -> Result<Self, String> {
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
        pub(crate) fn by(roots: RootCertStore) -> Result<Self, String> {
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
        pub(crate) async fn secure(
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
    pub(crate) enum Trust {}

    impl Trust {
        /// # Errors
        /// Always.
        pub(crate) async fn of_this_machine() -> Result<Self, String> {
            Err("this build has no TLS: it reaches plain HTTP only (registries in serve.insecure_registries)"
                .into())
        }

        pub(crate) async fn secure(&self, _: &str, _: TcpStream) -> Result<TcpStream, String> {
            match *self {}
        }
    }
}
