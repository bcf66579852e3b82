//! The project's images and those without a name. What the classic builder reuses are images, too: those that ours lie
//! upon go with them.

use super::{Amount, ClearError, Leftover, StoreReport};
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;
use unstale_docker::engine::{ContainerUse, ListedImage};
use unstale_docker::{Engine, EngineError, Project};

/// Compose's label on the images that it has built.
const PROJECT_LABEL: &str = "com.docker.compose.project";

/// What the store is called.
const STORE: &str = "images";

/// The images that are to go.
pub(super) struct Images {
    chosen: Vec<Chosen>,
    force: bool,
}

/// An image that is the project's or nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chosen {
    image: ListedImage,
    /// The containers that are made of it, those that run first.
    uses: Vec<ContainerUse>,
}

impl Images {
    /// Looks for them.
    pub(super) async fn find(
        engine: &Engine,
        project: &Project,
        names: &BTreeSet<String>,
        force: bool,
    ) -> Result<Images, ClearError> {
        let (images, uses) = tokio::try_join!(engine.images(), engine.image_uses())?;
        let chosen = choose(images, &uses, &project.name, names);
        Ok(Images { chosen, force })
    }

    /// What is there.
    pub(super) fn found(&self) -> StoreReport {
        let mut report = StoreReport::found(STORE, None, amount(&self.chosen));
        report.leftovers = self.kept().map(kept).collect();
        report
    }

    fn kept(&self) -> impl Iterator<Item = &Chosen> {
        self.chosen
            .iter()
            .filter(|chosen| !self.force && !chosen.uses.is_empty())
    }

    /// Removes them.
    pub(super) async fn clear(&self, engine: &Engine, cancel: &CancellationToken) -> StoreReport {
        let mut report = self.found();
        let mut refused: BTreeMap<&str, EngineError> = BTreeMap::new();
        for chosen in &self.chosen {
            if (!self.force && !chosen.uses.is_empty()) || cancel.is_cancelled() {
                continue;
            }
            // By its names: an image that has others, which are not the project's, stays under these.
            let names = if chosen.image.tags.is_empty() {
                std::slice::from_ref(&chosen.image.id)
            } else {
                &chosen.image.tags[..]
            };
            for name in names {
                if let Err(error) = engine.remove_image(name, self.force).await {
                    refused.insert(&chosen.image.id, error);
                }
            }
        }
        let left = match engine.images().await {
            Ok(left) => left.into_iter().map(|image| image.id).collect::<BTreeSet<_>>(),
            Err(error) => {
                report.leftovers.push(unknown(&error));
                return report;
            }
        };
        let left: Vec<Chosen> = self
            .chosen
            .iter()
            .filter(|chosen| left.contains(&chosen.image.id))
            .cloned()
            .collect();
        report.after = amount(&left);
        let is_refused = left.iter().filter_map(|chosen| {
            let error = refused.get(chosen.image.id.as_str())?;
            Some(Leftover {
                reason: format!("{} is kept by the engine: {error}", name(&chosen.image)),
                hint: Some("remove what uses it, then clear again".to_owned()),
                can_answer: answers(&chosen.image),
            })
        });
        report.leftovers.extend(is_refused);
        if cancel.is_cancelled() {
            report.leftovers.push(Leftover {
                reason: "the clear was interrupted".to_owned(),
                hint: Some("clear again".to_owned()),
                can_answer: left.iter().any(|chosen| answers(&chosen.image)),
            });
        }
        report
    }
}

/// The images of a project, and those without a name that no other image lies upon. Of an image that has other names
/// only the project's go.
fn choose(
    images: Vec<ListedImage>,
    uses: &[ContainerUse],
    project: &str,
    names: &BTreeSet<String>,
) -> Vec<Chosen> {
    let parents: BTreeSet<String> = images.iter().filter_map(|image| image.parent.clone()).collect();
    let chosen = images.into_iter().filter_map(|mut image| {
        let is_labelled = image
            .labels
            .get(PROJECT_LABEL)
            .is_some_and(|label| label == project);
        let is_loose = image.tags.is_empty() && !parents.contains(&image.id);
        image.tags.retain(|tag| is_labelled || names.contains(tag));
        if image.tags.is_empty() && !is_loose {
            return None;
        }
        let mut uses: Vec<ContainerUse> = uses
            .iter()
            .filter(|used| used.image == image.id)
            .cloned()
            .collect();
        uses.sort_by_key(|used| !used.runs);
        Some(Chosen { image, uses })
    });
    chosen.collect()
}

fn amount(chosen: &[Chosen]) -> Amount {
    chosen.iter().fold(Amount::default(), |sum, chosen| Amount {
        records: sum.records + 1,
        bytes: sum.bytes + chosen.image.own_bytes,
    })
}

/// The classic builder finds its results by the images that they are. BuildKit does not look at images, unless an import
/// names them, which is another store.
fn answers(image: &ListedImage) -> bool {
    image.parent.is_some()
}

fn kept(chosen: &Chosen) -> Leftover {
    let container = chosen.uses.first();
    let container_name = container.map_or("", |used| used.container.as_str());
    let (word, hint) = match container {
        Some(used) if used.runs => ("running container", "stop it first, or clear with --force"),
        _ => ("stopped container", "remove it first, or clear with --force"),
    };
    Leftover {
        reason: format!("{} is kept for the {word} {container_name}", name(&chosen.image)),
        hint: Some(hint.to_owned()),
        can_answer: answers(&chosen.image),
    }
}

fn unknown(error: &EngineError) -> Leftover {
    Leftover {
        reason: error.to_string(),
        hint: Some("clear again when the engine answers".to_owned()),
        can_answer: true,
    }
}

fn name(image: &ListedImage) -> &str {
    match image.tags.first() {
        Some(tag) => tag,
        None => image.id.get(..19).unwrap_or(&image.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, parent: Option<&str>, tags: &[&str], project: Option<&str>) -> ListedImage {
        ListedImage {
            id: id.to_owned(),
            parent: parent.map(str::to_owned),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            own_bytes: 1,
            labels: project
                .map(|project| (PROJECT_LABEL.to_owned(), project.to_owned()))
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn the_projects_images_and_loose_ones_are_chosen() {
        let images = vec![
            image("named", None, &["app:1", "mine:latest"], None),
            image("labelled", None, &["shop-web:latest"], Some("shop")),
            image("other", None, &["other:1"], Some("bank")),
            image("loose", None, &[], None),
            image("below", None, &[], None),
            image("above", Some("below"), &["kept:1"], None),
        ];
        let names = BTreeSet::from(["mine:latest".to_owned()]);
        let chosen = choose(images, &[], "shop", &names);
        let chosen: Vec<(&str, &[String])> = chosen
            .iter()
            .map(|chosen| (chosen.image.id.as_str(), &chosen.image.tags[..]))
            .collect();
        let none: &[String] = &[];
        assert_eq!(
            chosen,
            [
                ("named", &["mine:latest".to_owned()][..]),
                ("labelled", &["shop-web:latest".to_owned()][..]),
                ("loose", none),
            ]
        );
    }

    #[test]
    fn an_image_in_use_is_kept_and_said() {
        let used = |container: &str, runs| ContainerUse {
            container: container.to_owned(),
            image: "a".to_owned(),
            runs,
        };
        let uses = [used("old", false), used("web", true)];
        let chosen = choose(
            vec![image("a", None, &["x:1"], Some("shop"))],
            &uses,
            "shop",
            &BTreeSet::new(),
        );
        let images = Images { chosen, force: false };
        let found = images.found();
        assert_eq!(
            found.leftovers[0].reason,
            "x:1 is kept for the running container web"
        );
        assert!(!found.can_answer());
    }
}
