//! `testkit`: starts and stops the engines for tests, and prints what a shell needs to use them.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

use std::env;
use std::process::ExitCode;

use testkit::Home;
use testkit::up::{self, ALL, Outcome};

const USAGE: &str = "\
usage: testkit up [--fresh] [NAME…] | down [NAME…] | status | env [NAME]
  up      gets what is missing and starts the engines (all but d29, which is built from source); --fresh wipes their data
  down    stops them
  status  lists what runs
  env     prints `export` lines: for the tests, or for the docker client with the engine NAME
names: d20 d28 d28c d29 buildkitd registry; home: $UNSTALE_TEST_HOME, else /var/tmp/unstale-testkit";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (flags, words): (Vec<&str>, Vec<&str>) = arguments
        .iter()
        .map(String::as_str)
        .partition(|argument| argument.starts_with('-'));
    let home = Home::from_env();
    let (command, names) = words
        .split_first()
        .map_or(("", &[][..]), |(command, names)| (*command, names));
    let known = names.iter().all(|name| ALL.contains(name)) && flags.iter().all(|flag| *flag == "--fresh");
    let done = match command {
        "up" if known => start(&home, names, flags.contains(&"--fresh")),
        "down" if known => stop(&home, names),
        "status" => {
            print(&up::status(&home));
            Ok(true)
        }
        "env" if known => exports(&home, names.first().copied()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("testkit: {}", error.full());
            ExitCode::FAILURE
        }
    }
}

/// Succeeds when something runs: a machine where only some engines can be had is no failure.
fn start(home: &Home, names: &[&str], fresh: bool) -> Result<bool, testkit::Error> {
    let usual: Vec<&str> = ALL.into_iter().filter(|name| *name != "d29").collect();
    let outcome = up::up(home, if names.is_empty() { &usual } else { names }, fresh)?;
    print(&outcome);
    Ok(!outcome.running.is_empty())
}

fn stop(home: &Home, names: &[&str]) -> Result<bool, testkit::Error> {
    let failed = up::down(home, if names.is_empty() { &ALL } else { names })?;
    for (name, error) in &failed {
        eprintln!("testkit: {name}: {}", error.full());
    }
    Ok(failed.is_empty())
}

fn exports(home: &Home, name: Option<&str>) -> Result<bool, testkit::Error> {
    let status = up::status(home);
    let Some(name) = name else {
        println!(
            "export UNSTALE_TEST_HOME={}",
            quoted(&home.path().display().to_string())
        );
        println!("export UNSTALE_TEST_ENGINES={}", quoted(&status.list()));
        return Ok(true);
    };
    let Some((address, _)) = status.running.get(name) else {
        eprintln!("testkit: {name} does not run");
        return Ok(false);
    };
    let configuration = home.client_configuration()?;
    println!("export DOCKER_HOST={}", quoted(address));
    println!(
        "export DOCKER_CONFIG={}",
        quoted(&configuration.display().to_string())
    );
    println!(
        "export PATH={}:\"$PATH\"",
        quoted(&home.client().display().to_string())
    );
    Ok(true)
}

fn print(outcome: &Outcome) {
    for name in ALL {
        if let Some((address, description)) = outcome.running.get(name) {
            println!("{name:<10} {address}  ({description})");
        } else if let Some(reason) = outcome.left_out.get(name) {
            println!("left out: {name}: {reason}");
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
