//! What Compose's own `build` adds to a project before it builds, as pure functions. Read in docker/compose v5
//! (`pkg/compose/build.go`, `build_bake.go`, `cmd/compose/options.go`), and compared with what `docker compose build`
//! of 2.40 really makes.

use std::collections::BTreeMap;

use super::{FieldError, Project, Service, Version};
use crate::{ConfigFile, Environment};

/// The prefix of an additional context that is another service's image.
const SERVICE_PREFIX: &str = "service:";

/// The services whose images this one is built from, by `additional_contexts`.
pub fn service_contexts(service: &Service) -> impl Iterator<Item = &str> {
    let contexts = service
        .build
        .iter()
        .flat_map(|build| build.additional_contexts.values());
    contexts.filter_map(|context| context.strip_prefix(SERVICE_PREFIX))
}

/// The separator in default image names: `_` for Compose v1 and under `COMPOSE_COMPATIBILITY`, else `-`.
/// `project_environment` is the one that Compose resolves the project with, `.env` included.
pub fn name_separator(version: &Version, project_environment: &BTreeMap<String, String>) -> char {
    let compatible = project_environment
        .get("COMPOSE_COMPATIBILITY")
        .is_some_and(|value| is_true(value));
    if version.major < 2 || compatible { '_' } else { '-' }
}

/// Compose's reading of a boolean variable (`pkg/utils/stringutils.go`).
fn is_true(value: &str) -> bool {
    matches!(value.trim().to_lowercase().as_str(), "1" | "t" | "true" | "y")
}

/// The image that a service is built as: its `image`, else `<project><separator><service>`.
pub fn image_name(project: &Project, service: &Service, separator: char) -> String {
    match &service.image {
        Some(image) => image.clone(),
        None => format!("{}{separator}{}", project.name, service.name),
    }
}

/// The labels of a built image: the service's own, and Compose's three, which win. Compose v1 adds none, and neither
/// does any Compose with `DOCKER_BUILDKIT=0`: that builder is not ours.
pub fn image_labels(project: &Project, service: &Service, version: &Version) -> BTreeMap<String, String> {
    let mut labels = service
        .build
        .as_ref()
        .map(|build| build.labels.clone())
        .unwrap_or_default();
    if version.major >= 2 {
        labels.extend([
            ("com.docker.compose.project".to_owned(), project.name.clone()),
            ("com.docker.compose.service".to_owned(), service.name.clone()),
        ]);
        let version = Some(version.label()).filter(|label| !label.is_empty());
        labels.extend(version.map(|label| ("com.docker.compose.version".to_owned(), label)));
    }
    labels
}

/// The build arguments of a service: `build.args`, replaced by the command line's; those without a value take it
/// from the project's environment or are dropped; `ambient` ones (see [`ambient_args`]) fill up, and replace nothing.
pub fn build_args(
    service: &Service,
    command_line: &BTreeMap<String, Option<String>>,
    project_environment: &BTreeMap<String, String>,
    ambient: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut named = service
        .build
        .as_ref()
        .map(|build| build.args.clone())
        .unwrap_or_default();
    named.extend(
        command_line
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    let resolve = |(name, value): (String, Option<String>)| {
        let value = value.or_else(|| project_environment.get(&name).cloned())?;
        Some((name, value))
    };
    let mut args = ambient.clone();
    args.extend(named.into_iter().filter_map(resolve));
    args
}

/// The arguments that every build gets without anybody writing them: the proxies of Docker's configuration (by
/// Compose), and `SOURCE_DATE_EPOCH` of the process's environment (by buildx, `commands/bake.go`; one that stands in
/// `.env` only does not count).
pub fn ambient_args(
    environment: &Environment,
    config: &ConfigFile,
    engine_host: &str,
) -> BTreeMap<String, String> {
    let mut args = config.proxy_build_args(engine_host);
    if let Some(epoch) = environment.var("SOURCE_DATE_EPOCH") {
        args.insert("SOURCE_DATE_EPOCH".to_owned(), epoch.to_owned());
    }
    args
}

/// The platforms that `docker compose build` builds a service for; empty means the engine's own. `build.platforms`
/// counts first, then the service's `platform`, then `DOCKER_DEFAULT_PLATFORM`; and the later ones, if set, must be
/// among what the earlier ones ask for (`applyPlatforms`, then `BuildOptions.Apply`).
pub fn build_platforms(
    service: &Service,
    project_environment: &BTreeMap<String, String>,
) -> Result<Vec<String>, FieldError> {
    let own = service.platform.as_ref();
    let default = project_environment
        .get("DOCKER_DEFAULT_PLATFORM")
        .filter(|value| !value.is_empty());
    let mut platforms = service
        .build
        .as_ref()
        .map(|build| build.platforms.clone())
        .unwrap_or_default();
    if platforms.is_empty() {
        platforms = own.or(default).cloned().into_iter().collect();
    }
    for (asked, origin) in [(own, "platform"), (default, "DOCKER_DEFAULT_PLATFORM")] {
        if let Some(asked) = asked.filter(|asked| !platforms.contains(asked)) {
            return Err(FieldError {
                path: format!("services.{}.build.platforms", service.name),
                problem: format!("is {}, but {origin} asks for {asked}", platforms.join(", ")),
            });
        }
    }
    Ok(platforms)
}

/// The project's environment where Compose cannot print it (before 2.24): the process's alone, without `.env`.
pub(super) fn plain_environment(environment: &Environment) -> BTreeMap<String, String> {
    let text = |value: &std::ffi::OsStr| value.to_str().map(str::to_owned);
    environment
        .variables()
        .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::BuildSpec;
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn service(build: BuildSpec) -> Service {
        Service {
            name: "web".to_owned(),
            build: Some(build),
            ..Service::default()
        }
    }

    fn compose(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn images_are_named_after_project_and_service() {
        let project = Project {
            name: "shop".to_owned(),
            ..Project::default()
        };
        let mut web = service(BuildSpec::default());
        let compatible = map(&[("COMPOSE_COMPATIBILITY", "True")]);
        for (version, environment, expected) in [
            ("2.40.3", map(&[]), "shop-web"),
            ("2.40.3", compatible, "shop_web"),
            ("1.29.2", map(&[]), "shop_web"),
        ] {
            let separator = name_separator(&compose(version), &environment);
            assert_eq!(image_name(&project, &web, separator), expected);
        }
        web.image = Some("reg/web:1".to_owned());
        assert_eq!(image_name(&project, &web, '-'), "reg/web:1");
    }

    #[test]
    fn composes_labels_win_and_v1_has_none() {
        let project = Project {
            name: "shop".to_owned(),
            ..Project::default()
        };
        let labels = map(&[("own", "1"), ("com.docker.compose.project", "forged")]);
        let web = service(BuildSpec {
            labels,
            ..BuildSpec::default()
        });
        let expected = map(&[
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose.service", "web"),
            ("com.docker.compose.version", "2.40.3"),
            ("own", "1"),
        ]);
        assert_eq!(image_labels(&project, &web, &compose("v2.40.3-3")), expected);
        let v1 = image_labels(&project, &web, &compose("1.29.2"));
        assert_eq!(v1["com.docker.compose.project"], "forged");
    }

    #[test]
    fn arguments_come_from_the_file_the_command_line_the_environment_and_then_the_machine() {
        let some = |value: &str| Some(value.to_owned());
        let args = BTreeMap::from([
            ("A".to_owned(), some("file")),
            ("B".to_owned(), some("file")),
            ("C".to_owned(), None),
            ("D".to_owned(), None),
            ("HTTP_PROXY".to_owned(), some("own")),
        ]);
        let web = service(BuildSpec {
            args,
            ..BuildSpec::default()
        });
        let command_line = BTreeMap::from([("B".to_owned(), some("flag")), ("E".to_owned(), None)]);
        let environment = map(&[("C", "env"), ("E", "env"), ("F", "env")]);
        let config = ConfigFile::default();
        let variables = Environment::new([("SOURCE_DATE_EPOCH", "5")], None);
        let mut ambient = ambient_args(&variables, &config, "unix:///s");
        ambient.insert("HTTP_PROXY".to_owned(), "ambient".to_owned());
        let expected = map(&[
            ("A", "file"),
            ("B", "flag"),
            ("C", "env"),
            ("E", "env"),
            ("HTTP_PROXY", "own"),
            ("SOURCE_DATE_EPOCH", "5"),
        ]);
        assert_eq!(build_args(&web, &command_line, &environment, &ambient), expected);
    }

    #[test]
    fn platforms_are_composes() {
        let (amd, arm) = ("linux/amd64", "linux/arm64");
        let asked = |own: Option<&str>, listed: &[&str], default: Option<&str>| {
            let platforms = listed.iter().map(|platform| (*platform).to_owned()).collect();
            let mut web = service(BuildSpec {
                platforms,
                ..BuildSpec::default()
            });
            web.platform = own.map(str::to_owned);
            let environment: Vec<_> = default
                .iter()
                .map(|value| ("DOCKER_DEFAULT_PLATFORM", *value))
                .collect();
            build_platforms(&web, &map(&environment)).map_err(|error| error.to_string())
        };
        assert_eq!(asked(None, &[], None).unwrap(), Vec::<String>::new());
        assert_eq!(asked(None, &[], Some(arm)).unwrap(), [arm]);
        assert_eq!(asked(Some(amd), &[], None).unwrap(), [amd]);
        assert_eq!(asked(Some(amd), &[amd, arm], Some(arm)).unwrap(), [amd, arm]);
        assert_eq!(
            asked(Some(amd), &[arm], None).unwrap_err(),
            "services.web.build.platforms: is linux/arm64, but platform asks for linux/amd64"
        );
        assert!(
            asked(Some(amd), &[], Some(arm))
                .unwrap_err()
                .contains("DOCKER_DEFAULT_PLATFORM")
        );
    }
}
