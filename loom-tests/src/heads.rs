//! Checks that the models are complete and that each model's head states its facts.
//!
//! The run fails in these cases: a mechanism has no model, or its model has too few threads or preemptions; a
//! function with a model's head is not in the list of models; a head does not state what is proven, with which
//! threads, and under which bound.

use std::fs;

use crate::models::{ALL, MODELS, Model};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/models");

/// A model for each mechanism, with the fewest threads and preemptions that it may have.
const PLAN: &[(&str, usize, usize)] = &[
    ("litmus", 2, ALL),
    ("deque_last_item", 2, ALL),
    ("deque_publish", 2, ALL),
    ("deque_two_thieves", 3, 3),
    ("deque_wrap", 2, 3),
    ("parker_token", 2, ALL),
    ("sleep_inject", 2, ALL),
    ("sleep_local_push", 3, 3),
    ("sleep_accounting", 3, 3),
    ("latch_last_decrement", 3, 3),
    ("stack_job_raided", 2, 6),
    ("chain_raid", 2, ALL),
    ("chain_raid_deep", 2, 6),
    ("chain_index", 2, ALL),
    ("chain_two_raiders", 3, 3),
    ("chain_exposed_and_raided", 2, 4),
    ("chain_demand", 2, ALL),
    ("chain_rest", 2, ALL),
    ("chain_owner_apart", 2, ALL),
    ("latch_passing_zero", 2, ALL),
    ("latch_late_release", 2, ALL),
    ("stack_job_exposed", 2, ALL),
    ("fork_exposure", 3, 3),
    ("scope_nested", 3, 2),
    ("queue_backpressure", 3, 3),
    ("submit_vs_shutdown", 3, 2),
    ("lent_lets_go", 2, 3),
    ("pool_lets_go", 3, 2),
    ("spare_relieved", 2, 3),
    ("spare_recalled", 2, 3),
    ("spare_runs", 3, 2),
    ("spare_again", 2, 3),
    ("spare_shutdown", 3, 2),
    ("pool_smoke_join", 3, 2),
    ("pool_smoke_scope", 3, 2),
];

/// Returns what is wrong, one line for each fault.
pub(crate) fn check() -> Vec<String> {
    let mut wrong = Vec::new();
    for &(name, threads, bound) in PLAN {
        match MODELS.iter().find(|model| model.name == name) {
            None => wrong.push(format!("{name}: there is no such model")),
            Some(model) if model.threads < threads || model.bound < bound => {
                wrong.push(format!("{name}: {threads} threads and {bound} preemptions are the least"));
            }
            Some(_) => {}
        }
    }
    for model in MODELS {
        match head(model) {
            None => wrong.push(format!("{}: no function {}", model.name, model.path)),
            Some(head) => {
                let bound = match model.bound {
                    ALL => "exhaustive".to_owned(),
                    1 => "1 preemption;".to_owned(),
                    bound => format!("{bound} preemptions"),
                };
                let threads = format!("{} threads", model.threads);
                let says = head.contains("Proves") || head.starts_with("As [");
                if !says || !head.contains(&threads) || !head.contains(&bound) || executions(&head).is_none() {
                    wrong.push(format!("{}: the head is to say what, {threads}, {bound}: {head}", model.name));
                }
            }
        }
    }
    for entry in fs::read_dir(FOLDER).expect("the models") {
        let path = entry.expect("a file").path();
        let module = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a source");
        let functions = text.lines().filter_map(|line| line.strip_prefix("pub(super) fn ")?.split_once("() {"));
        for (function, _) in functions {
            let path = format!("{module}::{function}");
            let is_model = head_in(&text, function).is_some_and(|head| executions(&head).is_some());
            if is_model && !MODELS.iter().any(|model| model.path == path) {
                wrong.push(format!("{path} is a model and not in the list"));
            }
        }
    }
    wrong
}

/// How many executions the head of `model` states.
pub(crate) fn stated(model: &Model) -> Option<usize> {
    executions(&head(model)?)
}

fn head(model: &Model) -> Option<String> {
    let (module, function) = model.path.split_once("::")?;
    head_in(&fs::read_to_string(format!("{FOLDER}/{module}.rs")).ok()?, function)
}

/// The comment above a function, joined into one line.
fn head_in(source: &str, function: &str) -> Option<String> {
    let before = source.split_once(&format!("fn {function}() {{"))?.0;
    let mut lines: Vec<&str> =
        before.lines().rev().skip(1).map_while(|line| line.strip_prefix("///")).collect();
    lines.reverse();
    Some(lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "))
}

/// The number before the first "executions".
fn executions(head: &str) -> Option<usize> {
    head.split_once(" executions")?.0.rsplit(' ').next()?.replace(',', "").parse().ok()
}
