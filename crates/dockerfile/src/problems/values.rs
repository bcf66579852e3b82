//! Values as Go reads them: durations, numbers, truth.

/// Whether Go's `strconv.ParseBool` takes a value.
pub(super) fn is_bool(value: &str) -> bool {
    let all = [
        "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False",
    ];
    all.contains(&value)
}

/// What Go's `time.ParseDuration` makes of a value, in nanoseconds.
pub(super) fn duration(value: &str) -> Option<i64> {
    const MOST: u64 = 1 << 63;
    let negative = value.starts_with('-');
    let mut rest = value.strip_prefix(['-', '+']).unwrap_or(value).as_bytes();
    if rest == b"0" {
        return Some(0);
    }
    let mut sum: u64 = 0;
    let mut any = false;
    while !rest.is_empty() {
        let (mut whole, mut fraction, mut scale, mut digits) = (0_u64, 0_u64, 1.0_f64, 0);
        while let [digit @ b'0'..=b'9', after @ ..] = rest {
            if whole > MOST / 10 {
                return None;
            }
            whole = whole * 10 + u64::from(digit - b'0');
            if whole > MOST {
                return None;
            }
            (digits, rest) = (digits + 1, after);
        }
        if let [b'.', after @ ..] = rest {
            rest = after;
            let mut full = false;
            while let [digit @ b'0'..=b'9', after @ ..] = rest {
                let more = fraction
                    .checked_mul(10)
                    .and_then(|f| f.checked_add(u64::from(digit - b'0')));
                match more.filter(|more| *more <= MOST && !full) {
                    Some(more) => (fraction, scale) = (more, scale * 10.0),
                    None => full = true,
                }
                (digits, rest) = (digits + 1, after);
            }
        }
        let length = rest
            .iter()
            .take_while(|byte| !matches!(byte, b'.' | b'0'..=b'9'))
            .count();
        let unit: u64 = match (&rest[..length], digits) {
            (_, 0) => return None,
            (b"ns", _) => 1,
            (b"us", _) => 1_000,
            (b"ms", _) => 1_000_000,
            (b"s", _) => 1_000_000_000,
            (b"m", _) => 60_000_000_000,
            (b"h", _) => 3_600_000_000_000,
            // Signs for micro are no ASCII, and do not survive the reading of a flag.
            _ => return None,
        };
        rest = &rest[length..];
        let mut one = whole.checked_mul(unit).filter(|one| *one <= MOST)?;
        if fraction > 0 {
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss
            )]
            let part = (fraction as f64 * (unit as f64 / scale)) as u64;
            one = one.checked_add(part)?;
        }
        sum = sum.checked_add(one).filter(|sum| *sum <= MOST)?;
        any = true;
    }
    if !any {
        return None;
    }
    match negative {
        true => Some(0_i64.wrapping_sub_unsigned(sum)),
        false => i64::try_from(sum).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5ms", Some(1_500_000)),
            (".5s", Some(500_000_000)),
            ("-1s", Some(-1_000_000_000)),
            ("1us", Some(1000)),
            ("5", None),
            ("", None),
            (".s", None),
            ("5µs", None),
            ("1d", None),
            ("9223372036854775807ns", Some(i64::MAX)),
            ("9223372036854775808ns", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn truth_has_twelve_spellings() {
        assert!(is_bool("T") && is_bool("False") && !is_bool("yes") && !is_bool("tRUE"));
    }
}
