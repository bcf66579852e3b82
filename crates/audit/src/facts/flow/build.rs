//! Puts the flows of a project together.

use super::calls::{Called, called};
use super::{Call, Flow, Reached, Start, What, folder};
use crate::shell::{Command, Place};
use crate::workflow::Target;
use crate::{Content, FileId, Project, ScriptPlace};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How deep calls are followed.
const DEPTH: usize = 12;
/// How many commands a flow has at most; what comes behind is left out.
const LONGEST: usize = 10_000;
/// How many commands all flows of a project have at most.
const ALL: usize = 400_000;

/// A script of a file.
type ScriptId = (FileId, usize);

pub(super) fn flows(project: &Project) -> Vec<Flow> {
    let mut builder = Builder {
        project,
        bodies: BTreeMap::new(),
        called: BTreeSet::new(),
        total: 0,
    };
    let mut flows = Vec::new();
    for start in builder.starts() {
        if builder.total >= ALL {
            break;
        }
        let steps = builder.follow(&start);
        builder.total += steps.len();
        flows.push(Flow {
            start,
            is_called: false,
            steps,
        });
    }
    for flow in &mut flows {
        flow.is_called = builder.called.contains(&flow.start);
    }
    flows
}

struct Builder<'p> {
    project: &'p Project,
    /// The commands of a script by the function that they stand in.
    bodies: BTreeMap<ScriptId, Arc<Bodies>>,
    /// What is called from elsewhere.
    called: BTreeSet<Start>,
    total: usize,
}

#[derive(Default)]
struct Bodies {
    by_function: BTreeMap<Option<String>, Vec<usize>>,
    functions: BTreeSet<String>,
}

/// Where a flow is.
struct State {
    folder: Option<Arc<str>>,
    /// The functions that sourced scripts define.
    functions: BTreeMap<String, ScriptId>,
}

/// What a flow has done so far.
#[derive(Default)]
struct Trace {
    steps: Vec<Reached>,
    /// What is being run, outermost first.
    open: Vec<Start>,
    /// The targets that are made: each once.
    made: BTreeSet<(FileId, usize)>,
}

impl Builder<'_> {
    fn starts(&mut self) -> Vec<Start> {
        let mut starts = Vec::new();
        for (id, file) in self.project.files() {
            match &file.content {
                Content::Script => {
                    starts.push(Start::Script(id));
                    let script = file.scripts.first().map(|script| &script.script);
                    let functions = script.map_or(&[][..], |script| script.functions());
                    let uncalled = functions.iter().filter(|function| function.calls.is_empty());
                    let names: BTreeSet<_> = uncalled.map(|function| function.name.clone()).collect();
                    starts.extend(names.into_iter().map(|name| Start::Function(id, name)));
                }
                Content::GithubWorkflow(workflow) => {
                    starts.extend((0..workflow.jobs.len()).map(|job| Start::Job(id, job)));
                }
                Content::GitlabPipeline(pipeline) => {
                    let jobs = 0..pipeline.jobs.len();
                    starts.extend(jobs.flat_map(|job| [Start::Job(id, job), Start::AfterJob(id, job)]));
                }
                Content::Makefile(makefile) => {
                    starts.extend((0..makefile.recipes.len()).map(|recipe| Start::Target(id, recipe)));
                }
                _ => {}
            }
        }
        starts
    }

    fn follow(&mut self, start: &Start) -> Vec<Reached> {
        let mut trace = Trace {
            open: vec![start.clone()],
            ..Trace::default()
        };
        let mut state = State {
            folder: Some(Arc::from("")),
            functions: BTreeMap::new(),
        };
        match start {
            Start::Script(file) => self.body((*file, 0), None, &mut state, None, &mut trace),
            Start::Function(file, name) => {
                self.body((*file, 0), Some(name), &mut state, None, &mut trace);
            }
            Start::Job(file, job) => self.job(*file, *job, None, &mut trace),
            Start::AfterJob(file, job) => {
                if let Some(script) = self.at(*file, ScriptPlace::AfterJob(*job)) {
                    self.body(script, None, &mut state, None, &mut trace);
                }
            }
            Start::Target(file, recipe) => self.target(*file, *recipe, None, &mut trace),
        }
        trace.steps
    }

    /// The script of a file that stands at a place.
    fn at(&self, file: FileId, place: ScriptPlace) -> Option<ScriptId> {
        let scripts = &self.project.file(file).scripts;
        // They stand in the order of the file, each place once.
        let index = scripts.binary_search_by_key(&place, |script| script.place).ok();
        let index = index.or_else(|| scripts.iter().position(|script| script.place == place));
        index.map(|index| (file, index))
    }

    fn job(&mut self, file: FileId, job: usize, call: Option<&Arc<Call>>, trace: &mut Trace) {
        let mut state = State {
            folder: Some(Arc::from("")),
            functions: BTreeMap::new(),
        };
        let project = self.project;
        match &project.file(file).content {
            Content::GitlabPipeline(_) => {
                if let Some(script) = self.at(file, ScriptPlace::Job(job)) {
                    self.body(script, None, &mut state, call, trace);
                }
            }
            Content::GithubWorkflow(workflow) => {
                let steps = workflow.jobs.get(job).map_or(&[][..], |job| &job.steps);
                for (number, step) in steps.iter().enumerate() {
                    if let Some(uses) = &step.uses {
                        let what = What::Action(file, job, number);
                        self.reach(what, call, None, trace);
                        if let Target::Local(path) = &uses.target {
                            self.action(path, what, call, trace);
                        }
                    } else if let Some(script) = self.at(file, ScriptPlace::Step(job, number)) {
                        let folder = step
                            .run
                            .as_ref()
                            .and_then(|run| run.working_directory.as_ref())
                            .map_or(Some(String::new()), |folder| {
                                crate::facts::resolve("", &folder.value)
                            });
                        state.folder = folder.map(Arc::from);
                        state.functions.clear();
                        self.body(script, None, &mut state, call, trace);
                    }
                }
            }
            _ => {}
        }
    }

    /// The steps of an action of the same repository.
    fn action(&mut self, path: &str, what: What, outer: Option<&Arc<Call>>, trace: &mut Trace) {
        let Some(folder) = crate::facts::resolve("", path) else {
            return;
        };
        let found = ["action.yml", "action.yaml"]
            .iter()
            .find_map(|name| self.project.find(&crate::facts::resolve(&folder, name)?));
        if let Some(id) = found {
            let start = Start::Job(id, 0);
            self.enter(start, what, false, outer, trace, |builder, call, trace| {
                builder.job(id, 0, Some(call), trace);
            });
        }
    }

    fn target(&mut self, file: FileId, recipe: usize, call: Option<&Arc<Call>>, trace: &mut Trace) {
        let project = self.project;
        let Content::Makefile(makefile) = &project.file(file).content else {
            return;
        };
        let Some(own) = makefile.recipes.get(recipe) else {
            return;
        };
        if !trace.made.insert((file, recipe)) || trace.open.len() > DEPTH * 4 {
            return;
        }
        for name in own.prerequisites.iter().take(64) {
            let before = makefile
                .recipes
                .iter()
                .position(|recipe| recipe.targets.iter().any(|target| target == name));
            if let Some(before) = before {
                self.called.insert(Start::Target(file, before));
                trace.open.push(Start::Target(file, before));
                self.target(file, before, call, trace);
                trace.open.pop();
            }
        }
        for line in 0..own.lines.len() {
            if let Some(script) = self.at(file, ScriptPlace::Recipe(recipe, line)) {
                // Each line begins where make was started.
                let mut state = State {
                    folder: Some(Arc::from(project.file(file).source.folder())),
                    functions: BTreeMap::new(),
                };
                self.body(script, None, &mut state, call, trace);
            }
        }
    }

    fn bodies(&mut self, id: ScriptId) -> Arc<Bodies> {
        if let Some(known) = self.bodies.get(&id) {
            return Arc::clone(known);
        }
        let mut bodies = Bodies::default();
        if let Some(script) = self.project.file(id.0).scripts.get(id.1) {
            let functions = script.script.functions().iter();
            bodies.functions = functions.map(|function| function.name.clone()).collect();
            for (index, command) in script.script.commands().iter().enumerate() {
                bodies
                    .by_function
                    .entry(command.context.function.clone())
                    .or_default()
                    .push(index);
            }
        }
        let bodies = Arc::new(bodies);
        self.bodies.insert(id, Arc::clone(&bodies));
        bodies
    }

    /// The commands of a script or of one of its functions.
    fn body(
        &mut self,
        id: ScriptId,
        function: Option<&str>,
        state: &mut State,
        call: Option<&Arc<Call>>,
        trace: &mut Trace,
    ) {
        let project = self.project;
        let Some(script) = project.file(id.0).scripts.get(id.1) else {
            return;
        };
        let bodies = self.bodies(id);
        let own = project.file(id.0).source.folder();
        let indexes = bodies.by_function.get(&function.map(str::to_owned));
        for &index in indexes.map_or(&[][..], Vec::as_slice) {
            if trace.steps.len() >= LONGEST {
                return;
            }
            let Some(command) = script.script.commands().get(index) else {
                continue;
            };
            // What a trap runs comes at the end, and what runs in a container is no business of the machine.
            let elsewhere = command.context.places.contains(&Place::Container);
            if command.context.in_trap || elsewhere {
                continue;
            }
            let what = What::Command(id.0, id.1, index);
            self.reach(what, call, state.folder.as_ref(), trace);
            if let Some(folder) = folder::changed(command, state.folder.as_deref(), own) {
                state.folder = folder.map(Arc::from);
                continue;
            }
            self.calls(id, command, what, state, call, trace);
        }
    }

    fn calls(
        &mut self,
        id: ScriptId,
        command: &Command,
        what: What,
        state: &mut State,
        outer: Option<&Arc<Call>>,
        trace: &mut Trace,
    ) {
        let project = self.project;
        let name = command.words.first().map_or("", |word| word.text.as_str());
        let function = match self.bodies(id).functions.contains(name) {
            true => Some(id),
            false => state.functions.get(name).copied(),
        };
        if let Some(at) = function {
            let start = Start::Function(at.0, name.to_owned());
            self.enter(start, what, true, outer, trace, |builder, call, trace| {
                builder.body(at, Some(name), state, Some(call), trace);
            });
            return;
        }
        match called(project, id.0, command, state.folder.as_deref()) {
            None => {}
            Some(Called::Sourced(file)) => {
                let script = project.file(file).scripts.first();
                for function in script.map_or(&[][..], |script| script.script.functions()) {
                    state.functions.insert(function.name.clone(), (file, 0));
                }
                self.enter(
                    Start::Script(file),
                    what,
                    true,
                    outer,
                    trace,
                    |builder, call, trace| {
                        builder.body((file, 0), None, state, Some(call), trace);
                    },
                );
            }
            Some(Called::Script(file)) => {
                let mut inner = State {
                    folder: state.folder.clone(),
                    functions: BTreeMap::new(),
                };
                self.enter(
                    Start::Script(file),
                    what,
                    false,
                    outer,
                    trace,
                    |builder, call, trace| {
                        builder.body((file, 0), None, &mut inner, Some(call), trace);
                    },
                );
            }
            Some(Called::Targets(file, recipes)) => {
                for recipe in recipes {
                    let start = Start::Target(file, recipe);
                    self.enter(start, what, false, outer, trace, |builder, call, trace| {
                        builder.target(file, recipe, Some(call), trace);
                    });
                }
            }
        }
    }

    fn reach(&mut self, what: What, call: Option<&Arc<Call>>, folder: Option<&Arc<str>>, trace: &mut Trace) {
        if trace.steps.len() < LONGEST {
            trace.steps.push(Reached {
                what,
                call: call.cloned(),
                folder: folder.cloned(),
            });
        }
    }

    /// Runs what is called, unless it is being run already.
    fn enter(
        &mut self,
        start: Start,
        what: What,
        same_shell: bool,
        outer: Option<&Arc<Call>>,
        trace: &mut Trace,
        run: impl FnOnce(&mut Self, &Arc<Call>, &mut Trace),
    ) {
        self.called.insert(start.clone());
        if trace.open.len() > DEPTH || trace.open.contains(&start) || trace.steps.len() >= LONGEST {
            return;
        }
        trace.open.push(start);
        let call = Arc::new(Call {
            what,
            same_shell,
            outer: outer.cloned(),
        });
        run(self, &call, trace);
        trace.open.pop();
    }
}
