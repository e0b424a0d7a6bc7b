//! Deliberate defects, for the checked builds.

/// Whether the run asked for the deliberate defect `name` (`FILCH_DEFECT`): a broken variant that
/// the models must reject, or they prove nothing.
pub(crate) fn defect(name: &str) -> bool {
    static DEFECT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    DEFECT.get_or_init(|| std::env::var("FILCH_DEFECT").ok()).as_deref() == Some(name)
}
