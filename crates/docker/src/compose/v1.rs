//! What `docker-compose` v1 does not print: the project's name. Its rule is fixed for ever, v1 having ended in 2023
//! (`compose/cli/command.py`, `get_project_name`).

use std::path::{Path, PathBuf};

use super::ProjectOptions;
use crate::Environment;

/// The files that v1 looks for, in the folder and then in those above it.
const FILES: [&str; 4] = [
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yml",
    "compose.yaml",
];

/// `-p`, else `COMPOSE_PROJECT_NAME` of the environment or of `.env`, else the name of the project's folder.
pub(super) fn project_name(options: &ProjectOptions, environment: &Environment) -> String {
    let cwd = options
        .cwd
        .clone()
        .or_else(|| std::env::current_dir().ok())
        .unwrap_or_default();
    let base = options
        .project_directory
        .as_ref()
        .map_or_else(|| cwd.clone(), |dir| cwd.join(dir));
    let given = options.project_name.clone();
    let given = given.or_else(|| environment.var("COMPOSE_PROJECT_NAME").map(str::to_owned));
    let name = given.or_else(|| from_env_file(options, &cwd, &base)).or_else(|| {
        let folder = match options.project_directory {
            Some(_) => base.clone(),
            None => project_folder(options, environment, &cwd),
        };
        // `..` and links have no name of their own.
        let folder = folder.canonicalize().unwrap_or(folder);
        Some(folder.file_name()?.to_string_lossy().into_owned())
    });
    let name = name.unwrap_or_default().to_lowercase();
    let name: String = name
        .chars()
        .filter(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'))
        .collect();
    if name.is_empty() {
        "default".to_owned()
    } else {
        name
    }
}

fn project_folder(options: &ProjectOptions, environment: &Environment, cwd: &Path) -> PathBuf {
    let separator = environment.var("COMPOSE_PATH_SEPARATOR").unwrap_or(":");
    let variable = environment
        .var("COMPOSE_FILE")
        .and_then(|files| files.split(separator).next());
    let first = options
        .files
        .first()
        .cloned()
        .or_else(|| variable.map(PathBuf::from));
    match first {
        Some(file) => cwd.join(file).parent().map(Path::to_owned).unwrap_or_default(),
        None => {
            let has_file = |dir: &&Path| FILES.iter().any(|name| dir.join(name).exists());
            cwd.ancestors().find(has_file).unwrap_or(cwd).to_owned()
        }
    }
}

fn from_env_file(options: &ProjectOptions, cwd: &Path, base: &Path) -> Option<String> {
    let path = options
        .env_files
        .first()
        .map_or_else(|| base.join(".env"), |file| cwd.join(file));
    let text = std::fs::read_to_string(path).ok()?;
    let value = text
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix("COMPOSE_PROJECT_NAME="))?;
    Some(value.trim_matches(['"', '\'']).to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_then_the_variable_then_the_env_file_then_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("My.App 2");
        let below = project.join("below");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(project.join("docker-compose.yml"), "").unwrap();
        let nothing = Environment::default();
        let options = ProjectOptions {
            cwd: Some(below),
            ..ProjectOptions::default()
        };
        assert_eq!(project_name(&options, &nothing), "myapp2");

        let in_project = ProjectOptions {
            cwd: Some(project.clone()),
            ..ProjectOptions::default()
        };
        std::fs::write(project.join(".env"), "A=1\nCOMPOSE_PROJECT_NAME='from-file'\n").unwrap();
        assert_eq!(project_name(&in_project, &nothing), "from-file");
        let variable = nothing.with("COMPOSE_PROJECT_NAME", "From_Variable");
        assert_eq!(project_name(&in_project, &variable), "from_variable");
        let flag = ProjectOptions {
            project_name: Some("flag".to_owned()),
            ..in_project
        };
        assert_eq!(project_name(&flag, &variable), "flag");
    }
}
