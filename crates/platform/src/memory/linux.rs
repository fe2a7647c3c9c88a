//! glibc's allocator set up for a small process, and pages that can be read again.
#![allow(unsafe_code)]

mod dense;

use dense::Dense;

use std::ffi::{CStr, c_int, c_void};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Blocks from this size on are mapped by themselves, and gone when they are freed. Said so that it
/// stays: by itself glibc raises it with every such block that is freed, up to 32 MiB.
#[cfg(target_env = "gnu")]
const MAPPED: c_int = 128 << 10;
/// So much free memory at the heap's end is kept for what comes next.
#[cfg(target_env = "gnu")]
const SPARE: c_int = 128 << 10;

/// Of every program that this crate is part of.
#[global_allocator]
static ALLOCATOR: Dense = Dense::new();

/// What the call that gives a stack back may use of it.
const BELOW: usize = 1024;

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

/// Gives back what can be had again: free pages of the heap, pages of programs and libraries that are as
/// they are in their files, and what the calling thread has used of its stack and does not any more.
///
/// The second costs a minor fault for each 64 KiB that is needed again: the pages stay in the kernel's
/// cache of files, like those of any program that is not running. Where memory is short the kernel takes
/// them anyway; this says earlier that nobody needs them. Whatever runs next brings its pages back, so it
/// is of most use right before the last thread that works goes to sleep.
pub fn release() {
    release_stack();
    ALLOCATOR.release();
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number and touches only what the allocator has free.
    unsafe {
        libc::malloc_trim(0)
    };
    let pages = File::open("/proc/self/pagemap").ok();
    // SAFETY: the callback has the type that is asked for and does not unwind; its data is a file that
    // lives until the call returns.
    unsafe {
        libc::dl_iterate_phdr(
            Some(release_object),
            std::ptr::from_ref(&pages).cast_mut().cast(),
        )
    };
}

/// Gives back what the calling thread has used of its stack and does not any more.
pub fn release_stack() {
    let mut low = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: pthread_getattr_np(3) fills `attributes` for the calling thread, which is then read and
    // destroyed; plain zeroes are a valid value to be overwritten.
    let known = unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return;
        }
        let known = libc::pthread_attr_getstack(&raw const attributes, &raw mut low, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        known
    };
    let here = (&raw const low).addr();
    let low = low.addr();
    // Below this function's frame there is room for that of the call.
    let end = here.saturating_sub(BELOW) & !(rustix::param::page_size() - 1);
    if known == 0 && (low..low + size).contains(&end) {
        // SAFETY: what lies below the frame of the last function that is being called belongs to nobody;
        // it reads as zeroes when it is used again. Parts that were never mapped are skipped.
        unsafe { libc::madvise(low as *mut c_void, end - low, libc::MADV_DONTNEED) };
    }
}

/// Lets go of one program's or library's pages that are as they are in its file.
unsafe extern "C" fn release_object(
    object: *mut libc::dl_phdr_info,
    _size: usize,
    pages: *mut c_void,
) -> c_int {
    // SAFETY: dl_iterate_phdr(3) hands over a valid object for the time of the call.
    let object = unsafe { &*object };
    // SAFETY: `release` hands over this, and keeps it meanwhile.
    let pages = unsafe { &*pages.cast_const().cast::<Option<File>>() };
    // SAFETY: a name is never null there, and ends with a zero.
    let name = unsafe { CStr::from_ptr(object.dlpi_name) };
    // The kernel's own pages are nobody's file.
    if name.to_bytes().starts_with(b"linux-vdso") || object.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: `dlpi_phnum` headers are at `dlpi_phdr`, as long as the object is loaded.
    let headers =
        unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    let page = rustix::param::page_size();
    for header in headers {
        let (Ok(start), Ok(length)) = (
            usize::try_from(object.dlpi_addr + header.p_vaddr),
            usize::try_from(header.p_memsz),
        ) else {
            continue;
        };
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0 {
            let first = start & !(page - 1);
            // SAFETY: a segment that may not be written to holds what is in its file.
            unsafe { release_pages(first, start + length - first) };
        } else if header.p_type == libc::PT_GNU_RELRO
            && let Some(pages) = pages
        {
            // Only whole pages are sealed.
            let first = start.next_multiple_of(page);
            for at in (first..start + length).step_by(page) {
                if at + page <= start + length && is_of_file(pages, at, page) {
                    // SAFETY: nobody has written to it, and since the program was linked nobody may.
                    unsafe { release_pages(at, page) };
                }
            }
        }
    }
    0
}

/// Lets go of pages that hold what is in their file.
///
/// # Safety
/// They do, and nobody writes to them meanwhile.
unsafe fn release_pages(start: usize, length: usize) {
    // SAFETY: the pages are read from their file when they are touched again; so no value changes. Where
    // they are not mapped like that, the kernel refuses or they are read again: neither does harm.
    unsafe { libc::madvise(start as *mut c_void, length, libc::MADV_DONTNEED) };
}

/// Whether the page is there and is its file's: `Documentation/admin-guide/mm/pagemap.rst` in Linux.
fn is_of_file(pages: &File, at: usize, page: usize) -> bool {
    const PRESENT_IN_FILE: u64 = 1 << 63 | 1 << 61;
    let mut word = [0; size_of::<u64>()];
    let offset = at / page * size_of::<u64>();
    pages
        .read_exact_at(&mut word, offset as u64)
        .is_ok_and(|()| u64::from_ne_bytes(word) & PRESENT_IN_FILE == PRESENT_IN_FILE)
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
            release_stack();
            assert_eq!(format!("{text} and {}", 7), "a heap block and 7");
            assert!(std::panic::catch_unwind(release).is_ok());
        }
    }
}
