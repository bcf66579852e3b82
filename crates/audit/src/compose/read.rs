//! Reads services, builds and what else a Compose file has, in each form that Compose allows.

use super::cursor::Cursor;
use super::model::*;
use super::mount::{grant, mount};
use crate::Span;

/// The keys of a service. Source: the Compose specification, its JSON schema, and what version 1 had.
const SERVICE_KEYS: &[&str] = &[
    "annotations",
    "attach",
    "blkio_config",
    "build",
    "cap_add",
    "cap_drop",
    "cgroup",
    "cgroup_parent",
    "command",
    "configs",
    "container_name",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpus",
    "cpuset",
    "credential_spec",
    "depends_on",
    "deploy",
    "develop",
    "device_cgroup_rules",
    "devices",
    "dns",
    "dns_opt",
    "dns_search",
    "dockerfile",
    "domainname",
    "driver_opts",
    "entrypoint",
    "env_file",
    "environment",
    "expose",
    "extends",
    "external_links",
    "extra_hosts",
    "gpus",
    "group_add",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "ipc",
    "isolation",
    "label_file",
    "labels",
    "links",
    "log_driver",
    "log_opt",
    "logging",
    "mac_address",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "models",
    "net",
    "network_mode",
    "networks",
    "oom_kill_disable",
    "oom_score_adj",
    "pid",
    "pids_limit",
    "platform",
    "ports",
    "post_start",
    "pre_start",
    "pre_stop",
    "privileged",
    "profiles",
    "provider",
    "pull_policy",
    "read_only",
    "restart",
    "runtime",
    "scale",
    "secrets",
    "security_opt",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "storage_opt",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "use_api_socket",
    "user",
    "userns_mode",
    "uts",
    "volume_driver",
    "volumes",
    "volumes_from",
    "working_dir",
];

pub(super) fn service(name: &str, cursor: &Cursor<'_>) -> Service {
    let deploy = cursor.get("deploy");
    let extends = cursor.get("extends").and_then(|cursor| {
        let place = cursor.place();
        let (file, service) = match cursor.node.as_str() {
            Some(service) => (None, service.to_owned()),
            None => (cursor.get_text("file"), cursor.get_text("service")?.value),
        };
        Some(Extends { file, service, place })
    });
    let mut clears = Vec::new();
    directives(cursor, &mut Vec::new(), &mut clears);
    Service {
        name: name.to_owned(),
        name_span: cursor.key_span(),
        place: cursor.place(),
        image: cursor.get_text("image"),
        build: cursor.get("build").and_then(|build| self::build(&build, cursor)),
        container_name: cursor.get_text("container_name"),
        volumes: items(cursor, "volumes").iter().filter_map(mount).collect(),
        configs: items(cursor, "configs").iter().filter_map(grant).collect(),
        secrets: items(cursor, "secrets").iter().filter_map(grant).collect(),
        environment: pairs(cursor, "environment", '='),
        env_file: items_or_one(cursor, "env_file")
            .iter()
            .filter_map(|item| item.text().or_else(|| item.get_text("path")))
            .collect(),
        command: cursor.get("command").and_then(|cursor| command(&cursor)),
        entrypoint: cursor.get("entrypoint").and_then(|cursor| command(&cursor)),
        healthcheck: cursor.get("healthcheck").map(|cursor| healthcheck(&cursor)),
        depends_on: depends_on(cursor),
        pull_policy: cursor.get_text("pull_policy"),
        platform: cursor.get_text("platform"),
        profiles: cursor.get_texts("profiles"),
        restart: cursor.get_text("restart"),
        replicas: deploy
            .and_then(|deploy| deploy.get_text("replicas"))
            .or_else(|| cursor.get_text("scale")),
        watch: cursor
            .get("develop")
            .map(|develop| items(&develop, "watch").iter().map(watch).collect())
            .unwrap_or_default(),
        labels: pairs(cursor, "labels", '='),
        extends,
        unknown: cursor
            .entries()
            .into_iter()
            .filter(|(key, _)| !SERVICE_KEYS.contains(&key.as_str()) && !key.starts_with("x-") && key != "<<")
            .map(|(key, cursor)| Located {
                value: key,
                place: cursor.place(),
            })
            .collect(),
        clears,
        is_reset: cursor.is_reset(),
    }
}

fn items<'y>(cursor: &Cursor<'y>, key: &str) -> Vec<Cursor<'y>> {
    cursor.get(key).map(|cursor| cursor.items()).unwrap_or_default()
}

fn items_or_one<'y>(cursor: &Cursor<'y>, key: &str) -> Vec<Cursor<'y>> {
    match cursor.get(key) {
        Some(cursor) if cursor.node.is_mapping() => vec![cursor],
        Some(cursor) => cursor.items_or_one(),
        None => Vec::new(),
    }
}

/// Where `!reset` and `!override` stand: paths of keys down to those of a mapping in `build`.
fn directives(cursor: &Cursor<'_>, path: &mut Vec<String>, found: &mut Vec<String>) {
    let is_marked = matches!(cursor.tag(), Some("!reset" | "!override"));
    if is_marked {
        found.push(path.join("."));
    } else if path.len() < 3 {
        for (key, below) in cursor.own_entries() {
            path.push(key);
            directives(&below, path, found);
            path.pop();
        }
    }
}

/// A mapping, or a list of `name=value`.
pub(super) fn pairs(cursor: &Cursor<'_>, key: &str, sign: char) -> Vec<Pair> {
    let Some(cursor) = cursor.get(key) else {
        return Vec::new();
    };
    let of_entry = |(name, entry): (String, Cursor<'_>)| Pair {
        name,
        name_span: entry.key_span(),
        value: entry.node.as_str().map(str::to_owned),
        place: entry.place(),
    };
    let of_item = |item: &Cursor<'_>| {
        let scalar = item.node.scalar()?;
        let text = scalar.text();
        let (name, value) = match text.split_once(sign) {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        Some(Pair {
            name: name.to_owned(),
            name_span: scalar.mapped().span(Span::new(0, name.len())),
            value,
            place: item.place(),
        })
    };
    match cursor.node.is_sequence() {
        true => cursor.items().iter().filter_map(of_item).collect(),
        false => cursor.entries().into_iter().map(of_entry).collect(),
    }
}

fn build(cursor: &Cursor<'_>, service: &Cursor<'_>) -> Option<Build> {
    let place = Some(cursor.place());
    if let Some(context) = cursor.text() {
        return Some(Build {
            place,
            is_short: true,
            context: Some(context),
            // Version 1 has it beside `build`.
            dockerfile: service.get_text("dockerfile"),
            ..Build::default()
        });
    }
    if !cursor.node.is_mapping() {
        return None;
    }
    Some(Build {
        place,
        is_short: false,
        context: cursor.get_text("context"),
        dockerfile: cursor.get_text("dockerfile"),
        dockerfile_inline: cursor.get_text("dockerfile_inline"),
        args: pairs(cursor, "args", '='),
        target: cursor.get_text("target"),
        cache_from: cursor.get_texts("cache_from"),
        cache_to: cursor.get_texts("cache_to"),
        no_cache: cursor.get_bool("no_cache"),
        pull: cursor.get_bool("pull"),
        platforms: cursor.get_texts("platforms"),
        tags: cursor.get_texts("tags"),
        secrets: items(cursor, "secrets").iter().filter_map(grant).collect(),
        additional_contexts: pairs(cursor, "additional_contexts", '='),
        labels: pairs(cursor, "labels", '='),
        network: cursor.get_text("network"),
    })
}

fn command(cursor: &Cursor<'_>) -> Option<Command> {
    if cursor.node.is_null() {
        return None;
    }
    Some(Command {
        words: cursor.items_or_one().iter().filter_map(Cursor::text).collect(),
        is_list: cursor.node.is_sequence(),
        place: cursor.place(),
    })
}

fn healthcheck(cursor: &Cursor<'_>) -> Healthcheck {
    let test = cursor.get("test").and_then(|test| command(&test));
    let is_none = test
        .as_ref()
        .is_some_and(|test| matches!(test.words.as_slice(), [word] if word.value == "NONE"));
    Healthcheck {
        is_disabled: is_none || cursor.get_bool("disable").is_some_and(|disable| disable.value),
        test,
        place: cursor.place(),
    }
}

fn depends_on(cursor: &Cursor<'_>) -> Vec<Dependency> {
    let Some(cursor) = cursor.get("depends_on") else {
        return Vec::new();
    };
    let dependency = |service: String, condition: Option<Text>, place| Dependency {
        service,
        condition: condition.map_or_else(|| "service_started".to_owned(), |text| text.value),
        place,
    };
    match cursor.node.is_mapping() {
        true => cursor
            .entries()
            .into_iter()
            .map(|(name, entry)| dependency(name, entry.get_text("condition"), entry.place()))
            .collect(),
        false => cursor
            .items_or_one()
            .iter()
            .filter_map(|item| Some(dependency(item.text()?.value, None, item.place())))
            .collect(),
    }
}

fn watch(cursor: &Cursor<'_>) -> Watch {
    Watch {
        action: cursor.get_text("action"),
        path: cursor.get_text("path"),
        target: cursor.get_text("target"),
        place: cursor.place(),
    }
}

pub(super) fn resources(root: &Cursor<'_>, key: &str) -> Vec<Resource> {
    let Some(cursor) = root.get(key) else {
        return Vec::new();
    };
    let resource = |(name, entry): (String, Cursor<'_>)| Resource {
        name,
        is_external: entry
            .get("external")
            .is_some_and(|external| external.node.as_bool() == Some(true) || external.node.is_mapping()),
        device: entry
            .get("driver_opts")
            .and_then(|options| options.get_text("device")),
        file: entry.get_text("file"),
        place: entry.place(),
    };
    cursor.entries().into_iter().map(resource).collect()
}

pub(super) fn includes(root: &Cursor<'_>) -> Vec<Include> {
    let include = |item: &Cursor<'_>| Include {
        paths: match item.text() {
            Some(path) => vec![path],
            None => item.get_texts("path"),
        },
        project_directory: item.get_text("project_directory"),
        place: item.place(),
    };
    items(root, "include").iter().map(include).collect()
}
