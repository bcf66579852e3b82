//! `unstale check` as a program, on files: no engine, no network.
//!
//! Each rule has a folder of fixtures: `fixtures/RULE/bad-…` are small projects in which it finds something,
//! `fixtures/RULE/good-…` are near misses in which it finds nothing. What the program prints about them, and what its
//! fixes change, is in `snapshots/RULE.snap`.

mod support;

use support::{Folder, fixtures, rules};

macro_rules! rule_tests {
    ($($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            support::rule(&stringify!($rule).replace('_', "-"));
        })*

        /// The rules that have a test here.
        const TESTED: &[&str] = &[$(stringify!($rule)),*];
    };
}

rule_tests! {
    broad_copy
    commit_arg_busts_dependencies
    commit_arg_missing
    commit_arg_not_passed
    commit_arg_unused
    copy_before_install
    dockerignore_hides_source
    host_artifacts_in_context
    missing_dockerignore
    suppression
    unreadable_file
}

#[test]
fn every_rule_has_a_test_and_near_misses() {
    let tested: Vec<String> = TESTED.iter().map(|rule| rule.replace('_', "-")).collect();
    assert_eq!(tested, rules());
    for rule in rules() {
        for kind in ["bad-", "good-"] {
            let count = fixtures(&rule)
                .iter()
                .filter(|path| support::name(path).starts_with(kind))
                .count();
            assert!(count >= 2, "{rule}: {count} {kind} fixtures");
        }
    }
}

#[test]
fn nothing_to_check_is_said() {
    let folder = Folder::new();
    let ended = folder.check(&[]);
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.contains("nothing to check"), "{}", ended.stderr);
}
