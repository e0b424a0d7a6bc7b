//! Checks that the limits in the documents are those in the code.

use filch::{BuildError, CountLatch, MAX_WORKERS, Pool};

/// Returns `number` as the documents write it, with commas.
fn written(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn source(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_most_workers() {
    let error = Pool::builder().workers(MAX_WORKERS + 1).build().unwrap_err();
    assert!(matches!(error, BuildError::TooManyWorkers { max: MAX_WORKERS, .. }), "{error}");
    let limit = written(MAX_WORKERS);
    assert!(
        source("src/pool/builder.rs").contains(&format!("How many workers: 1 to {limit}, spares included."))
    );
    assert!(source("docs/DESIGN.md").contains(&format!("At most {limit} workers and spares together")));
    assert!(source("docs/RAYON.md").contains(&format!("`max_num_threads()` is {limit}")));
}

#[test]
fn the_largest_queue() {
    let pool = Pool::builder().workers(1).build().unwrap();
    let max = match pool.queue().capacity(usize::MAX).build(|()| ()).unwrap_err() {
        BuildError::CapacityTooLarge { max, .. } => max,
        other => panic!("{other}"),
    };
    assert!(max.is_power_of_two());
    let power = format!("2^{}", max.trailing_zeros());
    assert!(source("src/queue/builder.rs").contains(&format!("How many jobs may wait: 1 to {power};")));
    assert!(source("docs/DESIGN.md").contains(&format!("{power} slots in a queue")));
}

#[test]
fn the_largest_count() {
    let power = (CountLatch::MAX + 1).trailing_zeros();
    assert!(source("docs/DESIGN.md").contains(&format!("counts up to 2^{power} − 1")));
}

/// Numbers that are no part of the interface: each constant is compared with the sentences about it.
#[test]
fn numbers_inside() {
    let documents = [
        ("src/scheduler/spares.rs", "const DEFAULT: usize = 64;", "README.md", "one of 64 spares"),
        (
            "src/scheduler/spares.rs",
            "const DEFAULT: usize = 64;",
            "src/pool/builder.rs",
            "up to 64 spares may stand in",
        ),
        (
            "src/scheduler/worker/spare_thread.rs",
            "const REST: Duration = Duration::from_secs(10);",
            "src/pool/builder.rs",
            "The thread ends after 10 s without work.",
        ),
        (
            "src/pool/builder.rs",
            "const HELP_STACK: usize = 256 << 10;",
            "docs/DESIGN.md",
            "less than 256 KiB of its stack",
        ),
        (
            "src/scheduler/worker/nesting.rs",
            "const ROOM_WAITS: usize = if MODEL { 1 } else { 16 };",
            "docs/DESIGN.md",
            "waits for room 16 deep",
        ),
        ("src/queue/time_slice.rs", "const STRIDE: u32 = 16;", "CHANGELOG.md", "for up to 16 if the jobs"),
        (
            "src/scheduler/worker/wait_apart.rs",
            "const POLL: Duration = Duration::from_millis(1);",
            "src/scheduler/worker/wait_mode.rs",
            "nobody has taken within a millisecond gets a spare",
        ),
    ];
    for (file, code, document, sentence) in documents {
        assert!(source(file).contains(code), "{file}: {code}");
        let text = source(document).replace("    /// ", "").replace("\n", " ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(sentence), "{document}: {sentence}");
    }
}
