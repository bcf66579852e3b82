use super::*;
use crate::shell::Editor;
use crate::{Edit, FileId, Source, Span};

pub(super) fn apply(text: &str, edit: &Edit) -> String {
    let mut result = text.to_owned();
    result.replace_range(edit.span.start..edit.span.end, &edit.content);
    result
}

/// Removes the words that are `words` from the first docker command.
fn remove_mapped(text: &str, mapped: &MappedText, words: &str) -> Option<String> {
    let script = Script::read(mapped, Dialect::script());
    let command = script
        .commands()
        .iter()
        .find(|command| command.name().starts_with("docker"))
        .unwrap();
    let words: Vec<_> = words.split(' ').collect();
    let at = (0..command.words.len())
        .find(|&at| {
            command.words[at..].len() >= words.len()
                && command.words[at..]
                    .iter()
                    .zip(&words)
                    .all(|(word, wanted)| word.text == *wanted)
        })
        .unwrap_or_else(|| panic!("{:?}", lines(&script)));
    let source = Source::new("x", text);
    let edit = Editor::new(FileId::default(), &source).remove_words(command, at..at + words.len())?;
    Some(apply(text, &edit))
}

fn remove(text: &str, words: &str) -> String {
    remove_mapped(text, &MappedText::verbatim(text, 0), words).unwrap()
}

const BEFORE: &str = "docker-compose build --parallel \\
    --build-arg BUILDKIT_INLINE_CACHE=1 \\  # ❌ Embeds cache
    --build-arg SKIP_AWS_DURING_BUILD=1 \\
    --build-arg GIT_COMMIT_HASH=\"$GIT_COMMIT_HASH\"
";
const AFTER: &str = "docker-compose build --parallel \\
    --build-arg SKIP_AWS_DURING_BUILD=1 \\
    --build-arg GIT_COMMIT_HASH=\"$GIT_COMMIT_HASH\"
";
const INLINE: &str = "--build-arg BUILDKIT_INLINE_CACHE=1";

#[test]
fn the_flag_on_a_line_of_its_own_goes_with_its_line() {
    assert_eq!(remove(BEFORE, INLINE), AFTER);
    assert_eq!(remove(&BEFORE.replace("  # ❌ Embeds cache", ""), INLINE), AFTER);
    assert_eq!(
        remove(
            &BEFORE.replace("  # ❌ Embeds cache", "").replace('\n', "\r\n"),
            INLINE
        ),
        AFTER.replace('\n', "\r\n")
    );
}

#[test]
fn the_flag_on_the_last_line_takes_the_continuation_with_it() {
    assert_eq!(
        remove(AFTER, "--build-arg GIT_COMMIT_HASH=$GIT_COMMIT_HASH"),
        "docker-compose build --parallel \\\n    --build-arg SKIP_AWS_DURING_BUILD=1\n"
    );
    assert_eq!(
        remove("docker build . \\\n  --a # why\nx\n", "--a"),
        "docker build .\nx\n"
    );
    assert_eq!(
        remove("docker build . \\\n  --a || true\n", "--a"),
        "docker build . \\\n  || true\n"
    );
}

#[test]
fn words_within_a_line_go_with_one_blank() {
    assert_eq!(remove("docker build --a .", "--a"), "docker build .");
    assert_eq!(remove("docker build . --a", "--a"), "docker build .");
    assert_eq!(remove("docker build . --a # why", "--a"), "docker build . # why");
    assert_eq!(remove("docker build . --a; x", "--a"), "docker build .; x");
    assert_eq!(remove("x $(docker build . --a)", "--a"), "x $(docker build .)");
    assert_eq!(remove("docker build --a \\\n  .", "--a"), "docker build \\\n  .");
    assert_eq!(
        remove("docker build --b --a=\"x\" .", "--a=x"),
        "docker build --b ."
    );
    assert_eq!(
        remove("docker build \\\n  --a --b \\\n  .", "--a"),
        "docker build \\\n  --b \\\n  ."
    );
    assert_eq!(
        remove("docker build \\\n  --a \\\n  x \\\n  .", "--a x"),
        "docker build \\\n  ."
    );
}

#[test]
fn words_of_a_variable_go_where_they_are_written() {
    assert_eq!(
        remove("A=x\ndocker build -t \"$A\" .", "-t x"),
        "A=x\ndocker build ."
    );
    assert_eq!(
        remove("A=\"--a --b\"\ndocker x $A", "--a"),
        "A=\"--b\"\ndocker x $A"
    );
    assert_eq!(
        remove("A=\"--a --b\"\ndocker x $A", "--b"),
        "A=\"--a\"\ndocker x $A"
    );
    assert_eq!(
        remove("A=(--a --b)\ndocker x \"${A[@]}\"", "--a"),
        "A=(--b)\ndocker x \"${A[@]}\""
    );
    assert_eq!(
        remove("A=(\n  --a\n  --b # why\n)\ndocker x \"${A[@]}\"", "--b"),
        "A=(\n  --a\n)\ndocker x \"${A[@]}\""
    );
}

/// A block of YAML, as its reader gives it.
fn block(text: &str, indentation: usize) -> MappedText {
    let mut mapped = MappedText::default();
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if index > 0 {
            let cut = indentation.min(line.len());
            mapped.push(&line[cut..], at + cut);
        }
        at += line.len();
    }
    mapped
}

fn indented(text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("      {line}\n")).collect();
    format!("run: |\n{lines}")
}

#[test]
fn the_same_in_a_block_of_yaml() {
    let text = indented(BEFORE);
    assert_eq!(
        remove_mapped(&text, &block(&text, 6), INLINE).as_deref(),
        Some(indented(AFTER).as_str())
    );
    let last = indented("docker build . \\\n  --a\nx\n");
    assert_eq!(
        remove_mapped(&last, &block(&last, 6), "--a").as_deref(),
        Some(indented("docker build .\nx\n").as_str())
    );
}

#[test]
fn the_same_in_the_quotes_of_ssh() {
    let quoted = |text: &str| format!("ssh host \"cd /x\n{}\"\n", text.trim_end().replace('"', "\\\""));
    let plain = BEFORE.replace("  # ❌ Embeds cache", "");
    assert_eq!(remove(&quoted(&plain), INLINE), quoted(AFTER));
    assert_eq!(remove(&quoted(BEFORE), INLINE), quoted(AFTER));
    let text = indented(&quoted(&plain));
    assert_eq!(
        remove_mapped(&text, &block(&text, 6), INLINE).as_deref(),
        Some(indented(&quoted(AFTER)).as_str())
    );
    let heredoc = |text: &str| format!("ssh host <<'EOF'\n{text}EOF\n");
    assert_eq!(remove(&heredoc(BEFORE), INLINE), heredoc(AFTER));
    assert_eq!(
        remove("ssh host 'docker build --a .'", "--a"),
        "ssh host 'docker build .'"
    );
    assert_eq!(
        remove("ssh host docker build --a .", "--a"),
        "ssh host docker build ."
    );
}

#[test]
fn nothing_is_removed_over_quotes() {
    let text = "ssh host \"docker build \"'--a .'";
    assert_eq!(
        remove_mapped(text, &MappedText::verbatim(text, 0), "--a"),
        Some("ssh host \"docker build \"'.'".into())
    );
    let text = "ssh host 'docker build --a'\"=x .\"";
    assert_eq!(remove_mapped(text, &MappedText::verbatim(text, 0), "--a=x"), None);
}

fn edited(text: &str, edit: impl Fn(&Editor, &Command) -> Option<Edit>) -> Option<String> {
    let script = read(text);
    let source = Source::new("x", text);
    let command = script
        .commands()
        .iter()
        .find(|command| command.name() == "docker")?;
    edit(&Editor::new(FileId::default(), &source), command).map(|edit| apply(text, &edit))
}

#[test]
fn or_true_is_taken_off() {
    let off = |text: &str| edited(text, |editor, command| editor.remove_or_true(command));
    assert_eq!(off("docker x || true\n").as_deref(), Some("docker x\n"));
    assert_eq!(
        off("docker x 2>/dev/null || : # why\n").as_deref(),
        Some("docker x 2>/dev/null # why\n")
    );
    assert_eq!(
        off("docker x \\\n  || true; y\n").as_deref(),
        Some("docker x; y\n")
    );
    assert_eq!(
        off("ssh h \"docker x || true\"\n").as_deref(),
        Some("ssh h \"docker x\"\n")
    );
    assert_eq!(off("docker x || exit 1\n"), None);
    assert_eq!(off("docker x || true && y\n"), None);
}

#[test]
fn words_are_inserted_and_replaced() {
    let insert = |text: &str, content: &str| {
        edited(text, |editor, command| {
            editor.insert_words_after(command, 2, content)
        })
    };
    assert_eq!(
        insert("docker builder prune -f", "-a").as_deref(),
        Some("docker builder prune -a -f")
    );
    assert_eq!(
        insert("bash -c 'docker builder prune'", "-a").as_deref(),
        Some("bash -c 'docker builder prune -a'")
    );
    assert_eq!(insert("bash -c 'docker builder prune'", "'x'"), None);
    assert_eq!(
        insert("docker builder prune", "\"$X\"").as_deref(),
        Some("docker builder prune \"$X\"")
    );
    let replace = |text: &str| edited(text, |editor, command| editor.replace_word(command, 3, "-af"));
    assert_eq!(
        replace("docker builder prune -f; x").as_deref(),
        Some("docker builder prune -af; x")
    );
    assert_eq!(
        edited("x && docker ps", |editor, command| editor
            .insert_words_before(command, "A=1"))
        .as_deref(),
        Some("x && A=1 docker ps")
    );
}

#[test]
fn an_expression_is_replaced_as_a_whole() {
    let text = "docker push ${{ x }}-y";
    let masked = crate::shell::mask(
        &MappedText::verbatim(text, 0),
        &crate::workflow::expressions(text),
    );
    let script = Script::read(&masked, Dialect::github());
    let source = Source::new("x", text);
    let editor = Editor::new(FileId::default(), &source);
    let command = &script.commands()[0];
    assert_eq!(command.words[2].span.slice(text), "${{ x }}-y");
    let edit = editor.replace_word(command, 2, "z").unwrap();
    assert_eq!(apply(text, &edit), "docker push z");
    assert_eq!(edit.span, Span::new(12, 22));
}
