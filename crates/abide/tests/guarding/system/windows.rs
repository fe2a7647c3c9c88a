use std::io;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};

use abide_model::Signal;
use abide_platform::notify;
use abide_platform::signals::Signals;

use crate::shop::PATIENCE;

/// Output may be in one.
pub const HAS_CODE_PAGES: bool = true;

/// A command that ends well.
pub const SUCCEEDS: &str = "cmd /c exit 0";

/// What a report says of a program that was sent `SIGINT`.
pub const HOW_INT_IS_SENT: Option<&str> = Some("Ctrl-C in 1 console");

/// From now on this process heeds nothing that it may ignore.
pub fn become_deaf() {
    // Who hears of it is not ended by it.
    Signals::new(&[Signal::INT, Signal::TERM]).expect("signals");
}

/// From now on this process does nothing but wait for that program, and ends as it does. Who asks one of them to end
/// asks both.
pub fn become_program(command: &mut Command) -> ! {
    become_deaf();
    let status = command.status().expect("it can be run");
    std::process::exit(status.code().unwrap_or(1))
}

/// Starts it out of its job, if that lets it.
pub fn breaking_away(command: &mut Command) -> io::Result<Child> {
    /// `CREATE_BREAKAWAY_FROM_JOB`
    const BREAKAWAY: u32 = 0x0100_0000;
    command
        .creation_flags(BREAKAWAY)
        .spawn()
        .or_else(|_| command.creation_flags(0).spawn())
}

/// Sends a notify message, as any program can.
pub fn send(address: &str, message: &[u8]) {
    notify::send(address, message, PATIENCE).expect("said");
}
