use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::Source;
use crate::endpoint::Tls;

/// Writes ca.pem, cert.pem and key.pem, the certificate being for `localhost`.
fn certificates(dir: &Path) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
}

/// A TLS server that demands a client's certificate and answers every client with `hello`.
async fn server(dir: &Path) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap())
        .unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(dir.join("key.pem")).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.write_all(b"hello").await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    address
}

fn endpoint(address: SocketAddr, tls: Tls) -> Endpoint {
    let host = Host::Tcp {
        host: "localhost".to_owned(),
        port: address.port(),
    };
    Endpoint {
        host,
        tls: Some(tls),
        source: Source::DockerHost,
    }
}

async fn greeting(endpoint: &Endpoint) -> io::Result<String> {
    let mut stream = dial(endpoint).await.map_err(io::Error::other)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn both_sides_prove_who_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    certificates(dir);
    let address = server(dir).await;
    let good = Tls {
        ca: Some(dir.join("ca.pem")),
        identity: Some((dir.join("cert.pem"), dir.join("key.pem"))),
        verify: true,
        server_name: None,
    };
    assert_eq!(greeting(&endpoint(address, good.clone())).await.unwrap(), "hello");

    let anonymous = Tls {
        identity: None,
        ..good.clone()
    };
    assert!(greeting(&endpoint(address, anonymous)).await.is_err());

    let other_name = Tls {
        server_name: Some("other.example".to_owned()),
        ..good.clone()
    };
    assert!(dial(&endpoint(address, other_name)).await.is_err());

    let elsewhere = tempfile::tempdir().unwrap();
    certificates(elsewhere.path());
    let other_authority = Tls {
        ca: Some(elsewhere.path().join("ca.pem")),
        ..good.clone()
    };
    assert!(dial(&endpoint(address, other_authority)).await.is_err());

    let unverified = Tls {
        ca: None,
        verify: false,
        ..good
    };
    assert_eq!(greeting(&endpoint(address, unverified)).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_missing_certificate_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ca = Some("/nowhere/ca.pem".into());
    let tls = Tls {
        ca,
        identity: None,
        verify: true,
        server_name: None,
    };
    let Err(error) = dial(&endpoint(listener.local_addr().unwrap(), tls)).await else {
        panic!()
    };
    assert!(
        error.source.to_string().contains("/nowhere/ca.pem"),
        "{}",
        error.source
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_does_not_hold_us_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = Tls {
        ca: None,
        identity: None,
        verify: false,
        server_name: None,
    };
    let endpoint = endpoint(listener.local_addr().unwrap(), tls);
    tokio::time::pause();
    let Err(error) = dial(&endpoint).await else {
        panic!()
    };
    assert_eq!(error.source.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn each_failure_has_its_own_way_forward() {
    let hint = |kind: io::ErrorKind, host: &str| {
        let endpoint = Endpoint {
            host: Host::parse(host, false).unwrap(),
            tls: None,
            source: Source::Default,
        };
        DialError {
            endpoint: Box::new(endpoint),
            source: kind.into(),
        }
        .hint()
        .unwrap()
    };
    assert!(hint(io::ErrorKind::PermissionDenied, "unix:///s").contains("docker group"));
    assert!(hint(io::ErrorKind::NotFound, "unix:///s").contains("DOCKER_HOST"));
    assert!(hint(io::ErrorKind::Other, "ssh://me@box:22").contains("ssh -l me -p 22 box docker version"));
    assert!(hint(io::ErrorKind::ConnectionRefused, "tcp://h:1").contains("address"));
}
