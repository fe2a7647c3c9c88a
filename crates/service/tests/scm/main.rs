//! The examples as services of the Service Control Manager, driven from outside: what it is told of them, what reaches them.
#![cfg(windows)]

mod by_hand;
mod controls;
mod harness;
mod lifecycle;
