//! Deliberate defects for the checked builds and the unit tests.

/// Whether this run asked for the deliberate defect `name`, by the variable `FILCH_DEFECT`. A defect is a broken
/// variant of the code. The models must reject it, or they prove nothing.
pub(crate) fn defect(name: &str) -> bool {
    static DEFECT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    DEFECT.get_or_init(|| std::env::var("FILCH_DEFECT").ok()).as_deref() == Some(name)
}
