//! `unstale check` as a program, on files: no engine, no network.
//!
//! Each rule has a folder of fixtures: `fixtures/RULE/bad-…` are small projects in which it finds something,
//! `fixtures/RULE/good-…` are near misses in which it finds nothing. What the program prints about them, and what its
//! fixes change, is in `snapshots/RULE.snap`.

mod documentation;
mod example;
mod support;
mod usage;

use support::{fixtures, rules};

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
    bind_masks_image
    broad_copy
    build_failure_ignored
    built_but_not_loaded
    cache_from_unbounded
    cache_from_without_cache_to
    cache_mount_collision
    ci_cache_mode_min
    ci_cache_poisoning_path
    classic_builder
    clear_not_gated
    clear_without_rebuild
    commit_arg_busts_dependencies
    commit_arg_missing
    commit_arg_not_passed
    commit_arg_unused
    copy_before_install
    dockerignore_hides_source
    gha_cache_scope_shared
    host_artifacts_in_context
    inline_cache
    missing_dockerignore
    mutable_base_tag
    mutable_service_image
    network_fetch_frozen
    no_cache_always
    no_healthcheck
    no_pull_of_mutable_base
    prune_errors_hidden
    prune_keeps_shared
    prune_wrong_builder
    restart_does_not_recreate
    secret_as_build_arg
    secret_not_in_key
    shared_image_tag
    single_file_bind
    stale_version_file
    suppression
    unreadable_file
    up_without_build
    volume_masks_image
    watch_sync_without_restart
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
