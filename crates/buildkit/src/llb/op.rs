//! The operations of a build graph, decoded.
//!
//! The fields are those that decide what a step does. Attributes that only say how a session transports a
//! folder are kept in [`Op::Source`], and left out of the normalised form.

use crate::proto::pb;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the fields carry BuildKit's own names, documented in its ops.proto
pub enum Op {
    /// Runs a process.
    Exec(Box<Exec>),
    /// Reads an image, a folder, a repository or a URL.
    Source {
        identifier: String,
        attrs: BTreeMap<String, String>,
    },
    /// Changes files: COPY, ADD, WORKDIR.
    File { actions: Vec<FileAction> },
    /// Lays the inputs over each other (`COPY --link`). The numbers are indexes of inputs.
    Merge { inputs: Vec<i64> },
    /// The difference of two inputs.
    Diff { lower: Option<i64>, upper: Option<i64> },
    /// Builds another definition.
    Build {
        builder: i64,
        attrs: BTreeMap<String, String>,
    },
    /// An operation that this client does not know.
    Unknown,
}

/// A process to run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // as above
pub struct Exec {
    pub args: Vec<String>,
    pub env: Vec<String>,
    pub cwd: String,
    pub user: String,
    pub hostname: String,
    pub network: String,
    pub security: String,
    pub extra_hosts: Vec<(String, String)>,
    pub ulimits: Vec<(String, i64, i64)>,
    pub cgroup_parent: String,
    pub secret_env: Vec<(String, String, bool)>,
    pub devices: Vec<(String, bool)>,
    pub mounts: Vec<Mount>,
}

/// A mount of an [`Exec`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Mount {
    pub input: i64,
    pub selector: String,
    pub dest: String,
    pub output: i64,
    pub readonly: bool,
    pub kind: MountKind,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum MountKind {
    Bind,
    Secret {
        id: String,
        uid: u32,
        gid: u32,
        mode: u32,
        optional: bool,
    },
    Ssh {
        id: String,
        uid: u32,
        gid: u32,
        mode: u32,
        optional: bool,
    },
    Cache {
        id: String,
        sharing: String,
    },
    Tmpfs {
        size: i64,
    },
    Unknown,
}

/// One action of an [`Op::File`]. `input` and `secondary_input` count the operation's inputs first and then
/// the results of earlier actions; -1 is an empty file system.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FileAction {
    Copy {
        input: i64,
        secondary_input: i64,
        output: i64,
        src: String,
        dest: String,
        owner: Option<Owner>,
        mode: Option<String>,
        follow_symlink: bool,
        dir_copy_contents: bool,
        unpack: bool,
        create_dest_path: bool,
        allow_wildcard: bool,
        allow_empty_wildcard: bool,
        replace_existing: bool,
        include: Vec<String>,
        exclude: Vec<String>,
        required: Vec<String>,
        timestamp: i64,
    },
    MakeFile {
        input: i64,
        output: i64,
        path: String,
        mode: i32,
        sha256: String,
        owner: Option<Owner>,
        timestamp: i64,
    },
    Symlink {
        input: i64,
        output: i64,
        old: String,
        new: String,
        owner: Option<Owner>,
        timestamp: i64,
    },
    MakeDir {
        input: i64,
        output: i64,
        path: String,
        mode: i32,
        parents: bool,
        owner: Option<Owner>,
        timestamp: i64,
    },
    Remove {
        input: i64,
        output: i64,
        path: String,
        allow_not_found: bool,
        allow_wildcard: bool,
    },
    Unknown,
}

/// The owner of a file that a step writes: a number, or a name that is looked up in an input's files.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Owner {
    pub user: Option<Identity>,
    pub group: Option<Identity>,
}

/// A user or group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Identity {
    Id(u32),
    Name { name: String, input: i64 },
}

/// Attributes of `local://` sources that say how a session transports the folder, not what is in it.
const TRANSPORT: [&str; 4] = [
    "local.session",
    "local.unique",
    "local.sharedkeyhint",
    "local.differ",
];

impl Op {
    pub(super) fn read(op: pb::op::Op) -> Op {
        match op {
            pb::op::Op::Exec(exec) => Op::Exec(Box::new(Op::exec(exec))),
            pb::op::Op::Source(source) => Op::Source {
                identifier: source.identifier,
                attrs: source.attrs,
            },
            pb::op::Op::File(file) => Op::File {
                actions: file.actions.into_iter().map(FileAction::read).collect(),
            },
            pb::op::Op::Merge(merge) => Op::Merge {
                inputs: merge.inputs.into_iter().map(|input| input.input).collect(),
            },
            pb::op::Op::Diff(diff) => Op::Diff {
                lower: diff.lower.map(|input| input.input),
                upper: diff.upper.map(|input| input.input),
            },
            pb::op::Op::Build(build) => Op::Build {
                builder: build.builder,
                attrs: build.attrs,
            },
        }
    }

    fn exec(exec: pb::ExecOp) -> Exec {
        let network = exec.network().as_str_name().to_owned();
        let security = exec.security().as_str_name().to_owned();
        let meta = exec.meta.unwrap_or_default();
        Exec {
            args: meta.args,
            env: meta.env,
            cwd: meta.cwd,
            user: meta.user,
            hostname: meta.hostname,
            network,
            security,
            extra_hosts: meta
                .extra_hosts
                .into_iter()
                .map(|entry| (entry.host, entry.ip))
                .collect(),
            ulimits: meta
                .ulimit
                .into_iter()
                .map(|limit| (limit.name, limit.soft, limit.hard))
                .collect(),
            cgroup_parent: meta.cgroup_parent,
            secret_env: exec
                .secretenv
                .into_iter()
                .map(|env| (env.id, env.name, env.optional))
                .collect(),
            devices: exec
                .cdi_devices
                .into_iter()
                .map(|device| (device.name, device.optional))
                .collect(),
            mounts: exec.mounts.into_iter().map(Mount::read).collect(),
        }
    }

    /// A name for an operation to which the frontend gave none.
    pub(super) fn describe(&self) -> String {
        match self {
            Op::Exec(exec) => exec.args.join(" "),
            Op::Source { identifier, .. } => identifier.clone(),
            Op::File { .. } => "file operation".to_owned(),
            Op::Merge { .. } => "merge".to_owned(),
            Op::Diff { .. } => "diff".to_owned(),
            Op::Build { .. } => "build".to_owned(),
            Op::Unknown => "unknown operation".to_owned(),
        }
    }

    /// The operation as JSON with sorted keys, without what differs between sessions.
    pub(super) fn normalised(&self) -> serde_json::Value {
        let mut op = self.clone();
        if let Op::Source { identifier, attrs } = &mut op
            && identifier.starts_with("local://")
        {
            attrs.retain(|key, _| !TRANSPORT.contains(&key.as_str()));
        }
        // Only maps with keys that are not strings cannot be values, and there are none.
        serde_json::to_value(op).unwrap_or_default()
    }
}

impl Mount {
    fn read(mount: pb::Mount) -> Mount {
        let kind = match mount.mount_type() {
            pb::MountType::Bind => MountKind::Bind,
            pb::MountType::Secret => {
                let secret = mount.secret_opt.unwrap_or_default();
                let pb::SecretOpt {
                    id,
                    uid,
                    gid,
                    mode,
                    optional,
                } = secret;
                MountKind::Secret {
                    id,
                    uid,
                    gid,
                    mode,
                    optional,
                }
            }
            pb::MountType::Ssh => {
                let pb::SshOpt {
                    id,
                    uid,
                    gid,
                    mode,
                    optional,
                } = mount.ssh_opt.unwrap_or_default();
                MountKind::Ssh {
                    id,
                    uid,
                    gid,
                    mode,
                    optional,
                }
            }
            pb::MountType::Cache => {
                let cache = mount.cache_opt.unwrap_or_default();
                let sharing = cache.sharing().as_str_name().to_owned();
                MountKind::Cache {
                    id: cache.id,
                    sharing,
                }
            }
            pb::MountType::Tmpfs => MountKind::Tmpfs {
                size: mount.tmpfs_opt.map_or(0, |tmpfs| tmpfs.size),
            },
        };
        Mount {
            input: mount.input,
            selector: mount.selector,
            dest: mount.dest,
            output: mount.output,
            readonly: mount.readonly,
            kind,
        }
    }
}

impl FileAction {
    fn read(action: pb::FileAction) -> FileAction {
        use pb::file_action::Action;
        let (input, secondary_input, output) = (action.input, action.secondary_input, action.output);
        match action.action {
            Some(Action::Copy(copy)) => FileAction::Copy {
                input,
                secondary_input,
                output,
                src: copy.src,
                dest: copy.dest,
                owner: copy.owner.map(Owner::read),
                mode: match (copy.mode_str, copy.mode) {
                    (text, _) if !text.is_empty() => Some(text),
                    (_, -1) => None,
                    (_, mode) => Some(format!("{mode:o}")),
                },
                follow_symlink: copy.follow_symlink,
                dir_copy_contents: copy.dir_copy_contents,
                unpack: copy.attempt_unpack_docker_compatibility,
                create_dest_path: copy.create_dest_path,
                allow_wildcard: copy.allow_wildcard,
                allow_empty_wildcard: copy.allow_empty_wildcard,
                replace_existing: copy.always_replace_existing_dest_paths,
                include: copy.include_patterns,
                exclude: copy.exclude_patterns,
                required: copy.required_paths,
                timestamp: copy.timestamp,
            },
            Some(Action::Mkfile(file)) => FileAction::MakeFile {
                input,
                output,
                path: file.path,
                mode: file.mode,
                sha256: hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&file.data)),
                owner: file.owner.map(Owner::read),
                timestamp: file.timestamp,
            },
            Some(Action::Symlink(link)) => FileAction::Symlink {
                input,
                output,
                old: link.oldpath,
                new: link.newpath,
                owner: link.owner.map(Owner::read),
                timestamp: link.timestamp,
            },
            Some(Action::Mkdir(dir)) => FileAction::MakeDir {
                input,
                output,
                path: dir.path,
                mode: dir.mode,
                parents: dir.make_parents,
                owner: dir.owner.map(Owner::read),
                timestamp: dir.timestamp,
            },
            Some(Action::Rm(rm)) => FileAction::Remove {
                input,
                output,
                path: rm.path,
                allow_not_found: rm.allow_not_found,
                allow_wildcard: rm.allow_wildcard,
            },
            None => FileAction::Unknown,
        }
    }
}

impl Owner {
    fn read(owner: pb::ChownOpt) -> Owner {
        let identity = |option: Option<pb::UserOpt>| match option?.user? {
            pb::user_opt::User::ByName(name) => Some(Identity::Name {
                name: name.name,
                input: name.input,
            }),
            pb::user_opt::User::ById(id) => Some(Identity::Id(id)),
        };
        Owner {
            user: identity(owner.user),
            group: identity(owner.group),
        }
    }
}
