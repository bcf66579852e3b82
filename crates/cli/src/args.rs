//! The command line.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Builds Docker and Compose projects whose cache cannot lie.
#[derive(Debug, Parser)]
#[command(name = "unstale", version, about, disable_help_subcommand = true)]
pub struct Args {
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// Which engine is used; Docker's own flags and variables.
#[derive(Debug, Clone, ClapArgs)]
pub struct EngineArgs {
    /// The Docker engine to use, such as unix:///run/docker.sock or ssh://host (default: as the docker command)
    #[arg(short = 'H', long, global = true, value_name = "ADDRESS")]
    pub host: Option<String>,
    /// The Docker context to use
    #[arg(short = 'c', long, global = true, value_name = "NAME")]
    pub context: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the services of a Compose project, or a folder with a Dockerfile
    Build(Box<BuildArgs>),
    /// Say what a build would run and why, without running anything
    Plan(Box<PlanArgs>),
    /// Say why the steps of a build ran, and where reused results came from
    Why(WhyArgs),
    /// Clear caches, and prove that they are cleared
    Clear(Box<ClearArgs>),
    /// Find cache and staleness hazards in Dockerfiles, Compose files, scripts and CI workflows
    Check(Box<CheckArgs>),
    /// Show what was built before
    Log(LogArgs),
    /// Write what the project promises into unstale.toml, or files that call unstale
    Init(InitArgs),
}

/// The form of the data on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// How progress is shown on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A live view on a terminal, else plain
    Auto,
    /// A live view
    Tty,
    /// One line after the other
    Plain,
    /// Nothing
    Quiet,
}

/// Which Compose project; Compose's own flags.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Compose project")]
pub struct ProjectArgs {
    /// A Compose file; may be given several times
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The project's name
    #[arg(short = 'p', long, value_name = "NAME")]
    pub project_name: Option<String>,
    /// The folder that the project's relative paths start from
    #[arg(long, value_name = "FOLDER")]
    pub project_directory: Option<PathBuf>,
    /// A profile to enable; may be given several times
    #[arg(long = "profile", value_name = "NAME")]
    pub profiles: Vec<String>,
    /// A file with variables; may be given several times
    #[arg(long = "env-file", value_name = "FILE")]
    pub env_files: Vec<PathBuf>,
}

/// What is built, and how; the same for a build and for its plan.
#[derive(Debug, Clone, ClapArgs)]
pub struct WhatArgs {
    /// Services of the Compose project, or one folder with a Dockerfile (`.`, or a path with a `/`)
    #[arg(value_name = "SERVICE|FOLDER")]
    pub targets: Vec<String>,
    /// Set a build argument; without a value it is taken from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub build_args: Vec<String>,
    /// Run every step, whether it is in the cache or not
    #[arg(long)]
    pub no_cache: bool,
    /// Run a step whether it is in the cache or not, and what builds on it; may be given several times. STEP is its number
    /// (6), its stage and number (stage-1/6), a stage for all of its steps, or how the instruction begins ("RUN make")
    #[arg(long = "rerun", value_name = "[SERVICE:]STEP")]
    pub reruns: Vec<String>,
    /// Reuse also results from before the last clear
    #[arg(long)]
    pub allow_old: bool,
    /// Ask the registry for newer base images
    #[arg(long)]
    pub pull: bool,
    #[command(flatten)]
    pub project: ProjectArgs,
    #[command(flatten)]
    pub builder: BuilderArgs,
    #[command(flatten)]
    pub folder: FolderArgs,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct PlanArgs {
    #[command(flatten)]
    pub what: WhatArgs,
    /// Exit with 10 if something would run, instead of with 0
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// The form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    pub format: Format,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct BuildArgs {
    #[command(flatten)]
    pub what: WhatArgs,
    /// Let the other services finish when one fails
    #[arg(long)]
    pub keep_going: bool,
    /// How progress is shown on standard error
    #[arg(long, value_enum, default_value_t = Progress::Auto, env = "UNSTALE_PROGRESS", value_name = "HOW")]
    pub progress: Progress,
    /// The same as --progress quiet
    #[arg(short, long, conflicts_with = "progress")]
    pub quiet: bool,
    /// The form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    pub format: Format,
}

/// A stand-alone BuildKit.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Builder")]
pub struct BuilderArgs {
    /// Build on a stand-alone BuildKit (unix://SOCKET or tcp://HOST:PORT) and load the images into the engine
    #[arg(long, env = "UNSTALE_BUILDER", value_name = "ADDRESS")]
    pub builder: Option<String>,
    /// The authority that the builder's certificate must be from
    #[arg(long, env = "UNSTALE_BUILDER_CA", value_name = "FILE")]
    pub builder_ca: Option<PathBuf>,
    /// Our certificate for the builder
    #[arg(
        long,
        env = "UNSTALE_BUILDER_CERT",
        requires = "builder_key",
        value_name = "FILE"
    )]
    pub builder_cert: Option<PathBuf>,
    /// The key of our certificate
    #[arg(
        long,
        env = "UNSTALE_BUILDER_KEY",
        requires = "builder_cert",
        value_name = "FILE"
    )]
    pub builder_key: Option<PathBuf>,
}

/// What a Compose file says for services is said here for a bare folder.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Folder without a Compose file")]
pub struct FolderArgs {
    /// The Dockerfile (default: Dockerfile in the folder)
    #[arg(long, value_name = "FILE")]
    pub dockerfile: Option<PathBuf>,
    /// A name for the image; may be given several times
    #[arg(short = 't', long = "tag", value_name = "IMAGE")]
    pub tags: Vec<String>,
    /// The stage to build
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// The platform to build for
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// A secret for the build: id=NAME[,src=FILE|,env=VARIABLE]
    #[arg(long = "secret", value_name = "SECRET")]
    pub secrets: Vec<String>,
    /// An ssh agent or key for the build: default, or ID=PATH
    #[arg(long = "ssh", value_name = "SSH")]
    pub ssh: Vec<String>,
    /// A label for the image
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<String>,
    /// The network of RUN steps: default, host or none
    #[arg(long, value_name = "NETWORK")]
    pub network: Option<String>,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct WhyArgs {
    /// Only this service
    #[arg(value_name = "SERVICE")]
    pub service: Option<String>,
    /// The whole story of one step: its number, STAGE/NUMBER, or the beginning of its instruction
    #[arg(value_name = "STEP")]
    pub step: Option<String>,
    /// A build, by the beginning of its id (default: the last one of this folder)
    #[arg(long, value_name = "BUILD")]
    pub build: Option<String>,
    /// The form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    pub format: Format,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ClearArgs {
    /// Only the results of these services; of a step (as --rerun takes it) and what follows it, with SERVICE:STEP
    #[arg(value_name = "SERVICE[:STEP]")]
    pub parts: Vec<String>,
    /// What to clear: builder, mounts, images, imports, ci, ledger or all; may be given several times, or as a list with
    /// commas (default: the variable TARGET, else builder)
    #[arg(short = 't', long = "target", value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Only the cache mount with this id; may be given several times
    #[arg(long = "mount", value_name = "ID")]
    pub mounts: Vec<String>,
    /// Also images that containers use
    #[arg(long)]
    pub force: bool,
    /// Also delete the caches in registries that builds import, with every tag of them
    #[arg(long)]
    pub remote: bool,
    /// How long builds that run are waited for, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub wait: u64,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Say what would be cleared, and clear nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Clear nothing; try in a throw-away project which ways of clearing work on this builder, and leave its cache as it is.
    /// With containerd's image store that cannot be: there every project's next build runs its steps again
    #[arg(long, conflicts_with_all = ["parts", "targets", "mounts", "force", "remote", "wait", "dry_run"])]
    pub experiment: bool,
    /// The form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    pub format: Format,
    #[command(flatten)]
    pub project: ProjectArgs,
    #[command(flatten)]
    pub builder: BuilderArgs,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct CheckArgs {
    /// Files and folders to check (default: the current folder)
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Run this rule alone; may be given several times, or as a list with commas
    #[arg(long = "rule", value_name = "RULE", value_delimiter = ',')]
    pub rules: Vec<String>,
    /// The lowest severity that is shown
    #[arg(long, value_enum, default_value_t = SeverityArg::Info, value_name = "LEVEL")]
    pub min_severity: SeverityArg,
    /// The lowest confidence that is shown (default: medium; low for rules that are named with --rule)
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub min_confidence: Option<ConfidenceArg>,
    /// The lowest severity that the exit code tells of; none for always 0
    #[arg(long, value_enum, default_value_t = FailOn::Info, value_name = "LEVEL")]
    pub fail_on: FailOn,
    /// Apply the fixes that are safe
    #[arg(long)]
    pub fix: bool,
    /// With --fix or --diff, also the fixes that may change what the project does
    #[arg(long = "unsafe")]
    pub bold: bool,
    /// Show what --fix would change, and change nothing
    #[arg(long, conflicts_with = "fix")]
    pub diff: bool,
    /// Check only what [contract] in unstale.toml states
    #[arg(long, conflicts_with_all = ["fix", "diff", "rules", "write_baseline"])]
    pub contract: bool,
    /// Leave out the findings of this file (default: the one that unstale.toml names)
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the findings that there are into the baseline file, so that only new ones are shown from now on
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = ".unstale-baseline.json")]
    pub write_baseline: Option<PathBuf>,
    /// Explain a rule: what it finds, why, what to do instead
    #[arg(long, value_name = "RULE", conflicts_with_all = ["fix", "diff", "contract", "paths", "list_rules"])]
    pub explain: Option<String>,
    /// List the rules
    #[arg(long, conflicts_with_all = ["fix", "diff", "contract", "paths"])]
    pub list_rules: bool,
    /// The form of the result on standard output
    #[arg(long, value_enum, default_value_t = CheckFormat::Text, value_name = "FORM")]
    pub format: CheckFormat,
}

/// The form of findings on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// For pull requests: a table
    Markdown,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// GitLab's code quality report
    Gitlab,
    /// JUnit's XML
    Junit,
}

/// A severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SeverityArg {
    Info,
    Low,
    Medium,
    High,
}

/// A confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfidenceArg {
    Low,
    Medium,
    High,
}

/// From which severity on the exit code tells of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Info,
    Low,
    Medium,
    High,
    None,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct LogArgs {
    /// A build, by the beginning of its id; without it, the builds are listed
    #[arg(value_name = "BUILD")]
    pub build: Option<String>,
    /// Only builds of this project
    #[arg(short = 'p', long, value_name = "NAME")]
    pub project_name: Option<String>,
    /// How many builds are listed
    #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT")]
    pub limit: u32,
    /// The form of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    pub format: Format,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct InitArgs {
    /// The workflow to write for GitHub Actions, with its script; without it, [contract] is written into unstale.toml, from
    /// what there is in the project
    #[arg(long, value_enum, value_name = "NAME")]
    pub workflow: Option<Workflow>,
    /// Overwrite files that are there already
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub project: ProjectArgs,
}

/// A workflow for GitHub Actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workflow {
    /// Clears caches by hand, and fails where that is not proven
    ClearCaches,
}

impl WhatArgs {
    /// The folder to build, if the command line names one instead of services.
    ///
    /// # Errors
    /// If a folder is named together with something else, or a folder's flag without a folder.
    pub fn folder_target(&self) -> Result<Option<PathBuf>, String> {
        let is_path = |target: &String| target == "." || target == ".." || target.contains('/');
        let folder = self.targets.iter().find(|target| is_path(target));
        match folder {
            Some(folder) if self.targets.len() > 1 => Err(format!(
                "{folder:?} is a folder, which is built alone; name services without a '/'"
            )),
            Some(_) if !self.project.files.is_empty() => {
                Err("--file names Compose files; name a folder's Dockerfile with --dockerfile".to_owned())
            }
            Some(folder) => Ok(Some(PathBuf::from(folder))),
            None => match self.folder.first_flag() {
                Some(flag) => Err(format!(
                    "{flag} is for a folder (unstale build . {flag} …); services have it in the Compose file"
                )),
                None => Ok(None),
            },
        }
    }
}

impl FolderArgs {
    fn first_flag(&self) -> Option<&'static str> {
        let flags = [
            ("--dockerfile", self.dockerfile.is_some()),
            ("--tag", !self.tags.is_empty()),
            ("--target", self.target.is_some()),
            ("--platform", self.platform.is_some()),
            ("--secret", !self.secrets.is_empty()),
            ("--ssh", !self.ssh.is_empty()),
            ("--label", !self.labels.is_empty()),
            ("--network", self.network.is_some()),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn build(arguments: &[&str]) -> WhatArgs {
        let arguments = ["unstale", "build"].iter().chain(arguments);
        match Args::try_parse_from(arguments).unwrap().command {
            Command::Build(build) => build.what,
            _ => panic!(),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_path_is_a_folder_and_a_word_is_a_service() {
        assert_eq!(build(&["."]).folder_target(), Ok(Some(".".into())));
        assert_eq!(build(&["./web"]).folder_target(), Ok(Some("./web".into())));
        assert_eq!(build(&["web", "api"]).folder_target(), Ok(None));
        assert_eq!(build(&[]).folder_target(), Ok(None));
    }

    #[test]
    fn what_does_not_fit_together_is_said() {
        assert!(
            build(&["web", "./api"])
                .folder_target()
                .unwrap_err()
                .contains("./api")
        );
        assert!(
            build(&["-t", "a", "web"])
                .folder_target()
                .unwrap_err()
                .contains("--tag")
        );
        assert!(
            build(&["-f", "compose.yml", "."])
                .folder_target()
                .unwrap_err()
                .contains("--dockerfile")
        );
    }
}
