use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::*;

fn environment(config: &Path, variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().copied(), None).with("DOCKER_CONFIG", config)
}

fn write(path: PathBuf, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn add_context(config: &Path, name: &str, host: &str) -> String {
    let id = hex::encode(Sha256::digest(name));
    let meta = format!(r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#);
    write(config.join("contexts/meta").join(&id).join("meta.json"), &meta);
    id
}

fn resolve(environment: &Environment) -> Endpoint {
    Endpoint::resolve(environment, &Selection::default()).unwrap()
}

#[test]
fn precedence_is_flag_then_docker_host_then_docker_context_then_current_context() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["one", "two", "three"] {
        add_context(dir.path(), name, &format!("tcp://{name}:1"));
    }
    write(dir.path().join("config.json"), r#"{"currentContext":"three"}"#);

    let set = [("DOCKER_HOST", "tcp://env:1"), ("DOCKER_CONTEXT", "two")];
    let both = environment(dir.path(), &set);
    let flag = Selection {
        host: None,
        context: Some("one".to_owned()),
    };
    let by_flag = Endpoint::resolve(&both, &flag).unwrap();
    assert_eq!(by_flag.to_string(), "tcp://one:1 (set by --context one)");
    let host = Selection {
        host: Some("tcp://flag:1".to_owned()),
        context: None,
    };
    assert_eq!(
        Endpoint::resolve(&both, &host).unwrap().to_string(),
        "tcp://flag:1 (set by --host)"
    );
    assert_eq!(resolve(&both).to_string(), "tcp://env:1 (set by DOCKER_HOST)");
    let context = environment(dir.path(), &set[1..]);
    assert_eq!(
        resolve(&context).to_string(),
        "tcp://two:1 (set by DOCKER_CONTEXT=two)"
    );
    let current = environment(dir.path(), &[]);
    assert_eq!(
        resolve(&current).to_string(),
        r#"tcp://three:1 (set by the current Docker context "three")"#
    );
}

#[test]
fn nothing_set_means_the_default_socket() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = resolve(&environment(dir.path(), &[("DOCKER_HOST", "")]));
    assert_eq!(
        endpoint.to_string(),
        "unix:///var/run/docker.sock (Docker's default)"
    );
}

#[test]
fn the_default_context_stands_for_docker_host() {
    let dir = tempfile::tempdir().unwrap();
    let environment = environment(dir.path(), &[("DOCKER_HOST", "tcp://env:1")]);
    let selection = Selection {
        host: None,
        context: Some("default".to_owned()),
    };
    let endpoint = Endpoint::resolve(&environment, &selection).unwrap();
    assert_eq!(endpoint.source, Source::DockerHost);
}

#[test]
fn host_and_context_exclude_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let both = Selection {
        host: Some("tcp://a:1".to_owned()),
        context: Some("b".to_owned()),
    };
    let outcome = Endpoint::resolve(&environment(dir.path(), &[]), &both);
    assert!(matches!(outcome, Err(EndpointError::Conflict)));
}

#[test]
fn an_unknown_context_is_named_with_its_source() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("config.json"), r#"{"currentContext":"gone"}"#);
    let error = Endpoint::resolve(&environment(dir.path(), &[]), &Selection::default()).unwrap_err();
    assert!(
        error.to_string().starts_with(r#"no Docker context "gone" in "#),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("docker context ls"));
}

#[test]
fn a_broken_context_is_not_taken_for_a_missing_one() {
    let dir = tempfile::tempdir().unwrap();
    let id = add_context(dir.path(), "bad", "tcp://x:1");
    write(dir.path().join("contexts/meta").join(id).join("meta.json"), "{");
    let environment = environment(dir.path(), &[("DOCKER_CONTEXT", "bad")]);
    let error = Endpoint::resolve(&environment, &Selection::default()).unwrap_err();
    assert!(matches!(error, EndpointError::BrokenContext { .. }), "{error}");
}

#[test]
fn a_context_with_stored_certificates_uses_them() {
    let dir = tempfile::tempdir().unwrap();
    let id = add_context(dir.path(), "far", "tcp://far.example");
    let files = dir.path().join("contexts/tls").join(id).join("docker");
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        write(files.join(name), "");
    }
    let endpoint = resolve(&environment(dir.path(), &[("DOCKER_CONTEXT", "far")]));
    assert_eq!(endpoint.host.to_string(), "tcp://far.example:2376");
    let tls = endpoint.tls.unwrap();
    assert!(tls.verify);
    assert_eq!(tls.ca, Some(files.join("ca.pem")));
    assert_eq!(
        tls.identity,
        Some((files.join("cert.pem"), files.join("key.pem")))
    );
}

#[test]
fn tls_variables_make_tcp_encrypted() {
    let dir = tempfile::tempdir().unwrap();
    let verify = [
        ("DOCKER_HOST", "tcp://far"),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_CERT_PATH", "/certs"),
    ];
    let endpoint = resolve(&environment(dir.path(), &verify));
    assert_eq!(endpoint.host.to_string(), "tcp://far:2376");
    let tls = endpoint.tls.unwrap();
    assert_eq!((tls.ca, tls.verify), (Some("/certs/ca.pem".into()), true));

    let only_encrypt = [("DOCKER_HOST", "tcp://far"), ("DOCKER_TLS", "1")];
    let tls = resolve(&environment(dir.path(), &only_encrypt)).tls.unwrap();
    assert!(!tls.verify);

    let socket = [("DOCKER_HOST", "unix:///s"), ("DOCKER_TLS_VERIFY", "1")];
    assert_eq!(resolve(&environment(dir.path(), &socket)).tls, None);
}

#[test]
fn a_named_pipe_is_refused_with_what_can_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let environment = environment(dir.path(), &[("DOCKER_HOST", "npipe:////./pipe/docker_engine")]);
    let error = Endpoint::resolve(&environment, &Selection::default()).unwrap_err();
    assert!(error.to_string().contains("set by DOCKER_HOST"), "{error}");
    assert!(error.hint().unwrap().contains("unix:///"));
}
