//! docs/rules is what the rules say of themselves. `UPDATE_DOCS=1 cargo test -p unstale --test check documentation` writes it
//! anew.

use crate::support::{Folder, rules};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[test]
fn the_pages_of_the_rules_are_current() {
    let docs: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules");
    let folder = Folder::new();
    let print = |arguments: &[&str]| {
        folder
            .check(&[arguments, &["--format", "markdown"]].concat())
            .stdout
    };
    let mut wanted = BTreeMap::from([("README.md".to_owned(), print(&["--list-rules"]))]);
    for rule in rules() {
        let page = print(&["--explain", &rule]);
        wanted.insert(format!("{rule}.md"), page);
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(&docs).unwrap();
        for (name, text) in &wanted {
            std::fs::write(docs.join(name), text).unwrap();
        }
    }
    let found: BTreeMap<String, String> = std::fs::read_dir(&docs)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&wanted), "UPDATE_DOCS=1 writes them anew");
    for (name, text) in &wanted {
        assert_eq!(&found[name], text, "{name}: UPDATE_DOCS=1 writes it anew");
    }
}
