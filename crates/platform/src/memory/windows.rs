#![allow(unsafe_code)]

use windows_sys::Win32::System::Memory::{GetProcessHeap, HeapCompact};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, SetProcessWorkingSetSize};

/// Nothing has to be told to this system's heap.
pub fn configure() {}

/// Gives back what is not in use.
pub fn release() {
    // SAFETY: the heap is that of this process, the handle a constant that means this process; with these sizes
    // its pages are only taken from it until they are used.
    unsafe {
        HeapCompact(GetProcessHeap(), 0);
        SetProcessWorkingSetSize(GetCurrentProcess(), usize::MAX, usize::MAX);
    }
}

/// What a stack has used goes with [`release`].
pub fn release_stack() {}
