//! What Docker's plain progress says that a build reused.

/// The instructions `RUN` and `COPY` that are called `CACHED`.
pub fn reused(output: &str) -> Vec<String> {
    let name = |number: &str| {
        let lines = output.lines().filter_map(|line| line.strip_prefix(number));
        let mut names = lines
            .filter_map(|line| line.split_once("] "))
            .map(|(_, name)| name);
        names.find(|name| name.starts_with("RUN ") || name.starts_with("COPY "))
    };
    let cached = output.lines().filter_map(|line| line.strip_suffix(" CACHED"));
    cached
        .filter_map(|number| name(&format!("{number} ")))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_images_and_steps_that_ran_are_not_reused_instructions() {
        let output = "#5 [app 1/3] FROM docker.io/library/base\n#5 CACHED\n\n#6 [app 2/3] RUN make\n#6 CACHED\n\n\
                      #7 [app 3/3] COPY code /code\n#7 DONE 0.1s\n";
        assert_eq!(reused(output), ["RUN make"]);
    }
}
