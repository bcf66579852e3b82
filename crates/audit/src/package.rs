//! What the manifest of a package manager says that decides about builds: `package.json` of npm and its like, `composer.json`; of
//! others (`requirements.txt`, `Gemfile`, `go.mod`, TOML) the files that they name.

mod lines;

use serde_json::{Map, Value};

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageManifest {
    /// Scripts of the project that run with an install, in the order of the manager's documentation. They may need its code.
    pub install_scripts: Vec<&'static str>,
    /// Whether one of them builds: it needs all of the code.
    pub builds_on_install: bool,
    /// Whether it names packages to install, or parts of a workspace that may.
    pub has_dependencies: bool,
    /// Whether it is the top of a workspace: its packages have manifests of their own.
    pub has_workspaces: bool,
    /// Files and folders of the project that it installs from, in order: `file:vendor/a.tgz`, a patch of pnpm's, a Composer repository
    pub local: Vec<String>,
}

/// Scripts that npm, pnpm and Yarn run with an install (<https://docs.npmjs.com/cli/using-npm/scripts>), and Composer
/// (<https://getcomposer.org/doc/articles/scripts.md>).
const INSTALL_SCRIPTS: &[&str] = &[
    "preinstall",
    "install",
    "postinstall",
    "prepare",
    "pre-install-cmd",
    "pre-autoload-dump",
    "post-autoload-dump",
    "post-install-cmd",
];

/// What such scripts run that does nothing in an image: hooks of git, and tests of which manager is used.
const WITHOUT_CODE: &[&str] = &["husky", "lefthook", "simple-git-hooks", "only-allow", "is-ci"];

/// What stands in a script that builds.
const BUILDS: &[&str] = &["build", "compile", "tsc", "webpack", "rollup", "gulp", "grunt"];

/// Fields that name what is installed.
const DEPENDENCIES: &[&str] = &[
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "require",
    "require-dev",
    "workspaces",
];

impl PackageManifest {
    /// Reads one; `name` is the file's. [`None`] for JSON that is no object.
    pub fn read(name: &str, text: &str) -> Option<PackageManifest> {
        let text = text.trim_start_matches('\u{feff}');
        if !name.ends_with(".json") {
            return Some(PackageManifest {
                has_dependencies: true,
                local: lines::local(name, text),
                ..PackageManifest::default()
            });
        }
        let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
        let scripts = fields.get("scripts").and_then(Value::as_object);
        let needs_code = |name: &&&str| {
            let script = scripts.and_then(|scripts| scripts.get(**name));
            script.is_some_and(|script| {
                !script
                    .as_str()
                    .is_some_and(|command| WITHOUT_CODE.iter().any(|part| command.contains(part)))
            })
        };
        let install_scripts: Vec<&str> = INSTALL_SCRIPTS.iter().filter(needs_code).copied().collect();
        let text_of = |name: &&str| {
            scripts
                .and_then(|scripts| scripts.get(*name))
                .map(Value::to_string)
        };
        let builds = |text: String| BUILDS.iter().any(|part| text.contains(part));
        Some(PackageManifest {
            builds_on_install: install_scripts.iter().filter_map(text_of).any(builds),
            install_scripts,
            has_workspaces: !is_empty(fields.get("workspaces")),
            has_dependencies: DEPENDENCIES.iter().any(|name| !is_empty(fields.get(*name))),
            local: local(&fields),
        })
    }
}

/// The paths that a manifest installs from. A link (`link:`) is made whether or not its end is there.
fn local(fields: &Map<String, Value>) -> Vec<String> {
    let texts = |value: Option<&Value>| -> Vec<String> {
        let fields = value.and_then(Value::as_object).into_iter().flatten();
        fields
            .filter_map(|(_, value)| value.as_str())
            .map(str::to_owned)
            .collect()
    };
    let pnpm = fields
        .get("pnpm")
        .and_then(|pnpm| pnpm.get("patchedDependencies"));
    let named = DEPENDENCIES.iter().flat_map(|name| texts(fields.get(*name)));
    let by_path = named.filter_map(|version| {
        let path = ["file:", "portal:"]
            .iter()
            .find_map(|scheme| version.strip_prefix(scheme));
        path.map(str::to_owned)
            .or((version.starts_with("./") || version.starts_with("../")).then_some(version))
    });
    let repositories: Vec<&Value> = match fields.get("repositories") {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(Value::Object(all)) => all.values().collect(),
        _ => Vec::new(),
    };
    let of_type_path = repositories
        .into_iter()
        .filter(|one| one.get("type").and_then(Value::as_str) == Some("path"));
    let urls = of_type_path
        .filter_map(|one| one.get("url").and_then(Value::as_str))
        .map(str::to_owned);
    let mut all: Vec<String> = by_path
        .chain(texts(pnpm))
        .chain(texts(fields.get("patchedDependencies")))
        .chain(urls)
        .collect();
    for path in &mut all {
        *path = path.trim_start_matches("./").to_owned();
    }
    all.dedup();
    all
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_an_install_are_told_from_others() {
        let scripts = |text: &str| {
            PackageManifest::read("package.json", text)
                .unwrap()
                .install_scripts
        };
        assert_eq!(
            scripts(
                r#"{"scripts": {"build": "tsc", "prepare": "npm run build", "postinstall": "prisma generate"}}"#
            ),
            ["postinstall", "prepare"]
        );
        assert_eq!(
            scripts(r#"{"scripts": {"post-autoload-dump": ["@php artisan package:discover"]}}"#),
            ["post-autoload-dump"]
        );
        assert!(
            scripts(r#"{"scripts": {"prepare": "husky || true", "preinstall": "npx only-allow pnpm"}}"#)
                .is_empty()
        );
        assert!(scripts("{}").is_empty());
    }

    #[test]
    fn what_is_installed_from_the_project_itself_is_known() {
        let local = |text: &str| PackageManifest::read("package.json", text).unwrap().local;
        let npm = r#"{"dependencies": {"a": "^1", "xlsx": "file:vendor/xlsx.tgz", "ui": "link:ui"}, "devDependencies": {"b": "./b"}}"#;
        assert_eq!(local(npm), ["vendor/xlsx.tgz", "b"]);
        assert_eq!(
            local(r#"{"pnpm": {"patchedDependencies": {"a@1": "patches/a.patch"}}}"#),
            ["patches/a.patch"]
        );
        let composer = r#"{"repositories": [{"type": "path", "url": "packages/*"}, {"type": "vcs", "url": "https://example.com/a"}]}"#;
        assert_eq!(local(composer), ["packages/*"]);
        assert!(local(r#"{"dependencies": {"a": "workspace:*"}, "repository": "x"}"#).is_empty());
    }

    #[test]
    fn manifests_without_anything_to_install_are_known() {
        let has = |text: &str| {
            PackageManifest::read("package.json", text).map(|manifest| manifest.has_dependencies)
        };
        assert_eq!(has("\u{feff}{\"devDependencies\": {\"a\": \"1\"}}"), Some(true));
        assert_eq!(has(r#"{"workspaces": ["packages/*"]}"#), Some(true));
        assert_eq!(has(r#"{"name": "a", "dependencies": {}}"#), Some(false));
        assert_eq!(has("[]"), None);
        assert_eq!(has("{{ template }}"), None);
    }
}
