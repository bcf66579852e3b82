//! Which shell reads a command: that of the last `SHELL` of its stage, or of the stage that it is based on.

use std::sync::Arc;

use crate::{Dockerfile, Instruction, Interpreter};

/// Tells every command its interpreter.
pub(crate) fn set(file: &mut Dockerfile) {
    let stages = file.stages();
    let mut after: Vec<Option<Arc<[String]>>> = Vec::new();
    for stage in &stages {
        let mut shell = stage
            .base_stage
            .and_then(|base| after.get(base).cloned().flatten());
        for instruction in &mut file.instructions[stage.instructions.clone()] {
            if instruction.keyword == "SHELL" {
                let items = instruction.exec.iter().flatten();
                let program: Vec<String> = items.map(|item| item.value.clone()).collect();
                if !program.is_empty() {
                    shell = Some(program.into());
                }
            }
            if let Some(shell) = &shell {
                tell(instruction, shell);
            }
        }
        after.push(shell);
    }
}

fn tell(instruction: &mut Instruction, shell: &Arc<[String]>) {
    let command = match instruction.inner.as_deref_mut() {
        // It runs in another build; which shell that has is not known here.
        Some(_) => return,
        None => instruction.command.as_mut(),
    };
    if let Some(command) = command.filter(|command| command.interpreter == Interpreter::Default) {
        command.interpreter = Interpreter::Shell(shell.clone());
    }
}
