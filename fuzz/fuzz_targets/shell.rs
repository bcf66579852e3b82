//! The shell reader on any text: it ends, and what it gives out stands in the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unstale_audit::docker::DockerCommand;
use unstale_audit::shell::{Dialect, Script};
use unstale_audit::{MappedText, Span};

fuzz_target!(|text: &str| {
    let script = Script::read(&MappedText::verbatim(text, 0), Dialect::script());
    let whole = Span::new(0, text.len());
    for command in script.commands() {
        for span in [command.span, command.pipeline, command.statement] {
            assert!(whole.contains(span), "{span:?} of {}", text.len());
            assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{span:?}");
        }
        assert!(!command.words.is_empty());
        let _ = DockerCommand::recognise(command);
    }
});
