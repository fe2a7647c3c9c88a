use std::io;

use rustix::process::{Resource, geteuid, getrlimit, setpriority_process};

/// For what nobody waits for.
const NICE: i32 = 19;

/// What this machine calls itself.
#[must_use]
pub fn name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

/// This process may do what an administrator may.
#[must_use]
pub fn is_privileged() -> bool {
    geteuid().is_root()
}

/// How many descriptors this process may have (`RLIMIT_NOFILE`); `None`: as many as it likes. May change at
/// any time (prlimit(1)).
#[must_use]
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// This thread leaves the processors to others.
///
/// # Errors
/// Those of setpriority(2).
pub fn in_background() -> io::Result<()> {
    let thread = rustix::thread::gettid();
    Ok(setpriority_process(Some(thread), NICE)?)
}
