//! Names for findings that stay when lines move: for baselines, and for code hosts that follow a finding over time.

use crate::{Finding, Project};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// A fingerprint for each finding, in their order: 16 hexadecimal digits of the rule, the path, the text of the line without
/// its indentation, and how many alike came before.
pub fn fingerprints(project: &Project, findings: &[Finding]) -> Vec<String> {
    let mut seen: HashMap<[u8; 8], u32> = HashMap::new();
    findings
        .iter()
        .map(|finding| {
            let (file, span) = finding.place();
            let source = &project.file(file).source;
            let line = source.line(source.position(span.start).line).unwrap_or_default();
            let words: Vec<_> = line.slice(source.text()).split_whitespace().collect();
            let base = hash(&[finding.rule, source.path(), &words.join(" ")]);
            let count = seen.entry(base).or_default();
            *count += 1;
            match *count {
                1 => hex::encode(base),
                count => hex::encode(hash(&[&hex::encode(base), &count.to_string()])),
            }
        })
        .collect()
}

fn hash(parts: &[&str]) -> [u8; 8] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut short = [0; 8];
    for (byte, from) in short.iter_mut().zip(hasher.finalize()) {
        *byte = from;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Confidence, File, FileId, FileKind, Severity, Source, Span, Tree};

    #[test]
    fn a_finding_keeps_its_name_when_lines_come_before_it_and_alike_ones_differ() {
        let named = |text: &str| {
            let project = Project::new(
                [File::read(Source::new("a.sh", text), FileKind::Script)],
                Tree::default(),
            );
            let findings: Vec<_> = text
                .match_indices("x")
                .map(|(at, _)| {
                    let place = (FileId::default(), Span::new(at, at + 1));
                    Finding::new("r", Severity::Low, Confidence::High, "m", place)
                })
                .collect();
            fingerprints(&project, &findings)
        };
        let before = named("x 1\nx 1\n");
        let after = named("\n\n  x  1\nx 1\n");
        assert_eq!(before, after);
        assert_ne!(before[0], before[1]);
        assert_ne!(named("x 2\n")[0], before[0]);
    }
}
