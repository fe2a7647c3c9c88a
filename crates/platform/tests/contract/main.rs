//! What a platform must do, run against a fake and against this system, as root also as an ordinary
//! user. `cargo test -p abide-platform --test contract [FILTER]`.
//!
//! The test's executable has its own `main`, because it also plays the keeper, its daemon and the
//! programs that are guarded.

mod clauses;
mod fake;
mod platform;

#[cfg(target_os = "linux")]
mod daemon;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod main_process;
#[cfg(target_os = "linux")]
mod orphaned;
#[cfg(target_os = "linux")]
mod passing;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod upgrade;

#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
fn main() {
    if let Some(code) = abide_platform::keeper::enter() {
        std::process::exit(code);
    }
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("daemon") => daemon::main(arguments.next().unwrap_or_default().as_ref()),
        Some("act-keeper") => {
            let home = arguments.next().unwrap_or_default();
            panic!("{}", linux::become_keeper(home.as_ref()));
        }
        Some("act") => programs::main(&arguments.collect::<Vec<_>>()),
        _ => runner::main(),
    }
}

#[cfg(windows)]
fn main() {
    windows::main();
}
