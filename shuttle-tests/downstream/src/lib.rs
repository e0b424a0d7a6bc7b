//! A program that uses filch, written so that shuttle can check it: its own atomics and locks are shuttle's.

#![cfg(shuttle)]

use filch::{CountLatch, Pool};
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::sync::{Arc, Mutex};

/// An account that jobs pay into.
#[derive(Default)]
pub struct Account {
    balance: AtomicU64,
    entries: Mutex<Vec<u64>>,
}

impl Account {
    /// Correct: one step.
    pub fn pay(&self, amount: u64) {
        self.balance.fetch_add(amount, Ordering::Relaxed);
        self.entries.lock().expect("no panic").push(amount);
    }

    /// Wrong: another payment between the two steps is lost.
    pub fn pay_carelessly(&self, amount: u64) {
        let before = self.balance.load(Ordering::Relaxed);
        self.balance.store(before + amount, Ordering::Relaxed);
        self.entries.lock().expect("no panic").push(amount);
    }

    /// What was paid in, and in how many payments.
    pub fn total(&self) -> (u64, usize) {
        (self.balance.load(Ordering::Relaxed), self.entries.lock().expect("no panic").len())
    }
}

/// Pays 1 in eight times, once by each kind of job, and waits for the end.
pub fn pay_in(pool: &Pool, account: &Arc<Account>, pay: fn(&Account, u64)) {
    let paid = Arc::new(CountLatch::new(1));
    {
        let (account, paid) = (Arc::clone(account), Arc::clone(&paid));
        let job = move || {
            pay(&account, 1);
            paid.count_down();
        };
        pool.execute(job).expect("an open pool");
    }
    let spawned = {
        let account = Arc::clone(account);
        pool.spawn(move || pay(&account, 1))
    };
    let queue = {
        let account = Arc::clone(account);
        pool.queue().capacity(1).build(move |amount| pay(&account, amount)).expect("a queue")
    };
    queue.submit_all([1, 1]).expect("an open queue");
    pool.join(|| pay(account, 1), || pay(account, 1));
    pool.scope(|scope| {
        scope.spawn(|_| pay(account, 1));
        scope.spawn(|_| pay(account, 1));
    });
    queue.wait();
    spawned.join().expect("a result");
    paid.wait();
}
