//! The clauses' platform in memory: what they mean, without any system.

use std::collections::BTreeMap;

use abide_model::{ExitStatus, Signal};

use crate::platform::{Platform, Program};

#[derive(Default)]
pub struct Fake {
    runs: BTreeMap<u64, Run>,
    held: BTreeMap<u64, String>,
    pids: u32,
}

struct Run {
    alive: u64,
    main: bool,
    exit: Option<ExitStatus>,
}

impl Platform for Fake {
    fn spawn(&mut self, run: u64, program: Program) -> Result<u32, String> {
        let (alive, main, exit) = match program {
            Program::Exit(code) => (0, false, Some(ExitStatus::Code(code))),
            Program::Signalled(n) => (
                0,
                false,
                Some(ExitStatus::Signal {
                    signal: Signal(n),
                    core: false,
                }),
            ),
            Program::Idle => (1, true, None),
            Program::Missing => {
                return Err("cannot execute /no/such/program: no such file or directory".into());
            }
            Program::Escapee | Program::Hopper => (1, false, Some(ExitStatus::Code(0))),
        };
        self.pids += 1;
        self.runs.insert(run, Run { alive, main, exit });
        Ok(self.pids)
    }

    fn spawn_and_die(&mut self, run: u64, program: Program) {
        self.spawn(run, program).expect("it starts");
    }

    fn exit(&mut self, run: u64) -> ExitStatus {
        self.runs[&run].exit.clone().expect("it has ended")
    }

    fn take(&mut self, run: u64) {
        self.runs.remove(&run);
    }

    fn table(&mut self) -> Vec<u64> {
        self.runs.keys().copied().collect()
    }

    fn kill_tree(&mut self, run: u64) {
        if let Some(run) = self.runs.get_mut(&run) {
            run.alive = 0;
            if std::mem::take(&mut run.main) {
                run.exit = Some(ExitStatus::Signal {
                    signal: Signal::KILL,
                    core: false,
                });
            }
        }
    }

    fn processes(&mut self, run: u64) -> u64 {
        self.runs.get(&run).map_or(0, |run| run.alive)
    }

    fn hold(&mut self, key: u64, content: &str) {
        self.held.insert(key, content.to_owned());
    }

    fn held(&mut self, key: u64) -> Option<String> {
        self.held.get(&key).cloned()
    }

    fn daemon_dies(&mut self) {}

    fn leave(&mut self, code: i32) -> i32 {
        code
    }
}
