//! The comma-separated values of `RUN --mount` and `--device`: one line of CSV.

use std::ops::Range;

/// Fields, each as the indices of its characters.
pub(crate) type Fields = Vec<Vec<usize>>;

/// Splits the characters of a value into fields, each as a list of indices of `value`.
///
/// # Errors
/// Why this is no CSV; with the fields up to there.
pub(crate) fn fields(value: &[u8]) -> Result<Fields, (&'static str, Fields)> {
    let mut end = value.len();
    if value.ends_with(b"\n") {
        end -= if value.ends_with(b"\r\n") && value.len() > 2 {
            2
        } else {
            1
        };
    }
    let mut fields = Vec::new();
    if end == 0 {
        return Err(("the value is empty", fields));
    }
    let mut at = 0;
    loop {
        if value[at..end].first() != Some(&b'"') {
            let length = value[at..end]
                .iter()
                .position(|byte| *byte == b',')
                .unwrap_or(end - at);
            let field: Range<usize> = at..at + length;
            if value[field.clone()].contains(&b'"') {
                return Err(("a quote within a field without quotes", fields));
            }
            fields.push(field.collect());
            at += length;
        } else {
            let mut field = Vec::new();
            at += 1;
            loop {
                match value[at..end].first() {
                    None => return Err(("a quoted field is not closed", fields)),
                    Some(b'"') if value[at + 1..end].first() == Some(&b'"') => {
                        field.push(at);
                        at += 2;
                    }
                    Some(b'"') => break,
                    Some(_) => {
                        field.push(at);
                        at += 1;
                    }
                }
            }
            at += 1;
            if at < end && value[at] != b',' {
                return Err(("text after a quoted field", fields));
            }
            fields.push(field);
        }
        if at >= end {
            return Ok(fields);
        }
        // The comma; after the last one there is an empty field.
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Vec<String>, &'static str> {
        let text = |field: &Vec<usize>| field.iter().map(|at| char::from(value.as_bytes()[*at])).collect();
        fields(value.as_bytes())
            .map(|all| all.iter().map(text).collect())
            .map_err(|(why, _)| why)
    }

    #[test]
    fn fields_with_and_without_quotes() {
        assert_eq!(read("a=1,b").unwrap(), ["a=1", "b"]);
        assert_eq!(read(r#""a=1,2","b""c",d,"#).unwrap(), ["a=1,2", "b\"c", "d", ""]);
        assert_eq!(read("a\r\n").unwrap(), ["a"]);
    }

    #[test]
    fn some_values_are_no_csv() {
        for value in ["", "\n", "a\"b", "\"a", "\"a\"b"] {
            assert!(read(value).is_err(), "{value}");
        }
    }
}
