//! Byte sizes as Compose writes them: a number, or a number with a unit (docker/go-units `RAMInBytes`).

/// Reads `67108864`, `64m`, `1.5gb`, `2 GiB`; the units are powers of 1024. [`None`] if it is no size.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let exponent = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    let factor = 1024_u64.pow(exponent);
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let size = number.parse::<f64>().ok()? * factor as f64;
    // Truncated, as go-units does; 2^63 is the end of its integers.
    (size < 9.2e18).then_some(size as u64)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_go_units_sizes() {
        for (text, expected) in [
            ("67108864", 67_108_864),
            ("64m", 64 << 20),
            ("1.5gb", 3 << 29),
            ("2 GiB", 2 << 30),
            ("10b", 10),
            ("0", 0),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "m",
            "-1",
            "1x",
            "1.2.3",
            "99999999999999999999",
            "9999999t9",
            "nan",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = bytes(&text);
        }
    }
}
