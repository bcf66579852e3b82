//! Which services a build takes in, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use super::Project;
use super::rules::service_contexts;

/// Services that wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("services need each other's image to be built: {}", .0.join(" → "))]
pub struct CycleError(
    /// The cycle; its first service is its last, too.
    pub Vec<String>,
);

/// The services that `docker compose build SELECTED…` builds: those selected (all, if none is) and, transitively,
/// those that their `additional_contexts` name as `service:…`; of these, the ones that have something to build.
/// `depends_on` does not count. Source: docker/compose `pkg/compose/build.go`, `addBuildDependencies`.
pub fn build_selection(project: &Project, selected: &[String]) -> BTreeSet<String> {
    let mut open: Vec<String> = match selected {
        [] => project.services.keys().cloned().collect(),
        _ => selected.to_vec(),
    };
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(service) = project.services.get(&name)
            && found.insert(name)
        {
            open.extend(service_contexts(service).map(str::to_owned));
        }
    }
    found.retain(|name| {
        project
            .services
            .get(name)
            .is_some_and(|service| service.build.is_some())
    });
    found
}

/// Sorts `services` into rounds: each service comes after all that it `needs`, and those of one round can be built
/// side by side. Needs outside of `services` do not count.
pub fn build_order(
    services: &BTreeSet<String>,
    needs: &BTreeMap<String, BTreeSet<String>>,
) -> Result<Vec<Vec<String>>, CycleError> {
    let mut rounds = Vec::new();
    let mut left: BTreeSet<&str> = services.iter().map(String::as_str).collect();
    let open_needs = |name: &str, left: &BTreeSet<&str>| -> Option<String> {
        needs
            .get(name)?
            .iter()
            .find(|need| left.contains(need.as_str()))
            .cloned()
    };
    while !left.is_empty() {
        let ready: Vec<String> = left
            .iter()
            .filter(|name| open_needs(name, &left).is_none())
            .map(|name| (*name).to_owned())
            .collect();
        if ready.is_empty() {
            return Err(cycle(&left, |name| open_needs(name, &left)));
        }
        for name in &ready {
            left.remove(name.as_str());
        }
        rounds.push(ready);
    }
    Ok(rounds)
}

/// Everything left waits for something left: following that leads into a cycle.
fn cycle(left: &BTreeSet<&str>, next: impl Fn(&str) -> Option<String>) -> CycleError {
    let mut path: Vec<String> = left.first().map(|name| (*name).to_owned()).into_iter().collect();
    while let Some(name) = path.last().and_then(|name| next(name)) {
        if let Some(start) = path.iter().position(|seen| *seen == name) {
            path.drain(..start);
            path.push(name);
            break;
        }
        path.push(name);
    }
    CycleError(path)
}

#[cfg(test)]
mod tests {
    use super::super::{BuildSpec, Service};
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn needs(pairs: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        pairs
            .iter()
            .map(|(name, of)| ((*name).to_owned(), set(of)))
            .collect()
    }

    fn project(services: &[(&str, bool, &[&str])]) -> Project {
        let service = |(name, built, contexts): &(&str, bool, &[&str])| {
            let additional_contexts = contexts
                .iter()
                .map(|of| ((*of).to_owned(), format!("service:{of}")))
                .collect();
            let build = built.then(|| BuildSpec {
                additional_contexts,
                ..BuildSpec::default()
            });
            let name = (*name).to_owned();
            let depends_on = vec!["db".to_owned()];
            (
                name.clone(),
                Service {
                    name,
                    build,
                    depends_on,
                    ..Service::default()
                },
            )
        };
        Project {
            services: services.iter().map(service).collect(),
            ..Project::default()
        }
    }

    #[test]
    fn contexts_of_a_selected_service_are_built_too_but_not_what_it_depends_on() {
        let project = project(&[
            ("db", true, &[]),
            ("base", true, &[]),
            ("lib", true, &["base"]),
            ("web", true, &["lib"]),
        ]);
        assert_eq!(
            build_selection(&project, &["web".to_owned()]),
            set(&["base", "lib", "web"])
        );
        assert_eq!(build_selection(&project, &[]), set(&["base", "db", "lib", "web"]));
    }

    #[test]
    fn services_without_build_are_left_out() {
        let project = project(&[("db", false, &[]), ("web", true, &[])]);
        assert_eq!(build_selection(&project, &[]), set(&["web"]));
        assert_eq!(build_selection(&project, &["db".to_owned()]), set(&[]));
    }

    #[test]
    fn rounds_respect_needs_and_ignore_what_is_not_built() {
        let needs = needs(&[
            ("web", &["lib", "elsewhere"]),
            ("lib", &["base"]),
            ("api", &["base"]),
        ]);
        let rounds = build_order(&set(&["web", "lib", "base", "api"]), &needs).unwrap();
        assert_eq!(rounds, [vec!["base"], vec!["api", "lib"], vec!["web"]]);
    }

    #[test]
    fn a_cycle_is_told_in_order_and_without_its_bystanders() {
        let needs = needs(&[("a", &["b"]), ("b", &["c"]), ("c", &["d"]), ("d", &["b"])]);
        let error = build_order(&set(&["a", "b", "c", "d"]), &needs).unwrap_err();
        assert_eq!(
            error.to_string(),
            "services need each other's image to be built: b → c → d → b"
        );
        let own = build_order(&set(&["x"]), &super::tests::needs(&[("x", &["x"])])).unwrap_err();
        assert_eq!(own.0, ["x", "x"]);
    }

    proptest::proptest! {
        #[test]
        fn an_order_has_everything_once_and_after_its_needs(
            pairs in proptest::collection::vec((0_u8..12, 0_u8..12), 0..30)
        ) {
            let name = |n: u8| format!("s{n:02}");
            let services: BTreeSet<String> = (0..12).map(name).collect();
            let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (who, whom) in pairs {
                needs.entry(name(who)).or_default().insert(name(whom));
            }
            match build_order(&services, &needs) {
                Ok(rounds) => {
                    let mut done = BTreeSet::new();
                    for round in rounds {
                        for service in &round {
                            let of = needs.get(service).cloned().unwrap_or_default();
                            proptest::prop_assert!(of.is_subset(&done));
                        }
                        for service in round {
                            proptest::prop_assert!(done.insert(service));
                        }
                    }
                    proptest::prop_assert_eq!(done, services);
                }
                Err(CycleError(path)) => {
                    proptest::prop_assert_eq!(path.first(), path.last());
                    for step in path.windows(2) {
                        proptest::prop_assert!(needs[&step[0]].contains(&step[1]));
                    }
                }
            }
        }
    }
}
