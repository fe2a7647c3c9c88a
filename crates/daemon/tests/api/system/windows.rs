use std::fs::OpenOptions;
use std::path::Path;
use std::time::Instant;

use abide_platform::control::Address;

use crate::client::{Connection, PATIENCE};

/// A program that is there; it is not started.
pub const SLEEP: &str = "C:/windows/system32/cmd.exe";

/// What Windows says while all instances of a pipe have a client: ask again.
const BUSY: i32 = 231;

/// A pipe has no time-out: what hangs is ended with its test program.
pub fn socket(home: &Path) -> Box<dyn Connection> {
    let address = Address::of(home).expect("a name");
    let begun = Instant::now();
    loop {
        match OpenOptions::new()
            .read(true)
            .write(true)
            .open(address.name())
        {
            Err(error) if error.raw_os_error() == Some(BUSY) && begun.elapsed() < PATIENCE => {
                std::thread::yield_now();
            }
            stream => return Box::new(stream.expect("connect to the pipe")),
        }
    }
}

pub fn is_there(home: &Path) -> bool {
    let address = Address::of(home).expect("a name");
    std::fs::exists(address.name()).expect("asked")
}
