//! Secrets never enter the file.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helpers are tests"
)]

mod common;

use std::fs;

use common::*;
use proptest::prelude::*;
use unstale_ledger::secret::{SCRUBBED, looks_like_credential, looks_secret};
use unstale_ledger::*;

#[test]
fn names_are_secret_by_their_words() {
    for name in [
        "TOKEN",
        "NPM_TOKEN",
        "npm-token",
        "npmToken",
        "NPMToken",
        "GITHUBTOKEN",
        "tokens",
        "CLIENT_SECRET",
        "DBPASSWORD",
        "MYSQL_PASSWD",
        "DB_PASS",
        "DB_PWD",
        "API_KEY",
        "apiKey",
        "APIKEY",
        "KEY2",
        "S3KEY",
        "SSH_PRIVATE_KEY",
        "AWS_CREDENTIALS",
        "HTTP_AUTH",
        "PRIVATE",
        "GH_PAT",
        "SESSION_COOKIE",
        "SENTRY_DSN",
        "wachtwort.PASSWORD",
    ] {
        assert!(looks_secret(name), "{name}");
    }
    for name in [
        "",
        "GIT_COMMIT_HASH",
        "BUILDKIT_INLINE_CACHE",
        "NODE_OPTIONS",
        "SKIP_AWS_DURING_BUILD",
        "MONKEY",
        "KEYBOARD",
        "AUTHOR",
        "PWD",
        "OLDPWD",
        "TOKENIZER_VERSION",
        "COMPASS",
        "PATH",
        "PATTERN",
        "VERSION",
        "ключ",
    ] {
        assert!(!looks_secret(name), "{name}");
    }
}

#[test]
fn values_are_secret_by_their_looks() {
    for value in [
        "https://user:pass@host/x",
        "see https://a.example then http://tok123@b.example",
        "postgres://u:p@db:5432/x",
        "https://user:p/x@host:p@host",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabc",
        "ghp_abcdefghijklmnopqrstuvwxyz012345",
        "AKIAABCDEFGHIJKLMNOP",
    ] {
        // A slash in a password must be escaped in a URL; this one is read as a path by every client.
        assert_eq!(
            looks_like_credential(value),
            value != "https://user:p/x@host:p@host",
            "{value}"
        );
    }
    for value in [
        "",
        "https://host/x?y=a@b",
        "ssh://git@host/x",
        "user@host",
        "abc1234",
        "AKIA",
        "sk_live_",
        "://@",
    ] {
        assert!(!looks_like_credential(value), "{value}");
    }
}

#[test]
fn equal_hashes_are_equal_values_within_one_ledger() {
    let (one, two) = (scratch(), scratch());
    let ledger = open(&one.path);
    let hash = ledger.salted("value");
    assert_eq!(hash, ledger.salted("value"));
    assert_ne!(hash, ledger.salted("value "));
    assert_ne!(
        hash,
        open(&two.path).salted("value"),
        "each ledger has its own salt"
    );
    drop(ledger);
    assert_eq!(hash, open(&one.path).salted("value"), "the salt is kept");
    assert_eq!(hash.len(), 64);
}

/// Writes `SECRET` wherever a text can carry one, and looks for its bytes in every file of the ledger.
#[test]
fn the_secret_is_nowhere_in_the_raw_files() {
    const SECRET: &str = "correct-horse-battery-staple";
    let scratch = scratch();
    let ledger = open(&scratch.path);
    let arg = ledger.arg("NPM_TOKEN", SECRET);
    let url = ledger.arg("INDEX", &format!("https://me:{SECRET}@pypi.example/simple"));
    assert!(matches!(arg.value(), ArgValue::Salted(_)) && matches!(url.value(), ArgValue::Salted(_)));

    let mut build = new_build("b");
    build.command =
        format!("build --build-arg NPM_TOKEN={SECRET} --build-arg OTHER_TOKEN='{SECRET} x' backend");
    ledger.begin_build(&build).unwrap();
    let mut record = service("backend");
    record.args = vec![arg, url, ledger.arg("COLOUR", "blue")];
    record.error = Some(format!("process /bin/sh -c curl -u x:{SECRET} failed"));
    record.steps[0].name = format!("[1/2] COPY {SECRET} .");
    record.steps[0].instruction = format!("RUN git clone https://me:{SECRET}@host/x");
    record.steps[1].error = Some(format!("{SECRET}{SECRET}"));
    record.manifests[0].root = format!("https://{SECRET}@git.example/repository.git");
    ledger.record_service("b", &record).unwrap();
    ledger
        .finish_build("b", BuildOutcome::Failed, 2, Some(SECRET))
        .unwrap();

    let read = ledger.build("b").unwrap();
    assert_eq!(
        read.summary.command,
        format!("build --build-arg NPM_TOKEN={SCRUBBED} --build-arg OTHER_TOKEN={SCRUBBED} backend")
    );
    assert_eq!(
        read.services[0].steps[0].instruction,
        format!("RUN git clone https://{SCRUBBED}@host/x")
    );
    assert_eq!(
        read.services[0].args[2].value(),
        &ArgValue::Plain("blue".to_owned())
    );

    // While it is open, with the log, and after it was closed, without.
    assert_absent(&scratch, SECRET);
    drop(ledger);
    assert_absent(&scratch, SECRET);
}

#[test]
fn what_one_argument_tells_hides_another() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    ledger.begin_build(&new_build("b")).unwrap();
    let mut record = service("backend");
    record.args = vec![
        ledger.arg("EXTRA", "flags with url-password inside"),
        ledger.arg("NODE_OPTIONS", "--max-old-space-size=2048"),
        ledger.arg("INDEX", "https://me:url-password@pypi.example/simple"),
        ledger.arg("OPTIONS", "--password=hunter2"),
    ];
    assert!(
        matches!(record.args[0].value(), ArgValue::Plain(_)),
        "nothing is known of it yet"
    );
    record.error = Some("url-password refused".to_owned());
    ledger.record_service("b", &record).unwrap();
    let read = &ledger.build("b").unwrap().services[0];
    let value = |n: usize| read.args[n].value().clone();
    assert_eq!(
        value(0),
        ArgValue::Salted(ledger.salted("flags with url-password inside"))
    );
    assert_eq!(value(1), ArgValue::Plain("--max-old-space-size=2048".to_owned()));
    assert_eq!(value(3), ArgValue::Salted(ledger.salted("--password=hunter2")));
    assert_eq!(read.error.as_deref(), Some("[secret] refused"));
    assert_absent(&scratch, "url-password");
}

fn assert_absent(scratch: &Scratch, secret: &str) {
    let mut read = 0;
    for entry in fs::read_dir(scratch.path.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        read += bytes.len();
        assert!(
            !bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes()),
            "{}",
            path.display()
        );
    }
    assert!(read > 4096, "the files were really looked at");
}

#[test]
fn assignments_are_scrubbed_before_any_argument_is_known() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    for (n, (text, expected)) in [
        ("--build-arg DB_PASSWORD=x", "--build-arg DB_PASSWORD=[secret]"),
        ("A_KEY=\"b c\" d=e", "A_KEY=[secret] d=e"),
        ("A_KEY='never closed", "A_KEY=[secret]"),
        (
            "--mount=type=secret,id=x --token=$TOKEN x",
            "--mount=type=secret,id=x --token=[secret] x",
        ),
        ("A_KEY='a b'\"c d\"e\\ f g", "A_KEY=[secret] g"),
        ("KEY=''KEY=", "KEY=[secret]"),
        ("TOKEN= NEXT=1", "TOKEN= NEXT=1"),
        ("a=b=c", "a=b=c"),
        ("TOKEN=a=b", "TOKEN=[secret]"),
        (
            "https://u:p@h https://x:y@z",
            "https://[secret]@h https://[secret]@z",
        ),
        ("==", "=="),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("{n}.");
        ledger
            .begin_build(&NewBuild {
                command: text.to_owned(),
                ..new_build(&id)
            })
            .unwrap();
        assert_eq!(ledger.build(&id).unwrap().summary.command, expected);
    }
}

proptest! {
    /// Whatever stands around a secret word, cut off by a separator or by the case, the name is secret.
    #[test]
    fn a_secret_word_makes_any_name_secret(
        before in "([A-Z0-9]{0,8}[_.-]){0,2}",
        word in proptest::sample::select(vec!["TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY", "CREDENTIAL", "AUTH", "PRIVATE"]),
        plural in proptest::bool::ANY,
        after in "([_.0-9-][A-Z0-9]{0,8}){0,2}",
        lower in proptest::bool::ANY,
    ) {
        let name = format!("{before}{word}{}{after}", if plural { "S" } else { "" });
        let name = if lower { name.to_lowercase() } else { name };
        prop_assert!(looks_secret(&name), "{}", name);
    }

    /// Without the letters that every secret word needs, no name is secret.
    #[test]
    fn names_without_secret_words_are_plain(name in "[BFGLMNQXZ_0-9.-]{0,40}") {
        prop_assert!(!looks_secret(&name));
    }
}

/// No input makes the rules panic, and scrubbing comes to an end and is stable.
#[test]
fn any_text_can_be_judged() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    let ids = std::cell::Cell::new(0);
    let recorded = |text: &str| {
        let id = format!("{}.", ids.replace(ids.get() + 1));
        ledger
            .begin_build(&NewBuild {
                command: text.to_owned(),
                ..new_build(&id)
            })
            .unwrap();
        ledger.build(&id).unwrap().summary.command
    };
    let texts =
        "(?s).{0,60}|([a-zA-Z_]{1,9}[=@:/ '\"$]{1,3}){0,9}|(https?://[a-z:@]{0,9}){0,4}|(KEY=|'|\"| |é){0,9}";
    proptest!(|(text in texts)| {
        looks_secret(&text);
        looks_like_credential(&text);
        let once = recorded(&text);
        prop_assert_eq!(recorded(&once), once);
    });
}
