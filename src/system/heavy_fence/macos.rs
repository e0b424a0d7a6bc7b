//! macOS, with the cargo feature `mach-fence`: the registers of each thread of the process, which the kernel can only
//! read when the thread has passed a fence. (.NET's runtime does the same.)
//!
//! The call asks for each thread in turn, so its price grows with the number of threads. Nobody has run this file.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::State;

type Port = u32;
type Code = i32;

const SUCCESS: Code = 0;
/// The thread has ended since the kernel listed it, and so has made all its accesses.
const INVALID_ARGUMENT: Code = 4;
const TERMINATED: Code = 37;
/// The same, where the thread's port is gone as well.
const INVALID_DESTINATION: Code = 0x1000_0003;
/// The registers were read, and there are more than there is room for.
const INSUFFICIENT_BUFFER_SIZE: Code = 52;

/// How many registers there is room for.
const REGISTERS: usize = 128;

unsafe extern "C" {
    static mach_task_self_: Port;
    fn task_threads(task: Port, threads: *mut *mut Port, count: *mut u32) -> Code;
    fn thread_get_register_pointer_values(
        thread: Port,
        stack_pointer: *mut usize,
        count: *mut usize,
        values: *mut usize,
    ) -> Code;
    fn mach_port_deallocate(task: Port, name: Port) -> Code;
    fn vm_deallocate(task: Port, address: usize, size: usize) -> Code;
}

/// What is known of the calls.
static STATE: AtomicU32 = AtomicU32::new(UNASKED);
const UNASKED: u32 = 0;
const REFUSED: u32 = 1;
const AVAILABLE: u32 = 2;

pub(super) fn prepare() {
    if STATE.load(Ordering::Relaxed) == UNASKED {
        STATE.store(if pass_through_all_threads() { AVAILABLE } else { REFUSED }, Ordering::Relaxed);
    }
}

pub(super) fn state() -> State {
    match STATE.load(Ordering::Relaxed) {
        AVAILABLE => State::Available,
        _ => State::Missing,
    }
}

pub(super) fn run() -> bool {
    let fenced = pass_through_all_threads();
    if !fenced {
        STATE.store(REFUSED, Ordering::Relaxed);
    }
    fenced
}

fn pass_through_all_threads() -> bool {
    // SAFETY: the system sets this static before the program starts, and again only in a forked child.
    let task = unsafe { mach_task_self_ };
    let (mut threads, mut count) = (ptr::null_mut(), 0);
    // SAFETY: both places are valid for a write. The kernel allocates the list.
    if unsafe { task_threads(task, &raw mut threads, &raw mut count) } != SUCCESS {
        return false;
    }
    let mut fenced = true;
    for index in 0..count as usize {
        // SAFETY: the kernel has listed `count` ports.
        let thread = unsafe { threads.add(index) };
        // SAFETY: as above.
        let thread = unsafe { thread.read() };
        fenced &= passes(thread);
        // SAFETY: the list holds a reference to the port, which nobody uses any more. A failure leaks it.
        unsafe { mach_port_deallocate(task, thread) };
    }
    // SAFETY: the list came from the kernel with this size, and nobody uses it any more.
    unsafe { vm_deallocate(task, threads.addr(), count as usize * size_of::<Port>()) };
    fenced
}

/// Reads the registers of a thread.
fn passes(thread: Port) -> bool {
    let (mut stack_pointer, mut length, mut values) = (0, REGISTERS, [0; REGISTERS]);
    // SAFETY: the places are valid for a write, the last one for `length` values.
    let code = unsafe {
        thread_get_register_pointer_values(thread, &raw mut stack_pointer, &raw mut length, values.as_mut_ptr())
    };
    matches!(code, SUCCESS | INVALID_ARGUMENT | TERMINATED | INVALID_DESTINATION | INSUFFICIENT_BUFFER_SIZE)
}
