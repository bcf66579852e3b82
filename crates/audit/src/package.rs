//! What the manifest of a package manager says that decides about builds: `package.json` of npm and its like, `composer.json`.

use serde_json::{Map, Value};

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageManifest {
    /// Scripts of the project that run with an install, in the order of the manager's documentation. They may need its code.
    pub install_scripts: Vec<&'static str>,
    /// Whether one of them builds: it needs all of the code.
    pub builds_on_install: bool,
    /// Whether it names packages to install, or parts of a workspace that may.
    pub has_dependencies: bool,
    /// Whether it is the top of a workspace: its packages have manifests of their own.
    pub has_workspaces: bool,
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
    /// Reads one. [`None`] for what is no object.
    pub fn read(text: &str) -> Option<PackageManifest> {
        let text = text.trim_start_matches('\u{feff}');
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
        })
    }
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
        let scripts = |text: &str| PackageManifest::read(text).unwrap().install_scripts;
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
    fn manifests_without_anything_to_install_are_known() {
        let has = |text: &str| PackageManifest::read(text).map(|manifest| manifest.has_dependencies);
        assert_eq!(has("\u{feff}{\"devDependencies\": {\"a\": \"1\"}}"), Some(true));
        assert_eq!(has(r#"{"workspaces": ["packages/*"]}"#), Some(true));
        assert_eq!(has(r#"{"name": "a", "dependencies": {}}"#), Some(false));
        assert_eq!(has("[]"), None);
        assert_eq!(has("{{ template }}"), None);
    }
}
