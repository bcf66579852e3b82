//! Whether two names of images, caches or folders mean the same, though variables may stand in them.

/// Whether two names mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    /// They do not.
    Different,
    /// They do for some values of their variables.
    Possible,
    /// They do.
    Same,
}

/// What a name that a cache is found by depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// On the commit, the inputs or the run: another commit does not find it.
    Fixed,
    /// On nothing, or on a branch: it stays the same from commit to commit.
    Mutable,
    /// On a variable that may be anything.
    Unknown,
}

/// A part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A variable or an expression, in one notation for all files; empty for one of which no name is known.
    Variable(String),
}

/// How the names of two images compare.
pub(crate) fn images(one: &str, other: &str) -> Likeness {
    let whole = [one, other].map(pieces);
    let (one, other) = (split(one), split(other));
    // A variable at the beginning can hold all of the name, the tag's beginning too: `${IMAGE}-amd64`.
    let may_hold_all = |(repository, tag): &(Vec<Piece>, Option<Vec<Piece>>)| {
        let has_slash = |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains('/'));
        tag.is_none()
            && repository.len() > 1
            && matches!(repository.first(), Some(Piece::Variable(_)))
            && !repository.iter().any(has_slash)
    };
    if may_hold_all(&one) || may_hold_all(&other) {
        return compare(&whole[0], &whole[1]);
    }
    let repositories = compare(&one.0, &other.0);
    let tags = match (&one.1, &other.1) {
        (None, None) if repositories == Likeness::Same => Likeness::Same,
        (one_tag, other_tag) => {
            let open = |tag: &Option<Vec<Piece>>, repository: &[Piece]| {
                tag.is_none() && matches!(repository.last(), Some(Piece::Variable(_)))
            };
            match open(one_tag, &one.0) || open(other_tag, &other.0) {
                true => Likeness::Possible,
                false => compare(&or_latest(one_tag), &or_latest(other_tag)),
            }
        }
    };
    repositories.min(tags)
}

/// How two texts compare: scopes, folders.
pub(crate) fn texts(one: &str, other: &str) -> Likeness {
    compare(&pieces(one), &pieces(other))
}

/// Whether one name ends with a commit's hash and the other with a word that is none: `app:$SHA` is never `app:cache`.
pub(crate) fn differ_by_hash(one: &str, other: &str) -> bool {
    let ends_with_hash = |pieces: &[Piece]| matches!(pieces.last(), Some(Piece::Variable(name)) if name.to_ascii_uppercase().contains("SHA"));
    let ends_with_word = |pieces: &[Piece]| match pieces.last() {
        Some(Piece::Text(text)) => {
            let word = text
                .rsplit(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default();
            word.contains(|c: char| !c.is_ascii_hexdigit())
        }
        _ => false,
    };
    let (one, other) = (pieces(one), pieces(other));
    ends_with_hash(&one) && ends_with_word(&other) || ends_with_word(&one) && ends_with_hash(&other)
}

/// Whether nothing but a variable stands in a name.
pub(crate) fn is_open(name: &str) -> bool {
    let (repository, _) = split(name);
    matches!(repository.first(), Some(Piece::Variable(_)) | None)
}

/// What an image's name depends on.
pub(crate) fn bound_of_image(reference: &str) -> Bound {
    let (repository, tag) = split(reference);
    match tag {
        Some(tag) => bound(&tag),
        None if matches!(repository.as_slice(), [Piece::Variable(_)]) => Bound::Unknown,
        None => bound(&repository),
    }
}

/// What a text depends on.
pub(crate) fn bound_of(text: &str) -> Bound {
    bound(&pieces(text))
}

fn bound(pieces: &[Piece]) -> Bound {
    let mut bound = Bound::Mutable;
    for piece in pieces {
        let name = match piece {
            Piece::Text(text) if text.starts_with("sha256:") => return Bound::Fixed,
            Piece::Text(_) => continue,
            Piece::Variable(name) => name.to_ascii_uppercase(),
        };
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if has(&[
            "REF_NAME",
            "REF_SLUG",
            "BRANCH",
            "HEAD_REF",
            "GITHUB_REF",
            "MATRIX",
            "BASE_REF",
            "EVENT_NUMBER",
        ]) {
            continue;
        }
        if has(&[
            "SHA",
            "COMMIT",
            "HASH",
            "RUN_ID",
            "RUN_NUMBER",
            "PIPELINE",
            "DATE",
            "TIME",
            "BUILD_NUMBER",
            "BUILD_ID",
            "REVISION",
            "DIGEST",
            "CHECKSUM",
            "UUID",
            "NOW",
        ]) {
            return Bound::Fixed;
        }
        bound = Bound::Unknown;
    }
    bound
}

fn or_latest(tag: &Option<Vec<Piece>>) -> Vec<Piece> {
    tag.clone()
        .unwrap_or_else(|| vec![Piece::Text("latest".to_owned())])
}

/// Repository and tag or digest.
fn split(name: &str) -> (Vec<Piece>, Option<Vec<Piece>>) {
    let name = name.trim().trim_matches(['"', '\'']);
    let mut all = pieces(name);
    if let Some(Piece::Text(first)) = all.first_mut() {
        for prefix in ["docker.io/", "index.docker.io/", "library/"] {
            if let Some(rest) = first.strip_prefix(prefix) {
                *first = rest.to_owned();
            }
        }
    }
    let mut found = None;
    for (index, piece) in all.iter().enumerate().rev() {
        let Piece::Text(text) = piece else { continue };
        let at = text.find('@').or_else(|| text.rfind(':'));
        if let Some(at) = at.filter(|at| !text[*at..].contains('/')) {
            found = Some((index, at));
        }
        if found.is_some() || text.contains('/') {
            break;
        }
    }
    let Some((index, at)) = found else {
        return (all, None);
    };
    let mut tag = all.split_off(index);
    if let Some(Piece::Text(text)) = tag.first_mut() {
        let rest = text[at + 1..].to_owned();
        text.truncate(at);
        if !text.is_empty() {
            all.push(Piece::Text(text.clone()));
        }
        *text = rest;
    }
    tag.retain(|piece| *piece != Piece::Text(String::new()));
    (all, Some(tag))
}

fn compare(one: &[Piece], other: &[Piece]) -> Likeness {
    let is_known = |piece: &Piece| matches!(piece, Piece::Text(_));
    let has_nameless = one.contains(&Piece::Variable(String::new()));
    if one == other && !has_nameless {
        return Likeness::Same;
    }
    if one.iter().all(is_known) && other.iter().all(is_known) {
        return Likeness::Different;
    }
    let ends = |pieces: &[Piece]| -> (String, String) {
        let text = |piece: Option<&Piece>| match piece {
            Some(Piece::Text(text)) => text.clone(),
            _ => String::new(),
        };
        (text(pieces.first()), text(pieces.last()))
    };
    let ((one_start, one_end), (other_start, other_end)) = (ends(one), ends(other));
    let starts = one_start.starts_with(&other_start) || other_start.starts_with(&one_start);
    let ends = one_end.ends_with(&other_end) || other_end.ends_with(&one_end);
    match starts && ends {
        true => Likeness::Possible,
        false => Likeness::Different,
    }
}

/// One notation for `$NAME`, `${NAME}`, `${{ env.NAME }}`.
fn variable(name: &str) -> Piece {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let plain = plain.trim_matches('_');
    Piece::Variable(plain.strip_prefix("env_").unwrap_or(plain).to_owned())
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut found: Vec<Piece> = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (piece, length) = match expansion(rest) {
            Some((name, length)) => (Some(variable(name)), length),
            None => (None, first.len_utf8()),
        };
        match piece {
            Some(piece) => {
                if !literal.is_empty() {
                    found.push(Piece::Text(std::mem::take(&mut literal)));
                }
                found.push(piece);
            }
            None => literal.push(first),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    if !literal.is_empty() {
        found.push(Piece::Text(literal));
    }
    found
}

/// The name of the variable or expression at the beginning of a text, and how long it is.
fn expansion(text: &str) -> Option<(&str, usize)> {
    if text.starts_with("${{") || text.starts_with("{{") {
        let from = text.find("{{")? + 2;
        // One that is cut off at a comma within it goes to the end.
        return match text.find("}}") {
            Some(end) => Some((text.get(from..end)?, end + 2)),
            None => Some((text.get(from..)?, text.len())),
        };
    }
    if text.starts_with("${") || text.starts_with("$(") {
        let (open, close) = if text.starts_with("${") {
            ('{', '}')
        } else {
            ('(', ')')
        };
        let mut depth = 0;
        for (at, character) in text.char_indices() {
            if character == open {
                depth += 1;
            } else if character == close {
                depth -= 1;
                if depth == 0 {
                    let inner = text.get(2..at)?;
                    let name = inner
                        .split([':', '-', '?', '+', '#', '%', '/'])
                        .next()
                        .unwrap_or(inner);
                    return Some((if open == '{' { name } else { inner }, at + 1));
                }
            }
        }
        return None;
    }
    if let Some(rest) = text.strip_prefix('`') {
        let end = rest.find('`')?;
        return Some((&rest[..end], end + 2));
    }
    let rest = text.strip_prefix('$')?;
    let length = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    (length > 0).then(|| (&rest[..length], length + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_compare_by_repository_and_tag() {
        let same = [
            ("app", "app:latest"),
            ("docker.io/library/app:1", "app:1"),
            ("$IMAGE:cache", "${{ env.IMAGE }}:cache"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("${REPO}/app", "$REPO/app:latest"),
        ];
        for (one, other) in same {
            assert_eq!(images(one, other), Likeness::Same, "{one} {other}");
        }
        let possible = [
            ("$IMAGE", "acme/app:1"),
            ("ghcr.io/${{ github.repository }}:cache", "ghcr.io/acme/app:cache"),
            ("app:$TAG", "app:latest"),
            ("app:${____}", "app:${____}"),
            (
                "${{ steps.setup.outputs.cache-name }}-amd64",
                "ghcr.io/acme/app:cache-amd64",
            ),
        ];
        for (one, other) in possible {
            assert_eq!(images(one, other), Likeness::Possible, "{one} {other}");
        }
        let different = [
            ("app:1", "app:2"),
            ("acme/app", "app"),
            ("ghcr.io/$OWNER/app:x", "quay.io/a/app:x"),
            ("$X/backend", "$X/frontend"),
        ];
        for (one, other) in different {
            assert_eq!(images(one, other), Likeness::Different, "{one} {other}");
        }
    }

    #[test]
    fn a_name_with_the_commit_in_it_is_fixed() {
        for fixed in [
            "app:${{ github.sha }}",
            "app@sha256:0123",
            "app:cache-${CI_COMMIT_SHORT_SHA}",
            "app:${{ hashFiles('a.lock') }}",
        ] {
            assert_eq!(bound_of_image(fixed), Bound::Fixed, "{fixed}");
        }
        for mutable in [
            "app",
            "app:cache",
            "$CI_REGISTRY_IMAGE/app:$CI_COMMIT_REF_SLUG",
            "${X}/y:main",
        ] {
            assert_eq!(bound_of_image(mutable), Bound::Mutable, "{mutable}");
        }
        for unknown in ["app:$CACHE", "$IMAGE"] {
            assert_eq!(bound_of_image(unknown), Bound::Unknown, "{unknown}");
        }
    }

    #[test]
    fn a_hash_is_no_word() {
        assert!(differ_by_hash(
            "app:pr-$N-${{ env.SHORT_SHA }}",
            "app:pr-$N-builder"
        ));
        assert!(differ_by_hash("app:base", "app:$GIT_SHA"));
        for (one, other) in [
            ("app:$SHA", "app:$TAG"),
            ("app:$SHA", "app:cafe"),
            ("app:$TAG", "app:cache"),
            ("app:$SHA-x", "app:x"),
        ] {
            assert!(!differ_by_hash(one, other), "{one} {other}");
        }
    }

    #[test]
    fn odd_texts_are_read_to_their_end() {
        for odd in [
            "$", "${", "$(", "`", "{{", "${{", "a:$", "ö:ä@", "}}", "${a", "}}{{", "::", "@@", "$é",
        ] {
            images(odd, odd);
            bound_of_image(odd);
        }
    }
}
