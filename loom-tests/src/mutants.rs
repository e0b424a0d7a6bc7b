//! Weakens each ordering of the core, one at a time, and asks the models whether they notice.
//!
//! `mutants.txt` lists every mutant and its verdict. The driver fails if the list lacks a mutant, if a mutant that is
//! listed as killed survives its killer, or if (in the full run) a mutant that is listed as a survivor is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::models::{Defect, MODELS};
use crate::runner::{LIMIT, TOUCHED, be_child, child, side_by_side};
use crate::sync::site::{CORE, STANDIN};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mutants.txt");
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../src");

/// How many mutants a sample has.
const SAMPLE: usize = 24;

/// How many per cent of the core's mutants must be killed, not counting those to which loom is blind.
const SHARE: usize = 90;

/// How long each model looks for a mutant without a verdict (`--search`).
const SEARCH: Duration = Duration::from_secs(5);

/// The models to ask first, by how a site's name begins: for mutants without a verdict, and for `--search`.
const LIKELY: &[(&str, &[&str])] = &[
    ("PARK", &["parker_token", "latch_set", "sleep_inject"]),
    ("UNPARK", &["parker_token", "latch_set", "sleep_inject"]),
    ("LATCH", &["latch_set", "pool_smoke_join"]),
    ("TASK", &["stack_job_raided", "scope_nested", "stack_job_exposed", "scope_two_thieves"]),
    ("SIGNAL", &["latch_last_decrement", "queue_vs_shutdown", "queue_end_to_end"]),
    ("COUNT", &["latch_probe", "latch_last_decrement", "submit_vs_shutdown"]),
    (
        "SLEEP",
        &[
            "sleep_inject",
            "sleep_inject_and_wait",
            "sleep_inject_lazily",
            "sleep_again",
            "sleep_watch",
            "lent_shut_down_by_another",
            "submit_vs_shutdown",
            "sleep_local_push",
            "sleep_accounting",
            "queue_vs_shutdown",
        ],
    ),
    (
        "ASLEEP",
        &["sleep_claimed", "sleep_inject", "sleep_local_push", "sleep_accounting", "submit_vs_shutdown"],
    ),
    (
        "FORK",
        &[
            "fork_demand_in_search",
            "chain_index",
            "chain_demand",
            "chain_raid",
            "chain_exposed_and_raided",
            "chain_two_raiders",
            "fork_raid",
        ],
    ),
    ("REST", &["chain_rest"]),
    ("STACK", &["fork_raid", "fork_demand", "fork_two_raiders", "fork_raid_and_grow", "fork_exposure"]),
    ("SPARE", &["spare_relieved", "spare_again", "spare_runs", "spare_shutdown"]),
    ("SCOPE", &["scope_nested", "scope_two_thieves", "pool_smoke_scope"]),
    (
        "RING",
        &[
            "queue_idle",
            "queue_backpressure",
            "ring_len",
            "ring_wrap",
            "ring_hand_over",
            "queue_vs_shutdown",
            "queue_end_to_end",
            "queue_two_producers",
        ],
    ),
    ("RUNNERS", &["queue_idle", "queue_idle_two", "queue_places", "queue_serial", "queue_end_to_end"]),
    ("DEQUE", &["deque_publish", "deque_last_item", "deque_two_thieves", "deque_wrap", "sleep_local_push"]),
    ("INJECTOR", &["injector_steal", "injector_len", "sleep_inject", "sleep_accounting", "submit_vs_shutdown"]),
];

/// What the table says of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Killed(String),
    /// No model notices the mutant. The text gives the reason: `conservative` or `loom-blind`.
    Survives(String),
}

/// Returns `SITE=Ordering` for each weaker ordering of each site.
fn mutants() -> Vec<String> {
    let mut all = Vec::new();
    for (sites, core) in [(CORE, true), (STANDIN, false)] {
        for site in sites.iter().copied().flatten() {
            let fence = ["FENCE", "LIGHT", "HEAVY"].iter().any(|end| site.name().ends_with(end));
            let weaker: &[&str] = match (site.order(), fence) {
                (Ordering::SeqCst, true) => &["AcqRel", "none"],
                (_, true) => &["none"],
                // Accesses of the stand-in. Loom treats SeqCst on an access as no more than AcqRel.
                (Ordering::SeqCst, false) if site.name() == "INJECTOR_LEN" => &["Relaxed"],
                (Ordering::SeqCst | Ordering::AcqRel, false) => &["Acquire", "Release", "Relaxed"],
                (Ordering::Acquire | Ordering::Release, false) => &["Relaxed"],
                _ => &[],
            };
            assert!(!core || fence || site.order() != Ordering::SeqCst, "no SeqCst accesses: {}", site.name());
            all.extend(weaker.iter().map(|order| format!("{}={order}", site.name())));
        }
    }
    all
}

/// Reads the table: `SITE=Ordering | verdict`, with `#` for comments.
fn table() -> Result<BTreeMap<String, Verdict>, String> {
    let text = fs::read_to_string(TABLE).map_err(|error| format!("{TABLE}: {error}"))?;
    let mut table = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let (mutant, verdict) = line.split_once('|').ok_or_else(|| format!("not a row: {line}"))?;
        let verdict = verdict.trim();
        let verdict = if let Some(model) = verdict.strip_prefix("killed by ") {
            if crate::runner::find(model).is_none() {
                return Err(format!("no such model: {line}"));
            }
            Verdict::Killed(model.to_owned())
        } else if ["conservative: ", "loom-blind: "].iter().any(|kind| verdict.starts_with(kind)) {
            Verdict::Survives(verdict.to_owned())
        } else {
            return Err(format!("neither killed nor explained: {line}"));
        };
        if table.insert(mutant.trim().to_owned(), verdict).is_some() {
            return Err(format!("listed twice: {line}"));
        }
    }
    Ok(table)
}

/// Checks that the table lists all mutants, and nothing else.
fn check_table(table: &BTreeMap<String, Verdict>) -> Result<(), String> {
    let all: BTreeSet<String> = mutants().into_iter().collect();
    let listed: BTreeSet<String> = table.keys().cloned().collect();
    let missing: Vec<&String> = all.difference(&listed).collect();
    let stale: Vec<&String> = listed.difference(&all).collect();
    if missing.is_empty() && stale.is_empty() {
        return Ok(());
    }
    Err(format!("mutants.txt lacks {missing:?} and lists in vain {stale:?}"))
}

/// Collects orderings that are named outside the facade: each access must have a site.
fn check_sources(folder: &Path, found: &mut Vec<String>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("the sources").map(|entry| entry.expect("a file").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.strip_prefix(SOURCES).unwrap_or(&path).display().to_string();
        if path.is_dir() {
            if name != "sync" {
                check_sources(&path, found);
            }
        } else if ![
            "system/process.rs",
            "system/thread_id.rs",
            "system/heavy_fence/linux.rs",
            "system/heavy_fence/freebsd.rs",
            "system/heavy_fence/macos.rs",
            "jobs/deque/standin.rs",
        ]
        .contains(&name.as_str())
        {
            let text = fs::read_to_string(&path).expect("a source");
            for (number, line) in text.lines().enumerate() {
                if line.starts_with("mod tests") {
                    break;
                }
                if line.contains("Ordering::") && !line.trim_start().starts_with("//") {
                    found.push(format!("{name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
}

/// A model, the sites that it passes, and how long its first executions take.
type Surveyed = (&'static str, BTreeSet<String>, Duration);

/// Finds the sites that each model passes, and how long the model takes. The cheapest model comes first.
fn survey() -> Vec<Surveyed> {
    let models: Vec<_> = MODELS.iter().collect();
    let mut surveyed: Vec<_> = side_by_side(&models, |model| child(model.name, Some(&Defect::Survey), LIMIT))
        .into_iter()
        .map(|(model, outcome)| {
            let touched =
                outcome.output.lines().find_map(|line| line.strip_prefix(TOUCHED)).unwrap_or_default();
            assert!(!touched.is_empty() || model.name == "litmus", "{}: {}", model.name, outcome.why);
            (model.name, touched.split(' ').map(str::to_owned).collect(), outcome.time)
        })
        .collect();
    surveyed.sort_by_key(|(.., time)| *time);
    surveyed
}

/// Whether `model` rejects the mutant.
fn kills(model: &str, mutant: &str, limit: Duration) -> bool {
    child(model, Some(&Defect::Weaken(mutant.to_owned().into())), limit).killed
}

/// The first model that rejects the mutant. The likely models come first, then, from the cheapest on, those in
/// `survey` that pass the mutant's site.
fn killer(mutant: &str, survey: &[Surveyed], limit: Duration) -> Option<&'static str> {
    let site = mutant.split_once('=').map_or(mutant, |(site, _)| site);
    let likely =
        LIKELY.iter().find(|(prefix, _)| site.starts_with(prefix)).map_or(&[][..], |(_, models)| *models);
    let touching = survey.iter().filter(|(_, touched, _)| touched.contains(site)).map(|&(model, ..)| model);
    let rest = touching.filter(|model| !likely.contains(model));
    likely.iter().copied().chain(rest).find(|model| kills(model, mutant, limit))
}

/// Prints the verdicts on the core's mutants and on the stand-in's. `false` if too few of the core's are killed.
fn shares(table: &BTreeMap<String, Verdict>) -> bool {
    let mut enough = true;
    for (sites, name) in [(CORE, "core"), (STANDIN, "stand-in")] {
        let is_its = |mutant: &str| {
            sites.iter().copied().flatten().any(|site| mutant.split_once('=').unwrap().0 == site.name())
        };
        let its: Vec<&Verdict> =
            table.iter().filter(|(mutant, _)| is_its(mutant)).map(|(_, verdict)| verdict).collect();
        let killed = its.iter().filter(|verdict| matches!(verdict, Verdict::Killed(_))).count();
        let is_blind =
            |verdict: &&&Verdict| matches!(verdict, Verdict::Survives(why) if why.starts_with("loom-blind"));
        let blind = its.iter().filter(is_blind).count();
        let (all, seen) = (its.len(), its.len() - blind);
        let share = killed * 100 / seen.max(1);
        println!(
            "{name}: {all} mutants, {blind} of which loom is blind to; of the other {seen}, {killed} killed ({share} %), \
             {} conservative",
            seen - killed
        );
        enough &= name != "core" || share >= SHARE;
    }
    enough
}

/// The `K`th of `N` equal parts of `all`, for `--part K/N`. Each mutant is in one part.
fn part(args: &[String], all: Vec<String>) -> Vec<String> {
    let given = args.iter().position(|arg| arg == "--part").and_then(|at| args.get(at + 1)?.split_once('/'));
    let Some((part, parts)) = given else { return all };
    let (part, parts): (usize, usize) = (part.parse().expect("a part"), parts.parse().expect("parts"));
    assert!((1..=parts).contains(&part), "--part K/N, from 1/N to N/N");
    all.into_iter().skip(part - 1).step_by(parts).collect()
}

/// Checks mutants. `SITE=Ordering` names some of them, `--full` means all, `--part K/N` a part of all. `--limit
/// SECONDS` sets how long each model looks for a survivor, `--seed N` draws another sample, `--list` makes the checks
/// without runs.
pub fn run() -> ExitCode {
    if let Some(end) = be_child() {
        return end;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut raw = Vec::new();
    check_sources(Path::new(SOURCES), &mut raw);
    if !raw.is_empty() {
        println!("orderings without a site:\n{}", raw.join("\n"));
        return ExitCode::FAILURE;
    }
    let search = args.iter().any(|arg| arg == "--search");
    let table = if search {
        Ok(BTreeMap::new())
    } else {
        table().and_then(|table| check_table(&table).map(|()| table))
    };
    let table = match table {
        Ok(table) => table,
        Err(why) => {
            println!("{why}");
            return ExitCode::FAILURE;
        }
    };
    if !search && !shares(&table) {
        println!("fewer than {SHARE} % killed");
        return ExitCode::FAILURE;
    }
    if args.iter().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let named: Vec<String> = args.iter().filter(|arg| arg.contains('=')).cloned().collect();
    let full = args.iter().any(|arg| arg == "--full");
    let chosen = match (named.is_empty(), full || search) {
        (false, _) => named,
        (true, true) => part(&args, mutants()),
        (true, false) => sample(&args, &table),
    };
    let chosen: Vec<&String> = chosen.iter().collect();
    let survivors =
        !search && chosen.iter().any(|mutant| !matches!(table.get(*mutant), Some(Verdict::Killed(_))));
    let survey = if survivors { survey() } else { Vec::new() };
    let given = args.iter().position(|arg| arg == "--limit").and_then(|at| args.get(at + 1)?.parse().ok());
    let limit = given.map_or(if search { SEARCH } else { LIMIT }, Duration::from_secs);
    let begun = Instant::now();
    let results = side_by_side(&chosen, |mutant| {
        let (ok, text) = match table.get(mutant.as_str()) {
            Some(Verdict::Killed(model)) if kills(model, mutant, LIMIT) => (true, format!("killed by {model}")),
            Some(Verdict::Survives(why)) => match killer(mutant, &survey, limit) {
                None => (true, why.clone()),
                Some(model) => (false, format!("killed by {model}, listed as {why}")),
            },
            known => match killer(mutant, &survey, limit) {
                Some(model) => (known.is_none(), format!("killed by {model}")),
                None => (false, "SURVIVES".to_owned()),
            },
        };
        println!("{mutant} | {text}{}", if ok || search { "" } else { " FAILED" });
        (ok, text.starts_with("killed"))
    });
    let count = |wanted: fn(&(bool, bool)) -> bool| results.iter().filter(|(_, result)| wanted(result)).count();
    let (killed, failed) = (count(|result| result.1), count(|result| !result.0));
    println!(
        "{} of {} mutants: {killed} killed, {failed} not as listed, {:.0} s",
        results.len(),
        mutants().len(),
        begun.elapsed().as_secs_f64()
    );
    if !search {
        shares(&table);
    }
    if failed == 0 && !results.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Draws a sample of the mutants that are listed as killed, by a seed that is printed.
fn sample(args: &[String], table: &BTreeMap<String, Verdict>) -> Vec<String> {
    let given = args.iter().position(|arg| arg == "--seed").and_then(|at| args.get(at + 1)?.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        now.as_secs()
    });
    println!("a sample of {SAMPLE}; again: cargo test --test mutants -- --seed {seed}; all: -- --full");
    let rng = crate::scheduler::rng::Rng::new(seed);
    let killed = table.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Killed(_)));
    let mut rest: Vec<String> = killed.map(|(mutant, _)| mutant.clone()).collect();
    (0..SAMPLE.min(rest.len())).map(|_| rest.swap_remove(rng.below(rest.len()))).collect()
}
