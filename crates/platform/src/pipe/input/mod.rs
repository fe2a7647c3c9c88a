//! A pipe that a program finds as its standard input, in which nothing ever comes: it is there to end.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux::let_any_account_read;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows::let_any_account_read;

use std::io;

use crate::handle::Handle;

/// The input of one run. Its program meets the end of it when nobody holds `writer` any more.
#[derive(Debug)]
pub struct Input {
    /// For the program ([`crate::spawn::Order::stdin`]).
    pub reader: Handle,
    /// What is held until the input is to end.
    pub writer: Handle,
}

impl Input {
    /// A new one, which no program inherits by accident.
    ///
    /// # Errors
    /// Those of pipe2(2) and fchmod(2), or of CreatePipe.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let input = Self {
            reader: reader.into(),
            writer: writer.into(),
        };
        let_any_account_read(&input.reader)?;
        Ok(input)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    #[test]
    fn an_input_ends_when_the_last_one_lets_go_of_its_other_end() {
        let Input { reader, writer } = Input::new().expect("made");
        let other = writer.try_clone().expect("a duplicate");
        let reads = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            File::from(reader).read_to_end(&mut bytes).map(|_| bytes)
        });
        drop(writer);
        assert!(!reads.is_finished(), "the other one still has it");
        drop(other);
        let read = reads.join().expect("it ends");
        assert_eq!(read.expect("an end is no error"), b"");
    }
}
