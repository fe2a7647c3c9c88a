//! The numbers at which programs find the ends of their output are kept free of anything else in this process:
//! else laying out a child's descriptors could close its copy of the home's lock.

#![allow(unsafe_code)]

use std::sync::Once;

use crate::spawn::ENDS;

/// Occupies the numbers with `/dev/null`. To be called as early as possible; later calls do nothing.
pub(crate) fn reserve_read_ends() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: system calls on numbers. A number that is already in use is left alone.
        unsafe {
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
            if null < 0 {
                return;
            }
            for number in ENDS {
                if libc::fcntl(number, libc::F_GETFD) == -1 {
                    libc::dup3(null, number, libc::O_CLOEXEC);
                }
            }
            libc::close(null);
        }
    });
}
