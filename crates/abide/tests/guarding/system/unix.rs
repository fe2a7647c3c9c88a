use std::io;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use crate::programs::ARGUMENTS;

/// Output may be in one.
pub const HAS_CODE_PAGES: bool = false;

/// A command that ends well.
pub const SUCCEEDS: &str = "true";

/// What a report says of a program that was sent `SIGINT`.
pub const HOW_INT_IS_SENT: Option<&str> = None;

/// From now on this process heeds nothing that it may ignore: what a shell ignores, what it executes does.
pub fn become_deaf() {
    const DEAF: &str = "ABIDE_TEST_DEAF";
    if std::env::var_os(DEAF).is_none() {
        let this = std::env::current_exe().expect("it has a file");
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' INT TERM; exec \"$0\" \"$@\""]);
        let error = shell.arg(this).args(ARGUMENTS).env(DEAF, "1").exec();
        panic!("cannot execute a shell: {error}");
    }
}

/// From now on this process is that program.
pub fn become_program(command: &mut Command) -> ! {
    panic!("cannot execute it: {}", command.exec())
}

/// Starts it out of its process group.
pub fn breaking_away(command: &mut Command) -> io::Result<Child> {
    command.process_group(0).spawn()
}

/// Sends a notify message, as any program can.
pub fn send(address: &str, message: &[u8]) {
    UnixDatagram::unbound()
        .and_then(|socket| socket.send_to(message, address))
        .expect("said");
}
