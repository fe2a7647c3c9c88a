//! What Wine does not do: these run on real Windows only, by `packaging/windows/verify.ps1`.

use std::time::Duration;

use abide_model::{Command, ExitStatus};
use abide_platform::stop::{ConsoleHelper, Plan, Share, Step, stop};
use abide_platform::tree::Trees;
use abide_platform::usage::{Figures, sample};

use super::kept::Kept;
use super::upgrades::{file, same, upgraded};
use super::{LONG, in_directory, launch, start, wait_for};
use crate::platform::Platform;

/// A test, and what Wine does instead.
pub type Test = (&'static str, &'static str, fn());

pub const ALL: &[Test] = &[
    (
        "a_program_with_a_path_beyond_the_limit_is_started",
        "Wine 8 does not find it",
        long_path,
    ),
    (
        "a_run_has_no_more_memory_than_its_limit",
        "Wine enforces no limits",
        memory,
    ),
    (
        "a_run_has_no_more_processes_than_its_limit",
        "Wine enforces no limits",
        processes,
    ),
    (
        "the_cpu_time_and_memory_of_a_run_are_counted",
        "Wine counts neither",
        counted,
    ),
    (
        "a_program_that_ignores_ctrl_c_ends_by_ctrl_break",
        "Wine 8 delivers none",
        ctrl_break,
    ),
    (
        "a_daemon_whose_file_was_renamed_is_brought_back_from_it",
        "Wine tells the name from before",
        renamed,
    ),
];

fn code(words: &[&str], limit: impl FnOnce(&mut abide_model::Launch)) -> ExitStatus {
    let trees = Trees::reporting().expect("a port");
    let mut launch = launch(words);
    limit(&mut launch);
    let (spawned, _) = start(&trees, 1, launch);
    assert_eq!(spawned.unsupported, []);
    let ended = spawned.handle.exit(Some(LONG));
    ended.expect("asked").expect("ended")
}

fn long_path() {
    let place = tempfile::tempdir().expect("a directory");
    let mut deep = place.path().to_owned();
    for _ in 0..12 {
        deep = deep.join("a folder whose name is long");
    }
    std::fs::create_dir_all(&deep).expect("made");
    let program = deep.join("prögram.exe");
    std::fs::copy(std::env::current_exe().expect("our file"), &program).expect("copied");
    let program = program.to_str().expect("a text").to_owned();
    assert!(program.len() > 260);
    let words = [program, "act".to_owned(), "exit".to_owned(), "6".to_owned()];
    let launch = in_directory(Command::Argv(words.to_vec()), place.path());
    let trees = Trees::reporting().expect("a port");
    let (spawned, _) = start(&trees, 1, launch);
    let ended = spawned.handle.exit(Some(LONG)).expect("asked");
    assert_eq!(ended, Some(ExitStatus::Code(6)));
}

fn memory() {
    let grow = ["grow", "100000000"];
    assert_eq!(code(&grow, |_| ()), ExitStatus::Code(0));
    let held = code(&grow, |launch| launch.limits.tree.memory = Some(50 << 20));
    assert_ne!(held, ExitStatus::Code(0));
}

fn processes() {
    assert_eq!(code(&["two"], |_| ()), ExitStatus::Code(0));
    let held = code(&["two"], |launch| launch.limits.tree.processes = Some(1));
    assert_eq!(held, ExitStatus::Code(3));
}

fn counted() {
    let place = tempfile::tempdir().expect("a directory");
    let burnt = place.path().join("burnt");
    let trees = Trees::reporting().expect("a port");
    let words = ["burn", burnt.to_str().expect("a text")];
    let (_spawned, tree) = start(&trees, 1, launch(&words));
    wait_for(&burnt);
    let usage = sample(std::slice::from_ref(&tree), Figures::ALL);
    // It had a processor for itself at least a tenth of that time.
    assert!(usage[0].cpu > Some(Duration::from_millis(50)), "{usage:?}");
    assert!(usage[0].memory > 0, "{usage:?}");
    assert!(tree.kill(LONG).expect("ended"));
}

fn ctrl_break() {
    let place = tempfile::tempdir().expect("a directory");
    let ready = place.path().join("ready");
    let trees = Trees::reporting().expect("a port");
    let words = ["deaf", ready.to_str().expect("a text")];
    let (_spawned, tree) = start(&trees, 1, launch(&words));
    wait_for(&ready);
    let plan = Plan {
        steps: vec![Share {
            step: Step::CtrlBreak,
            within: Some(LONG),
        }],
        within: LONG,
    };
    let helper = ConsoleHelper::own().expect("our file");
    let report = stop(&tree, None, &helper, &plan);
    assert_eq!(report.ended_by, Some(Step::CtrlBreak), "{report:?}");
}

/// What has the name by then is another file.
fn renamed() {
    let mut kept = Kept::start();
    let (name, new) = ("abide.exe", "abide-old.exe");
    let [name, new] = [name, new].map(|name| kept.home.path().join(name));
    let own = std::env::current_exe().expect("our file");
    std::fs::copy(own, &name).expect("a copy");
    upgraded(&mut kept, &name);
    std::fs::rename(&name, &new).expect("what runs can be renamed");
    std::fs::write(&name, "no program").expect("the name is free");
    kept.daemon_dies();
    same(&file(&mut kept), &new);
}
