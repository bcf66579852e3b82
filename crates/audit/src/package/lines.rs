//! The files of the project that a manifest names which is read line by line: requirements of pip, `Gemfile`, `go.mod`, TOML.

/// The paths that a manifest with a name installs from, in order; `.` is the project itself.
pub(super) fn local(name: &str, text: &str) -> Vec<String> {
    let of_line = match name {
        "Gemfile" => of_gemfile,
        "go.mod" => of_module,
        name if name.ends_with(".toml") => of_toml,
        _ => of_requirement,
    };
    let mut all: Vec<String> = text.lines().filter_map(|line| of_line(line.trim())).collect();
    all.dedup();
    for path in &mut all {
        if let Some(rest) = path.strip_prefix("./").filter(|rest| !rest.is_empty()) {
            *path = rest.to_owned();
        }
    }
    all
}

/// `-r base.txt`, `-c constraints.txt`, `-e ./lib`, `./lib`, `lib @ file:./lib`.
fn of_requirement(line: &str) -> Option<String> {
    let line = line.split(" #").next().unwrap_or(line).trim();
    let options = ["-r", "--requirement", "-c", "--constraint", "-e", "--editable"];
    let value = options.iter().find_map(|option| {
        let rest = line.strip_prefix(option)?;
        // `--requirement` begins with `-r` neither.
        let is_whole = option.len() == 2 || rest.starts_with([' ', '=', '\t']);
        is_whole.then(|| rest.trim_start_matches([' ', '=', '\t']))
    });
    let path = match (value, line.split_once("@ file:")) {
        (Some(value), _) => value,
        (None, Some((_, path))) => path.trim_start_matches("//"),
        (None, None) if line.starts_with('.') => line,
        (None, None) => return None,
    };
    let path = path.split(['[', ';']).next().unwrap_or(path).trim();
    (!path.is_empty() && !path.contains("://") && !path.starts_with("git+")).then(|| path.to_owned())
}

/// `gem "a", path: "lib/a"`, `eval_gemfile "x"`, `ruby file: ".ruby-version"`, `gemspec`.
fn of_gemfile(line: &str) -> Option<String> {
    if line.starts_with("gemspec") {
        return Some(".".to_owned());
    }
    let after = |mark: &str| line.split_once(mark).map(|(_, rest)| rest.trim_start());
    let is_own =
        |mark: &&&str| line.starts_with("gem") || line.starts_with("ruby") || line.starts_with(**mark);
    let marks = ["path:", ":path =>", "file:", "eval_gemfile", "path "];
    let rest = marks.iter().filter(is_own).find_map(|mark| after(mark))?;
    quoted(rest)
}

/// `replace example.com/a => ./a`.
fn of_module(line: &str) -> Option<String> {
    let (_, to) = line.split_once("=> ")?;
    let to = to.split_whitespace().next()?;
    (!line.starts_with("//") && to.starts_with('.')).then(|| to.to_owned())
}

/// `a = { path = "a" }`. A path that stands by itself is of the project's own code.
fn of_toml(line: &str) -> Option<String> {
    let (before, rest) = line.split_once("path = ").or_else(|| line.split_once("path="))?;
    let is_in_table = before.contains('{') && before.ends_with(['{', ' ', ',']);
    is_in_table.then(|| quoted(rest)).flatten()
}

/// What stands in quotes at the beginning of a text.
fn quoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (inner, _) = text.get(1..)?.split_once(quote)?;
    (!inner.is_empty()).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_a_manifest_names_are_found() {
        for (name, text, expected) in [
            (
                "base.txt",
                "-r common.txt\n-c ./constraints.txt # why\ndjango==5.0\n",
                &["common.txt", "constraints.txt"][..],
            ),
            (
                "requirements.txt",
                "-e ./lib[dev]\nlib2 @ file:./lib2\n-e git+https://example.com/a\n--requirement=b.txt\n",
                &["lib", "lib2", "b.txt"],
            ),
            (
                "requirements.txt",
                "requests\nflask -r\n--extra-index-url https://example.com\n# -r old.txt\n",
                &[],
            ),
            (
                "Gemfile",
                "ruby file: '.ruby-version'\ngem \"a\", path: \"lib/a\"\ngem 'rails'\n",
                &[".ruby-version", "lib/a"],
            ),
            (
                "Gemfile",
                "eval_gemfile 'Gemfile.local'\ngemspec\n# gem 'x', path: 'x'\n",
                &["Gemfile.local", "."],
            ),
            (
                "go.mod",
                "module a\nreplace example.com/b => ../b\nreplace example.com/c => example.com/d v1.0.0\n",
                &["../b"],
            ),
            (
                "pyproject.toml",
                "lib = { path = \"lib\", develop = true }\n[tool.hatch.version]\npath = \"src/a.py\"\n",
                &["lib"],
            ),
        ] {
            assert_eq!(local(name, text), expected, "{name}: {text}");
        }
    }
}
