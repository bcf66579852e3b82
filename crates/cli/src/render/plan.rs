//! A plan as a table for people.

use super::table::{Row, reason, rows};
use super::{Style, style_data};
use crate::text::{line, step_name};
use std::fmt::Write;
use unstale_flow::build::{PlanReport, PlannedStep, Predicted, StepKind};

/// All services, each with the steps of its Dockerfile, and what it comes to.
pub fn plan(report: &PlanReport) -> String {
    let mut text = String::new();
    for service in &report.services {
        let name = style_data(&line(&service.build.service), Style::Bold);
        let image = line(service.build.images.first().map_or("", String::as_str));
        let _ = writeln!(text, "\n{name}  {image}");
        let steps = service
            .steps
            .iter()
            .filter(|step| step.kind != StepKind::Internal);
        text.push_str(&rows(steps.map(row).collect()));
    }
    let count = |outcome| report.count(outcome);
    let (run, cached, maybe) = (
        count(Predicted::Run),
        count(Predicted::Cached),
        count(Predicted::Maybe),
    );
    let _ = writeln!(text, "\n{run} to run, {cached} cached, {maybe} unknown");
    text
}

fn row(step: &PlannedStep) -> Row {
    let note = step
        .note
        .map(|note| format!("; {}", note.text()))
        .unwrap_or_default();
    Row {
        name: step_name(&step.name),
        outcome: step.outcome.as_str().to_owned(),
        duration: None,
        failed: false,
        why: match (&step.cause, &step.origin) {
            (Some(cause), _) => reason(cause),
            (None, Some(origin)) => format!("{}{note}", line(&origin.summary())),
            (None, None) => String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::json;
    use insta::assert_snapshot;
    use unstale_flow::build::explain::{Origin, OriginKind};
    use unstale_flow::build::{Cause, CauseKind, Change, Note, PlannedService, ServiceBuild};

    fn step(name: &str, outcome: Predicted) -> PlannedStep {
        PlannedStep {
            name: name.to_owned(),
            instruction: name.split_once("] ").map_or(name, |(_, rest)| rest).to_owned(),
            location: None,
            digest: "sha256:aa".to_owned(),
            stable_digest: "sha256:bb".to_owned(),
            kind: StepKind::Instruction,
            outcome,
            cause: None,
            origin: None,
            note: None,
            key: String::new(),
            is_selected: false,
            inputs: Vec::new(),
            held: Vec::new(),
        }
    }

    fn cause(kind: CauseKind, summary: &str, changes: Vec<Change>) -> Option<Cause> {
        Some(Cause {
            kind,
            summary: summary.to_owned(),
            changes,
            more_changes: 0,
            step: None,
        })
    }

    fn report() -> PlanReport {
        let origin = Origin {
            kind: OriginKind::Local,
            build: Some("1f2e3d4c5b6a".to_owned()),
            commit: Some("abc1234def5678".to_owned()),
            created_ms: Some(1_700_000_000_000),
            reference: None,
            reason: None,
        };
        let argument = Change::Arg {
            arg: "LEVEL".to_owned(),
            old: Some("1".to_owned()),
            new: Some("2".to_owned()),
            source: Some("--build-arg".to_owned()),
        };
        let steps = vec![
            PlannedStep {
                origin: Some(origin),
                note: Some(Note::Network),
                ..step("[stage-1 2/4] RUN apk add curl", Predicted::Cached)
            },
            PlannedStep {
                cause: cause(CauseKind::ArgChanged, "LEVEL: 1 → 2", vec![argument]),
                ..step("[stage-1 3/4] RUN echo 2", Predicted::Run)
            },
            PlannedStep {
                cause: cause(CauseKind::ParentRan, "builds on RUN \u{1b}[31mecho", Vec::new()),
                ..step("[stage-1 4/4] COPY --from=build /out /", Predicted::Maybe)
            },
        ];
        let build = ServiceBuild {
            service: "web".to_owned(),
            images: vec!["shop-web".to_owned()],
            ..ServiceBuild::default()
        };
        PlanReport {
            builder: "docker 28.5.2 (classic image store)".to_owned(),
            commit: None,
            services: vec![PlannedService {
                build,
                revision: None,
                steps,
                error: None,
            }],
        }
    }

    #[test]
    fn a_plan_is_a_table_with_reasons_and_a_sum() {
        assert_snapshot!(plan(&report()), @r#"

        web  shop-web
          [stage-1 2/4] RUN apk add curl          cached              build 1f2e3d4c5b6a (abc1234); what it fetches from the network is not part of its key
          [stage-1 3/4] RUN echo 2                run                 arg-changed: LEVEL: 1 → 2
          [stage-1 4/4] COPY --from=build /out /  maybe               parent-ran: builds on RUN [31mecho

        1 to run, 1 cached, 1 unknown
        "#);
    }

    #[test]
    fn a_plan_is_a_document() {
        assert_snapshot!(json::plan(&report()), @r#"
        {
          "builder": "docker 28.5.2 (classic image store)",
          "commit": null,
          "dirty": false,
          "schema": "unstale.plan/1",
          "services": [
            {
              "commit": null,
              "dirty": false,
              "error": null,
              "image": "shop-web",
              "service": "web",
              "steps": [
                {
                  "cause": null,
                  "digest": "sha256:aa",
                  "instruction": "RUN apk add curl",
                  "kind": "instruction",
                  "location": null,
                  "name": "[stage-1 2/4] RUN apk add curl",
                  "note": "what it fetches from the network is not part of its key",
                  "origin": {
                    "build": "1f2e3d4c5b6a",
                    "commit": "abc1234def5678",
                    "created": "2023-11-14T22:13:20.000Z",
                    "kind": "local",
                    "reason": null,
                    "ref": null
                  },
                  "outcome": "cached",
                  "stable_digest": "sha256:bb"
                },
                {
                  "cause": {
                    "changes": [
                      {
                        "arg": "LEVEL",
                        "new": "2",
                        "old": "1",
                        "source": "--build-arg"
                      }
                    ],
                    "kind": "arg-changed",
                    "summary": "LEVEL: 1 → 2"
                  },
                  "digest": "sha256:aa",
                  "instruction": "RUN echo 2",
                  "kind": "instruction",
                  "location": null,
                  "name": "[stage-1 3/4] RUN echo 2",
                  "note": null,
                  "origin": null,
                  "outcome": "run",
                  "stable_digest": "sha256:bb"
                },
                {
                  "cause": {
                    "kind": "parent-ran",
                    "summary": "builds on RUN \u001b[31mecho"
                  },
                  "digest": "sha256:aa",
                  "instruction": "COPY --from=build /out /",
                  "kind": "instruction",
                  "location": null,
                  "name": "[stage-1 4/4] COPY --from=build /out /",
                  "note": null,
                  "origin": null,
                  "outcome": "maybe",
                  "stable_digest": "sha256:bb"
                }
              ],
              "up_to_date": false
            }
          ],
          "summary": {
            "cached": 1,
            "maybe": 1,
            "run": 1
          },
          "up_to_date": false
        }
        "#);
    }
}
