//! Asks the system to back large memory with large pages.
//!
//! Memory that is new to the process is mapped page by page as it is touched. Each page of 4 KiB costs an interrupt
//! of a microsecond and more; a page of 2 MiB costs one, and the time to clear it.

/// The size of a large page on most machines, in bytes.
#[cfg(target_os = "linux")]
const SIZE: usize = 2 << 20;

/// Asks for large pages behind `memory`, where whole ones fit. The system may refuse; contents do not change. Costs one
/// system call, or nothing if no large page fits.
#[cfg(target_os = "linux")]
pub(crate) fn prefer<T: ?Sized>(memory: &T) {
    let start = std::ptr::from_ref(memory).cast::<u8>();
    let before = start.align_offset(SIZE);
    let whole = size_of_val(memory).saturating_sub(before) / SIZE * SIZE;
    if whole > 0 {
        // SAFETY: the range lies in `memory`, which is allocated. This advice changes how the system backs the range,
        // and no contents.
        let _ =
            unsafe { libc::madvise(start.wrapping_add(before).cast_mut().cast(), whole, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn prefer<T: ?Sized>(_: &T) {}

#[cfg(all(test, target_os = "linux", not(any(loom, shuttle))))]
mod tests {
    use super::{SIZE, prefer};
    use std::fs;
    use std::path::Path;

    /// The flags of the mapping that has the address `at`, as the kernel lists them.
    fn flags(at: usize) -> String {
        let mappings = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut here = false;
        for line in mappings.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let end = |end: &str| usize::from_str_radix(end, 16).ok();
            if let Some((first, last)) = range.and_then(|(first, last)| Some((end(first)?, end(last)?))) {
                here = (first..last).contains(&at);
            } else if here && let Some(flags) = line.strip_prefix("VmFlags: ") {
                return flags.to_owned();
            }
        }
        panic!("no mapping has {at:#x}")
    }

    #[test]
    fn only_whole_pages_of_the_memory_are_asked_for() {
        if !Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            return;
        }
        // Not from the allocator, whose memory may have been asked for by another test.
        let (read_write, private) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, at a place that the system chooses.
        let mapped = unsafe { libc::mmap(std::ptr::null_mut(), 4 * SIZE, read_write, private, -1, 0) };
        assert_ne!(mapped, libc::MAP_FAILED);
        // SAFETY: the mapping is there, zeroed, and nobody else has it.
        let memory = unsafe { std::slice::from_raw_parts(mapped.cast::<u8>(), 4 * SIZE) };
        let start = memory.as_ptr().addr();
        let whole = start.next_multiple_of(SIZE);
        prefer(&memory[..whole - start + SIZE - 1]);
        assert!(!flags(whole).contains("hg"));
        prefer(&memory[..whole - start + SIZE]);
        assert!(flags(whole).contains("hg"));
        assert!(!flags(whole + SIZE).contains("hg"));
    }
}
