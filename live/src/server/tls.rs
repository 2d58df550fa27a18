//! TLS in front of a listener, by rustls. The files of certificate and key are looked at again now and then, so that a renewed
//! certificate serves new connections without a restart; files that cannot be taken leave the old ones in force.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Where certificate and key are, both in PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate, and those up to one that clients trust.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why files cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("{}: found {found}, expected {expected}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        found: String,
        /// What should be there.
        expected: &'static str,
    },
    /// They do not go together.
    #[error("{} and {}: {why}", files.cert.display(), files.key.display())]
    Pair {
        /// Both.
        files: TlsFiles,
        /// Why not.
        why: String,
    },
}

/// What speaks TLS with clients.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads both files.
    pub(crate) fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let config = RwLock::new(read(&files)?);
        Ok(Self(Arc::new(Inner { files, config })))
    }

    /// Greets a client.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.0.config.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(stream).await
    }

    /// Reads the files again; what cannot be taken changes nothing.
    pub(crate) fn renew(&self) -> Result<(), TlsError> {
        let config = read(&self.0.files)?;
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Renews whenever a file has changed; for ever.
    pub(crate) async fn watch(self) {
        let stamps = |files: &TlsFiles| [&files.cert, &files.key].map(|file| changed_at(file));
        let mut known = stamps(&self.0.files);
        loop {
            tokio::time::sleep(LOOK).await;
            let now = stamps(&self.0.files);
            if now == known {
                continue;
            }
            match self.renew() {
                Ok(()) => tracing::info!("certificate and key were read again"),
                Err(error) => tracing::error!(%error, "the old certificate stays in force"),
            }
            known = now;
        }
    }
}

fn changed_at(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let wrong =
        |file: &Path, found: String, expected| TlsError::File { file: file.to_owned(), found, expected };
    let expected = "a certificate in PEM";
    let certs: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(&files.cert, error.to_string(), expected))?;
    if certs.is_empty() {
        return Err(wrong(&files.cert, "none".into(), expected));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| wrong(&files.key, error.to_string(), "a private key in PEM"))?;
    let pair =
        |why: tokio_rustls::rustls::Error| TlsError::Pair { files: files.clone(), why: why.to_string() };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certs, key))
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
