//! Finds what has no event of the parser: the indicators before nodes, and the headers of block scalars.

use super::Builder;
use crate::Span;
use crate::yaml::node::Content;
use crate::yaml::scalar::{Piece, block_pieces};

impl Builder<'_> {
    /// The first byte from `at` that is neither white space nor in a comment.
    pub(super) fn skip_trivia(&self, mut at: usize) -> usize {
        let bytes = self.parsed.as_bytes();
        loop {
            match bytes.get(at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => at += 1,
                Some(b'#') => match self.built.comments.binary_search_by_key(&at, |span| span.start) {
                    Ok(index) => at = self.built.comments[index].end.max(at + 1),
                    Err(_) => return at,
                },
                Some(0xEF) if self.parsed[at..].starts_with('\u{FEFF}') => at += 3,
                _ => return at,
            }
        }
    }

    /// Goes over an indicator if it is the next thing. Where it stands.
    fn indicator(&mut self, indicator: u8) -> Option<usize> {
        let at = self.skip_trivia(self.cursor);
        if self.parsed.as_bytes().get(at) != Some(&indicator) {
            return None;
        }
        self.cursor = at + 1;
        Some(at)
    }

    /// Goes over `...` that end no document: those before the first, and those after another. They have no event.
    fn skip_document_ends(&mut self) {
        loop {
            let at = self.skip_trivia(self.cursor);
            let is_first = self.begins_line(at);
            match self.parsed[at..].strip_prefix("...") {
                Some(rest) if is_first && (rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r'])) => {
                    self.cursor = at + 3;
                }
                _ => return,
            }
        }
    }

    /// Whether a `:` at `at` can belong to the entry that begins at `entry` in a block: it stands on the line of its key, or
    /// at the column of its `?`. Else it begins an entry without a key further out, or, with something behind it, a text.
    fn is_own_colon(&self, entry: Option<usize>, at: usize) -> bool {
        let column = |at: usize| {
            let before = &self.parsed[..at];
            let line = before
                .rfind(['\n', '\r'])
                .map_or(before, |end| &before[end + 1..]);
            line.trim_start_matches('\u{FEFF}').chars().count()
        };
        let is_indicator = matches!(
            self.parsed.as_bytes().get(at + 1),
            None | Some(b' ' | b'\t' | b'\r' | b'\n')
        );
        let is_on_line = !Span::new(self.cursor, at)
            .slice(self.parsed)
            .contains(['\n', '\r']);
        is_indicator && (is_on_line || entry.is_some_and(|entry| column(entry) == column(at)))
    }

    /// Goes over the indicators before a node that begins at `start` (with its properties) or, if that is not known, is
    /// not written. Where the node's entry or item begins.
    pub(super) fn begin(&mut self, start: Option<usize>) -> usize {
        if self.open.is_empty() {
            self.skip_document_ends();
        }
        let Some((open, data)) = self
            .open
            .last()
            .map(|open| (open, &self.built.nodes[open.id.index()]))
        else {
            return start.unwrap_or(self.skip_trivia(self.cursor));
        };
        let before = |at: usize| start.is_none_or(|start| at < start);
        let (is_mapping, flow) = match data.content {
            Content::Mapping { flow, .. } => (true, flow),
            Content::Sequence { flow, .. } => (false, flow),
            _ => return start.unwrap_or(self.cursor),
        };
        let entry = open.key.map(|(_, start)| start);
        let waits = entry.is_some();
        if flow && !waits {
            while before(self.skip_trivia(self.cursor)) && self.indicator(b',').is_some() {}
        }
        let next = self.skip_trivia(self.cursor);
        if !before(next) {
            return start.unwrap_or(next);
        }
        let found = match (is_mapping, waits) {
            (true, true) if start.is_none() && !flow && !self.is_own_colon(entry, next) => None,
            (true, true) => self.indicator(b':'),
            (true, false) => self.indicator(b'?'),
            (false, _) if !flow => self.indicator(b'-'),
            (false, _) => None,
        };
        match (found, start) {
            (Some(at), _) => at,
            (None, Some(start)) => start,
            (None, None) if waits => self.cursor,
            (None, None) => next,
        }
    }

    /// A block scalar's place from its header on, and its pieces. `from` is the end of what stands before the header.
    pub(super) fn block(&self, from: usize, content: Span, cooked: &str) -> (Span, Vec<Piece>) {
        let bytes = self.parsed.as_bytes();
        let mut header = self.skip_trivia(from);
        while !matches!(bytes.get(header), None | Some(b'|' | b'>')) && header < content.end {
            header = self.skip_trivia(header + 1);
        }
        if !matches!(bytes.get(header), Some(b'|' | b'>')) {
            return (content, Vec::new());
        }
        let line_end = |at: usize| {
            let rest = &bytes[at..];
            at + rest
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'))
                .unwrap_or(rest.len())
        };
        let mut lines = line_end(header);
        let head_end = lines;
        lines += match &bytes[lines..] {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        let keeps = self.parsed[header..head_end]
            .bytes()
            .take(3)
            .any(|byte| byte == b'+');
        let mut lines = Span::new(lines, content.end.max(lines));
        // With nothing in it, the parser's place goes on to what stands on a line below.
        let said = lines.slice(self.parsed);
        let last = said.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        if lines.end < self.parsed.len() && said[last..].bytes().all(|byte| byte == b' ') {
            lines.end = lines.start + last;
        }
        // The parser says where the first line that has words begins after its indentation.
        let column = match cooked.bytes().all(|byte| byte == b'\n') {
            true => usize::MAX,
            false => self.parsed[..content.start]
                .rfind(['\n', '\r'])
                .map_or(content.start, |at| content.start - at - 1),
        };
        let pieces = block_pieces(self.parsed, lines, column, cooked);
        // The end of the last line that has words, or that is kept.
        let words = pieces.iter().rfind(|(_, said)| said.is_none());
        let end = match (keeps, words) {
            (true, _) if !lines.is_empty() => {
                let said = lines.slice(self.parsed);
                let said = said.strip_suffix('\n').unwrap_or(said);
                lines.start + said.strip_suffix('\r').unwrap_or(said).len()
            }
            (_, None) => header + self.parsed[header..head_end].trim_end().len(),
            (_, Some((words, _))) => words.end,
        };
        (Span::new(header, end.max(header + 1)), pieces)
    }
}
