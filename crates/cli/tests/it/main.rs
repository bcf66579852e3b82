//! Tests of the `unstale` program against real engines, one module for each subject. One program holds them all, so
//! that it is linked once.

// A test that cannot go on says so by panicking, in its helpers too.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod builder;
mod clear;
mod context_scale;
mod example;
mod experiment;
mod false_hits;
mod init;
mod layer_one;
mod ledger;
mod moving_base;
mod options;
mod plan;
mod rerun;
mod shared_cache;
mod why;
