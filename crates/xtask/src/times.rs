//! How long something took, several times over.

use std::time::Duration;

/// Durations in seconds, the shortest first.
pub struct Times(Vec<f64>);

impl Times {
    /// From what was measured.
    pub fn new(durations: &[Duration]) -> Times {
        let mut seconds: Vec<f64> = durations.iter().map(Duration::as_secs_f64).collect();
        seconds.sort_by(f64::total_cmp);
        Times(seconds)
    }

    /// The one in the middle, or between the two in the middle.
    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.get(middle) {
            Some(upper) if self.0.len().is_multiple_of(2) => (self.0[middle - 1] + upper) / 2.0,
            Some(middle) => *middle,
            None => f64::NAN,
        }
    }

    /// For a table: median, shortest, longest.
    pub fn cells(&self) -> String {
        let end = |time: Option<&f64>| time.copied().unwrap_or(f64::NAN);
        format!(
            "{:.2} s | {:.2} s | {:.2} s",
            self.median(),
            end(self.0.first()),
            end(self.0.last())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_between_the_two_in_the_middle() {
        let median = |seconds: &[u64]| {
            let durations: Vec<_> = seconds.iter().copied().map(Duration::from_secs).collect();
            Times::new(&durations).median()
        };
        assert!((median(&[9, 1, 2]) - 2.0).abs() < 1e-9);
        assert!((median(&[9, 1, 2, 4]) - 3.0).abs() < 1e-9);
    }
}
