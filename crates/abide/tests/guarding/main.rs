//! A home with its units, on every system, with nothing but the executable.
//!
//! This program plays the units' programs as well: see [`programs`].

#[cfg(windows)]
mod accounts;
mod asked;
mod encodings;
mod everyday;
#[cfg(windows)]
mod hosted;
#[cfg(windows)]
mod impostors;
mod input;
mod programs;
#[cfg(windows)]
mod reloading;
mod shop;
mod stopping;
mod survival;
mod system;
mod upgrading;
#[cfg(windows)]
mod window;
