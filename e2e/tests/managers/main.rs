//! Services of the operating systems' own managers, in a small system of its own: a real systemd with a user's one, a
//! real runsvdir, and init scripts. `cargo xtask systemd` makes the folder that it needs and runs this.

mod doctor;
mod library;
mod machine;
mod package;
mod runit;
mod systemd;
mod systemd_user;
mod sysv;
