//! Windows' CPU sets: the cores that a process prefers, beside the mask that it must not leave. A thread that is bound
//! by a mask does not heed them. So a pool that binds its threads has to.
//!
//! The calls are from Windows 10 and not in every Wine, so they are looked up by name.

use std::ffi::{CStr, c_void};
use std::ptr;

/// How many cores a processor group has at most.
pub(super) const GROUP: usize = usize::BITS as usize;

pub(super) type Handle = *mut c_void;

/// `SYSTEM_CPU_SET_INFORMATION`, as far as it is of use. The system says how long each is.
#[repr(C)]
#[derive(Clone, Copy)]
struct Information {
    size: u32,
    kind: u32,
    id: u32,
    group: u16,
    place: u8,
}

type GetDefaultSets = unsafe extern "system" fn(Handle, *mut u32, u32, *mut u32) -> i32;
type GetInformation = unsafe extern "system" fn(*mut c_void, u32, *mut u32, Handle, u32) -> i32;

#[link(name = "kernel32")]
unsafe extern "system" {
    // No preconditions.
    safe fn GetCurrentProcess() -> Handle;
    fn GetModuleHandleA(name: *const i8) -> Handle;
    fn GetProcAddress(module: Handle, name: *const i8) -> Handle;
}

/// Returns the cores of the process's default CPU sets, ascending. Empty if it has none, or if the system has no such
/// call.
pub(super) fn preferred() -> Vec<usize> {
    match default_sets() {
        Some(ids) if !ids.is_empty() => ids_to_cores(&ids, &information().unwrap_or_default()),
        _ => Vec::new(),
    }
}

/// Returns the address of a function of kernel32, or null.
fn lookup(name: &CStr) -> Handle {
    // SAFETY: the name ends in a zero. Every process has this module, and keeps it.
    let module = unsafe { GetModuleHandleA(c"kernel32.dll".as_ptr().cast()) };
    // SAFETY: the name ends in a zero; a null module is the program itself, which has no such function.
    unsafe { GetProcAddress(module, name.as_ptr().cast()) }
}

fn default_sets() -> Option<Vec<u32>> {
    let address = lookup(c"GetProcessDefaultCpuSets");
    if address.is_null() {
        return None;
    }
    // SAFETY: this is the type of the function with this name.
    let call = unsafe { std::mem::transmute::<Handle, GetDefaultSets>(address) };
    let mut ids = vec![0; 4096];
    let mut count = 0;
    let process = GetCurrentProcess();
    // SAFETY: the handle is this process's, the array has room for as many numbers as it says, and the last place is
    // valid for a write.
    let done = unsafe { call(process, ids.as_mut_ptr(), ids.len() as u32, &raw mut count) };
    ids.truncate(count as usize);
    (done != 0).then_some(ids)
}

fn information() -> Option<Vec<u8>> {
    let address = lookup(c"GetSystemCpuSetInformation");
    if address.is_null() {
        return None;
    }
    // SAFETY: this is the type of the function with this name.
    let call = unsafe { std::mem::transmute::<Handle, GetInformation>(address) };
    let mut length = 0;
    // SAFETY: a buffer of no length is not written to; the place of the length is valid for a write.
    unsafe { call(ptr::null_mut(), 0, &raw mut length, ptr::null_mut(), 0) };
    // Words, because the records hold some.
    let mut buffer = vec![0_u64; (length as usize).div_ceil(size_of::<u64>())];
    // SAFETY: the buffer has the length that is given, and the place of the length is valid for a write.
    let done = unsafe { call(buffer.as_mut_ptr().cast(), length, &raw mut length, ptr::null_mut(), 0) };
    let bytes: Vec<u8> = buffer.into_iter().flat_map(u64::to_ne_bytes).take(length as usize).collect();
    (done != 0).then_some(bytes)
}

/// Returns the cores of the sets `ids`, ascending, by the system's list of sets.
fn ids_to_cores(ids: &[u32], mut list: &[u8]) -> Vec<usize> {
    let mut cores = Vec::new();
    while list.len() >= size_of::<Information>() {
        // SAFETY: the list holds as many bytes, any bytes make a value, and the read asks for no alignment.
        let set = unsafe { list.as_ptr().cast::<Information>().read_unaligned() };
        // A 32-bit program sees no cores beyond its groups' size.
        if ids.contains(&set.id) && usize::from(set.place) < GROUP {
            cores.push(usize::from(set.group) * GROUP + usize::from(set.place));
        }
        let Some(rest) = list.get((set.size as usize).max(size_of::<Information>())..) else { break };
        list = rest;
    }
    cores.sort_unstable();
    cores.dedup();
    cores
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A set as Windows lists it: 32 bytes.
    fn set(id: u32, group: u16, place: u8) -> Vec<u8> {
        let mut bytes = [32_u32, 0, id].map(u32::to_le_bytes).concat();
        bytes.extend(group.to_le_bytes());
        bytes.push(place);
        bytes.resize(32, 0);
        bytes
    }

    #[test]
    fn sets_are_cores_of_their_groups() {
        let list = [set(0x100, 0, 0), set(0x101, 0, 1), set(0x140, 1, 3)].concat();
        assert_eq!(ids_to_cores(&[0x140, 0x101], &list), [1, GROUP + 3]);
        assert_eq!(ids_to_cores(&[7], &list), []);
        assert_eq!(ids_to_cores(&[0x100], &list[..40]), [0]);
    }

    #[test]
    fn a_process_without_sets_prefers_none() {
        assert_eq!(preferred(), []);
    }
}
