//! A pool goes by what the process may use when the pool is built, whatever thread builds it.

#![cfg(target_os = "linux")]

mod common;

use common::cores::{bind, bind_process, cores};
use common::{LIMIT, passes_in_child, within};
use filch::{Placement, Pool};

#[test]
fn the_first_pool_is_built_in_a_bound_thread() {
    passes_in_child("the_first_pool_is_built_in_a_bound_thread", "", || {
        let all = cores();
        let first = all[0];
        std::thread::spawn(move || {
            bind(0, &[first]);
            let pool = Pool::new().unwrap();
            assert_eq!(pool.install(|| 1), 1);
        })
        .join()
        .unwrap();
        let expected = std::thread::available_parallelism().unwrap().get();
        assert_eq!(Pool::new().unwrap().workers(), expected);
        assert_eq!(Pool::builder().placement(Placement::Unpinned).build().unwrap().workers(), expected);
        let listed = Pool::builder().placement(Placement::List(all.clone())).build().unwrap();
        assert_eq!(listed.workers(), all.len());
        // A worker is bound to one core. A pool that a job builds still counts all cores of the process.
        assert_eq!(listed.install(|| Pool::new().unwrap().workers()), expected);
    });
}

#[test]
fn it_follows_what_has_changed() {
    passes_in_child("it_follows_what_has_changed", "", || {
        let all = cores();
        assert_eq!(
            Pool::builder().placement(Placement::List(all.clone())).build().unwrap().workers(),
            all.len()
        );
        bind_process(&all[..1]);
        assert_eq!(Pool::new().unwrap().workers(), 1);
        if let Some(&other) = all.get(1) {
            let refused = Pool::builder().placement(Placement::List(vec![other])).build();
            assert!(refused.is_err_and(|error| error.to_string().contains(&format!("core {other} was given"))));
        }
        bind_process(&all);
        let back = Pool::builder().placement(Placement::List(all.clone())).build().unwrap();
        assert_eq!(back.workers(), all.len());
        assert_eq!(Pool::new().unwrap().workers(), std::thread::available_parallelism().unwrap().get());
    });
}

#[test]
fn a_long_name_keeps_its_number() {
    within(LIMIT, || {
        let shown = |pool: &Pool| {
            let comm = |_| std::fs::read_to_string("/proc/thread-self/comm").unwrap().trim_end().to_owned();
            pool.broadcast(comm)
        };
        let names = |name: &str| shown(&Pool::builder().workers(2).name(name).build().unwrap());
        assert_eq!(names("unified-read-pool"), ["unified-read--0", "unified-read--1"]);
        assert_eq!(names("short"), ["short-0", "short-1"]);
        assert_eq!(names("exactly-13-by"), ["exactly-13-by-0", "exactly-13-by-1"]);
        assert_eq!(names("äöüäöüäöüäöü"), ["äöüäöü-0", "äöüäöü-1"]);
        // std keeps the whole name.
        let pool = Pool::builder().workers(1).name("unified-read-pool").build().unwrap();
        let name = pool.install(|| std::thread::current().name().map(str::to_owned));
        assert_eq!(name.as_deref(), Some("unified-read-pool-0"));
    });
}
