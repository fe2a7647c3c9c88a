use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::client::{Connection, PATIENCE};

/// A program that is there; it is not started.
pub const SLEEP: &str = "/bin/sleep";

pub fn socket(home: &Path) -> Box<dyn Connection> {
    let stream = UnixStream::connect(home.join("abide.sock")).expect("connect to the socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    Box::new(stream)
}

pub fn is_there(home: &Path) -> bool {
    home.join("abide.sock").exists()
}
