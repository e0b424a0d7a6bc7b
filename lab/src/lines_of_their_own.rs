//! An allocator that gives each allocation cache lines of its own.
//!
//! Which words share a line decides what they cost. With the system's allocator that would depend on what the process has
//! allocated before, down to the length of its arguments, and the same seed would not give the same run.

use std::alloc::{GlobalAlloc, Layout, System};

struct LinesOfTheirOwn;

#[global_allocator]
static ALLOCATOR: LinesOfTheirOwn = LinesOfTheirOwn;

const LINE: usize = 64;

fn whole_lines(layout: Layout) -> Layout {
    layout.align_to(LINE).map_or(layout, |layout| layout.pad_to_align())
}

// SAFETY: all calls go to the system's allocator, with a layout that depends on nothing but the given one, and that is as
// large and as aligned at least.
unsafe impl GlobalAlloc for LinesOfTheirOwn {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not 0 by the caller's promise, and padding does not make it so.
        unsafe { System.alloc(whole_lines(layout)) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise `alloc` gave the place for this layout, and so for this one of whole lines.
        unsafe { System.dealloc(place, whole_lines(layout)) }
    }
}
