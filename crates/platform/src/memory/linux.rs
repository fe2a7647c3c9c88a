//! glibc's allocator set up for a small process, and pages that can be read again.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};

/// Blocks from this size on are mapped by themselves, and gone when they are freed. Said so that it
/// stays: by itself glibc raises it with every such block that is freed, up to 32 MiB.
const MAPPED: c_int = 128 << 10;
/// So much free memory at the heap's end is kept for what comes next.
const SPARE: c_int = 128 << 10;

/// Sets the allocator up; to be called before there is a second thread.
///
/// One arena: by default glibc gives each thread its own (64 MiB of addresses, and pages that only this
/// thread's next allocation finds again), which serves programs that allocate on many cores at once.
/// Here one thread works and the others wait.
pub fn configure() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_THRESHOLD, MAPPED),
        (libc::M_TRIM_THRESHOLD, SPARE),
    ] {
        // SAFETY: takes two numbers. One that it does not know is refused, and nothing changes.
        unsafe { libc::mallopt(parameter, value) };
    }
}

/// Gives back what can be had again: free pages of the heap, and pages of programs and libraries that
/// are as they are in their files.
///
/// The second costs a minor fault for each 64 KiB that is needed again: the pages stay in the kernel's
/// cache of files, like those of any program that is not running. Where memory is short the kernel takes
/// them anyway; this says earlier that nobody needs them.
pub fn release() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number and touches only what the allocator has free.
    unsafe {
        libc::malloc_trim(0)
    };
    // SAFETY: the callback has the type that is asked for, takes no data, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(release_object), std::ptr::null_mut()) };
}

/// Lets go of the read-only segments of one program or library.
unsafe extern "C" fn release_object(
    object: *mut libc::dl_phdr_info,
    _size: usize,
    _data: *mut c_void,
) -> c_int {
    // SAFETY: dl_iterate_phdr(3) hands over a valid object for the time of the call.
    let object = unsafe { &*object };
    // SAFETY: a name is never null there, and ends with a zero.
    let name = unsafe { CStr::from_ptr(object.dlpi_name) };
    // The kernel's own pages are nobody's file.
    if name.to_bytes().starts_with(b"linux-vdso") || object.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: `dlpi_phnum` headers are at `dlpi_phdr`, as long as the object is loaded.
    let headers =
        unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    for header in headers {
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let (Ok(start), Ok(length)) = (
            usize::try_from(object.dlpi_addr + header.p_vaddr),
            usize::try_from(header.p_memsz),
        ) else {
            continue;
        };
        let page = rustix::param::page_size();
        let first = start & !(page - 1);
        // SAFETY: a segment that may not be written to holds what is in its file, and is read from there
        // when it is touched again; so no value changes. Where it is not mapped like that, the kernel
        // refuses or the pages are read again: neither does harm.
        unsafe {
            libc::madvise(
                first as *mut c_void,
                start + length - first,
                libc::MADV_DONTNEED,
            )
        };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_released_is_there_again_when_it_is_needed() {
        let text = String::from("a heap block");
        configure();
        for _ in 0..3 {
            release();
            assert_eq!(format!("{text} and {}", 7), "a heap block and 7");
            assert!(std::panic::catch_unwind(release).is_ok());
        }
    }
}
