//! What is not supported is refused by the name of its field before anything is built.

use super::build;
use testkit::{Project, engines, left_out};

/// Lines of a `build` section, and what the error must say.
const REFUSED: [(&str, &str); 17] = [
    ("isolation: hyperv", "services.app.build.isolation: "),
    ("provenance: true", "services.app.build.provenance: "),
    ("provenance: mode=max", "services.app.build.provenance: "),
    ("sbom: true", "services.app.build.sbom: "),
    (
        "cache_from: ['type=local,src=cache']",
        "services.app.build.cache_from: ",
    ),
    ("cache_from: ['type=gha']", "services.app.build.cache_from: "),
    (
        "cache_to: ['type=local,dest=cache']",
        "services.app.build.cache_to: ",
    ),
    ("cache_to: ['type=gha,mode=max']", "services.app.build.cache_to: "),
    ("cache_to: ['type=magic']", "services.app.build.cache_to: "),
    (
        "additional_contexts: {lib: 'oci-layout:///srv/image'}",
        "services.app.build.additional_contexts.lib: ",
    ),
    (
        "platforms: [linux/amd64, linux/arm64]",
        "services.app.build.platforms: ",
    ),
    ("network: bridge-of-mine", "services.app.build.network: "),
    (
        "extra_hosts: {name: not-an-address}",
        "services.app.build.extra_hosts: ",
    ),
    (
        "secrets: [{source: token, mode: 0400}]",
        "services.app.build.secrets.token: ",
    ),
    ("secrets: [unset]", "services.app.build.secrets.unset: "),
    // Compose itself knows these fields or not, depending on its version.
    ("no_such_field: 1", "no_such_field"),
    ("ssh: [key=/no/such/key]", "/no/such/key"),
];

#[test]
fn unsupported_fields_are_named() {
    if engines().is_empty() {
        return left_out("no engine answers");
    }
    let project = Project::new("options");
    project.write("Dockerfile", "FROM busybox\n");
    project.write("token", "x");
    // The engines take turns: nothing here reaches a builder.
    for ((lines, expected), engine) in REFUSED.iter().zip(engines().iter().cycle()) {
        println!("{lines} on {}", engine.name);
        project.write(
            "compose.yaml",
            format!(
                "services: {{app: {{build: {{context: ., {lines}}}}}}}\n\
                 secrets: {{token: {{file: ./token}}, unset: {{environment: NO_SUCH_VARIABLE}}}}\n"
            ),
        );
        let built = build(&project, engine, &[]);
        assert!(
            matches!(built.code, Some(1 | 20)),
            "{:?} {}",
            built.code,
            built.stderr
        );
        let code = built.code.unwrap_or_default();
        built.refused(code, &[expected]);
        assert!(
            engine
                .api("GET", &format!("/images/{}-app/json", project.name()))
                .is_err(),
            "an image was built"
        );
    }
}

/// Their values are what happens anyway.
#[test]
fn a_field_that_asks_for_the_default_is_no_obstacle() {
    super::on_every_engine(|engine, project| {
        project.write("Dockerfile", "FROM busybox\n");
        project.write(
            "compose.yaml",
            "services: {app: {build: {context: ., isolation: default, provenance: false, sbom: false, network: default, \
             x-own: 1, shm_size: 0, pull: false, no_cache: false, privileged: false}}}\n",
        );
        build(project, engine, &[]).ok();
    });
}
