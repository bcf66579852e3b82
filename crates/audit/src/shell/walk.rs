//! Goes through the statements of a script, and notes each command with the circumstances that it runs under.

mod assign;
mod check;
mod inner;
mod simple;

use super::command::{Command, Errexit, Place, Swallow, SwallowKind};
use super::condition::{Condition, Guard, GuardKind, of_case};
use super::dialect::Dialect;
use super::functions::Function;
use super::lexer;
use super::statement::{Arm, CaseArm, Join, Kind, Loop, Statement, Token};
use super::tree;
use super::variables::Assignment;
use super::word::Site;
use crate::{MappedText, Span};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many guards a command can have.
const GUARDS: usize = 64;
/// How many scripts within scripts are read.
const SCRIPTS: usize = 6;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Walker {
    pub commands: Vec<Command>,
    pub functions: Vec<Function>,
    pub assignments: Vec<Assignment>,
    pub broken: Vec<Span>,
    /// Substitutions that an outer shell has run already, in the file.
    done: BTreeSet<Span>,
    /// Functions that end the script.
    fatal: BTreeSet<String>,
    /// Functions that run their arguments as a command.
    runners: BTreeSet<String>,
}

/// What holds for the statements that are gone through.
#[derive(Debug, Clone)]
struct Scope {
    text: Arc<MappedText>,
    guards: Vec<Arc<Guard>>,
    swallowed: Option<Swallow>,
    /// What follows if the statement fails and the script is not ended by that; none if its status is the script's.
    next: Option<Next>,
    /// The statement stands before `&&`.
    before_and: bool,
    ignored: bool,
    function: Option<String>,
    in_loop: bool,
    depth: usize,
    places: Vec<Place>,
    in_trap: bool,
    pipeline: Option<Span>,
    statement: Option<Span>,
    /// What comes through the pipe.
    input: Option<MappedText>,
}

/// What follows a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// `true`, and then nothing.
    True(Span),
    /// Something that looks at the status.
    Checked,
    /// Anything.
    Statement,
}

/// What `set` has set.
#[derive(Debug, Clone, Copy)]
struct State {
    errexit: Errexit,
    pipefail: bool,
}

impl From<Dialect> for State {
    fn from(dialect: Dialect) -> State {
        State {
            errexit: if dialect.errexit {
                Errexit::On
            } else {
                Errexit::Unset
            },
            pipefail: dialect.pipefail,
        }
    }
}

impl Walker {
    /// Reads the outermost script.
    pub fn script(&mut self, text: &MappedText, dialect: Dialect) {
        let dialect = dialect.with_shebang(text.text());
        let scope = Scope {
            text: Arc::new(text.clone()),
            guards: Vec::new(),
            swallowed: None,
            next: None,
            before_and: false,
            ignored: dialect.ignored,
            function: None,
            in_loop: false,
            depth: 0,
            places: Vec::new(),
            in_trap: false,
            pipeline: None,
            statement: None,
            input: None,
        };
        self.text(&scope, &mut State::from(dialect));
    }

    /// Reads the scope's text as a script.
    fn text(&mut self, scope: &Scope, state: &mut State) {
        let parsed = tree::parse(scope.text.text());
        self.broken
            .extend(parsed.broken.iter().map(|span| scope.text.span(*span)));
        self.note_functions(&parsed.statements, scope);
        self.sequence(&parsed.statements, scope, state);
    }

    /// Statements after each other.
    fn sequence(&mut self, statements: &[Statement], scope: &Scope, state: &mut State) {
        let mut own = scope.clone();
        for (index, statement) in statements.iter().enumerate() {
            own.next = match next(scope, &statements[index + 1..]) {
                Some(next) => Some(next),
                None => scope.next,
            };
            own.pipeline = None;
            own.statement = Some(Span::new(statement.span.start, statement.end()));
            self.statement(statement, &own, state);
            for guard in self.early_exit(statement, &own) {
                if own.guards.len() < GUARDS {
                    own.guards.push(Arc::new(guard));
                }
            }
        }
    }

    fn statement(&mut self, statement: &Statement, scope: &Scope, state: &mut State) {
        let mut background;
        let mut scope = scope;
        if statement.background {
            background = scope.clone();
            background.swallow(
                SwallowKind::Background,
                Span::new(statement.end(), statement.end() + 1),
            );
            scope = &background;
        }
        match &statement.kind {
            Kind::Simple(simple) => self.simple(simple, statement, scope, state),
            Kind::Chain(first, rest) => self.chain(first, rest, scope, state),
            Kind::Pipeline { negated, elements } => {
                self.pipeline(*negated, elements, statement, scope, state)
            }
            Kind::If { arms, otherwise } => self.branches(arms, otherwise.as_deref(), scope, state),
            Kind::Case { value, arms } => self.case(value.as_ref(), arms, scope, state),
            Kind::Loop(own) => self.repeat(own, scope, state),
            Kind::Group(body) => self.sequence(body, scope, state),
            Kind::Subshell(body) => self.sequence(body, scope, &mut { *state }),
            Kind::Function { name, body } => self.function(*name, body, statement, scope, *state),
            Kind::Other(substitutions) => self.substitutions(substitutions, scope, state, true),
        }
        self.redirects(statement, scope, state);
    }

    /// Commands joined by `&&` and `||`.
    fn chain(&mut self, first: &Statement, rest: &[(Join, Statement)], scope: &Scope, state: &mut State) {
        let mut condition = self.condition(first, scope);
        let mut own = scope.clone();
        let all = std::iter::once((None, first)).chain(rest.iter().map(|(join, one)| (Some(*join), one)));
        for (index, (join, statement)) in all.enumerate() {
            if let Some(join) = join {
                let end = match index {
                    1 => first.end(),
                    _ => rest[index - 2].1.end(),
                };
                own = scope.clone();
                own.guard(
                    &condition,
                    join == Join::And,
                    [GuardKind::Or, GuardKind::And][usize::from(join == Join::And)],
                    Span::new(first.span.start, end),
                );
                let right = self.condition(statement, scope);
                condition = match join {
                    Join::And => both(condition, right, Condition::And),
                    Join::Or => both(condition, right, Condition::Or),
                };
            }
            self.failure_in_chain(index, first, rest, &mut own);
            self.statement(statement, &own, state);
        }
    }

    /// What happens when the element of the chain with this index fails.
    fn failure_in_chain(
        &self,
        index: usize,
        first: &Statement,
        rest: &[(Join, Statement)],
        scope: &mut Scope,
    ) {
        let following = &rest[index.min(rest.len())..];
        let Some(at) = following.iter().position(|(join, _)| *join == Join::Or) else {
            scope.before_and |= !following.is_empty();
            return;
        };
        let right = &following[at].1;
        let left_end = match (index + at).checked_sub(1) {
            None => first.end(),
            Some(before) => rest[before].1.end(),
        };
        let whole = Span::new(left_end, right.end());
        let kind = match self.rescue(right, scope) {
            check::Rescue::Fails => {
                // It is noticed here, whatever follows.
                scope.next = Some(Next::Checked);
                scope.before_and = false;
                return;
            }
            check::Rescue::Nothing => SwallowKind::OrTrue,
            check::Rescue::Message => SwallowKind::OrMessage,
            check::Rescue::Other => SwallowKind::OrFallback,
        };
        if scope.swallowed.is_none() {
            scope.swallow(kind, whole);
            let is_last = index + at + 1 == rest.len();
            if let Some(swallow) = &mut scope.swallowed
                && is_last
            {
                swallow.removal = Some(Site {
                    text: Arc::clone(&scope.text),
                    span: whole,
                });
            }
        }
    }

    fn pipeline(
        &mut self,
        negated: bool,
        elements: &[Statement],
        statement: &Statement,
        scope: &Scope,
        state: &mut State,
    ) {
        let mut own = scope.clone();
        own.pipeline = own.pipeline.or(Some(statement.span));
        // `if ! command; then exit 1` notices the failure.
        if negated && own.next != Some(Next::Checked) {
            own.swallow(
                SwallowKind::Negated,
                Span::new(statement.span.start, statement.span.start + 1),
            );
        }
        for (index, element) in elements.iter().enumerate() {
            let mut one = own.clone();
            if let Some(after) = elements.get(index + 1)
                && !state.pipefail
            {
                one.swallow(SwallowKind::Pipe, Span::new(element.end(), after.end()));
            }
            one.input = index
                .checked_sub(1)
                .and_then(|before| self.output(&elements[before], &scope.text));
            // Each runs in a shell of its own, but in what it sets.
            self.statement(element, &one, &mut { *state });
        }
    }

    fn branches(&mut self, arms: &[Arm], otherwise: Option<&[Statement]>, scope: &Scope, state: &mut State) {
        let mut guarded = scope.clone();
        for (index, arm) in arms.iter().enumerate() {
            let failing = match arms.get(index + 1) {
                Some(_) => None,
                None => otherwise,
            };
            let mut tested = guarded.clone();
            self.failure_of_condition(arm, failing, &mut tested);
            self.sequence(&arm.condition, &tested, state);
            let condition = self.condition_of(&arm.condition, scope);
            let mut body = guarded.clone();
            body.guard(&condition, true, GuardKind::If, arm.span);
            self.sequence(&arm.body, &body, state);
            guarded.guard(&condition, false, GuardKind::If, arm.span);
        }
        if let Some(otherwise) = otherwise {
            self.sequence(otherwise, &guarded, state);
        }
    }

    /// A command that is a condition: its failure is seen if the script ends by it.
    fn failure_of_condition(&self, arm: &Arm, otherwise: Option<&[Statement]>, scope: &mut Scope) {
        let negated = matches!(
            arm.condition.last().map(|last| &last.kind),
            Some(Kind::Pipeline { negated: true, .. })
        );
        let failing = if negated {
            Some(arm.body.as_slice())
        } else {
            otherwise
        };
        if failing.is_some_and(|body| self.fails(body, scope)) {
            scope.next = Some(Next::Checked);
            scope.before_and = false;
        } else {
            scope.swallow(SwallowKind::Condition, arm.span);
        }
    }

    fn case(&mut self, value: Option<&Token>, arms: &[CaseArm], scope: &Scope, state: &mut State) {
        let Some(value) = value else {
            return;
        };
        self.substitutions(&value.substitutions, scope, state, false);
        let word = lexer::word(&scope.text, value.span);
        let mut before: Vec<String> = Vec::new();
        for arm in arms {
            let patterns = self.patterns(arm, scope);
            let any = patterns.iter().any(|pattern| pattern == "*");
            let tests = match any {
                true => of_case(&word, &before, true),
                false => of_case(&word, &patterns, false),
            };
            let mut body = scope.clone();
            let end = arm.patterns.last().map_or(value.span.end, |last| last.end);
            let shown = arm
                .patterns
                .first()
                .map_or(value.span, |first| Span::new(first.start, end));
            body.push(Guard {
                kind: GuardKind::Case,
                negated: any && !before.is_empty(),
                condition: format!("{} in {}", word.text, patterns.join("|")),
                span: scope.text.span(shown),
                tests,
            });
            self.sequence(&arm.body, &body, &mut *state);
            before.extend(patterns);
        }
    }

    fn patterns(&self, arm: &CaseArm, scope: &Scope) -> Vec<String> {
        let read = |span: &Span| lexer::word(&scope.text, *span).text;
        arm.patterns.iter().map(read).collect()
    }

    fn repeat(&mut self, own: &Loop, scope: &Scope, state: &mut State) {
        if let Some(variable) = own.variable {
            self.set_unknown(variable.slice(scope.text.text()), variable, scope);
        }
        for value in &own.values {
            self.substitutions(&value.substitutions, scope, state, true);
        }
        let mut body = scope.clone();
        body.in_loop = true;
        // The body is run again, or what follows the loop is: only the last round's status is the loop's.
        body.next = body.next.or(Some(Next::Statement));
        if let (Some(first), Some(last)) = (own.condition.first(), own.condition.last()) {
            let whole = Span::new(first.span.start, last.end());
            let mut tested = body.clone();
            tested.swallow(SwallowKind::Condition, whole);
            self.sequence(&own.condition, &tested, state);
            let condition = self.condition_of(&own.condition, scope);
            body.guard(&condition, !own.until, GuardKind::While, whole);
        }
        self.sequence(&own.body, &body, state);
    }

    fn function(
        &mut self,
        name: Span,
        body: &[Statement],
        statement: &Statement,
        scope: &Scope,
        state: State,
    ) {
        let name = lexer::word(&scope.text, name).text;
        self.functions.push(Function {
            name: name.clone(),
            span: scope.text.span(statement.span),
            calls: Vec::new(),
        });
        let own = Scope {
            guards: Vec::new(),
            swallowed: None,
            next: None,
            before_and: false,
            function: Some(name),
            in_loop: false,
            ..scope.clone()
        };
        self.sequence(body, &own, &mut { state });
    }
}

impl Scope {
    /// Notes why failures go unnoticed. What is nearest to the command counts.
    fn swallow(&mut self, kind: SwallowKind, span: Span) {
        self.swallowed = Some(Swallow {
            kind,
            span: self.text.span(span),
            removal: None,
        });
    }

    fn guard(&mut self, condition: &Condition, holds: bool, kind: GuardKind, span: Span) {
        self.push(Guard {
            kind,
            negated: !holds,
            condition: span.slice(self.text.text()).to_owned(),
            span: self.text.span(span),
            tests: condition.known(holds),
        });
    }

    fn push(&mut self, guard: Guard) {
        if self.guards.len() < GUARDS {
            self.guards.push(Arc::new(guard));
        }
    }
}

fn both(left: Condition, right: Condition, join: fn(Vec<Condition>) -> Condition) -> Condition {
    // A long chain is one flat list, not a deep tree.
    match (left, join(Vec::new())) {
        (Condition::And(mut all), Condition::And(_)) if all.len() < GUARDS => {
            all.push(right);
            Condition::And(all)
        }
        (Condition::Or(mut any), Condition::Or(_)) if any.len() < GUARDS => {
            any.push(right);
            Condition::Or(any)
        }
        (Condition::Unknown, _) if right == Condition::Unknown => Condition::Unknown,
        (left, _) => join(vec![left, right]),
    }
}

/// What follows a statement within the same sequence.
fn next(scope: &Scope, following: &[Statement]) -> Option<Next> {
    let mut following = following
        .iter()
        .filter(|statement| !matches!(statement.kind, Kind::Function { .. }));
    let first = following.next()?;
    let text = scope.text.text();
    let shown = first.span.slice(text);
    let is_true = |simple: &super::statement::Simple| {
        simple.words.len() == 1 && matches!(simple.words[0].span.slice(text), "true" | ":")
    };
    let head = &shown[..shown.char_indices().nth(200).map_or(shown.len(), |(at, _)| at)];
    Some(match &first.kind {
        _ if head.contains("$?") || head.contains("${PIPESTATUS") => Next::Checked,
        Kind::Simple(simple) if is_true(simple) && following.next().is_none() => {
            Next::True(scope.text.span(first.span))
        }
        _ => Next::Statement,
    })
}
