//! A bare folder with a Dockerfile.

use super::{
    Context, DockerfileSource, Overrides, SecretSource, ServiceBuild, SpecError, Unsupported, network,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use unstale_docker::Environment;
use unstale_docker::compose::Ssh;

/// A bare folder with a Dockerfile, as the command line describes it.
#[derive(Debug, Clone, Default)]
pub struct FolderOptions {
    /// The folder.
    pub path: PathBuf,
    /// `--dockerfile`, relative to the current folder.
    pub dockerfile: Option<PathBuf>,
    /// `--tag`.
    pub tags: Vec<String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--platform`.
    pub platform: Option<String>,
    /// `--secret id=…[,src=…|,env=…]`.
    pub secrets: Vec<String>,
    /// `--ssh default|id=path`.
    pub ssh: Vec<String>,
    /// `--label`.
    pub labels: Vec<String>,
    /// `--network`.
    pub network: Option<String>,
}

impl ServiceBuild {
    /// Reads the description of a bare folder.
    pub fn from_folder(
        options: &FolderOptions,
        overrides: &Overrides,
        environment: &Environment,
        ambient: &BTreeMap<String, String>,
    ) -> Result<ServiceBuild, SpecError> {
        let unsupported = |field: &str, problem: String| SpecError::Unsupported {
            field: format!("--{field}"),
            problem,
        };
        let folder = std::path::absolute(&options.path).unwrap_or_else(|_| options.path.clone());
        let name = image_name(&folder);
        let mut args = overrides.args.clone();
        for (name, value) in ambient {
            args.entry(name.clone()).or_insert_with(|| Some(value.clone()));
        }
        let args = args.into_iter().filter_map(|(name, value)| {
            // An empty variable is a value, too.
            let variable = || {
                let mut variables = environment.variables();
                let (_, value) = variables.find(|(variable, _)| *variable == name.as_str())?;
                value.to_str().map(str::to_owned)
            };
            Some((name.clone(), value.or_else(variable)?))
        });
        let args = args.collect();
        let labels = options.labels.iter().map(|label| match label.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (label.clone(), String::new()),
        });
        let dockerfile = options
            .dockerfile
            .clone()
            .map(|file| std::path::absolute(&file).unwrap_or(file));
        let secrets = options
            .secrets
            .iter()
            .map(|text| folder_secret(text, environment, &unsupported));
        Ok(ServiceBuild {
            images: if options.tags.is_empty() {
                vec![name.clone()]
            } else {
                options.tags.clone()
            },
            service: name,
            labels: labels.collect(),
            args,
            platform: options.platform.clone(),
            dockerfile: DockerfileSource::File(dockerfile.unwrap_or_else(|| folder.join("Dockerfile"))),
            context: Context::Folder(folder),
            secrets: secrets.collect::<Result<_, _>>()?,
            ssh: options.ssh.iter().map(|text| folder_ssh(text)).collect(),
            no_cache: overrides.no_cache,
            pull: overrides.pull,
            network: network(options.network.clone(), &unsupported)?,
            target: options.target.clone(),
            ..ServiceBuild::default()
        })
    }
}

/// `id=NAME[,src=FILE|,env=VARIABLE]`, as `docker build --secret` takes it.
fn folder_secret(
    text: &str,
    environment: &Environment,
    unsupported: &Unsupported<'_>,
) -> Result<(String, SecretSource), SpecError> {
    let refuse = |problem: String| unsupported("secret", problem);
    let (mut id, mut file, mut variable) = (None, None, None);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => file = Some(PathBuf::from(value)),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", "file" | "env")) => {}
            _ => return Err(refuse(format!("{part:?} is none of id=, src=, env="))),
        }
    }
    let id = id.ok_or_else(|| refuse(format!("{text:?} has no id=")))?;
    let source = match (file, variable) {
        (Some(_), Some(_)) => return Err(refuse(format!("{text:?} has both src= and env="))),
        (Some(file), None) => SecretSource::File(file),
        (None, variable) => {
            let name = variable.unwrap_or_else(|| id.clone());
            let value = environment
                .var(&name)
                .ok_or_else(|| refuse(format!("the variable {name} is not set")))?;
            SecretSource::Value(value.to_owned())
        }
    };
    Ok((id, source))
}

/// `default` or `ID=PATH`, as `docker build --ssh` takes it.
fn folder_ssh(text: &str) -> Ssh {
    match text.split_once('=') {
        Some((id, path)) => Ssh {
            id: id.to_owned(),
            path: Some(PathBuf::from(path)),
        },
        None => Ssh {
            id: text.to_owned(),
            path: None,
        },
    }
}

/// The name of an image that the user gives no name: the folder's, in the characters that an image's name can have.
fn image_name(folder: &Path) -> String {
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(allowed).collect();
    let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        "image".to_owned()
    } else {
        words.join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_name_becomes_an_images_name() {
        for (folder, image) in [
            ("/srv/My App", "my-app"),
            ("/srv/app_2.x", "app-2-x"),
            ("/", "image"),
            ("/srv/äö", "image"),
        ] {
            assert_eq!(image_name(Path::new(folder)), image, "{folder}");
        }
    }
}
