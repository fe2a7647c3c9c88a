#![allow(unsafe_code)]

use std::io::{self, Stdin};
use std::os::windows::io::AsHandle;

use windows_sys::Win32::System::Console::{
    CONSOLE_MODE, CONSOLE_SCREEN_BUFFER_INFO, ENABLE_ECHO_INPUT, ENABLE_LINE_INPUT,
    ENABLE_PROCESSED_INPUT, ENABLE_VIRTUAL_TERMINAL_INPUT, ENABLE_VIRTUAL_TERMINAL_PROCESSING,
    GetConsoleMode, GetConsoleScreenBufferInfo, SetConsoleMode,
};

use crate::win32::{checked, raw};

fn mode(console: &impl AsHandle) -> io::Result<CONSOLE_MODE> {
    let mut mode = 0;
    // SAFETY: the handle is borrowed, the mode goes to a local.
    checked(unsafe { GetConsoleMode(raw(console), &mut mode) })?;
    Ok(mode)
}

fn set_mode(console: &impl AsHandle, mode: CONSOLE_MODE) -> io::Result<()> {
    // SAFETY: the handle is borrowed.
    checked(unsafe { SetConsoleMode(raw(console), mode) })
}

/// Has an output understand escape sequences (colours, cursor). False: it is no console, or one before Windows 10
/// that shows them as they are.
#[must_use]
pub fn enable_sequences(output: &impl AsHandle) -> bool {
    mode(output)
        .and_then(|mode| set_mode(output, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING))
        .is_ok()
}

/// Columns and rows of the window of a console's output; `None`: it is no console.
#[must_use]
pub fn size(output: &impl AsHandle) -> Option<(usize, usize)> {
    let mut info = CONSOLE_SCREEN_BUFFER_INFO::default();
    // SAFETY: the handle is borrowed, what is told goes to a local.
    checked(unsafe { GetConsoleScreenBufferInfo(raw(output), &mut info) }).ok()?;
    let window = info.srWindow;
    let extent = |from: i16, to: i16| usize::try_from(i32::from(to) - i32::from(from) + 1).ok();
    Some((
        extent(window.Left, window.Right)?,
        extent(window.Top, window.Bottom)?,
    ))
}

/// A line that a person types, which is not shown.
///
/// # Errors
/// Standard input is no console.
pub fn read_unseen() -> io::Result<String> {
    let input = io::stdin();
    let before = mode(&input)?;
    set_mode(&input, before & !ENABLE_ECHO_INPUT)?;
    let mut line = String::new();
    let read = input.read_line(&mut line);
    set_mode(&input, before)?;
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Keys come one by one, unseen, Ctrl-C among them, until this is dropped.
#[derive(Debug)]
pub struct KeyMode {
    input: Stdin,
    before: CONSOLE_MODE,
}

impl KeyMode {
    /// Begins.
    ///
    /// # Errors
    /// Standard input is no console.
    pub fn begin() -> io::Result<Self> {
        let input = io::stdin();
        let before = mode(&input)?;
        let lines = ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT | ENABLE_PROCESSED_INPUT;
        set_mode(&input, before & !lines | ENABLE_VIRTUAL_TERMINAL_INPUT)?;
        Ok(Self { input, before })
    }
}

impl Drop for KeyMode {
    fn drop(&mut self) {
        // Nothing can be done about a console that is gone.
        let _ = set_mode(&self.input, self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_no_console() {
        let file = tempfile::tempfile().expect("a file");
        assert!(!enable_sequences(&file));
        assert_eq!(size(&file), None);
    }
}
