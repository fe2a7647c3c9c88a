//! What the tests and their programs do in another way on each system.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{
    HAS_CODE_PAGES, HOW_INT_IS_SENT, SUCCEEDS, become_deaf, become_program, breaking_away, send,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{
    HAS_CODE_PAGES, HOW_INT_IS_SENT, SUCCEEDS, become_deaf, become_program, breaking_away, send,
};
