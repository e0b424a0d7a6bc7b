//! `cargo test` in this package: every model, every canary, a table.

fn main() -> std::process::ExitCode {
    loom_tests::run()
}
