//! Every form gets what an attacker would write into names, messages and files, and stays what it is.

use super::sample::{Sample, id, rule};
use super::{
    ChangedFile, ContractLine, Fixed, contract, fixed, github, gitlab, json, junit, markdown, sarif, text,
};
use crate::text::is_hostile;
use proptest::prelude::*;
use unstale_audit::{Applicability, Confidence, Edit, Finding, Fix, Location, Severity, Span};

const WORDS: &str = "\u{1b}]0;title\u{7}\u{1b}[31m\r\n::set-output name=x::y\n##[add-mask]z ]]> | ` <b> & \"' %0A \u{202e}\0\u{9b}\u{ffff}\u{2028}[l](http://x)";

/// Everything that can come from elsewhere is `words`, and the files' text is `text`.
fn sample(words: &str, text: &str, start: usize, length: usize) -> Sample {
    let span = Span::new(start, start.saturating_add(length));
    let mut sample = Sample::new(&[(words, text), ("Dockerfile", text)], |project| {
        let at = |index| (id(project, index), span);
        let finding = Finding::new("inline-cache", Severity::High, Confidence::Low, words, at(0))
            .label(words)
            .also(at(1), words)
            .also((id(project, 0), Span::new(0, 0)), words)
            .help(words)
            .fix(Fix {
                title: words.to_owned(),
                change: words.to_owned(),
                impact: words.to_owned(),
                applicability: Applicability::Unsafe,
                edits: vec![Edit {
                    file: id(project, 0),
                    span,
                    content: words.to_owned(),
                }],
            });
        let without_place = Finding {
            locations: Vec::new(),
            ..finding.clone()
        };
        vec![finding; 12].into_iter().chain([without_place]).collect()
    });
    sample.notes = vec![words.to_owned()];
    sample.fixed = vec![Fixed {
        path: words.to_owned(),
        change: words.to_owned(),
        impact: words.to_owned(),
    }];
    sample.contract = Some(vec![ContractLine {
        name: words.to_owned(),
        holds: false,
        detail: Some(words.to_owned()),
        location: Some(Location {
            file: id(&sample.project, 0),
            span,
            label: None,
        }),
        hint: Some(words.to_owned()),
    }]);
    sample
}

fn is_clean(text: &str) {
    let bad = text.chars().find(|&c| c != '\n' && is_hostile(c));
    assert_eq!(bad, None, "{text:?}");
}

fn check(sample: &Sample) {
    let view = sample.view();
    let people = text::text(&view, text::Look::default());
    let lines = contract::text(view.project, view.contract.unwrap());
    for shown in [&people, &lines] {
        is_clean(shown);
        assert!(!shown.contains("##["), "{shown}");
        assert!(
            shown.lines().all(|line| !line.trim_start().starts_with("::s")),
            "{shown}"
        );
    }
    is_clean(&json::json(&view));
    serde_json::from_str::<serde_json::Value>(&json::json(&view)).unwrap();
    is_clean(&json::rules(&[rule(WORDS)]));

    let log = sarif::sarif(&view);
    is_clean(&log);
    assert_eq!(sarif::tests::errors(&log), [] as [&str; 0]);

    let report = gitlab::gitlab(&view);
    is_clean(&report);
    serde_json::from_str::<serde_json::Value>(&report).unwrap();

    let xml = junit::junit(&view);
    is_clean(&xml);
    let document = roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{error}: {xml:?}"));
    let cases = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"));
    assert_eq!(cases.count(), view.findings.len() + 1);

    let commands = github::github(&view);
    is_clean(&commands);
    for line in commands.lines() {
        let is_ours = ["::error ", "::warning ", "::notice "]
            .iter()
            .any(|start| line.starts_with(start));
        assert!(is_ours || !line.trim_start().starts_with("::"), "{line:?}");
        assert!(is_ours || !line.contains("##["), "{line:?}");
    }
    // The contract's line, nine findings, and the notice.
    assert_eq!(commands.matches("\n::").count() + 1, 11, "{commands}");

    let page = github::job_summary(&view);
    is_clean(&page);
    let after = "x".to_owned();
    let files = [ChangedFile {
        path: &sample.fixed[0].path,
        before: Some(&sample.fixed[0].path),
        after: &after,
    }];
    let table = fixed::table(&sample.fixed, &files);
    is_clean(&table);
    is_clean(&fixed::text(&sample.fixed, &files));
    for row in page
        .lines()
        .chain(table.lines())
        .filter(|line| line.starts_with('|'))
    {
        let borders = row.replace("\\\\", "").replace("\\|", "").matches('|').count();
        assert!(borders == 5 || borders == 4, "{row}");
    }
    is_clean(&markdown::terminal(WORDS, false));
}

#[test]
fn no_form_obeys_what_it_shows() {
    check(&sample(WORDS, WORDS, 3, 40));
    check(&sample(WORDS, WORDS, 0, usize::MAX));
}

#[test]
fn long_lines_and_no_lines() {
    check(&sample(WORDS, &"x\u{1b}".repeat(50_000), 20_000, 30_000));
    check(&sample(WORDS, &"\u{301}".repeat(50_000), 7, 3));
    check(&sample(&WORDS.repeat(50), &"\n".repeat(100_000), 7, 90_000));
    check(&sample("", "", 0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_form_obeys_any_text(
        words in "[a\u{e9}\u{4e16}\u{1b}\u{202e}\u{0}\t\r\n:#%,|`<>&\\]\\[\\\\()*_@\u{ffff} ]{0,60}",
        start in 0usize..80,
        length in 0usize..80,
    ) {
        check(&sample(&words, &words, start, length));
    }
}
