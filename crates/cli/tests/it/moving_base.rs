//! Whether a build asks the registry for a base whose tag has moved: the facts of engines that `no-pull-of-mutable-base` rests on.

use crate::options::output;
use testkit::{Engine, Project, Registry, engines, left_out, registry};

/// A base image in a registry, made by one engine and built on by another.
struct Base<'a> {
    project: &'a Project,
    maker: &'a Engine,
    user: &'a Engine,
    name: String,
}

impl Base<'_> {
    fn docker(&self, engine: &Engine, arguments: &[&str]) -> String {
        let mut command = self.project.command(engine, "docker");
        output(command.env("DOCKER_BUILDKIT", "1").args(arguments))
    }

    /// Moves the tag to an image of this label.
    fn publish(&self, label: &str) {
        let label = format!("mark={label}");
        let folder = self.project.write("base/Dockerfile", "FROM unstale-base\n");
        let folder = folder.parent().unwrap().to_string_lossy().into_owned();
        self.docker(
            self.maker,
            &["build", "--label", &label, "-t", &self.name, &folder],
        );
        self.docker(self.maker, &["push", "--quiet", &self.name]);
    }

    /// The label of the base that a build takes.
    fn built_on(&self) -> String {
        let dockerfile = format!("FROM {}\n", self.name);
        let folder = self.project.write("app/Dockerfile", dockerfile);
        let folder = folder.parent().unwrap().to_string_lossy().into_owned();
        let image = format!("{}-app", self.project.name());
        self.docker(self.user, &["build", "-t", &image, &folder]);
        let format = "{{index .Config.Labels \"mark\"}}";
        let label = self.docker(self.user, &["image", "inspect", "--format", format, &image]);
        label.trim().to_owned()
    }
}

/// Runs a test on each engine, with another one that makes the base.
fn on_each_engine(test: impl Fn(&Base)) {
    let Some(Registry { host }) = registry() else {
        return left_out("no registry answers");
    };
    if engines().len() < 2 {
        return left_out("there are not two engines");
    }
    for user in engines() {
        let maker = engines().iter().find(|engine| engine.name != user.name).unwrap();
        let project = Project::new("moving-base");
        let _locks = (maker.shared(), user.shared());
        let name = format!("{host}/{}:1", project.name());
        test(&Base {
            project: &project,
            maker,
            user,
            name,
        });
    }
}

#[test]
fn a_base_that_only_builds_have_pulled_is_asked_for_each_time() {
    on_each_engine(|base| {
        for label in ["first", "second"] {
            base.publish(label);
            assert_eq!(base.built_on(), label, "{}", base.user.name);
        }
    });
}

#[test]
fn a_base_that_the_engine_has_under_its_name_is_taken_without_asking() {
    on_each_engine(|base| {
        base.publish("first");
        base.docker(base.user, &["pull", "--quiet", &base.name]);
        base.publish("second");
        assert_eq!(base.built_on(), "first", "{}", base.user.name);
    });
}
