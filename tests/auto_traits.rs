//! Which public types may go to, and be shared between, threads: checked when this file is compiled. A missing bound
//! is as much of a defect as a missing implementation, so the types that must *not* be `Send` or `Sync` are checked
//! too.

use std::cell::Cell;
use std::rc::Rc;

use filch::*;

/// `Send`, but not `Sync`.
type Lone = Cell<u8>;
/// Neither `Send` nor `Sync`.
type Local = Rc<u8>;

macro_rules! is {
    ($($type:ty: $($bound:ident)+;)+) => {
        $(const _: () = {
            const fn check<T: ?Sized $(+ $bound)+>() {}
            check::<$type>();
        };)+
    };
}

/// Does not compile if the type has the trait: two implementations apply then, and the compiler cannot choose.
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

is! {
    Pool: Send Sync Unpin;
    PoolBuilder: Send Sync Unpin;
    Placement: Send Sync Unpin;
    WorkerThread: Send Unpin;
    Shutdown: Send Sync Unpin;
    WorkerReport: Send Sync Unpin;
    Stats: Send Sync Unpin;
    WorkerStats: Send Sync Unpin;
    CountLatch: Send Sync Unpin;
    CountWait<'static>: Send Sync Unpin;

    // An error fits into `Box<dyn Error + Send + Sync>` if its contents do.
    BuildError: Send Sync Unpin;
    ShutdownError: Send Sync Unpin;
    ClosedReason: Send Sync Unpin;
    JoinError: Send Unpin;
    Closed<u8>: Send Sync Unpin;
    Closed<Lone>: Send;
    SubmitError<u8>: Send Sync Unpin;
    SubmitError<Lone>: Send;

    // A handle passes a result on and a queue passes jobs on: results and jobs are sent, and never shared.
    JoinHandle<u8>: Send Sync Unpin;
    JoinHandle<Lone>: Send Sync Unpin;
    JoinHandle<std::marker::PhantomPinned>: Unpin;
    Queue<u8>: Send Sync Unpin;
    WeakQueue<u8>: Send Sync Unpin;
    Queue<Lone>: Send Sync Unpin;
    WeakQueue<Lone>: Send Sync Unpin;
    Queue<std::marker::PhantomPinned>: Unpin;
    WeakQueue<std::marker::PhantomPinned>: Unpin;
    QueueBuilder<'static>: Send Sync Unpin;
    StatefulQueueBuilder<'static, fn(usize) -> Local, Local>: Send Sync Unpin;
    QueueCounts: Send Sync Unpin;
    PanicAt<'static>: Send Sync Unpin;
}

is_not! {
    Closed<Local>: Send Sync;
    Closed<Lone>: Sync;
    SubmitError<Local>: Send Sync;
    SubmitError<Lone>: Sync;
    JoinHandle<Local>: Send Sync;
    Queue<Local>: Send Sync;
    WeakQueue<Local>: Send Sync;
    StatefulQueueBuilder<'static, Local, u8>: Send Sync;
    StatefulQueueBuilder<'static, Lone, u8>: Sync;
    // A worker's end of its deque belongs to the worker's thread alone.
    WorkerThread: Sync;
}
