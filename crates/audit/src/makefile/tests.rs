//! What is read of a Makefile.

use super::reader::read;
use super::{Operator, Recipe};
use crate::{MappedText, Span};

const FILE: &str = r#"# The project
SHELL := /bin/bash
.SHELLFLAGS = -eu -o pipefail -c
IMAGE ?= acme/app # the image
export VERSION := $(shell git rev-parse HEAD)
ifdef CI
FLAGS += --no-cache
endif

define push
	docker push $(1)
endef

.PHONY: build clean
build push: deps | dir
	@docker build \
	  --build-arg V=$(VERSION) \
	  -t $(IMAGE) .

# comment
ifdef CI
	-docker push $(IMAGE)
endif
	$(call push,x)
clean: ; docker system prune -f
debug: FLAGS = x
debug: build
	@- for i in $$(ls); do echo "$$i"; done
last:
"#;

fn texts(recipe: &Recipe) -> Vec<&str> {
    recipe.lines.iter().map(|line| line.text.text()).collect()
}

#[test]
fn recipes_are_lines_for_the_shell() {
    let file = read(FILE);
    let names: Vec<String> = file
        .recipes
        .iter()
        .map(|recipe| recipe.targets.join(" "))
        .collect();
    assert_eq!(names, ["build push", "clean", "debug"]);
    let [build, clean, debug] = file.recipes.as_slice() else {
        panic!("{:?}", file.recipes);
    };
    assert_eq!(build.prerequisites, ["deps"]);
    assert_eq!(
        texts(build),
        [
            "docker build \\\n  --build-arg V=${VERSION} \\\n  -t ${IMAGE} .",
            "docker push ${IMAGE}",
            "${call_push_x}",
            "docker push ${_}",
        ]
    );
    assert!(build.lines[0].silent && !build.lines[0].ignore_errors);
    assert!(!build.lines[1].silent && build.lines[1].ignore_errors);
    assert_eq!(texts(clean), ["docker system prune -f"]);
    assert_eq!(texts(debug), ["for i in $(ls); do echo \"$i\"; done"]);
    assert!(debug.lines[0].silent && debug.lines[0].ignore_errors);
}

#[test]
fn places_are_those_of_the_file() {
    let text = FILE;
    let file = read(text);
    let line = &file.recipes[0].lines[0].text;
    let at = line.text().find("--build-arg V=${VERSION}").unwrap();
    assert_eq!(
        line.span(Span::new(at, at + 24)).slice(text),
        "--build-arg V=$(VERSION)"
    );
    assert_eq!(file.recipes[0].targets_span.slice(text), "build push");
    let image = file.variable("IMAGE").unwrap();
    assert_eq!(image.value_span.slice(text), "acme/app");
    assert_eq!(image.name_span.slice(text), "IMAGE");
}

#[test]
fn variables_are_known_where_they_are_literal() {
    let file = read(FILE);
    assert_eq!(
        (file.shell(), file.shell_flags()),
        ("/bin/bash", "-eu -o pipefail -c")
    );
    assert_eq!(file.variable("IMAGE").unwrap().literal(), Some("acme/app"));
    assert_eq!(file.variable("IMAGE").unwrap().operator, Operator::Default);
    assert_eq!(file.variable("VERSION").unwrap().literal(), None);
    assert_eq!(file.variable("FLAGS").unwrap().operator, Operator::Append);
    assert_eq!(file.variable("push").unwrap().operator, Operator::Define);
    let calls: Vec<&str> = file.shell_calls.iter().map(MappedText::text).collect();
    assert_eq!(calls, ["git rev-parse HEAD"]);
    assert_eq!(read("").shell(), "/bin/sh");
}

#[test]
fn special_targets_hold_for_the_whole_file() {
    let file = read("a:\n\t@one\n\n\ttwo $$x\n.ONESHELL:\n.IGNORE: a\n");
    assert_eq!(texts(&file.recipes[0]), ["one\ntwo $x"]);
    assert!(file.one_shell && file.recipes[0].lines[0].ignore_errors);
    let line = &file.recipes[0].lines[0].text;
    assert_eq!(line.span(Span::new(4, 7)), Span::new(11, 14));
    assert!(read(".IGNORE:\na:\n\tx\n").recipes[0].lines[0].ignore_errors);
    assert!(!read("a:\n\tx\n").recipes[0].lines[0].ignore_errors);
    assert_eq!(texts(&read(".RECIPEPREFIX = >\na:\n>x\n").recipes[0]), ["x"]);
}

#[test]
fn no_text_is_too_odd() {
    for text in [
        "\t",
        ":",
        "=",
        "define",
        "define x\n\tdefine y\nendef",
        "a:\n\t\\",
        "a: $(b",
        "$(x): y\n\tz",
        "a:\r\n\tx \\\r\n\ty\r\n",
        "\u{feff}a:\n\tb\n",
        "export",
        "a::b\n\tc",
        "\\\n\\\n",
        "ö = $ö\n$(ö:\n",
    ] {
        read(text);
    }
    assert_eq!(read("a:\r\n\tx\r\n").recipes[0].lines[0].text.text(), "x");
}
