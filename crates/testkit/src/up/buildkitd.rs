//! Starts the stand-alone BuildKit daemon: Unix socket, and TCP with mutual TLS.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};

use super::daemon::Daemon;
use super::dist::Dist;
use super::run::{bounded, output};
use super::{free_address, go};
use crate::error::{Error, Result};
use crate::home::Home;

/// Starts the daemon unless it runs; answers its address and version. `registry` is the loopback registry that it may use without TLS.
pub(super) fn start(home: &Home, native: &Dist, registry: Option<&str>) -> Result<(String, String)> {
    let (name, socket) = ("buildkitd", home.socket("buildkitd"));
    let daemon = Daemon {
        folder: home.daemon(name),
    };
    let program = go::program(home, &go::BUILDKITD)?;
    let running = daemon.process().is_some() && UnixStream::connect(&socket).is_ok();
    if !running {
        native.check("runc")?;
        daemon.stop()?;
        let _ = fs::remove_file(&socket);
        fs::create_dir_all(&daemon.folder).map_err(Error::io("create", &daemon.folder))?;
        let address = free_address(&daemon.folder)?;
        let certificates = home.join("certificates");
        make_certificates(&certificates)?;
        let configuration = daemon.folder.join("buildkitd.toml");
        let insecure = registry
            .map(|host| format!("[registry.\"{host}\"]\n  http = true\n"))
            .unwrap_or_default();
        fs::write(&configuration, insecure).map_err(Error::io("write", &configuration))?;
        let text = |path: &Path| path.display().to_string();
        let arguments = [
            "--config".to_owned(),
            text(&configuration),
            "--root".to_owned(),
            text(&daemon.folder.join("root")),
            format!("--addr=unix://{}", socket.display()),
            format!("--addr=tcp://{address}"),
            format!("--tlscacert={}", text(&certificates.join("ca.pem"))),
            format!("--tlscert={}", text(&certificates.join("server.pem"))),
            format!("--tlskey={}", text(&certificates.join("server-key.pem"))),
            "--oci-worker=true".to_owned(),
            "--containerd-worker=false".to_owned(),
            // Steps share the host's network: there is no CNI configuration here, nor need of one.
            "--oci-worker-net=host".to_owned(),
        ];
        let path = native.search_path(&[]);
        let libraries = native.libraries();
        let environment: [(&str, &OsStr); 2] = [("PATH", &path), ("LD_LIBRARY_PATH", &libraries)];
        daemon.start(&program, &arguments, &environment, || {
            UnixStream::connect(&socket).is_ok()
        })?;
    }
    let version = output(bounded(Duration::from_secs(20), &program).arg("--version"))?;
    Ok((format!("unix://{}", socket.display()), version.trim().to_owned()))
}

/// Makes an authority, a server certificate for the loopback address and a client certificate, unless they are there.
fn make_certificates(folder: &Path) -> Result<()> {
    // Written last, so its presence says that all are there.
    let last = folder.join("client-key.pem");
    if last.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let failed = |error: rcgen::Error| Error::Unavailable(format!("cannot make a certificate: {error}"));
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).map_err(Error::io("write", folder.join(name)))
    };
    let mut authority = CertificateParams::new(Vec::new()).map_err(failed)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "unstale test authority");
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().map_err(failed)?).map_err(failed)?;
    write("ca.pem", authority.pem())?;
    let purposes = [
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    for (name, purpose) in ["server", "client"].into_iter().zip(purposes) {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut parameters = CertificateParams::new(names).map_err(failed)?;
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        parameters.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.signed_by(&key, &authority).map_err(failed)?;
        write(&format!("{name}.pem"), certificate.pem())?;
        write(&format!("{name}-key.pem"), key.serialize_pem())?;
    }
    Ok(())
}
