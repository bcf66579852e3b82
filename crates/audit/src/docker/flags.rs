//! Which options there are, and which of them take a value.

/// The options of a command: names, with the letter behind a slash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// Those that take a value.
    pub values: &'static [&'static str],
    /// Those that do not, where they have a letter (others need none: what is unknown takes none).
    pub switches: &'static [&'static str],
    /// Whether options may stand behind the first argument.
    pub mixed: bool,
}

const fn table(values: &'static [&'static str], switches: &'static [&'static str]) -> Table {
    Table {
        values,
        switches,
        mixed: true,
    }
}

const fn first(values: &'static [&'static str], switches: &'static [&'static str]) -> Table {
    Table {
        values,
        switches,
        mixed: false,
    }
}

/// Of `docker` itself; also of podman and nerdctl.
pub(super) const DOCKER: Table = first(
    &[
        "config",
        "log-level/l",
        "context/c",
        "tlscacert",
        "tlscert",
        "tlskey",
        "host/H",
        // podman, nerdctl
        "connection",
        "identity",
        "root",
        "runroot",
        "runtime",
        "storage-driver",
        "storage-opt",
        "url",
        "namespace/n",
        "address/a",
        "snapshotter",
        "data-root",
        "cgroup-manager",
        "events-backend",
    ],
    &["debug/D", "version/v", "tls", "tlsverify"],
);

/// Of `docker compose` and `docker-compose`.
pub(super) const COMPOSE: Table = first(
    &[
        "profile",
        "project-name/p",
        "file/f",
        "env-file",
        "project-directory",
        "workdir",
        "progress",
        "ansi",
        "parallel",
        // docker-compose 1
        "log-level",
        "host/H",
        "context/c",
        "tlscacert",
        "tlscert",
        "tlskey",
        "podman-path",
        "podman-args",
    ],
    &[
        "version/v",
        "verbose",
        "compatibility",
        "no-ansi",
        "dry-run",
        "all-resources",
    ],
);

/// Of `docker buildx`.
pub(super) const BUILDX: Table = first(&["builder", "timeout"], &["debug/D"]);

pub(super) const BUILD: Table = table(
    &[
        "builder",
        "add-host",
        "allow",
        "annotation",
        "build-arg",
        "build-context",
        "cache-from",
        "cache-to",
        "call",
        "cgroup-parent",
        "cpu-period",
        "cpu-quota",
        "cpu-shares/c",
        "cpuset-cpus",
        "cpuset-mems",
        "file/f",
        "iidfile",
        "isolation",
        "label",
        "memory/m",
        "memory-swap",
        "metadata-file",
        "network",
        "no-cache-filter",
        "output/o",
        "platform",
        "policy",
        "print",
        "progress",
        "resource",
        "secret",
        "security-opt",
        "shm-size",
        "ssh",
        "tag/t",
        "target",
        "ulimit",
        "attest",
        "sbom",
        "provenance",
        // podman, buildah, nerdctl
        "format",
        "jobs",
        "authfile",
        "creds",
        "cert-dir",
        "manifest",
        "arch",
        "os",
        "variant",
        "from",
        "cache-ttl",
        "ignorefile",
        "logfile",
        "runtime",
        "unsetenv",
        "unsetlabel",
        "volume/v",
        "env",
        "retry",
        "retry-delay",
        "timestamp",
        "userns",
        "cap-add",
        "cap-drop",
        "device",
        "dns",
        "build-arg-file",
        "layer-label",
    ],
    &["quiet/q", "debug/D"],
);

pub(super) const BAKE: Table = table(
    &[
        "builder",
        "file/f",
        "sbom",
        "provenance",
        "policy",
        "set",
        "var",
        "call",
        "allow",
        "jobs/j",
        "list",
        "progress",
        "metadata-file",
    ],
    &["debug/D"],
);

pub(super) const BUILDCTL_BUILD: Table = table(
    &[
        "frontend",
        "local",
        "opt",
        "output/o",
        "export-cache",
        "import-cache",
        "export-cache-opt",
        "progress",
        "secret",
        "ssh",
        "metadata-file",
        "trace",
        "allow",
        "oci-layout",
        "source-policy-file",
        "ref-file",
        "registry-auth-tlscontext",
        "debug-json-cache-metrics",
        "addr",
        "timeout",
    ],
    &[],
);

pub(super) const BUILDCTL: Table = first(
    &[
        "addr",
        "log-format",
        "tlsservername",
        "tlscacert",
        "tlscert",
        "tlskey",
        "tlsdir",
        "timeout",
        "wait",
    ],
    &[],
);

pub(super) const PRUNE: Table = table(
    &[
        "filter/f",
        "keep-storage",
        "reserved-space",
        "min-free-space",
        "max-used-space",
        "builder",
        "keep-duration",
        "timeout",
    ],
    &["all/a", "debug/D"],
);

/// `-f` is `--force` but for buildctl.
pub(super) const DOCKER_PRUNE: Table = table(
    &[
        "filter",
        "keep-storage",
        "reserved-space",
        "min-free-space",
        "max-used-space",
        "builder",
        "timeout",
    ],
    &["all/a", "force/f", "debug/D", "volumes"],
);

pub(super) const RUN: Table = first(
    &[
        "platform",
        "attach/a",
        "device-cgroup-rule",
        "device",
        "gpus",
        "env/e",
        "env-file",
        "entrypoint",
        "group-add",
        "hostname/h",
        "domainname",
        "label/l",
        "label-file",
        "restart",
        "stop-signal",
        "stop-timeout",
        "sysctl",
        "ulimit",
        "user/u",
        "workdir/w",
        "cap-add",
        "cap-drop",
        "security-opt",
        "userns",
        "cgroupns",
        "add-host",
        "dns",
        "dns-opt",
        "dns-option",
        "dns-search",
        "expose",
        "ip",
        "ip6",
        "link",
        "link-local-ip",
        "mac-address",
        "publish/p",
        "net",
        "network",
        "net-alias",
        "network-alias",
        "log-driver",
        "volume-driver",
        "log-opt",
        "storage-opt",
        "tmpfs",
        "volumes-from",
        "volume/v",
        "mount",
        "health-cmd",
        "health-interval",
        "health-retries",
        "health-timeout",
        "health-start-period",
        "health-start-interval",
        "blkio-weight",
        "blkio-weight-device",
        "cidfile",
        "cpuset-cpus",
        "cpuset-mems",
        "cpu-count",
        "cpu-percent",
        "cpu-period",
        "cpu-quota",
        "cpu-rt-period",
        "cpu-rt-runtime",
        "cpu-shares/c",
        "cpus",
        "device-read-bps",
        "device-read-iops",
        "device-write-bps",
        "device-write-iops",
        "io-maxbandwidth",
        "io-maxiops",
        "kernel-memory",
        "memory/m",
        "memory-reservation",
        "memory-swap",
        "memory-swappiness",
        "oom-score-adj",
        "pids-limit",
        "cgroup-parent",
        "ipc",
        "isolation",
        "pid",
        "shm-size",
        "uts",
        "runtime",
        "annotation",
        "name",
        "detach-keys",
        "pull",
        "pod",
        "authfile",
        "secret",
        "arch",
        "os",
    ],
    &["interactive/i", "tty/t", "publish-all/P", "detach/d", "quiet/q"],
);

pub(super) const EXEC: Table = first(
    &["detach-keys", "user/u", "env/e", "env-file", "workdir/w"],
    &["interactive/i", "tty/t", "detach/d"],
);

/// `restart`, `stop`, `kill`, `start`, `rm`.
pub(super) const CONTAINER: Table = table(
    &[
        "signal/s",
        "timeout/t",
        "time",
        "detach-keys",
        "checkpoint",
        "checkpoint-dir",
    ],
    &["volumes/v", "link/l", "force/f", "interactive/i", "attach/a"],
);

/// podman's `rm -t` and docker's differ in nothing that matters here.
pub(super) const IMAGE: Table = table(
    &[
        "platform",
        "authfile",
        "creds",
        "cert-dir",
        "input/i",
        "change/c",
        "message/m",
        "arch",
        "os",
        "format",
        "snapshotter",
    ],
    &["all-tags/a", "quiet/q", "force/f"],
);

/// podman's and buildah's `--all` means every image; docker has none.
pub(super) const REMOVE_IMAGES: Table = table(&["platform"], &["all/a", "force/f", "prune/p", "ignore/i"]);

pub(super) const SAVE: Table = table(&["output/o", "platform", "format"], &["quiet/q"]);

pub(super) const COMMIT: Table = first(&["message/m", "author/a", "change/c"], &["pause/p", "quiet/q"]);

pub(super) const COPY: Table = table(&[], &["follow-link/L", "archive/a", "quiet/q"]);

pub(super) const STACK_DEPLOY: Table = table(
    &["compose-file/c", "resolve-image", "orchestrator"],
    &["detach/d", "quiet/q"],
);

pub(super) const SERVICE_UPDATE: Table = table(
    &[
        "args",
        "cap-add",
        "cap-drop",
        "config-add",
        "config-rm",
        "constraint-add",
        "constraint-rm",
        "container-label-add",
        "container-label-rm",
        "credential-spec",
        "dns-add",
        "dns-option-add",
        "dns-option-rm",
        "dns-rm",
        "dns-search-add",
        "dns-search-rm",
        "endpoint-mode",
        "entrypoint",
        "env-add",
        "env-rm",
        "generic-resource-add",
        "generic-resource-rm",
        "group-add",
        "group-rm",
        "health-cmd",
        "health-interval",
        "health-retries",
        "health-start-interval",
        "health-start-period",
        "health-timeout",
        "host-add",
        "host-rm",
        "hostname",
        "image",
        "isolation",
        "label-add",
        "label-rm",
        "limit-cpu",
        "limit-memory",
        "limit-pids",
        "log-driver",
        "log-opt",
        "max-concurrent",
        "mount-add",
        "mount-rm",
        "network-add",
        "network-rm",
        "oom-score-adj",
        "placement-pref-add",
        "placement-pref-rm",
        "publish-add",
        "publish-rm",
        "replicas",
        "replicas-max-per-node",
        "reserve-cpu",
        "reserve-memory",
        "restart-condition",
        "restart-delay",
        "restart-max-attempts",
        "restart-window",
        "rollback-delay",
        "rollback-failure-action",
        "rollback-max-failure-ratio",
        "rollback-monitor",
        "rollback-order",
        "rollback-parallelism",
        "secret-add",
        "secret-rm",
        "stop-grace-period",
        "stop-signal",
        "sysctl-add",
        "sysctl-rm",
        "ulimit-add",
        "ulimit-rm",
        "update-delay",
        "update-failure-action",
        "update-max-failure-ratio",
        "update-monitor",
        "update-order",
        "update-parallelism",
        "user/u",
        "workdir/w",
    ],
    &["detach/d", "quiet/q", "tty/t"],
);

pub(super) const BUILDER: Table = table(
    &[
        "name",
        "driver",
        "node",
        "platform",
        "driver-opt",
        "buildkitd-flags",
        "buildkitd-config",
        "config",
        "builder",
        "timeout",
    ],
    &["debug/D", "force/f"],
);

pub(super) const COMPOSE_BUILD: Table = table(
    &[
        "build-arg",
        "ssh",
        "builder",
        "provenance",
        "sbom",
        "memory/m",
        "progress",
    ],
    &["quiet/q"],
);

pub(super) const COMPOSE_UP: Table = table(
    &[
        "pull",
        "scale",
        "exit-code-from",
        "timeout/t",
        "attach",
        "no-attach",
        "wait-timeout",
    ],
    &["detach/d", "renew-anon-volumes/V", "watch/w", "yes/y"],
);

pub(super) const COMPOSE_RUN: Table = first(
    &[
        "env/e",
        "env-from-file",
        "label/l",
        "name",
        "user/u",
        "workdir/w",
        "entrypoint",
        "cap-add",
        "cap-drop",
        "volume/v",
        "publish/p",
        "pull",
    ],
    &[
        "detach/d",
        "no-TTY/T",
        "service-ports/P",
        "quiet/q",
        "interactive/i",
        "tty/t",
    ],
);

pub(super) const COMPOSE_EXEC: Table = first(
    &["env/e", "index", "user/u", "workdir/w"],
    &["detach/d", "no-tty/T", "interactive/i", "tty/t"],
);

/// The other commands of Compose.
pub(super) const COMPOSE_OTHER: Table = table(
    &[
        "timeout/t",
        "rmi",
        "policy",
        "format",
        "hash",
        "output/o",
        "signal/s",
        "index",
        "since",
        "until",
        "tail",
        "filter",
        "status",
        "message/m",
        "author/a",
        "change/c",
        "wait-timeout",
        "pull",
        "scale",
    ],
    &[
        "volumes/v",
        "force/f",
        "quiet/q",
        "stop/s",
        "all/a",
        "follow/f",
        "yes/y",
    ],
);

impl Table {
    fn find(
        list: &'static [&'static str],
        wanted: impl Fn(&str, Option<char>) -> bool,
    ) -> Option<&'static str> {
        list.iter().find_map(|entry| {
            let (name, letter) = match entry.split_once('/') {
                Some((name, letter)) => (name, letter.chars().next()),
                None => (*entry, None),
            };
            wanted(name, letter).then_some(name)
        })
    }

    /// Whether the long option takes a value.
    pub fn takes_value(&self, name: &str) -> bool {
        Table::find(self.values, |own, _| own == name).is_some()
    }

    /// The long name of a letter, and whether it takes a value.
    pub fn of_letter(&self, letter: char) -> Option<(&'static str, bool)> {
        let values = Table::find(self.values, |_, own| own == Some(letter));
        let switches = || Table::find(self.switches, |_, own| own == Some(letter));
        values
            .map(|name| (name, true))
            .or_else(|| switches().map(|name| (name, false)))
    }
}
