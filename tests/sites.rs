//! A named ordering costs nothing: for each site of the core, a function that accesses memory with it compiles to the
//! same instructions as its twin with the ordering written in place.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

const SITES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sync/site");

/// Returns the sites of the core and their orderings.
fn sites() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(SITES).unwrap().map(|entry| entry.unwrap().path());
    // `deque.rs` is for the stand-in of a deque, which does not ship.
    let tables =
        entries.filter(|path| !["mod.rs", "deque.rs"].map(|name| path.ends_with(name)).contains(&true));
    let split = |line: &str| {
        let (name, order) = line.trim().strip_suffix(';')?.split_once(" = ")?;
        Some((name.to_owned(), order.to_owned()))
    };
    let mut sites: Vec<_> = tables
        .flat_map(|path| std::fs::read_to_string(path).unwrap().lines().filter_map(split).collect::<Vec<_>>())
        .collect();
    sites.sort();
    assert!(sites.len() > 100, "the tables were found");
    sites
}

/// Writes a function that makes each access that allows `order`. `order` is an expression, and `strength` is the
/// ordering that it gives.
fn function(name: &str, order: &str, strength: &str) -> String {
    let mut body = String::new();
    if ["Relaxed", "Acquire", "SeqCst"].contains(&strength) {
        let _ = write!(body, "sum += word.load({order}); ");
    }
    if ["Relaxed", "Release", "SeqCst"].contains(&strength) {
        let _ = write!(body, "word.store(sum, {order}); ");
    }
    if strength != "Relaxed" {
        let _ = write!(body, "std::sync::atomic::fence({order}); std::sync::atomic::compiler_fence({order}); ");
    }
    let _ = write!(body, "sum += word.swap(3, {order}); sum += word.fetch_add(sum, {order}); ");
    let _ = write!(body, "sum += word.compare_exchange(sum, 7, {order}, Ordering::Relaxed).unwrap_or(9);");
    format!("#[unsafe(no_mangle)] pub fn {name}(word: &AtomicU64) -> u64 {{ let mut sum = 5; {body} sum }}\n")
}

/// Returns the instructions of each function of an assembly listing, without the numbers of labels. The compiler may
/// have made a function an alias of another function with the same instructions.
fn instructions(assembly: &str) -> BTreeMap<String, Vec<String>> {
    let mut functions = BTreeMap::new();
    let mut current: Option<(String, Vec<String>)> = None;
    let mut aliases = Vec::new();
    for line in assembly.lines() {
        let text = line.trim();
        if let Some((alias, of)) = text.strip_prefix(".set ").and_then(|set| set.split_once(", ")) {
            aliases.push((alias.to_owned(), of.to_owned()));
        } else if let Some((alias, of)) = text.split_once(" = ").filter(|_| !line.starts_with('\t')) {
            aliases.push((alias.to_owned(), of.to_owned()));
        } else if let Some(label) = text.strip_suffix(':').filter(|label| !label.starts_with('.')) {
            functions.extend(current.replace((label.trim_start_matches('_').to_owned(), Vec::new())));
        } else if let Some((name, body)) = &mut current
            && line.starts_with('\t')
            && !text.starts_with('.')
        {
            // A jump within the function is the same in both twins, except for the number in its label.
            body.push(text.replace(name.as_str(), "").split(".L").next().unwrap_or_default().to_owned());
        }
    }
    functions.extend(current);
    for (alias, of) in aliases {
        if let Some(body) = functions.get(&of).cloned() {
            functions.insert(alias, body);
        }
    }
    functions
}

#[test]
fn a_site_is_its_constant() {
    let sites = sites();
    assert!(sites.len() > 50, "{sites:?}");
    let mut source = format!(
        "#![allow(dead_code, missing_docs, unfulfilled_lint_expectations, unused_imports)]\n\
         const MODEL: bool = false; #[path = \"{SITES}/mod.rs\"] mod site;\nuse site::Ordering;\nuse std::sync::atomic::AtomicU64;\n"
    );
    for (name, order) in &sites {
        source += &function(&format!("named_{name}"), &format!("site::{name}.get()"), order);
        source += &function(&format!("plain_{name}"), &format!("Ordering::{order}"), order);
    }
    // The control chooses its ordering when it runs: the comparison must see that.
    source += &function("control", "std::hint::black_box(Ordering::SeqCst)", "AcqRel");
    source += &function("control_plain", "Ordering::SeqCst", "AcqRel");
    let folder = std::env::temp_dir().join(format!("filch-sites-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (input, output) = (folder.join("twins.rs"), folder.join("twins.s"));
    std::fs::write(&input, source).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-type=lib", "--emit=asm", "-Copt-level=3", "-Ccodegen-units=1"]);
    let done = rustc.arg("-o").args([&output, &input]).output().expect("rustc");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let assembly = std::fs::read_to_string(&output).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let functions = instructions(&assembly);
    assert!(functions["control"] != functions["control_plain"], "the comparison sees nothing");
    for (name, order) in &sites {
        let (named, plain) = (&functions[&format!("named_{name}")], &functions[&format!("plain_{name}")]);
        assert!(plain.len() >= 5, "{name}: {plain:?}");
        assert_eq!(named, plain, "{name} = {order}");
    }
    // What only a mutant asks for is absent from the code.
    assert!(!assembly.contains("FILCH_WEAKEN") && !assembly.contains("SLEEP_PREPARE\""));
}
