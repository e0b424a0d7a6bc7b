//! The search for related jobs, before a [wait inside a job](super::wait_in_job) lends its place.

use super::Worker;
use super::idle::{BRIEF, Next};
use crate::sync::site::FORK_DEMAND_FENCE;
use crate::sync::{MODEL, fence};
use crate::system::spin::{Spin, WAKE};

impl Worker {
    /// Looks for about the price of a wake, if it is to `search`. `Err` if it found nothing: whether it counts as
    /// searching.
    pub(super) fn search_related(
        &self,
        search: bool,
        look: &mut impl FnMut() -> Option<Next>,
    ) -> Result<Next, bool> {
        let mut spin = Spin::new(BRIEF);
        while search && spin.again() {
            if let Some(next) = look() {
                return Ok(next);
            }
        }
        // Counted as searching from here on: owners expose as many jobs as there are idle workers.
        let history = &self.waits.related;
        history.note_vain_since(None);
        if MODEL || !search {
            return Err(false);
        }
        if !self.registry.sleep.start_search() {
            return self.linger(look).ok_or(false);
        }
        // Between counting as idle and the demands of the looks. Partner: `FORK_ANSWER_FENCE`.
        fence(FORK_DEMAND_FENCE);
        let mut spin = self.registry.sleep.spin_to_search(history.shorten(Spin::new(WAKE)));
        // Publishers may rely on this searcher, which takes only related jobs. So it stops its search when there is any job.
        let found = loop {
            if !spin.again() {
                break look();
            }
            if self.registry.has_work() {
                if self.registry.sleep.snapshot().asleep() == 0 {
                    break look();
                }
                // The end of the search wakes a sleeper for that job.
                self.stop_searching(true);
                return self.linger(look).ok_or(false);
            }
            if let Some(next) = look() {
                break Some(next);
            }
        };
        let Some(next) = found else {
            history.note_vain(&spin);
            return Err(true);
        };
        self.stop_searching(true);
        history.note_paid();
        Ok(next)
    }

    /// Looks for about the price of a wake while another worker sleeps, which has a core for what this one does not
    /// take. To lend the place at once costs three switches, which is more than most of these waits take, and brings that
    /// job no sooner to a core than the sleeper's wake. The worker does not count as searching.
    fn linger(&self, look: &mut impl FnMut() -> Option<Next>) -> Option<Next> {
        let (sleep, history) = (&self.registry.sleep, &self.waits.related);
        let mut spin = sleep.spin_to_search(history.shorten(Spin::new(WAKE)));
        while sleep.snapshot().asleep() > 0 && spin.again() {
            if let Some(next) = look() {
                history.note_paid();
                return Some(next);
            }
        }
        history.note_vain(&spin);
        None
    }
}
