//! `cargo xtask`: campaigns and measurements against real engines that are too long for the test suite, and the
//! reports of them that are kept in `docs/benchmarks`.
//!
//! Each command states what must hold and fails when it does not; what peers do is recorded beside it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

mod campaign;
mod check_speed;
mod clearing_table;
mod clears;
mod corpus;
mod corpus_sample;
mod crater;
mod dockerfiles;
mod false_hits;
mod plain;
mod plan_speed;
mod report;
mod run;
mod scale;
mod times;
mod trees;

use std::process::ExitCode;

use clap::Parser;

/// Campaigns and measurements against the engines that `testkit up` started.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
enum Task {
    /// Same tree, same image: random contexts built by us and by buildx, compared path by path
    Trees(trees::Arguments),
    /// No false hit: changes that keep size and time, built by us and by the peers
    FalseHits(false_hits::Arguments),
    /// Plan against build: random projects and edits, what was planned compared with what the engine did
    Campaign(campaign::Arguments),
    /// Clears against builds: random histories, `unstale clear`, and what the next build reuses
    Clears(clears::Arguments),
    /// The Dockerfile reader against the engine's own frontend, on a corpus and mutations of it
    Dockerfiles(dockerfiles::Arguments),
    /// Ways of clearing: what each does to the next build, on each engine
    ClearingTable(clearing_table::Arguments),
    /// How long a plan takes with nothing to do, beside `docker compose build`
    PlanSpeed(plan_speed::Arguments),
    /// `unstale check` over real projects: no panic, nothing slow, sound fixes; draws findings to be judged by hand
    Crater(crater::Arguments),
    /// A corpus of real files to try `unstale check` on, outside of the repository
    Corpus(corpus::Arguments),
    /// A tree of 1,000 files chosen from a corpus
    CorpusSample(corpus_sample::Arguments),
    /// How long a check takes, beside dclint and hadolint on the same files
    CheckSpeed(check_speed::Arguments),
    /// Large contexts: memory and time, beside buildx
    Scale(scale::Arguments),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Trees(arguments) => trees::campaign(&arguments),
        Task::FalseHits(arguments) => false_hits::measure(&arguments),
        Task::Campaign(arguments) => campaign::campaign(&arguments),
        Task::Clears(arguments) => clears::campaign(&arguments),
        Task::Dockerfiles(arguments) => dockerfiles::compare_all(&arguments),
        Task::ClearingTable(arguments) => clearing_table::measure(&arguments),
        Task::PlanSpeed(arguments) => plan_speed::measure_all(&arguments),
        Task::Crater(arguments) => crater::campaign(&arguments),
        Task::Corpus(arguments) => corpus::collect(&arguments),
        Task::CorpusSample(arguments) => corpus_sample::sample(&arguments),
        Task::CheckSpeed(arguments) => check_speed::measure_all(&arguments),
        Task::Scale(arguments) => scale::measure_all(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
