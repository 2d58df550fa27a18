use std::fs;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

/// A certificate for `localhost` in two files.
fn issue(files: &TlsFiles) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(&files.cert, cert.pem()).expect("the folder can be written");
    fs::write(&files.key, signing_key.serialize_pem()).expect("the folder can be written");
    cert.der().clone()
}

/// Whether a client that trusts only this certificate is served.
async fn serves(tls: &Tls, trusted: CertificateDer<'static>) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let mut roots = RootCertStore::empty();
    roots.add(trusted).expect("a certificate");
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("known versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connect = async {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(client)).connect(name, stream).await.is_ok()
    };
    let accept = async {
        let (stream, _) = listener.accept().await.expect("somebody comes");
        tls.accept(stream).await.is_ok()
    };
    let (connected, accepted) = tokio::join!(connect, accept);
    connected && accepted
}

#[tokio::test]
async fn a_renewed_certificate_serves_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = TlsFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let missing = Tls::new(files.clone()).expect_err("nothing is there").to_string();
    assert!(missing.contains("cert.pem") && missing.contains("expected a certificate in PEM"), "{missing}");
    let first = issue(&files);
    let tls = Tls::new(files.clone()).expect("both are there");
    assert!(serves(&tls, first.clone()).await);
    fs::write(&files.cert, "nonsense").expect("the folder can be written");
    tls.renew().expect_err("no certificate");
    assert!(serves(&tls, first.clone()).await, "the old one stays in force");
    let second = issue(&files);
    tls.renew().expect("both are there");
    assert!(serves(&tls, second.clone()).await && !serves(&tls, first).await);
    // The key of another certificate.
    let other = TlsFiles { key: folder.path().join("other.pem"), ..files.clone() };
    issue(&TlsFiles { cert: folder.path().join("unused.pem"), ..other.clone() });
    let pair = Tls::new(other).expect_err("they do not go together").to_string();
    assert!(pair.contains("other.pem"), "{pair}");
}
