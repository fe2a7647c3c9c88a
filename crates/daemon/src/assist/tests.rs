use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use abide_model::{
    Command, EffectId, EnvironmentSpec, HookKind, Launch, Limits, RunId, StdinSpec, UnitId,
    UnitName,
};
use abide_platform::tree::Trees;

use super::{Assistants, Care, Job, Purpose, Report, STUCK};

/// Long enough for a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn launch(directory: &Path) -> Arc<Launch> {
    Arc::new(Launch {
        command: Command::Argv(vec!["/bin/true".into()]),
        directory: directory.to_owned(),
        environment: EnvironmentSpec {
            variables: vec![("FROM_SPEC".into(), "1".into())],
        },
        user: None,
        password_file: None,
        group: None,
        umask: 0o027,
        priority: None,
        cpu_affinity: None,
        oom_score: None,
        stdin: StdinSpec::Null,
        limits: Limits::default(),
        notify: None,
        fd_store: 0,
        socket: None,
    })
}

struct Bench {
    home: tempfile::TempDir,
    trees: Trees,
    assistants: Assistants,
    reports: Receiver<Report>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.assistants.finish(PATIENCE);
        self.trees.remove();
    }
}

impl Bench {
    fn new(groups: bool) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let trees = if groups {
            Trees::new(home.path())
        } else {
            Trees::without_groups(home.path())
        };
        let (tell, reports) = channel();
        let tell = Mutex::new(tell);
        let report = move |report| {
            // The test may be over.
            let _ = tell.lock().expect("nobody panics with it").send(report);
        };
        let assistants = Assistants::new(trees.clone(), None, report);
        Self {
            home,
            trees,
            assistants,
            reports,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn job(&self, effect: u64, scripts: &[&str], timeout: Duration) -> Job {
        let commands = scripts
            .iter()
            .map(|script| (Command::Shell((*script).to_owned()), timeout));
        Job {
            effect: EffectId(effect),
            unit: UnitId(7),
            name: UnitName::new("web").expect("a name"),
            run: RunId(3),
            purpose: Purpose::Hook(HookKind::BeforeStart),
            commands: commands.collect(),
            launch: launch(self.home.path()),
            variables: vec![("ABIDE_HOOK".into(), "before_start".into())],
            stdout: None,
            stderr: None,
        }
    }

    fn answer(&self) -> (u64, Result<(), String>) {
        loop {
            match self.reports.recv_timeout(PATIENCE) {
                Ok(Report::Done { effect, result }) => return (effect.0, result),
                Ok(Report::Warning { .. }) => {}
                other => panic!("no answer, but {other:?}"),
            }
        }
    }

    fn run(&self, scripts: &[&str], timeout: Duration) -> Result<(), String> {
        self.assistants.run(self.job(1, scripts, timeout));
        self.answer().1
    }

    /// What a script has written; it renames it there when it is whole.
    fn wait_for(&self, name: &str) -> String {
        let path = self.path(name);
        wait_for(name, || std::fs::read_to_string(&path).ok())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "other processes write files without telling us"
)]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Living processes whose command line holds this.
pub fn processes(mark: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("proc").flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(mark)
        })
        .collect()
}

/// With control groups where this machine has them, and without.
fn both(test: impl Fn(Bench, &str)) {
    test(Bench::new(true), "with");
    test(Bench::new(false), "without");
}

#[test]
fn a_command_finds_the_units_surroundings_and_its_output_in_the_log() {
    let bench = Bench::new(true);
    let log = std::fs::File::create(bench.path("log")).expect("a file");
    let mut job = bench.job(
        1,
        &["pwd; umask; echo $FROM_SPEC $ABIDE_HOOK; ls /proc/self/fd | wc -l; echo problem >&2; read x || echo no input"],
        PATIENCE,
    );
    job.stdout = Some(log.into());
    bench.assistants.run(job);
    assert_eq!(bench.answer(), (1, Ok(())));
    let text = std::fs::read_to_string(bench.path("log")).expect("its output");
    let here = bench.home.path().display();
    // Three streams, and the directory that `ls` reads.
    assert_eq!(
        text,
        format!("{here}\n0027\n1 before_start\n4\nproblem\nno input\n")
    );
}

#[test]
fn commands_are_run_in_order_until_one_fails() {
    let bench = Bench::new(true);
    let result = bench.run(
        &[
            "echo 1 >> order",
            "echo 2 >> order; exit 3",
            "echo 3 >> order",
        ],
        PATIENCE,
    );
    assert_eq!(result, Err("command 2 of 3: exit 3".into()));
    let order = std::fs::read_to_string(bench.path("order")).expect("it was written");
    assert_eq!(order, "1\n2\n");
    assert_eq!(
        bench.run(&["kill -SEGV $$"], PATIENCE),
        Err("killed by SIGSEGV".into())
    );
}

#[test]
fn what_cannot_be_executed_is_said_in_words() {
    let bench = Bench::new(true);
    let mut job = bench.job(1, &[], PATIENCE);
    job.commands = vec![(Command::Argv(vec!["/no/such/program".into()]), PATIENCE)];
    bench.assistants.run(job);
    let (_, result) = bench.answer();
    let reason = result.expect_err("there is none");
    assert!(
        reason.starts_with("cannot execute /no/such/program: no such file or directory"),
        "{reason}"
    );
    let mut job = bench.job(2, &["true"], PATIENCE);
    job.launch = launch(Path::new("/no/such/directory"));
    bench.assistants.run(job);
    let (_, result) = bench.answer();
    let reason = result.expect_err("there is none");
    assert!(
        reason.starts_with("cannot enter the directory /no/such/directory"),
        "{reason}"
    );
}

#[test]
fn a_command_that_ignores_sigterm_and_its_children_are_gone_when_its_time_is_over() {
    both(|bench, how| {
        let mark = format!("sleep 4321{}", std::process::id());
        let script = format!("trap '' TERM; setsid {mark} & {mark} & {mark}; {mark}");
        let result = bench.run(&[&script], Duration::from_millis(300));
        assert_eq!(result, Err("killed after 300ms".into()), "{how}");
        assert_eq!(processes(&mark), [0_u32; 0], "{how} control groups");
    });
}

#[test]
fn what_a_command_leaves_in_the_background_is_ended_with_it() {
    both(|bench, how| {
        let mark = format!("sleep 4322{}", std::process::id());
        let script = format!("setsid {mark} & {mark} & exit 0");
        assert_eq!(bench.run(&[&script], PATIENCE), Ok(()), "{how}");
        assert_eq!(processes(&mark), [0_u32; 0], "{how} control groups");
    });
}

#[test]
fn a_command_that_forks_for_ever_is_ended_with_all_its_tree() {
    both(|bench, how| {
        let mark = format!("sleep 4327{}", std::process::id());
        // At most so many that a test which fails does not take the machine with it.
        let script =
            format!("i=0; while [ $i -lt 3000 ]; do setsid {mark} & i=$((i+1)); done; wait");
        let result = bench.run(&[&script], Duration::from_millis(200));
        assert_eq!(result, Err("killed after 200ms".into()), "{how}");
        assert_eq!(processes(&mark), [0_u32; 0], "{how} control groups");
    });
}

#[test]
fn a_command_that_is_cancelled_is_answered_all_the_same_and_the_next_ones_are_not_begun() {
    both(|bench, how| {
        let mark = format!("sleep 4323{}", std::process::id());
        let scripts = [
            &*format!("echo x > begun.new; mv begun.new begun; setsid {mark} & {mark}"),
            "echo > second",
        ];
        bench.assistants.run(bench.job(9, &scripts, PATIENCE));
        bench.wait_for("begun");
        let purpose = Purpose::Hook(HookKind::BeforeStart);
        bench.assistants.cancel(UnitId(7), RunId(4), purpose);
        bench
            .assistants
            .cancel(UnitId(7), RunId(3), Purpose::Reload);
        bench.assistants.cancel(UnitId(7), RunId(3), purpose);
        let reason = "command 1 of 2: cancelled".to_owned();
        assert_eq!(bench.answer(), (9, Err(reason)), "{how}");
        assert_eq!(processes(&mark), [0_u32; 0], "{how} control groups");
        assert!(!bench.path("second").exists());
    });
}

#[test]
fn ending_a_commands_tree_spares_the_run_and_the_other_commands_of_the_unit() {
    both(|bench, how| {
        bench
            .assistants
            .run(bench.job(1, &["echo > one; sleep 4324"], PATIENCE));
        bench.wait_for("one");
        let mut other = bench.job(2, &["echo > two; sleep 4325"], PATIENCE);
        other.purpose = Purpose::Reload;
        bench.assistants.run(other);
        bench.wait_for("two");
        bench
            .assistants
            .cancel(UnitId(7), RunId(3), Purpose::Reload);
        assert_eq!(bench.answer(), (2, Err("cancelled".into())), "{how}");
        assert!(bench.reports.try_recv().is_err(), "the other goes on");
        bench.assistants.finish(PATIENCE);
        assert_eq!(bench.answer(), (1, Err("cancelled".into())), "{how}");
        assert_eq!(bench.run(&["true"], PATIENCE), Err("cancelled".into()));
    });
}

#[test]
fn many_commands_at_once_are_all_answered_once() {
    let bench = Bench::new(true);
    for effect in 0..300 {
        let mut job = bench.job(effect, &["exit 0"], PATIENCE);
        job.purpose = Purpose::Hook(HookKind::OnFailure);
        bench.assistants.run(job);
    }
    let mut answered: Vec<u64> = (0..300)
        .map(|_| {
            let (effect, result) = bench.answer();
            assert_eq!(result, Ok(()));
            effect
        })
        .collect();
    answered.sort_unstable();
    assert!(answered.into_iter().eq(0..300));
}

#[test]
fn nothing_is_begun_before_it_is_known_what_an_earlier_daemon_left() {
    let bench = Bench::new(false);
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let report = move |report| {
        let _ = tell.lock().expect("nobody panics with it").send(report);
    };
    // As on a machine that has no time for the look: it would take what is begun for a part of what was left.
    let trees = Trees::without_groups(bench.home.path());
    let care = Care::new(trees, None, Box::new(report));
    let late = Assistants {
        care: Arc::clone(&care),
    };
    late.run(bench.job(1, &["true"], PATIENCE));
    let nothing = told.recv_timeout(STUCK + Duration::from_secs(1));
    assert_eq!(nothing, Err(RecvTimeoutError::Timeout));
    care.end_leftovers();
    let done = Report::Done {
        effect: EffectId(1),
        result: Ok(()),
    };
    assert_eq!(told.recv_timeout(PATIENCE), Ok(done));
    late.finish(PATIENCE);
}

#[test]
fn what_an_earlier_daemon_left_is_ended_before_anything_is_run() {
    for groups in [true, false] {
        let bench = Bench::new(groups);
        let mark = format!("sleep 4326{}", std::process::id());
        let script = format!("setsid {mark} & echo > begun; {mark}");
        bench.assistants.run(bench.job(1, &[&script], PATIENCE));
        bench.wait_for("begun");
        // As if that one's daemon had died: this one knows nothing of it.
        let trees = if groups {
            Trees::new(bench.home.path())
        } else {
            Trees::without_groups(bench.home.path())
        };
        let (tell, told) = channel();
        let tell = Mutex::new(tell);
        let next = Assistants::new(trees, None, move |report| {
            let _ = tell.lock().expect("nobody panics with it").send(report);
        });
        // Of another unit: the earlier one, which has not died, ends what has the numbers of its own.
        let mut job = bench.job(2, &["true"], PATIENCE);
        job.unit = UnitId(8);
        next.run(job);
        let done = told.recv_timeout(PATIENCE).expect("an answer");
        let effect = EffectId(2);
        assert_eq!(
            done,
            Report::Done {
                effect,
                result: Ok(())
            }
        );
        assert_eq!(processes(&mark), [0_u32; 0], "groups: {groups}");
        // The shell, or the shell's word for its child's end.
        let (_, result) = bench.answer();
        let reason = result.expect_err("it was killed");
        assert!(
            ["killed by SIGKILL", "exit 137"].contains(&&*reason),
            "{reason}"
        );
    }
}
