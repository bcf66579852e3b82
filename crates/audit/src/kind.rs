//! Which files are read, and as what, by their paths alone.

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A Dockerfile or Containerfile.
    Dockerfile,
    /// A Compose file.
    Compose,
    /// A shell script.
    Script,
    /// A Makefile.
    Makefile,
    /// A workflow or a composite action of GitHub Actions.
    GithubWorkflow,
    /// A pipeline of GitLab CI.
    GitlabPipeline,
    /// `docker-bake.hcl`, `docker-bake.json` and their overrides.
    Bake,
    /// What a build context leaves out: `.dockerignore`, `<Dockerfile>.dockerignore`, `.containerignore`.
    DockerIgnore,
}

impl FileKind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Dockerfile => "a Dockerfile",
            FileKind::Compose => "a Compose file",
            FileKind::Script => "a shell script",
            FileKind::Makefile => "a Makefile",
            FileKind::GithubWorkflow => "a GitHub workflow",
            FileKind::GitlabPipeline => "a GitLab pipeline",
            FileKind::Bake => "a bake file",
            FileKind::DockerIgnore => "an ignore file",
        }
    }
}
