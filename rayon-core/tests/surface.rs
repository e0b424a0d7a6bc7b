//! The surface: signatures, bounds, auto traits, what is printed, what errors say.
#![allow(deprecated)]
#![allow(clippy::type_complexity)]

mod common;

use std::cell::Cell;
use std::error::Error;
use std::fmt::Debug;
use std::io;

use common::pool;
use rayon_core::*;

macro_rules! is {
    ($($type:ty: $($bound:ident)+;)+) => {
        $(const _: () = {
            const fn check<T: ?Sized $(+ $bound)+>() {}
            check::<$type>();
        };)+
    };
}

/// Checks at compile time that a type lacks a trait. If the type had it, two implementations would apply, and the
/// compiler could not choose.
macro_rules! is_not {
    ($($type:ty: $($bound:ident)+;)+) => {
        $($(const _: fn() = || {
            trait OneOf<Which> {
                fn choose() {}
            }
            struct Has;
            impl<T: ?Sized> OneOf<()> for T {}
            impl<T: ?Sized + $bound> OneOf<Has> for T {}
            <$type as OneOf<_>>::choose();
        };)+)+
    };
}

use std::panic::{RefUnwindSafe, UnwindSafe};

is! {
    ThreadPool: Send Sync Unpin Debug;
    ThreadPoolBuilder: Unpin Debug Default;
    ThreadPoolBuildError: Send Sync Unpin Debug Error;
    ThreadBuilder: Send Unpin Debug;
    Configuration: Unpin Debug Default;
    Scope<'static>: Send Sync Debug;
    ScopeFifo<'static>: Send Sync Debug;
    FnContext: Unpin Debug UnwindSafe RefUnwindSafe;
    BroadcastContext<'static>: Unpin Debug;
    Yield: Send Sync Unpin Debug Copy Eq UnwindSafe RefUnwindSafe;
}

is_not! {
    ThreadPool: UnwindSafe RefUnwindSafe Clone;
    ThreadPoolBuilder: Send Sync UnwindSafe RefUnwindSafe Clone;
    ThreadPoolBuildError: UnwindSafe RefUnwindSafe Clone;
    ThreadBuilder: Sync UnwindSafe RefUnwindSafe Clone;
    Configuration: Send Sync Clone;
    Scope<'static>: UnwindSafe RefUnwindSafe Clone;
    FnContext: Send Sync Clone;
    BroadcastContext<'static>: Send Sync Clone;
    Yield: Default;
}

#[test]
fn functions_have_the_same_types() {
    type Two = (u8, i8);
    let _: fn(fn() -> u8, fn() -> i8) -> Two = join;
    let _: fn(fn(FnContext) -> u8, fn(FnContext) -> i8) -> Two = join_context;
    let _: fn(for<'a> fn(&'a Scope<'static>) -> u8) -> u8 = scope;
    let _: fn(for<'a> fn(&'a ScopeFifo<'static>) -> u8) -> u8 = scope_fifo;
    let _: fn(fn()) = spawn;
    let _: fn(fn()) = spawn_fifo;
    let _: fn(for<'a> fn(BroadcastContext<'a>) -> u8) -> Vec<u8> = broadcast;
    let _: fn(for<'a> fn(BroadcastContext<'a>)) = spawn_broadcast;
    let _: [fn() -> Option<Yield>; 2] = [yield_now, yield_local];
    let _: [fn() -> usize; 2] = [current_num_threads, max_num_threads];
    let _: fn() -> Option<usize> = current_thread_index;
    let _: fn() -> Option<bool> = current_thread_has_pending_tasks;
    let _: fn(Configuration) -> Result<(), Box<dyn Error>> = initialize;
    let _: fn(Configuration) -> Result<ThreadPool, Box<dyn Error>> = ThreadPool::new;
    let _: fn(&ThreadPool) -> Option<usize> = ThreadPool::current_thread_index;
    let _: fn(&ThreadPool) -> Option<bool> = ThreadPool::current_thread_has_pending_tasks;
    let _: fn(&ThreadPool) -> usize = ThreadPool::current_num_threads;
    let _: [fn(&ThreadPool) -> Option<Yield>; 2] = [ThreadPool::yield_now, ThreadPool::yield_local];
    let _: fn(ThreadBuilder) = ThreadBuilder::run;
    let _: for<'a> fn(&'a ThreadBuilder) -> Option<&'a str> = ThreadBuilder::name;
}

#[test]
fn what_an_in_place_scope_runs_need_not_be_send() {
    let here = Cell::new(0);
    let pool = pool(1);
    in_place_scope(|_| here.set(here.get() + 1));
    in_place_scope_fifo(|_| here.set(here.get() + 1));
    pool.in_place_scope(|_| here.set(here.get() + 1));
    pool.in_place_scope_fifo(|_| here.set(here.get() + 1));
    assert_eq!(here.get(), 4);
}

#[test]
fn builders_print_what_they_were_given() {
    assert_eq!(
        format!("{:?}", ThreadPoolBuilder::new()),
        "ThreadPoolBuilder { num_threads: 0, use_current_thread: false, get_thread_name: None, panic_handler: None, \
         stack_size: None, start_handler: None, exit_handler: None, breadth_first: false }"
    );
    let all = Configuration::new()
        .num_threads(3)
        .thread_name(|index| index.to_string())
        .panic_handler(drop)
        .stack_size(1 << 20)
        .start_handler(|_| ())
        .exit_handler(|_| ())
        .breadth_first();
    assert_eq!(
        format!("{all:?}"),
        "ThreadPoolBuilder { num_threads: 3, use_current_thread: false, get_thread_name: Some(<closure>), \
         panic_handler: Some(<closure>), stack_size: Some(1048576), start_handler: Some(<closure>), \
         exit_handler: Some(<closure>), breadth_first: true }"
    );
    let other = ThreadPoolBuilder::new().use_current_thread().spawn_handler(|thread: ThreadBuilder| {
        thread.run();
        Ok(())
    });
    assert!(format!("{other:?}").starts_with("ThreadPoolBuilder { num_threads: 0, use_current_thread: true,"));
}

/// Returns `text` with each number replaced by `#`.
fn without_numbers(text: String) -> String {
    text.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
}

#[test]
fn pools_and_threads_are_told_apart_in_print() {
    let mut threads = Vec::new();
    let pool = ThreadPoolBuilder::new()
        .num_threads(2)
        .stack_size(1 << 20)
        .thread_name(|index| format!("thread {}", ["zero", "one"][index]))
        .spawn_handler(|thread| {
            threads.push(format!("{thread:?}"));
            std::thread::spawn(|| thread.run());
            Ok(())
        })
        .build()
        .unwrap();
    let printed = format!("{pool:?}");
    assert_eq!(without_numbers(printed.clone()), "ThreadPool { num_threads: #, id: RegistryId { addr: # } }");
    let id = &printed[printed.find("RegistryId").unwrap()..printed.len() - 2];
    let expected = |index: usize, name: &str| {
        format!(
            "ThreadBuilder {{ pool: {id}, index: {index}, name: Some({name:?}), stack_size: Some(1048576) }}"
        )
    };
    assert_eq!(threads, [expected(0, "thread zero"), expected(1, "thread one")]);
    assert_ne!(printed, format!("{:?}", common::pool(2)), "another pool has another number");
}

#[test]
fn small_things_print() {
    assert_eq!(format!("{:?} {:?}", Yield::Executed, Yield::Idle), "Executed Idle");
    let printed = pool(1).install(|| join_context(|context| format!("{context:?}"), |_| ()).0);
    assert!(printed.starts_with("FnContext { migrated: false"), "{printed}");
    let printed = pool(3).broadcast(|context| format!("{context:?}"));
    assert!(printed[2].starts_with("BroadcastContext { index: 2, num_threads: 3"), "{printed:?}");
    assert!(scope(|scope| format!("{scope:?}")).starts_with("Scope {"));
    assert!(scope_fifo(|scope| format!("{scope:?}")).starts_with("ScopeFifo {"));
}

#[test]
fn errors_say_what_rayons_say() {
    current_num_threads(); // there is a global pool now
    let global = ThreadPoolBuilder::new().build_global().unwrap_err();
    assert_eq!(global.to_string(), "The global thread pool has already been initialized.");
    assert_eq!(global.description(), global.to_string());
    assert_eq!(format!("{global:?}"), "ThreadPoolBuildError { kind: GlobalPoolAlreadyInitialized }");
    assert!(global.source().is_none());
    assert_eq!(initialize(Configuration::new()).unwrap_err().to_string(), global.to_string());

    let twice = pool(1).install(|| {
        let error = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap_err();
        (error.to_string(), format!("{error:?}"), error.source().is_none())
    });
    assert_eq!(twice.0, "The current thread is already part of another thread pool.");
    assert_eq!(
        (twice.1.as_str(), twice.2),
        ("ThreadPoolBuildError { kind: CurrentThreadAlreadyInPool }", true)
    );

    let refused = ThreadPoolBuilder::new()
        .num_threads(2)
        .spawn_handler(|_| Err(io::Error::other("no more threads")))
        .build()
        .unwrap_err();
    assert_eq!(refused.to_string(), "no more threads");
    assert!(format!("{refused:?}").starts_with("ThreadPoolBuildError { kind: IOError("), "{refused:?}");
    assert_eq!(refused.source().unwrap().downcast_ref::<io::Error>().unwrap().to_string(), "no more threads");
}

#[test]
fn the_most_threads_are_what_a_pool_is_cut_down_to() {
    assert!(max_num_threads() >= 1 << 8);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let pool = ThreadPoolBuilder::new().num_threads(usize::MAX).spawn_handler(|_| {
        // A few threads show that the builder went by the cut-down number. The error then ends the build.
        match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            3 => Err(io::Error::other("enough")),
            _ => Ok(()),
        }
    });
    assert_eq!(pool.build().unwrap_err().to_string(), "enough");
}
