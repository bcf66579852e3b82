//! Tests of the `unstale` program against real engines, one module for each subject. One program holds them all, so
//! that it is linked once.

mod bad_input;
mod builder;
mod context_scale;
mod example;
mod false_hits;
mod layer_one;
mod ledger;
mod options;
