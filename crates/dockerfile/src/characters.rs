//! Characters as BuildKit sees them: bytes that need not be UTF-8, Unicode blanks, simple case. Where it looks at
//! single bytes as if they were characters, so do we.

/// The first character of `bytes` and how many bytes it has; a byte that is no UTF-8 is a character of its own.
pub(crate) fn first(bytes: &[u8]) -> (char, usize) {
    let Some(&byte) = bytes.first() else {
        return ('\0', 0);
    };
    if byte < 0x80 {
        return (char::from(byte), 1);
    }
    let length = match byte {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    };
    let whole = bytes.get(..length).and_then(|b| std::str::from_utf8(b).ok());
    match whole.and_then(|text| text.chars().next()) {
        Some(c) => (c, length),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// The last character and its length.
fn last(bytes: &[u8]) -> (char, usize) {
    for length in 1..=bytes.len().min(4) {
        let tail = &bytes[bytes.len() - length..];
        if tail[0] & 0xC0 != 0x80 {
            let (c, whole) = first(tail);
            if whole == length {
                return (c, length);
            }
            break;
        }
    }
    (char::REPLACEMENT_CHARACTER, 1)
}

/// Without Unicode blanks at the beginning.
pub(crate) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while !bytes.is_empty() {
        let (c, length) = first(bytes);
        if !c.is_whitespace() {
            break;
        }
        bytes = &bytes[length..];
    }
    bytes
}

/// Without Unicode blanks at the end.
pub(crate) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while !bytes.is_empty() {
        let (c, length) = last(bytes);
        if !c.is_whitespace() {
            break;
        }
        bytes = &bytes[..bytes.len() - length];
    }
    bytes
}

/// The blanks between words of most instructions, which are ASCII's only.
pub(crate) fn separates(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x0B | 0x0C | b'\r' | b' ')
}

/// The blanks of regular expressions: those of ASCII without the vertical tab.
pub(crate) fn is_pattern_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

/// Whether a byte, taken for a character of Latin-1, is a blank.
pub(crate) fn is_byte_space(byte: u8) -> bool {
    char::from(byte).is_whitespace()
}

/// Text from bytes, with a replacement for what is no UTF-8.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Text of as many bytes, with a question mark for each that is no UTF-8.
pub(crate) fn text_of_length(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

/// Lower case, one character for one: `ToLower` of Go.
pub(crate) fn lower(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'İ' => 'i',
            _ => simple(c, c.to_lowercase()),
        })
        .collect()
}

/// Upper case, one character for one.
pub(crate) fn upper(text: &str) -> String {
    text.chars().map(|c| simple(c, c.to_uppercase())).collect()
}

fn simple(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_characters_and_no_blanks() {
        assert_eq!(first(b"\xC2\xA0x"), ('\u{a0}', 2));
        assert_eq!(first(b"\xA0x"), (char::REPLACEMENT_CHARACTER, 1));
        assert_eq!(trim_start("\u{a0}\u{2003}\x0b a ".as_bytes()), b"a ");
        assert_eq!(trim_end("a\u{a0}\u{85}\r".as_bytes()), b"a");
        assert_eq!(trim_end(b"a\xA0"), b"a\xA0");
        assert_eq!(trim_end(b"\x80\x80\x80\x80\x80"), b"\x80\x80\x80\x80\x80");
    }

    #[test]
    fn a_text_can_keep_its_length() {
        assert_eq!(text_of_length(b"a\xE2\x85\xC3\xA0\xFF"), "a??à?");
    }

    #[test]
    fn case_goes_one_character_for_one() {
        assert_eq!(lower("WOR\u{212a}DİR"), "workdir");
        assert_eq!(upper("maıntaſﬁß"), "MAINTASﬁß");
    }
}
