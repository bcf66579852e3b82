//! TLS to an engine's TCP port, with the certificates that Docker's settings name.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::endpoint::Tls;

pub(super) async fn connect(
    stream: TcpStream,
    host: &str,
    settings: &Tls,
) -> io::Result<TlsStream<TcpStream>> {
    let name = settings.server_name.as_deref().unwrap_or(host).to_owned();
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let config = config(settings)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn config(settings: &Tls) -> io::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous();
    let verifier: Arc<dyn ServerCertVerifier> = match settings.verify {
        true => {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(settings.ca.as_deref())?), provider)
                .build()
                .map_err(io::Error::other)?
        }
        false => Arc::new(NoVerification(provider)),
    };
    let builder = builder.with_custom_certificate_verifier(verifier);
    match &settings.identity {
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(io::Error::other)
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

/// The authorities to trust: the given file's, else the system's.
fn roots(ca: Option<&Path>) -> io::Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let (certificates, origin) = match ca {
        Some(path) => (certificates(path)?, path.display().to_string()),
        None => (
            rustls_native_certs::load_native_certs().certs,
            "the system's certificate store".to_owned(),
        ),
    };
    let (added, _) = store.add_parsable_certificates(certificates);
    match added {
        0 => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("no certificate in {origin}"),
        )),
        _ => Ok(store),
    }
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &rustls::pki_types::pem::Error) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("cannot read {}: {error}", path.display()),
    )
}

/// Encryption without knowing to whom, for users who switched verification off (`DOCKER_TLS` without
/// `DOCKER_TLS_VERIFY`, or a context's `SkipTLSVerify`).
#[derive(Debug)]
struct NoVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
