//! The examples, driven from outside as a manager drives them: environment, notify socket, signals.
#![cfg(target_os = "linux")]

mod beats;
mod by_hand;
mod harness;
mod lifecycle;
mod managers;
mod web;
