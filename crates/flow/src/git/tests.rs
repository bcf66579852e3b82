use super::*;

/// A repository of its own in a temporary folder.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Tree {
        let tree = Tree(tempfile::tempdir().unwrap());
        tree.git(&["init", "-q", "-b", "main"]);
        tree
    }

    fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = std::process::Command::new("git")
            .args([
                "-c",
                "user.name=test",
                "-c",
                "user.email=test@localhost",
                "-c",
                "commit.gpgsign=false",
                "-C",
            ])
            .arg(self.0.path())
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "change", "--allow-empty"]);
        self.git(&["rev-parse", "HEAD"])
    }

    async fn repository(&self) -> Repository {
        Repository::find(self.0.path()).await.unwrap().unwrap()
    }
}

/// All files below a folder but those that end in `.log`.
struct Below(PathBuf);

impl Inputs for Below {
    fn roots(&self) -> Vec<PathBuf> {
        vec![self.0.clone()]
    }

    fn selects(&self, path: &Path) -> bool {
        path.starts_with(&self.0) && path.extension().is_none_or(|extension| extension != "log")
    }

    fn enters(&self, _: &Path) -> bool {
        true
    }
}

#[tokio::test]
async fn a_folder_without_a_commit_has_no_repository() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Repository::find(dir.path()).await.unwrap().is_none());
    let tree = Tree::new();
    assert!(Repository::find(tree.0.path()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_clean_tree_is_its_commit_and_an_edited_one_is_not() {
    let tree = Tree::new();
    tree.write("a", "1");
    tree.write(".gitignore", "ignored\n");
    let head = tree.commit();
    tree.write("ignored", "x");
    assert_eq!(
        tree.repository().await.commit(),
        Commit {
            hash: head.clone(),
            changed_files: 0
        }
    );
    tree.write("a", "2");
    tree.write("dir/new", "x");
    let commit = tree.repository().await.commit();
    assert_eq!(
        (commit.changed_files, commit.value()),
        (2, format!("{head}-dirty"))
    );
    assert_eq!(commit.short(), format!("{}-dirty", &head[..7]));
}

#[tokio::test]
async fn the_revision_is_the_commit_that_last_changed_an_input() {
    let tree = Tree::new();
    tree.write("web/index", "1");
    tree.write("web/old", "1");
    tree.write("api/main", "1");
    tree.commit();
    std::fs::remove_file(tree.path().join("web/old")).unwrap();
    let deletion = tree.commit();
    tree.write("api/main", "2");
    let api = tree.commit();
    tree.write("web/debug.log", "not an input");
    tree.commit();
    let repository = tree.repository().await;
    let revision = async |folder: &str| {
        repository
            .revision(&Below(tree.path().join(folder)))
            .await
            .unwrap()
    };
    assert_eq!(
        revision("web").await,
        Some(Revision {
            commit: deletion.clone(),
            dirty: false
        })
    );
    assert_eq!(
        revision("api").await,
        Some(Revision {
            commit: api.clone(),
            dirty: false
        })
    );
    assert_eq!(
        revision("").await,
        Some(Revision {
            commit: api,
            dirty: false
        })
    );
    assert_eq!(revision("nothing").await, None, "never committed");
    assert_eq!(
        repository.revision(&Below("/elsewhere".into())).await.unwrap(),
        None,
        "outside of the repository"
    );
}

#[tokio::test]
async fn only_what_the_service_reads_makes_its_revision_dirty() {
    let tree = Tree::new();
    tree.write("web/index", "1");
    tree.write("api/main", "1");
    tree.write(".gitignore", "dist/\n");
    let first = tree.commit();
    tree.write("api/main", "2");
    tree.write("api/trace.log", "not an input");
    let dirty = async |folder: &str| {
        let repository = tree.repository().await;
        repository
            .revision(&Below(tree.path().join(folder)))
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(
        dirty("web").await,
        Revision {
            commit: first.clone(),
            dirty: false
        }
    );
    assert_eq!(
        dirty("api").await,
        Revision {
            commit: first.clone(),
            dirty: true
        }
    );
    tree.write("web/dist/app.log", "ignored by git and by the build");
    assert!(!dirty("web").await.dirty);
    tree.write("web/dist/app.js", "ignored by git, but in the image");
    assert!(dirty("web").await.dirty);
}

#[tokio::test]
async fn a_merge_keeps_the_revision_of_the_branch_that_changed_the_input() {
    let tree = Tree::new();
    tree.write("web/index", "1");
    tree.write("api/main", "1");
    tree.commit();
    tree.git(&["checkout", "-q", "-b", "feature"]);
    tree.write("web/index", "2");
    let feature = tree.commit();
    tree.git(&["checkout", "-q", "main"]);
    tree.write("api/main", "2");
    tree.commit();
    tree.git(&["merge", "-q", "--no-ff", "-m", "merge", "feature"]);
    let revision = tree
        .repository()
        .await
        .revision(&Below(tree.path().join("web")))
        .await
        .unwrap();
    assert_eq!(
        revision,
        Some(Revision {
            commit: feature,
            dirty: false
        })
    );
}

#[tokio::test]
async fn odd_names_are_paths_like_any_other() {
    let tree = Tree::new();
    tree.write("web/a b\"ü\n", "1");
    let first = tree.commit();
    tree.write("web/a b\"ü\n", "2");
    let repository = tree.repository().await;
    assert_eq!(repository.commit().changed_files, 1);
    let revision = repository
        .revision(&Below(tree.path().join("web")))
        .await
        .unwrap();
    assert_eq!(
        revision,
        Some(Revision {
            commit: first,
            dirty: true
        })
    );
}

#[tokio::test]
async fn a_submodule_that_holds_the_inputs_is_one_of_them() {
    let inner = Tree::new();
    inner.write("index", "1");
    inner.commit();
    let tree = Tree::new();
    tree.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        inner.path().to_str().unwrap(),
        "web",
    ]);
    let added = tree.commit();
    tree.write("other", "1");
    tree.commit();
    let revision = async || {
        let repository = tree.repository().await;
        repository
            .revision(&Below(tree.path().join("web")))
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(
        revision().await,
        Revision {
            commit: added.clone(),
            dirty: false
        }
    );
    tree.write("web/index", "edited in the submodule");
    assert_eq!(
        revision().await,
        Revision {
            commit: added,
            dirty: true
        }
    );
}
