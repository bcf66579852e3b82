//! Which step of the previous build a step is: the longest run of equal instructions, and in the gaps between them
//! steps of the same stage and keyword.

/// What steps are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub stage: String,
    pub keyword: String,
    pub text: String,
}

impl Mark {
    /// Of a step's name, `[stage 2/4] RUN make`, and its instruction as it is written.
    pub(crate) fn new(name: &str, text: &str) -> Mark {
        let (place, instruction) = match name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            Some((place, instruction)) => (place, instruction),
            None => ("", name),
        };
        let stage = place.rsplit_once(' ').map_or("", |(stage, _)| stage);
        let keyword = instruction.split_whitespace().next().unwrap_or_default();
        Mark {
            stage: stage.to_owned(),
            keyword: keyword.to_owned(),
            text: text.to_owned(),
        }
    }

    fn is_like(&self, other: &Mark) -> bool {
        self.stage == other.stage && self.keyword == other.keyword
    }
}

/// The cells of the comparison are bounded; beyond it, steps are only compared in order.
const CELLS: usize = 1 << 20;

/// For each of `new`, its counterpart among `old`. Stages are compared apart: builders before 0.9 list those that do not
/// depend on each other in any order.
pub(crate) fn align(old: &[Mark], new: &[Mark]) -> Vec<Option<usize>> {
    let mut found = vec![None; new.len()];
    let mut stages: Vec<&str> = new.iter().map(|mark| mark.stage.as_str()).collect();
    stages.sort_unstable();
    stages.dedup();
    for stage in stages {
        let of_stage = |marks: &[Mark]| -> (Vec<usize>, Vec<Mark>) {
            let here = marks
                .iter()
                .cloned()
                .enumerate()
                .filter(|(_, mark)| mark.stage == stage);
            here.unzip()
        };
        let ((old_places, old), (new_places, new)) = (of_stage(old), of_stage(new));
        for (place, counterpart) in new_places.into_iter().zip(align_stage(&old, &new)) {
            found[place] = counterpart.map(|number| old_places[number]);
        }
    }
    found
}

/// The same within one stage.
fn align_stage(old: &[Mark], new: &[Mark]) -> Vec<Option<usize>> {
    let equal = if old.len().saturating_mul(new.len()) <= CELLS {
        longest_common(old, new)
    } else {
        Vec::new()
    };
    let mut found = vec![None; new.len()];
    let (mut old_start, mut new_start) = (0, 0);
    for (old_end, new_end) in equal.into_iter().chain([(old.len(), new.len())]) {
        let mut next = old_start;
        for number in new_start..new_end {
            let like = (next..old_end).find(|&candidate| old[candidate].is_like(&new[number]));
            if let Some(candidate) = like {
                found[number] = Some(candidate);
                next = candidate + 1;
            }
        }
        if new_end < new.len() {
            found[new_end] = Some(old_end);
        }
        (old_start, new_start) = (old_end + 1, new_end + 1);
    }
    found
}

/// The pairs of a longest common subsequence.
fn longest_common(old: &[Mark], new: &[Mark]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            lengths[i * width + j] = if old[i] == new[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(lines: &[&str]) -> Vec<Mark> {
        lines
            .iter()
            .map(|line| Mark::new(&format!("[stage-0 1/9] {line}"), line))
            .collect()
    }

    #[test]
    fn equal_steps_find_each_other_and_changed_ones_their_place() {
        let old = marks(&["COPY a /", "RUN one", "RUN two"]);
        assert_eq!(align(&old, &old), [Some(0), Some(1), Some(2)]);
        let changed = marks(&["COPY a /", "RUN other", "RUN two"]);
        assert_eq!(align(&old, &changed), [Some(0), Some(1), Some(2)]);
        let added = marks(&["COPY a /", "COPY b /", "RUN one", "RUN two"]);
        assert_eq!(align(&old, &added), [Some(0), None, Some(1), Some(2)]);
        let removed = marks(&["COPY a /", "RUN two"]);
        assert_eq!(align(&old, &removed), [Some(0), Some(2)]);
        assert_eq!(align(&[], &removed), [None, None]);
        assert_eq!(align(&old, &[]), []);
    }

    #[test]
    fn stages_are_kept_apart() {
        let (old, new) = (
            [Mark::new("[a 1/2] RUN x", "RUN x")],
            [Mark::new("[b 1/2] RUN y", "RUN y")],
        );
        assert_eq!(align(&old, &new), [None]);
    }
}
