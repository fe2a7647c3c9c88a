//! The pipe of one stream, as the daemon holds it for a unit's runs.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{ForRuns, Output, left_with, lets_stages_be_taken, take_now};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{
    ForRuns, Output, ignore_file_size_signal, left_with, lets_stages_be_taken, take_now,
};

/// An end of a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Output is taken from it. Of a FIFO on Linux it is both ends.
    Reader,
    /// Programs write to it.
    Writer,
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;
    use crate::handle::Handle;

    #[test]
    fn what_is_written_to_an_output_is_taken_by_whoever_was_handed_its_ends() {
        let place = tempfile::tempdir().expect("a directory");
        let output = Output::make(place.path(), "out", None).expect("made");
        let copy = |handle: &Handle| handle.try_clone().expect("a duplicate");
        let ends = output.ends().map(|(end, handle)| (end, copy(handle)));
        let other = Output::of(ends.collect()).expect("it is whole");
        let mut writer = File::from(output.writer().expect("a writer"));
        writer.write_all(b"one line\nno end").expect("written");
        let taken = take_now(copy(other.reader()), 1000).expect("taken");
        assert_eq!(taken, b"one line\nno end");
        assert_eq!(take_now(copy(other.reader()), 1000).expect("asked"), b"");
        assert!(Output::of(Vec::new()).is_none());
    }
}
