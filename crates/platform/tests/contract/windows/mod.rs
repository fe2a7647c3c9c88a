//! The contract on Windows, and what is Windows' own.

mod daemon;
mod kept;
mod lives;
mod programs;
mod real;
mod slot;
mod starts;
mod stops;
mod upgrades;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::Arc;
use std::time::Duration;

use abide_model::{
    Command, EnvironmentSpec, ExitStatus, Launch, Limits, RunId, StdinSpec, UnitId, UnitName,
};
use abide_platform::keeper;
use abide_platform::spawn::{Order, Spawned, spawn};
use abide_platform::stop;
use abide_platform::tree::{RunTree, Trees};

use crate::clauses;
use crate::fake::Fake;
use crate::platform::{Needs, Outcome, Platform, Program, Skipped};

/// Generous: it is only for what would otherwise hang.
pub const LONG: Duration = Duration::from_secs(120);

/// A test of Windows' own.
pub type Test = (&'static str, fn());

pub fn main() {
    if let Some(code) = stop::enter().or_else(keeper::enter) {
        exit(code);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("act") => programs::main(&arguments[1..]),
        Some("daemon") => daemon::main(arguments[1].as_ref()),
        Some("act-keeper") => {
            let home: &Path = arguments[1].as_ref();
            kept::tell_what_happens(home);
            panic!("{}", keeper::become_keeper(&daemon::launch_of(home)));
        }
        _ => run(arguments.iter().find(|a| !a.starts_with('-'))),
    }
}

fn run(filter: Option<&String>) -> ! {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut run = |name: String, test: &dyn Fn() -> Outcome| {
        if filter.is_some_and(|filter| !name.contains(filter.as_str())) {
            return;
        }
        match catch_unwind(AssertUnwindSafe(test)) {
            Ok(Ok(())) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Ok(Err(Skipped(why))) => {
                skipped += 1;
                println!("test {name} ... ignored, {why}");
            }
            Err(_) => {
                failed += 1;
                println!("test {name} ... FAILED");
            }
        }
    };
    for (name, needs, clause) in clauses::ALL {
        run(format!("fake::{name}"), &|| clause(&mut Fake::default()));
        run(format!("windows::{name}"), &|| match needs {
            Needs::Daemon => clause(&mut Windows::new()),
            Needs::Keeper => clause(&mut kept::Kept::start()),
            Needs::Signals => Err(Skipped("nothing dies by signals on Windows")),
        });
    }
    let own = [
        starts::ALL,
        lives::ALL,
        stops::ALL,
        kept::ALL,
        upgrades::ALL,
        slot::ALL,
    ];
    for (name, test) in own.into_iter().flatten() {
        run(format!("windows::{name}"), &|| {
            test();
            Ok(())
        });
    }
    for (name, not_in_wine, test) in real::ALL {
        run(format!("windows::{name}"), &|| {
            if std::env::var_os("ABIDE_UNDER_WINE").is_some() {
                return Err(Skipped(not_in_wine));
            }
            test();
            Ok(())
        });
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
    );
    exit(i32::from(failed > 0));
}

/// A launch of one of the programs.
pub fn launch(words: &[&str]) -> Launch {
    let own = std::env::current_exe().expect("our file");
    let own = own.to_str().expect("a text").to_owned();
    let words = words.iter().map(|&word| word.to_owned());
    in_directory(
        Command::Argv([own, "act".to_owned()].into_iter().chain(words).collect()),
        &std::env::temp_dir(),
    )
}

pub fn in_directory(command: Command, directory: &Path) -> Launch {
    Launch {
        command,
        directory: directory.to_owned(),
        environment: EnvironmentSpec::default(),
        user: None,
        password_file: None,
        group: None,
        umask: 0o022,
        priority: None,
        cpu_affinity: None,
        oom_score: None,
        stdin: StdinSpec::Null,
        limits: Limits::default(),
        notify: None,
        fd_store: 0,
        socket: None,
    }
}

/// What all units are called here.
pub fn name() -> UnitName {
    UnitName::new("unit").expect("a name")
}

/// An order for a run of its own job.
pub fn order(trees: &Trees, run: u64, launch: Launch) -> Order {
    let (unit, run) = (UnitId(1), RunId(run));
    let tree = trees.run(unit, &name(), run);
    Order::new(unit, run, Arc::new(launch), tree)
}

/// Starts one, and leaves it to the test to end it.
pub fn start(trees: &Trees, run: u64, launch: Launch) -> (Spawned, RunTree) {
    let order = order(trees, run, launch);
    let spawned = spawn(&order).expect("it starts");
    (spawned, order.tree)
}

/// Waits for a file that a program writes when it is ready.
pub fn wait_for(file: &PathBuf) -> String {
    let begun = std::time::Instant::now();
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) => return text,
            Err(_) => assert!(begun.elapsed() < LONG, "{} is not there", file.display()),
        }
        std::thread::yield_now();
    }
}

struct Windows {
    trees: Trees,
    runs: BTreeMap<u64, (Spawned, RunTree)>,
}

impl Windows {
    fn new() -> Self {
        Self {
            trees: Trees::reporting().expect("a port"),
            runs: BTreeMap::new(),
        }
    }
}

impl Platform for Windows {
    fn spawn(&mut self, run: u64, program: Program) -> Result<u32, String> {
        let code;
        let launch = match program {
            Program::Exit(number) => {
                code = number.to_string();
                launch(&["exit", &code])
            }
            Program::Signalled(_) => unreachable!("nothing dies by signals here"),
            Program::Idle => launch(&["idle"]),
            Program::Missing => in_directory(
                Command::Argv(vec!["/no/such/program".to_owned()]),
                &std::env::temp_dir(),
            ),
            Program::Escapee => launch(&["escape"]),
            Program::Hopper => launch(&["hop"]),
        };
        let order = order(&self.trees, run, launch);
        let tree = order.tree.clone();
        self.runs.remove(&run);
        let spawned = spawn(&order).map_err(|error| error.to_string())?;
        let pid = spawned.pid;
        self.runs.insert(run, (spawned, tree));
        Ok(pid)
    }

    fn not_there(&self) -> String {
        abide_platform::exit::errno_text(2)
    }

    fn spawn_and_die(&mut self, _: u64, _: Program) {
        unreachable!("it has no keeper");
    }

    fn exit(&mut self, run: u64) -> ExitStatus {
        let ended = self.runs[&run].0.handle.exit(Some(LONG));
        ended.expect("it can be asked").expect("it ends")
    }

    fn take(&mut self, run: u64) {
        self.runs.remove(&run);
    }

    fn table(&mut self) -> Vec<u64> {
        self.runs.keys().copied().collect()
    }

    fn kill_tree(&mut self, run: u64) {
        assert!(self.runs[&run].1.kill(LONG).expect("it can be ended"));
    }

    fn processes(&mut self, run: u64) -> u64 {
        let Some((_, tree)) = self.runs.get(&run) else {
            return 0;
        };
        tree.processes().expect("they can be counted").len() as u64
    }

    fn hold(&mut self, _: u64, _: &str) {
        unreachable!("it has no keeper");
    }

    fn held(&mut self, _: u64) -> Option<String> {
        unreachable!("it has no keeper");
    }

    fn daemon_dies(&mut self) {
        unreachable!("it has no keeper");
    }

    fn leave(&mut self, _: i32) -> i32 {
        unreachable!("it has no keeper");
    }
}
