//! Names of findings that stay the same when lines are added elsewhere in the file.

use super::{CheckView, Place, primary};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use unstale_audit::Finding;

/// One fingerprint for each finding, in order: no two are equal.
///
/// It is made of the rule, the path and the text of the line, with white space as single spaces. Equal findings on equal
/// lines of a file are told apart by their order.
pub(super) fn all(view: &CheckView<'_>) -> Vec<String> {
    let mut seen: HashMap<[u8; 32], usize> = HashMap::new();
    let mut fingerprint = |finding: &Finding| {
        let place = primary(view, finding);
        let mut hash = Sha256::new();
        hash.update(finding.rule);
        hash.update([0]);
        hash.update(place.as_ref().map_or("", Place::path));
        hash.update([0]);
        if let Some(line) =
            place.and_then(|place| Some(place.source.line(place.start.line)?.slice(place.source.text())))
        {
            for word in line.split_whitespace() {
                hash.update(word);
                hash.update(" ");
            }
        }
        let digest: [u8; 32] = hash.finalize().into();
        let count = seen.entry(digest).or_default();
        *count += 1;
        format!("{}:{count}", hex::encode(&digest[..16]))
    };
    view.findings.iter().map(&mut fingerprint).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, finding_at};

    fn fingerprints(text: &str) -> Vec<String> {
        let sample = Sample::new(&[("Dockerfile", text)], |project| {
            text.match_indices("FROM")
                .map(|(at, _)| finding_at(project, 0, at..at + 4))
                .collect()
        });
        super::all(&sample.view())
    }

    #[test]
    fn a_fingerprint_stays_when_lines_come_before_and_indentation_changes() {
        let one = fingerprints("FROM a\nFROM b\nFROM a\n");
        assert_eq!(one.len(), 3);
        assert_ne!(one[0], one[1]);
        assert_ne!(one[0], one[2]);
        assert_eq!(one[0].split(':').next(), one[2].split(':').next());
        assert_eq!(one, fingerprints("# more\n\n  FROM  a\nFROM b\n\nFROM a\n"));
    }
}
