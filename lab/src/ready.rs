//! How long pieces of work were ready, and not begun, while a core had nothing to do.

use std::cell::RefCell;
use std::collections::VecDeque;

use filch_lab_machine::{Report, Span, Time, moment};

// All threads of a machine run on one thread of the host.
thread_local! {
    /// When each piece became ready, and when it began.
    static PIECES: RefCell<Vec<(Time, Time)>> = const { RefCell::new(Vec::new()) };
    /// When the jobs of a queue became ready that have not begun.
    static SUBMITTED: RefCell<VecDeque<Time>> = const { RefCell::new(VecDeque::new()) };
}

/// Returns a piece of work that is ready now.
pub fn ready<R>(f: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let since = moment();
    move || {
        PIECES.with_borrow_mut(|pieces| pieces.push((since, moment())));
        f()
    }
}

/// A job of a queue is ready now. The jobs themselves say nothing of it, so that they stay as small as they are.
pub fn submit() {
    let now = moment();
    SUBMITTED.with_borrow_mut(|submitted| submitted.push_back(now));
}

/// A job of that queue begins: it is about the one that has been ready for longest.
pub fn begin_oldest() {
    let since = SUBMITTED.with_borrow_mut(VecDeque::pop_front);
    PIECES.with_borrow_mut(|pieces| pieces.extend(since.map(|since| (since, moment()))));
}

/// Forgets the pieces so far.
pub fn forget() {
    PIECES.with_borrow_mut(Vec::clear);
    SUBMITTED.with_borrow_mut(VecDeque::clear);
}

/// Returns how long a piece was ready at most while fewer than `cores` cores had something to do. The time in which it was
/// ready but all these cores had something to do does not count.
pub fn longest(report: &Report, cores: usize) -> Time {
    let free = Free::new(&report.spans, cores);
    PIECES.with_borrow(|pieces| {
        pieces
            .iter()
            .map(|&(since, begun)| free.until(begun).saturating_sub(free.until(since)))
            .max()
            .unwrap_or(0)
    })
}

/// For how long there was a free core until each moment at which that changed.
struct Free(Vec<(Time, Time, bool)>);

impl Free {
    fn new(spans: &[Span], cores: usize) -> Free {
        let ends = |span: &Span| [(span.begin, 1), (span.end, -1_i64)];
        let mut changes: Vec<(Time, i64)> = spans.iter().flat_map(ends).collect();
        changes.sort_unstable();
        let (mut busy, mut last) = (0, (0, 0, true));
        let mut moments = vec![last];
        for (at, change) in changes {
            busy += change;
            let (before, sum, was_free) = last;
            last = (at, sum + if was_free { at - before } else { 0 }, busy < cores as i64);
            moments.push(last);
        }
        Free(moments)
    }

    /// For how long there was a free core until `moment`.
    fn until(&self, moment: Time) -> Time {
        let place = self.0.partition_point(|&(at, ..)| at <= moment);
        let (at, sum, is_free) = self.0[place - 1];
        sum + if is_free { moment - at } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Free;
    use filch_lab_machine::Span;

    #[test]
    fn only_time_with_a_free_core_counts() {
        let span = |core, begin, end| Span { core, thread: core, begin, end };
        let free = Free::new(&[span(0, 0, 100), span(1, 20, 50), span(1, 50, 60)], 2);
        assert_eq!([0, 10, 20, 40, 55, 60, 80].map(|moment| free.until(moment)), [0, 10, 20, 20, 20, 20, 40]);
        assert_eq!(Free::new(&[span(0, 0, 100)], 1).until(100), 0);
        assert_eq!(Free::new(&[], 1).until(30), 30);
    }
}
