//! Spares: threads that stand in for workers which wait inside a job.
//!
//! A job that waits for another job keeps its thread, because its stack lies there. Its worker must not run just any
//! job on top meanwhile: that job may come to wait for the job beneath it, and then neither goes on. So the worker
//! lends its place to a spare. The spare runs the main loop, on its own stack, until the wait is over.
//!
//! # A spare's roles
//!
//! | role | meaning | counted in the pool's word as | next |
//! |---|---|---|---|
//! | `RESTING` | no worker needs it; its thread sleeps | – | `CALLED` by the waiter |
//! | `CALLED` | it stands in; its thread sleeps | asleep; entered | `TAKEN` by its thread; `RESTING` by the waiter |
//! | `TAKEN` | its thread runs the main loop | what its thread does now; entered | `RELIEVED` by the waiter |
//! | `RELIEVED` | the wait is over; the spare rests after its current job | as `TAKEN` | `RESTING` by its thread; `TAKEN` by the waiter |
//!
//! *Entered*: as an outside thread that is about to submit. The *waiter* is the worker whose place the spare has: it
//! calls the spare before its wait and relieves it afterwards. A spare that was called to run one job, in
//! place of a worker that has gone or does not take the job itself, is relieved by that job.
//!
//! # The call: announce a sleep, call, look once more
//!
//! The waiter announces a sleep on the spare's behalf. Then it calls the spare. Then it looks at the queues once
//! more, as a worker does that falls asleep itself. So a wait wakes no thread while there is nothing to do: the spare
//! is a sleeper like the others, and a publisher may wake it.
//!
//! The invariant: the sleep is announced before the call. Suppose that it were the other way round. The spare's
//! thread may have just been started. It could take the call before the sleep is announced, find its bit cleared, and
//! believe that a waker has claimed it. Then it would act as a searcher that nobody has counted (model
//! `spare_relieved`).
//!
//! The order that holds has a race of its own. A waker may claim the announced sleep before the call. The spare's
//! thread then wakes, sees that its role is still `RESTING`, and sleeps on. So the waiter looks at the bit after the
//! call, and wakes the thread itself if the bit is cleared.
//!
//! # The race for a called spare
//!
//! A waker claims the spare, and the spare's thread wakes, while the wait ends. Both sides change the role by one
//! exchange:
//!
//! * The thread is first, `CALLED` to `TAKEN`. It counts as searching, as every woken worker does, and later sees
//!   that it is relieved.
//! * The waiter is first, `CALLED` to `RESTING`. It takes the announced sleep back, as the sleeper itself would. If a
//!   waker has claimed that sleep meanwhile, then the waiter is the worker that was woken, and passes the work on.
//!   The thread sees that its role is `RESTING`, and sleeps on.
//!
//! # A spare that waits
//!
//! A spare whose job waits calls a spare in turn, and notes it in `standin`. A worker that is back relieves its spare and,
//! if that one waits, the spare of the spare, and so on: only one of them all may go on to run jobs. Whoever takes the
//! note relieves; so each spare is relieved once.
//!
//! The change to `RELIEVED` and the look into `standin` are one step under the lock that a call holds. In two steps, the
//! spare could see that it is relieved, rest, be called by another and call a spare itself; that spare would then be
//! relieved in place of none, and a place would be left empty (model `relief`).
//!
//! A spare that was relieved and waits again calls none: the worker is back in its place. It only looks, once a
//! millisecond, whether work waits while some worker runs none but its own jobs.
//!
//! # The recall
//!
//! A job that waits again and again, as one does that fills a queue, often finds the spare that it has just relieved in
//! its last job. It *recalls* that spare, and so does without another thread on the same core. The place is then as if the
//! first wait had gone on. Both sides change the role by one exchange:
//!
//! * The waiter is first, `RELIEVED` to `TAKEN`. The spare goes on with its main loop, which it may have left already:
//!   it then finds that it cannot rest, and enters the loop once more.
//! * The thread is first, `RELIEVED` to `RESTING`. The waiter calls a spare.
//!
//! A spare that waits in its last job, or blocks in it, is not recalled: nobody would be active in the place. It notes
//! each wait under the lock under which the waiter asks (models `recall`; its canaries `waiting_spare_recalled` and
//! `recall_unheard`). The waiter only tries that lock: two spares may have relieved each other, and each would wait for the
//! other's (model `each_other`). No look for work is due: the spare has announced a sleep and looked, or will look, as any
//! worker in its main loop.
//!
//! # The end of a pool
//!
//! From the call until it rests, a spare counts as entered. So a closed pool does not end before the spare rests. The
//! threads of spares leave when the pool has ended, or after 10 s without a call.

use super::{Worker, with_current};
use crate::jobs::job::Job;
use crate::scheduler::registry::{Registry, Shared};
use crate::scheduler::spares::{CALLED, RELIEVED, RESTING, SpareWait, TAKEN};
use crate::sync::site::{SPARE_CALL, SPARE_LOOK, SPARE_RECALL, SPARE_RELIEVE, SPARE_SLOT};
use crate::sync::{Arc, defect, lock, try_lock};
use crate::system::unwind;
use crate::waiting::sleep::Snapshot;

/// A spare that stands in for a worker.
#[must_use = "it stands in until it is relieved"]
pub(crate) struct Standin {
    number: usize,
    /// The spare that called it, if it was one.
    caller: Option<usize>,
    /// Whether it was recalled in the midst of a job.
    pub(super) recalled: bool,
}

/// What a call for a spare brought.
pub(crate) enum Call {
    Standin(Standin),
    /// The caller is a spare that was relieved: the worker that it stood in for is back in its place.
    Relieved,
    /// All spares are in use.
    Refused,
}

impl Call {
    pub(crate) fn standin(self) -> Option<Standin> {
        match self {
            Call::Standin(standin) => Some(standin),
            Call::Relieved | Call::Refused => None,
        }
    }
}

impl Registry {
    /// Calls a spare that stands in for the worker `slot`. The caller, number `caller`, is about to wait in that
    /// worker's place: it is the worker, or a spare of the worker. `searching`: whether it counts as searching. It
    /// does not any more if a spare was called, but not if one was recalled. `anyway`: calls one even for a spare that
    /// was relieved. `last`: the spare that it has relieved last. `blocks`: it waits even if the call is refused.
    pub(crate) fn call_spare(
        this: &Shared,
        caller: usize,
        slot: usize,
        searching: bool,
        anyway: bool,
        last: Option<usize>,
        blocks: bool,
    ) -> Call {
        let caller = caller.checked_sub(this.spares.first);
        // Until the call is complete: who relieves the caller meanwhile finds the spare that it called.
        let mut wait = caller.map(|caller| lock(&this.spares.spare(caller).wait));
        let begins = |wait: &mut SpareWait| this.begin_wait(wait, caller);
        if !anyway && this.leaves(caller) {
            wait.as_deref_mut().map(begins);
            return Call::Relieved;
        }
        let last = last.filter(|&last| this.recall(last, slot));
        let recalled = last.is_some();
        let Some(number) = last.or_else(|| Registry::engage(this, slot, true)) else {
            wait.as_deref_mut().filter(|_| blocks).map(begins);
            return Call::Refused;
        };
        let index = this.spares.first + number;
        let state = (!recalled).then(|| this.let_stand_in(number, searching));
        if let Some(wait) = wait.as_deref_mut() {
            begins(wait);
            wait.standin = Some(number);
        }
        drop(wait);
        // A spare that was recalled has looked before it fell asleep, or will.
        let left =
            state.is_some_and(|state| this.has_work_for(slot) || this.others_have_jobs(index, state.idle()));
        if left && !defect("spare_called_unlooked") {
            this.sleep.published();
            if !this.peers[slot].inbox.is_empty() {
                // Only this spare looks into that inbox.
                this.sleep.nudge(index);
            }
        }
        Call::Standin(Standin { number, caller, recalled })
    }

    /// Takes back that the spare `number` was relieved, if it stands in for the worker `slot` and is still in its last
    /// job. Not one whose lock is held: it begins a wait, or is relieved. To wait for that lock could take for ever,
    /// because two spares may recall each other.
    fn recall(&self, number: usize, slot: usize) -> bool {
        if self.forked() {
            return false;
        }
        let spare = self.spares.spare(number);
        let tried = if defect("recall_waits") { Some(lock(&spare.wait)) } else { try_lock(&spare.wait) };
        let Some(wait) = tried else { return false };
        let recalled = (wait.waits == 0 || defect("waiting_spare_recalled"))
            && spare.slot.load(SPARE_SLOT.get()) == slot
            && spare.role.compare_exchange(RELIEVED, TAKEN, SPARE_RECALL.get(), SPARE_LOOK.get()).is_ok();
        drop(wait);
        if recalled {
            self.sleep.note_left();
            lock(&self.spares.threads).called += 1;
        }
        recalled
    }

    /// Notes a wait of the spare `caller`, whose lock the calling thread, its own, holds.
    fn begin_wait(&self, wait: &mut SpareWait, caller: Option<usize>) {
        if wait.waits == 0 && self.leaves(caller) {
            self.sleep.note_left();
        }
        wait.waits += 1;
    }

    /// Ends what [`begin_wait`](Self::begin_wait) has begun.
    fn end_wait(&self, wait: &mut SpareWait, caller: Option<usize>) {
        wait.waits = if defect("inner_wait_ends_all") { 0 } else { wait.waits - 1 };
        if wait.waits == 0 && self.leaves(caller) {
            self.sleep.note_leaving();
        }
    }

    /// Whether the spare `caller` was relieved.
    fn leaves(&self, caller: Option<usize>) -> bool {
        caller.is_some_and(|caller| self.spares.spare(caller).role.load(SPARE_LOOK.get()) == RELIEVED)
    }

    /// Calls `f`, in which the thread number `caller` sleeps without a spare in its place.
    pub(super) fn as_waiting<R>(&self, caller: usize, f: impl FnOnce() -> R) -> R {
        let Some(caller) = caller.checked_sub(self.spares.first).filter(|_| !self.forked()) else { return f() };
        struct Over<'r>(&'r Registry, usize);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.end_wait(&mut lock(&self.0.spares.spare(self.1).wait), Some(self.1));
            }
        }
        self.begin_wait(&mut lock(&self.spares.spare(caller).wait), Some(caller));
        let _over = Over(self, caller);
        f()
    }

    /// Gives a job to one worker. If that worker is a lent thread that was returned, gives the job to a spare in its
    /// place, or, if there is no spare, to any worker through the injector.
    pub(crate) fn hand_to(this: &Shared, worker: usize, job: Job) {
        if let Err(job) = this.peers[worker].inbox.push(job)
            && let Err(job) = Registry::run_on_spare(this, worker, job)
        {
            this.hold().inject(job);
        }
    }

    /// Has a spare run a job in place of the worker `slot`, which has gone, or does not take the job itself. Returns the
    /// job if there is no spare.
    pub(in crate::scheduler) fn run_on_spare(this: &Shared, slot: usize, job: Job) -> Result<(), Job> {
        let Some(number) = Registry::engage(this, slot, false) else { return Err(job) };
        let index = this.spares.first + number;
        let shared = Arc::clone(this);
        let errand = Job::new(move || {
            let result = unwind::catch(|| job.run());
            // What the job has pushed comes before any other job, as on a worker. Left in the injector, it might come
            // after jobs that are blocked on what the waiter holds.
            with_current(|worker| while worker.is_some_and(Worker::run_own) {});
            // The errand itself relieves the spare: there is no wait whose end would do that.
            let spare = shared.spares.spare(number);
            let wait = lock(&spare.wait);
            shared.sleep.note_leaving();
            spare.role.swap(RELIEVED, SPARE_RELIEVE.get());
            drop(wait);
            if let Err(payload) = result {
                unwind::resume(payload);
            }
        });
        let pushed = this.spares.peer(index).inbox.push(errand);
        debug_assert!(pushed.is_ok(), "the inbox of a spare is never closed");
        let _ = this.let_stand_in(number, false);
        this.sleep.nudge(index);
        Ok(())
    }

    /// Announces a sleep of a spare that was [engaged](Self::engage), then calls the spare. `searching`: the caller
    /// counts as searching, and does not any more afterwards.
    fn let_stand_in(&self, number: usize, searching: bool) -> Snapshot {
        let index = self.spares.first + number;
        let role = &self.spares.spare(number).role;
        if defect("spare_called_awake") {
            role.swap(CALLED, SPARE_CALL.get());
            return self.sleep.fall_asleep(index, searching, false);
        }
        let state = self.sleep.fall_asleep(index, searching, false);
        role.swap(CALLED, SPARE_CALL.get());
        if self.sleep.was_claimed(index) && !defect("spare_called_unheard") {
            self.sleep.nudge(index);
        }
        state
    }

    /// Relieves a spare: the wait that it was called for is over. If that spare waits itself, relieves the spare that
    /// it has called instead, and so on: the worker that is back has its place alone. Returns the number of the spare
    /// that was called.
    pub(crate) fn relieve(&self, standin: Standin) -> Option<usize> {
        if self.forked() {
            // The spare is the parent's, and a thread of the parent may have held a lock of its at the fork.
            return None;
        }
        let Standin { number, caller, .. } = standin;
        let taken = caller.map(|number| {
            let wait = &mut *lock(&self.spares.spare(number).wait);
            self.end_wait(wait, caller);
            wait.standin.take()
        });
        if taken == Some(None) {
            // The caller was relieved during its wait, and its spare with it. That spare may serve another by now.
            return None;
        }
        self.relieve_number(number);
        Some(number)
    }

    /// Notes that `caller` waits no longer, if it is a spare. It had called none.
    pub(crate) fn wait_is_over(&self, caller: usize) {
        let caller = caller.checked_sub(self.spares.first).filter(|_| !self.forked());
        if let Some(number) = caller {
            self.end_wait(&mut lock(&self.spares.spare(number).wait), caller);
        }
    }

    fn relieve_number(&self, number: usize) {
        let index = self.spares.first + number;
        let role = &self.spares.spare(number).role;
        if role.compare_exchange(CALLED, RESTING, SPARE_RELIEVE.get(), SPARE_LOOK.get()).is_ok() {
            let _ = self.sleep.get_up(index, false);
            self.sleep.end_search(|state| self.has_work() || self.others_have_jobs(index, state.idle() + 1));
            self.rests(number);
        } else {
            let wait = &self.spares.spare(number).wait;
            // In one step, as the spare sees it. From the exchange on, the spare may rest and be called by another, and
            // what it then calls is not to be relieved here.
            let below = {
                let mut below = lock(wait);
                if below.waits == 0 {
                    self.sleep.note_leaving();
                }
                role.swap(RELIEVED, SPARE_RELIEVE.get());
                if defect("relief_in_two_steps") {
                    drop(below);
                    self.sleep.nudge(index);
                    (0..1000).for_each(|_| crate::sync::yield_now());
                    below = lock(wait);
                }
                if defect("standins_left") { None } else { below.standin.take() }
            };
            self.sleep.nudge(index);
            if let Some(below) = below {
                self.relieve_number(below);
            }
        }
    }

    /// Whether some queue holds a job that the worker `slot` may run.
    fn has_work_for(&self, slot: usize) -> bool {
        self.has_work() || !self.peers[slot].inbox.is_empty()
    }
}
