//! What holds of every script that is read. Panics at the first rule that is broken. Shared by the property tests and the
//! fuzz target, so that it must use only what is public.

use unstale_audit::docker::DockerCommand;
use unstale_audit::shell::{Command, Dialect, Editor, Script, Value, Word, mask};
use unstale_audit::workflow::expressions;
use unstale_audit::{Edit, FileId, MappedText, Source, Span};

/// Reads a text as a script and, with its expressions masked, as a step of a workflow, and tries a few edits.
pub fn hold(text: &str) {
    let mapped = MappedText::verbatim(text, 0);
    let script = Script::read(&mapped, Dialect::script());
    check(text, &script);
    edits(text, &script);
    let spans = expressions(text);
    if !spans.is_empty() {
        let masked = mask(&mapped, &spans);
        assert_eq!(masked.text().len(), text.len());
        let script = Script::read(&masked, Dialect::github());
        check(text, &script);
        edits(text, &script);
    }
}

/// All that is given out stands in the text, and the commands stand in its order.
pub fn check(text: &str, script: &Script) {
    let fits = |span: Span| {
        assert!(text.get(span.start..span.end).is_some(), "{span:?} of {text:?}");
    };
    let words = |words: &[Word]| {
        for word in words {
            fits(word.span);
            fits(word.written());
            for part in &word.parts {
                fits(part.span);
            }
        }
    };
    let mut before = 0;
    for command in script.commands() {
        assert!(
            !command.words.is_empty() && !command.written.is_empty(),
            "{text:?}"
        );
        assert!(before <= command.span.start, "{text:?}");
        before = command.span.start;
        for span in [command.span, command.pipeline, command.statement] {
            fits(span);
        }
        words(&command.words);
        words(&command.written);
        for wrapper in &command.wrappers {
            words(&wrapper.words);
        }
        for redirection in &command.redirections {
            fits(redirection.span);
            if let Some(content) = &redirection.content {
                fits(content.span(Span::new(0, content.text().len())));
            }
        }
        for guard in &command.context.guards {
            fits(guard.span);
            for test in &guard.tests {
                fits(test.span);
            }
        }
        if let Some(swallow) = &command.context.swallowed {
            fits(swallow.span);
        }
        let _ = (DockerCommand::recognise(command), command.hides_errors());
    }
    for function in script.functions() {
        fits(function.span);
        for &call in &function.calls {
            assert!(call < script.commands().len());
        }
        script.is_uncalled(&function.name);
    }
    let mut before = 0;
    for assignment in script.assignments() {
        fits(assignment.span);
        assert!(before <= assignment.span.start, "{text:?}");
        before = assignment.span.start;
        match &assignment.value {
            Value::Scalar(word) => words(std::slice::from_ref(word)),
            Value::Array(all) => words(all),
            Value::Unknown => {}
        }
    }
    for span in script.broken() {
        fits(*span);
    }
}

/// Edits replace whole characters, what they insert is there, and what they leave is read.
fn edits(text: &str, script: &Script) {
    let source = Source::new("script.sh", text);
    let editor = Editor::new(FileId::default(), &source);
    let commands = script.commands();
    let step = (commands.len() / 4).max(1);
    for command in commands.iter().step_by(step) {
        for edit in of_command(&editor, command) {
            let (before, after) = (text.get(..edit.span.start), text.get(edit.span.end..));
            let (Some(before), Some(after)) = (before, after) else {
                panic!("{edit:?} of {text:?}");
            };
            let edited = format!("{before}{}{after}", edit.content);
            let script = Script::read(&MappedText::verbatim(edited.as_str(), 0), Dialect::script());
            check(&edited, &script);
        }
    }
}

fn of_command(editor: &Editor<'_>, command: &Command) -> Vec<Edit> {
    let count = command.words.len();
    let last = count - 1;
    let possible = [
        editor.remove_words(command, last..count),
        editor.remove_words(command, 1..count.min(3)),
        editor.replace_word(command, last, "new"),
        editor.insert_words_after(command, 0, "--new"),
        editor.insert_words_before(command, "env A=b"),
        editor.remove_or_true(command),
    ];
    possible.into_iter().flatten().collect()
}
