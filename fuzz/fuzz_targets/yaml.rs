//! The YAML module on any text: it ends, its places lie in the text and within each other, every byte of a scalar is found in
//! the file, and what is removed leaves a text that can be read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unstale_audit::Span;
use unstale_audit::yaml::{Node, Yaml, edit};

fuzz_target!(|text: &str| {
    let Ok(yaml) = Yaml::parse(text) else {
        return;
    };
    let whole = Span::new(0, text.len());
    for node in yaml.nodes() {
        let span = node.span();
        assert!(whole.contains(span), "{span:?} of {}", text.len());
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{span:?}");
        if let Some(scalar) = node.scalar() {
            let mapped = scalar.mapped();
            assert_eq!(mapped.text(), scalar.text());
            assert!(whole.contains(mapped.span(Span::new(0, mapped.text().len()))));
        }
    }
    for comment in yaml.comments() {
        assert!(comment.span.slice(text).starts_with('#'));
    }
    // Removing is the business of texts without templates: what a template makes is not known here.
    if yaml.is_templated() {
        return;
    }
    for node in yaml.nodes().filter(|node| node.entry().is_some()).take(8) {
        removed(text, node);
    }
});

fn removed(text: &str, node: Node<'_>) {
    let Some(mut spans) = edit::removal(node) else {
        return;
    };
    spans.sort();
    let mut rest = text.to_owned();
    for span in spans.iter().rev() {
        rest.replace_range(span.start..span.end, "");
    }
    if let Err(error) = Yaml::parse(&rest) {
        panic!("{error}: {text:?} without {spans:?}: {rest:?}");
    }
}
