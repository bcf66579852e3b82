use serde_json::json;

use super::*;

fn spec(build: Value) -> Result<BuildSpec, String> {
    let document = json!({"name": "p", "services": {"web": {"build": build}}});
    match project(document) {
        Ok(mut project) => Ok(project.services.remove("web").unwrap().build.unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

fn map<V: Clone>(pairs: &[(&str, V)]) -> BTreeMap<String, V> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect()
}

#[test]
fn every_key_of_the_specification_is_read() {
    let build = json!({
        "context": "/p", "dockerfile": "D", "dockerfile_inline": "FROM a", "args": {"A": "1", "B": null},
        "ssh": ["default", "k=/key"], "labels": {"l": "v"}, "cache_from": ["a"], "cache_to": ["type=inline"],
        "no_cache": true, "no_cache_filter": ["s"], "additional_contexts": {"c": "service:lib"}, "pull": true,
        "extra_hosts": ["h=1.2.3.4", "v6=::1"], "isolation": "default", "network": "host", "target": "t",
        "secrets": [{"source": "s", "target": "t", "uid": "1", "gid": "2", "mode": "0400"}, {"source": "u"}],
        "shm_size": "67108864", "ulimits": {"nofile": {"soft": 10, "hard": 20}, "nproc": 7}, "platforms": ["linux/amd64"],
        "privileged": true, "entitlements": ["network.host"], "tags": ["x:1"], "provenance": "mode=max", "sbom": true,
        "x-mine": {"anything": 1},
    });
    let some = |text: &str| Some(text.to_owned());
    let list = |text: &str| vec![text.to_owned()];
    let expected = BuildSpec {
        context: "/p".to_owned(),
        dockerfile: some("D"),
        dockerfile_inline: some("FROM a"),
        args: map(&[("A", some("1")), ("B", None)]),
        ssh: vec![
            Ssh {
                id: "default".to_owned(),
                path: None,
            },
            Ssh {
                id: "k".to_owned(),
                path: Some("/key".into()),
            },
        ],
        labels: map(&[("l", "v".to_owned())]),
        cache_from: list("a"),
        cache_to: list("type=inline"),
        no_cache: true,
        no_cache_filter: list("s"),
        additional_contexts: map(&[("c", "service:lib".to_owned())]),
        pull: true,
        extra_hosts: vec![
            ("h".to_owned(), "1.2.3.4".to_owned()),
            ("v6".to_owned(), "::1".to_owned()),
        ],
        isolation: some("default"),
        network: some("host"),
        target: some("t"),
        secrets: vec![
            SecretMount {
                source: "s".to_owned(),
                target: some("t"),
                uid: some("1"),
                gid: some("2"),
                mode: some("0400"),
            },
            SecretMount {
                source: "u".to_owned(),
                ..SecretMount::default()
            },
        ],
        shm_size: Some(64 << 20),
        ulimits: map(&[
            ("nofile", Ulimit { soft: 10, hard: 20 }),
            ("nproc", Ulimit { soft: 7, hard: 7 }),
        ]),
        platforms: list("linux/amd64"),
        privileged: true,
        entitlements: list("network.host"),
        tags: list("x:1"),
        provenance: some("mode=max"),
        sbom: some("true"),
    };
    assert_eq!(spec(build).unwrap(), expected);
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    let error = spec(json!({"context": "/p", "warp": 1})).unwrap_err();
    assert!(error.starts_with("services.web.build.warp: "), "{error}");
    let nested = spec(json!({"secrets": [{"source": "a"}, {"source": "b", "scope": 1}]})).unwrap_err();
    assert!(
        nested.starts_with("services.web.build.secrets[1].scope: "),
        "{nested}"
    );
    let limit = spec(json!({"ulimits": {"nofile": {"soft": 1, "hard": 1, "x": 2}}})).unwrap_err();
    assert!(
        limit.starts_with("services.web.build.ulimits.nofile.x: "),
        "{limit}"
    );
}

#[test]
fn the_forms_of_older_versions_are_read() {
    assert_eq!(spec(json!("/p")).unwrap().context, "/p");
    let old = json!({
        "args": ["A=1", "B", "C=x=y"], "labels": ["l=v", "bare"], "shm_size": "64m", "extra_hosts": {"h": ["1.1.1.1", "2.2.2.2"], "g": "::1"},
        "cache_from": "one", "ssh": ["k: /key"], "additional_contexts": ["c=/d"], "secrets": ["s"],
    });
    let spec = spec(old).unwrap();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        spec.args,
        map(&[("A", some("1")), ("B", None), ("C", some("x=y"))])
    );
    assert_eq!(
        spec.labels,
        map(&[("bare", String::new()), ("l", "v".to_owned())])
    );
    assert_eq!(spec.shm_size, Some(64 << 20));
    assert_eq!(spec.extra_hosts.len(), 3);
    assert_eq!(spec.cache_from, ["one"]);
    assert_eq!(
        spec.ssh,
        [Ssh {
            id: "k".to_owned(),
            path: Some("/key".into())
        }]
    );
    assert_eq!(spec.secrets[0].id(), "s");
}

#[test]
fn what_is_ill_formed_is_named() {
    for (build, path) in [
        (json!({"shm_size": "lots"}), "services.web.build.shm_size"),
        (json!({"ulimits": {"n": "x"}}), "services.web.build.ulimits.n"),
        (
            json!({"extra_hosts": ["alone"]}),
            "services.web.build.extra_hosts[0]",
        ),
        (json!({"no_cache": "perhaps"}), "services.web.build.no_cache"),
        (json!({"args": {"A": {}}}), "services.web.build.args.A"),
        (json!({"tags": {"a": 1}}), "services.web.build.tags"),
        (json!(["list"]), "services.web.build"),
    ] {
        let error = spec(build).unwrap_err();
        assert!(error.starts_with(&format!("{path}: ")), "{error}");
    }
}

#[test]
fn dollars_are_single_again() {
    let spec = spec(json!({"dockerfile_inline": "RUN echo $$X $${Y} $$$$", "args": {"A$$": "$$"}})).unwrap();
    assert_eq!(spec.dockerfile_inline.unwrap(), "RUN echo $X ${Y} $$");
    assert_eq!(spec.args, map(&[("A$", Some("$".to_owned()))]));
}

#[test]
fn services_and_secrets_are_read() {
    let document = json!({
        "name": "p", "networks": {"x": null},
        "services": {
            "a": {"image": "i", "depends_on": {"b": {"condition": "service_started"}}, "platform": "linux/arm64"},
            "b": {"depends_on": ["c"], "build": null, "anything": {"else": 1}},
        },
        "secrets": {
            "f": {"name": "p_f", "file": "/s"}, "e": {"environment": "TOKEN"}, "x": {"external": true}, "n": {},
        },
    });
    let project = project(document).unwrap();
    assert_eq!(project.services["a"].depends_on, ["b"]);
    assert_eq!(project.services["a"].platform.as_deref(), Some("linux/arm64"));
    assert_eq!(
        (
            &project.services["b"].build,
            project.services["b"].depends_on.len()
        ),
        (&None, 1)
    );
    let expected = [
        ("e", ProjectSecret::Environment("TOKEN".to_owned())),
        ("f", ProjectSecret::File("/s".into())),
        ("n", ProjectSecret::Other("nothing".to_owned())),
        ("x", ProjectSecret::Other("external".to_owned())),
    ];
    assert_eq!(project.secrets, map(&expected));
}
