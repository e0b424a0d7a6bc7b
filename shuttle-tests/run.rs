//! `cargo test` in this package: every model under each scheduler, every canary and its replay, a table.

fn main() -> std::process::ExitCode {
    shuttle_tests::run()
}
