//! `cargo test --test mutants`: a sample of weakened orderings; `-- --full`: all of them.

fn main() -> std::process::ExitCode {
    loom_tests::run_mutants()
}
