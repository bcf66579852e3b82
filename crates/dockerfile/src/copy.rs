//! `COPY` and `ADD`: what is copied, and where to.

use crate::{Instruction, Span, heredoc};

/// The arguments of a `COPY` or `ADD`, in either form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyArguments {
    /// What is copied, in order.
    pub sources: Vec<CopySource>,
    /// Where to, as written; in exec form, what the string stands for.
    pub destination: String,
    /// Where that stands.
    pub destination_span: Span,
}

/// Something that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    /// As written: a path or pattern, of `ADD` also a URL or a repository; of a heredoc its beginning, `<<EOF`.
    pub text: String,
    /// Where that stands.
    pub span: Span,
    /// Whether it is a heredoc.
    pub heredoc: bool,
}

impl Instruction {
    /// Sources and destination of a `COPY` or `ADD` that has both.
    pub fn copy_arguments(&self) -> Option<CopyArguments> {
        if !matches!(self.keyword.as_str(), "COPY" | "ADD") {
            return None;
        }
        let mut all: Vec<(&str, Span)> = match &self.exec {
            Some(items) => items
                .iter()
                .map(|item| (item.value.as_str(), item.span))
                .collect(),
            None => self
                .words
                .iter()
                .map(|word| (word.raw.as_str(), word.span))
                .collect(),
        };
        let (destination, destination_span) = all.pop()?;
        let sources: Vec<_> = all
            .into_iter()
            .map(|(text, span)| CopySource {
                text: text.to_owned(),
                span,
                heredoc: heredoc::is_heredoc(text.as_bytes()),
            })
            .collect();
        (!sources.is_empty()).then(|| CopyArguments {
            sources,
            destination: destination.to_owned(),
            destination_span,
        })
    }

    /// The value of `COPY --from`, and where it stands.
    pub fn copy_from(&self) -> Option<(&str, Span)> {
        let flag = self.flags.iter().rev().find(|flag| flag.name == "from")?;
        let value = flag.value.as_deref().filter(|_| self.keyword == "COPY")?;
        Some((value, flag.value_span?))
    }
}
