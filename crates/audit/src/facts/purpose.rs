//! What a Compose service is for, as far as the files say: development on somebody's machine, or being deployed.
//!
//! It is a guess from names and settings, for how much harm a finding can do. It decides no finding by itself.

use crate::Project;
use crate::compose::Service;
use crate::compose::project::ComposeProject;

/// What a service is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody changes code while it runs.
    Development,
    /// It serves.
    Deployment,
    /// The files do not say.
    Unsaid,
}

/// Parts of the names of files and folders that are for development and tests.
const DEVELOPMENT: &[&str] = &[
    "dev",
    "devel",
    "develop",
    "developer",
    "development",
    "devcontainer",
    ".devcontainer",
    "local",
    "override",
    "debug",
    "test",
    "tests",
    "testing",
    "e2e",
    "ci",
    "watch",
    "hotreload",
    "playground",
    "example",
    "examples",
    "demo",
    "samples",
];
/// Parts of the names of files and folders that are deployed.
const DEPLOYMENT: &[&str] = &[
    "prod",
    "production",
    "deploy",
    "deployment",
    "stack",
    "staging",
    "stage",
    "live",
    "release",
];
/// What stands in the command of a server that looks at its sources while it runs.
const WATCHING: &[&str] = &[
    "--reload",
    "--watch",
    "nodemon",
    "runserver",
    "run dev",
    "start:dev",
    "start-dev",
    "run watch",
    "yarn dev",
    "pnpm dev",
    "npm start",
    "yarn start",
    "cargo watch",
    "cargo-watch",
    "watchexec",
    "watchmedo",
    "dotnet watch",
    "air",
    "sleep infinity",
    "tail -f /dev/null",
    "--debug",
    "webpack-dev-server",
    "ng serve",
    "vite",
    "rails s",
    "artisan serve",
];
/// Variables that say for what a service runs.
const ENVIRONMENTS: &[&str] = &[
    "NODE_ENV",
    "FLASK_ENV",
    "RAILS_ENV",
    "APP_ENV",
    "ENV",
    "ENVIRONMENT",
    "FLASK_DEBUG",
    "DEBUG",
    "DJANGO_DEBUG",
];

/// Words in the names of files and folders that are there for tests.
const TESTS: &[&str] = &[
    "benchmark",
    "benchmarks",
    "ci",
    "cloudbuild",
    "conformance",
    "cypress",
    "e2e",
    "e2etest",
    "e2etests",
    "fixtures",
    "gcb",
    "integration",
    "integrationtest",
    "integrationtests",
    "mocks",
    "smoke",
    "snapshots",
    "systest",
    "test",
    "testdata",
    "testfiles",
    "testing",
    "tests",
    "validation",
];

/// Whether a file is there for tests, by its folders: what is wrong in it may be meant to be.
pub fn is_of_tests(path: &str) -> bool {
    path.rsplit_once('/')
        .is_some_and(|(folder, _)| is_named_for_tests(folder))
}

/// Whether a name or path has a word in it that is for tests: `compose.test.yaml`, `pr-test2`.
pub fn is_named_for_tests(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(['/', '.', '-', '_']);
    words.any(|word| {
        TESTS.contains(&word) || TESTS.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit()))
    })
}

/// Whether a name has a word in it that is for development and tests: `dev-up`, `compose.local.yaml`.
pub fn is_named_for_development(name: &str) -> bool {
    let mut words = name.split(['/', '.', '-', '_', ':']);
    words.any(|word| DEVELOPMENT.contains(&word.to_ascii_lowercase().as_str()))
}

/// Whether a service is none that is kept running: it is in a profile, and nothing starts it again.
fn is_called_by_hand(service: &Service) -> bool {
    !service.profiles.is_empty()
        && service
            .restart
            .as_ref()
            .is_some_and(|policy| policy.value == "no")
}

/// What a service is for. `path` is the file that says what the finding is about.
fn purpose(path: &str, service: &Service) -> Purpose {
    let mut words = path.split(['/', '.', '-', '_']);
    if words.any(|word| DEPLOYMENT.contains(&word.to_ascii_lowercase().as_str())) {
        return Purpose::Deployment;
    }
    let target = service.build.as_ref().and_then(|build| build.target.as_ref());
    let says_so = || {
        let mut pairs = service
            .environment
            .iter()
            .filter(|pair| ENVIRONMENTS.contains(&pair.name.as_str()));
        pairs.any(|pair| {
            let value = pair.value.as_deref().unwrap_or_default().to_ascii_lowercase();
            let is_on = matches!(value.as_str(), "1" | "true" | "yes") && pair.name.ends_with("DEBUG");
            is_on || value.contains("dev") || value.contains("local") || value.contains("test")
        })
    };
    let is_watching = || {
        let commands = service.command.iter().chain(&service.entrypoint);
        let words: Vec<&str> = commands
            .flat_map(|command| &command.words)
            .map(|word| word.value.as_str())
            .collect();
        let text = format!(" {} ", words.join(" "));
        WATCHING
            .iter()
            .any(|part| text.contains(&format!(" {part} ")) || (part.len() > 6 && text.contains(part)))
    };
    let dockerfile = service.build.as_ref().and_then(|build| build.dockerfile.as_ref());
    let is_development = is_named_for_development(path)
        || !service.watch.is_empty()
        || target.is_some_and(|target| is_named_for_development(&target.value))
        || dockerfile.is_some_and(|file| is_named_for_development(&file.value))
        || is_named_for_development(&service.name)
        || is_called_by_hand(service)
        || says_so()
        || is_watching();
    if is_development {
        return Purpose::Development;
    }
    let restarts = |policy: &str| policy == "always" || policy.starts_with("unless-stopped");
    match service
        .restart
        .as_ref()
        .is_some_and(|policy| restarts(&policy.value))
    {
        true => Purpose::Deployment,
        false => Purpose::Unsaid,
    }
}

/// What the comment at the head of a Compose file says that it is for development.
const SAID: &[&str] = &[
    "development only",
    "dev only",
    "for development",
    "for local development",
    "local development only",
    "not for production",
    "not use in production",
    "not run in production",
    "not suitable for production",
];

/// Whether the comment at the head of a Compose file says that it is for development.
fn is_said(project: &Project, path: &str) -> bool {
    let Some(yaml) = project.compose_file(path).map(|file| file.yaml()) else {
        return false;
    };
    let head = yaml.root().map_or(0, |root| root.span().start);
    let comments = yaml.comments().take_while(|comment| comment.span.end <= head);
    let text: Vec<String> = comments.map(|comment| comment.text.to_lowercase()).collect();
    let text = text.join(" ");
    SAID.iter().any(|phrase| text.contains(phrase))
}

/// What a service is for, by its own settings and the file that says what the finding is about.
fn own_purpose(project: &Project, path: &str, service: &Service) -> Purpose {
    match is_said(project, path) {
        true => Purpose::Development,
        false => purpose(path, service),
    }
}

/// Whether somebody develops with a project's services, and none is deployed.
pub fn is_for_development(project: &Project, compose: &ComposeProject) -> bool {
    let purposes = || {
        compose
            .services
            .iter()
            .map(|service| own_purpose(project, &service.place.path, service))
    };
    purposes().any(|purpose| purpose == Purpose::Development)
        && !purposes().any(|purpose| purpose == Purpose::Deployment)
}

/// What a service of a project is for: where nothing says it of the service itself, what the others are for.
pub fn purpose_within(project: &Project, compose: &ComposeProject, path: &str, service: &Service) -> Purpose {
    match own_purpose(project, path, service) {
        Purpose::Unsaid if is_for_development(project, compose) => Purpose::Development,
        own => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;
    use crate::compose::ComposeFile;

    fn of(path: &str, service: &str) -> Purpose {
        let text = format!("services:\n  web: {service}\n");
        let file = ComposeFile::read(&Source::new(path, text)).unwrap();
        purpose(path, &file.services[0])
    }

    #[test]
    fn names_and_settings_say_what_a_service_is_for() {
        assert_eq!(of("compose.yaml", "{build: .}"), Purpose::Unsaid);
        assert_eq!(
            of("compose.prod.yaml", "{build: ., command: nodemon}"),
            Purpose::Deployment
        );
        assert_eq!(
            of("compose.yaml", "{build: ., restart: always}"),
            Purpose::Deployment
        );
        for service in [
            "{build: {context: ., target: dev}}",
            "{build: {context: ., dockerfile: Dockerfile.dev}}",
            "{build: ., restart: always, command: [uvicorn, app, --reload]}",
            "{build: ., environment: [NODE_ENV=development]}",
            "{build: ., environment: {FLASK_DEBUG: 1}}",
            "{build: ., command: npm run dev}",
            "{build: ., profiles: [assets], restart: 'no'}",
        ] {
            assert_eq!(of("compose.yaml", service), Purpose::Development, "{service}");
        }
        assert_eq!(
            of("docker-compose.override.yml", "{build: .}"),
            Purpose::Development
        );
        assert_eq!(of("compose.yaml", "{build: ., command: repair}"), Purpose::Unsaid);
    }
}
