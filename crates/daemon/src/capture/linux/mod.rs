//! By epoll, and by splice(2) through stage pipes.

mod budget;
mod stage;
mod stream;
mod waits;

pub use budget::{Budget, open_segments};
pub use stage::Keeper;
#[cfg(test)]
pub use stage::Stage;
pub use stream::{Sink, Stream};
pub use waits::{Call, Waits};

use abide_platform::pipe;

/// Nice value of the threads that compress; their disk accesses come last too (ioprio_set(2)).
const NICE: i32 = 19;

/// What this process has to do before it writes anything.
pub fn prepare() {
    pipe::ignore_file_size_signal();
}

/// This thread comes behind everything else.
pub fn come_last() -> std::io::Result<()> {
    let thread = rustix::thread::gettid();
    Ok(rustix::process::setpriority_process(Some(thread), NICE)?)
}
