//! Limits of a whole tree.

use std::fs;
use std::path::{Path, PathBuf};

use abide_e2e::{Home, wait};
use serde_json::Value;

use crate::Test;
use crate::machine::{Groups, SOME, groups, home};

pub const ALL: &[Test] = &[
    (
        "limits_that_cannot_be_had_are_named_with_the_reason",
        &[Groups::None],
        unsupported,
    ),
    (
        "a_unit_that_meets_its_memory_limit_is_ended_with_that_reason_and_restarted",
        SOME,
        memory,
    ),
    (
        "a_unit_loses_all_of_its_processes_when_one_needs_too_much",
        &[Groups::V2],
        memory_of_a_child,
    ),
    ("a_share_of_the_processor_is_not_exceeded", SOME, cpu),
    ("no_more_processes_than_allowed_can_be_made", SOME, crowd),
    ("a_rate_of_writing_is_not_exceeded", SOME, writing),
    ("every_group_is_gone_in_the_end", SOME, tidy),
    (
        "abide_makes_room_where_it_was_started_in_a_group_of_its_own",
        &[Groups::V2],
        delegated,
    ),
    ("a_stranger_in_the_way_is_named", &[Groups::V2], stranger),
];

fn unsupported_of(unit: &Value) -> Vec<String> {
    let list = unit["limits_unsupported"].as_array().expect("a list");
    list.iter().map(Value::to_string).collect()
}

/// Where this controller's groups are.
fn hierarchy(v1: &str) -> PathBuf {
    let root = Path::new("/sys/fs/cgroup");
    match groups() {
        Some(Groups::V1) => root.join(v1),
        _ => root.to_owned(),
    }
}

/// The group of `it` for this controller.
fn group(v1: &str) -> PathBuf {
    let homes = fs::read_dir(hierarchy(v1)).expect("control groups");
    homes
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("abide-"))
        // Every second run's is the other one.
        .flat_map(|entry| ["unit-it", "unit-it~"].map(|name| entry.path().join(name)))
        .find(|path| path.is_dir())
        .unwrap_or_else(|| panic!("there is no group of {v1} for the unit"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn number(path: &Path, word: &str) -> u64 {
    let text = read(path);
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.and_then(|rest| rest.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {word} in {text}"))
}

fn unsupported() {
    let home = home(
        "unsupported",
        &["idle"],
        "limits = { memory = \"64M\", cpu = \"50%\", processes = 10, io_read = \"1M\", io_write = \"1M\" }",
    );
    home.wait_running("it");
    let unit = home.unit("it").expect("it is there");
    let named: Vec<&str> = unit["limits_unsupported"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|limit| limit["limit"].as_str())
        .collect();
    let all = ["memory", "cpu", "processes", "io_read", "io_write"];
    assert_eq!(named, all, "{unit:#}");
    assert!(
        unit["limits_unsupported"][0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("no cgroup v2 mounted")),
        "{unit:#}"
    );
    home.ok(&["down"]);
}

fn memory() {
    let home = home("memory", &["hold", "96"], "limits = { memory = \"32M\" }");
    let unit = home.wait_for("it", "was ended and restarted", |unit| {
        unit["restarts"].as_u64().is_some_and(|n| n >= 2)
    });
    let reason = unit["last_exit"]["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("killed by SIGKILL (out of memory: limit 32M)"),
        "{unit:#}"
    );
    assert_eq!(unsupported_of(&unit), [""; 0]);
    let events = home.ok(&["events", "--json"]);
    let told = events.lines().find(|line| line.contains("out_of_memory"));
    let event: Value = serde_json::from_str(told.expect("an event")).expect("json");
    assert_eq!(event["limit"], 32 << 20, "{event}");
    home.ok(&["down"]);
}

fn memory_of_a_child() {
    let home = home(
        "child",
        &["child-holds", "96"],
        "limits = { memory = \"32M\" }",
    );
    let unit = home.wait_for("it", "was restarted", |unit| unit["restarts"] != 0);
    let reason = unit["last_exit"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("out of memory: limit 32M"), "{unit:#}");
    home.ok(&["down"]);
}

fn cpu() {
    let home = home("cpu", &["spin"], "limits = { cpu = \"20%\" }");
    home.wait_running("it");
    let stat = group("cpu,cpuacct").join("cpu.stat");
    wait::until("it is held back", wait::GENEROUS, || {
        (number(&stat, "nr_throttled ") >= 20).then_some(())
    });
    // By then it has been for at least 20 periods of which it got a fifth each.
    let unit = home.unit("it").expect("it is there");
    let percent = unit["cpu_percent"].as_f64().expect("a figure");
    assert!(percent > 5.0 && percent < 40.0, "{unit:#}");
    let metrics = home.api().get("/metrics").expect("an answer").body;
    let figure = metrics
        .lines()
        .find(|line| line.starts_with("abide_unit_cpu_throttled_seconds_total{"));
    assert!(
        figure.is_some_and(|line| !line.ends_with(" 0.0")),
        "{metrics}"
    );
    home.ok(&["down"]);
}

fn crowd() {
    let home = home("crowd", &["crowd", "50"], "limits = { processes = 10 }");
    home.wait_running("it");
    let said = wait::until("it says how many", wait::GENEROUS, || {
        let log = home.ok(&["logs", "it"]);
        log.lines()
            .find(|line| line.contains("children, then:"))
            .map(str::to_owned)
    });
    let made = said
        .split_whitespace()
        .skip_while(|word| *word != "made")
        .nth(1);
    let made: u64 = made.expect("a number").parse().expect("a number");
    assert!((5..10).contains(&made), "{said}");
    assert!(!said.ends_with("nothing"), "{said}");
    home.ok(&["down"]);
}

/// A kernel of 32 bits counts its ticks from five minutes before they begin anew (`INITIAL_JIFFIES`), and until then 6.1
/// ends itself over a limit like the one below (`throtl_trim_slice` in block/blk-throttle.c, docs/kernels.md).
fn ticks_began_anew() {
    if std::env::consts::ARCH != "arm" {
        return;
    }
    wait::until("five minutes since the boot", 3 * wait::GENEROUS, || {
        let text = read(Path::new("/proc/uptime"));
        let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
        (seconds > 301.0).then_some(())
    });
}

fn writing() {
    const RATE: u64 = 1 << 20;
    ticks_began_anew();
    let home = home(
        "writing",
        &["write", "/dev/vda"],
        "limits = { io_write = \"1M\" }",
    );
    home.wait_running("it");
    let begun = std::time::Instant::now();
    let unit = home.wait_for("it", "has written a few mebibytes", |unit| {
        unit["io_write_bytes"]
            .as_u64()
            .is_some_and(|n| n >= 4 * RATE)
    });
    // Unlimited, the disk takes hundreds of mebibytes a second.
    let seconds = begun.elapsed().as_secs_f64() + 2.0;
    let written = unit["io_write_bytes"].as_f64().expect("a figure");
    assert!(
        written < 2.0 * seconds * RATE as f64,
        "{written} in {seconds} s"
    );
    assert_eq!(unsupported_of(&unit), [""; 0]);
    home.ok(&["down"]);
}

fn all_limits() -> &'static str {
    "limits = { memory = \"64M\", cpu = \"50%\", processes = 20, io_read = \"1M\", io_write = \"1M\" }"
}

fn left() -> Vec<PathBuf> {
    let of = |dir: PathBuf| {
        let entries = fs::read_dir(dir).expect("control groups").flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().contains("/abide-"))
            .collect::<Vec<_>>()
    };
    ["memory", "cpu,cpuacct", "pids", "blkio"]
        .iter()
        .flat_map(|controller| of(hierarchy(controller)))
        .collect()
}

fn tidy() {
    // Of homes whose tests have failed.
    let before = left();
    let home = home("tidy", &["crowd", "3"], all_limits());
    home.wait_for("it", "has its children", |unit| unit["processes"] == 4);
    let unit = home.unit("it").expect("it is there");
    assert_eq!(unsupported_of(&unit), [""; 0]);
    assert_eq!(read(&group("pids").join("pids.max")).trim(), "20");
    let memory = unit["memory_bytes"].as_u64().expect("a figure");
    assert!(memory > 0 && memory < 64 << 20, "{unit:#}");
    home.ok(&["down"]);
    assert_eq!(left(), before);
}

/// A group as systemd delegates one to a service or to a user.
struct Place {
    path: PathBuf,
    /// A process of it that is none of abide's.
    stranger: Option<std::process::Child>,
}

impl Place {
    fn new(name: &str) -> Self {
        fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids").expect("controllers");
        let path = Path::new("/sys/fs/cgroup").join(name);
        fs::create_dir(&path).expect("a group");
        for file in [
            "",
            "cgroup.procs",
            "cgroup.subtree_control",
            "cgroup.threads",
        ] {
            let file = path.join(file);
            std::os::unix::fs::chown(&file, Some(65534), Some(65534)).expect("an owner");
        }
        Self {
            path,
            stranger: None,
        }
    }

    fn enter(&self, pid: u32) {
        fs::write(self.path.join("cgroup.procs"), pid.to_string()).expect("it enters");
    }

    /// Runs `abide` inside: this process goes in, and out again.
    fn abide(&self, home: &Home, args: &[&str]) {
        self.enter(std::process::id());
        let finished = home.abide(args);
        fs::write(
            "/sys/fs/cgroup/cgroup.procs",
            std::process::id().to_string(),
        )
        .expect("out again");
        let _ = finished.expect(0);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut stranger) = self.stranger.take() {
            let _ = stranger.kill();
            let _ = stranger.wait();
        }
        let gone = wait::try_until("the group is empty", wait::GENEROUS, || {
            fs::remove_dir(&self.path).ok()
        });
        if let (Err(why), false) = (gone, std::thread::panicking()) {
            panic!(
                "{why}: {:?}",
                fs::read_dir(&self.path).map(|d| d
                    .flatten()
                    .map(|e| e.path())
                    .filter(|p| p.is_dir())
                    .collect::<Vec<_>>())
            );
        }
    }
}

fn limited_home(name: &str) -> Home {
    let home = Home::of_ordinary_user(name);
    home.write(
        "abide.toml",
        "[service.it]\ncommand = \"sleep 1000\"\nlimits = { memory = \"32M\" }\n",
    );
    home
}

fn delegated() {
    let place = Place::new("delegated");
    let home = limited_home("delegated");
    // The process that starts abide must not stay in the way, as a service manager's does not.
    place.abide(&home, &["up", "--no-wait"]);
    home.wait_running("it");
    let unit = home.unit("it").expect("it is there");
    if !unsupported_of(&unit).is_empty() {
        // The test itself was in the way then.
        home.ok(&["restart", "it"]);
        let unit = home.wait_for("it", "runs", |unit| unit["state"] == "running");
        assert_eq!(unsupported_of(&unit), [""; 0]);
    }
    // Its successor finds the group again, and so does a run after it.
    home.kill_daemon();
    home.ok(&["restart", "it"]);
    home.wait_running("it");
    let unit = home.unit("it").expect("it is there");
    assert_eq!(unsupported_of(&unit), [""; 0]);
    home.ok(&["down"]);
}

fn stranger() {
    let mut place = Place::new("shared");
    let child = std::process::Command::new("sleep").arg("1000").spawn();
    place.stranger = Some(child.expect("a process"));
    place.enter(place.stranger.as_ref().expect("it runs").id());
    let home = limited_home("stranger");
    place.abide(&home, &["up", "--no-wait"]);
    home.wait_running("it");
    let unit = home.unit("it").expect("it is there");
    let reason = unit["limits_unsupported"][0]["reason"].as_str();
    assert!(
        reason.is_some_and(|reason| reason.contains("(sleep)") || reason.contains("(scenarios)")),
        "{unit:#}"
    );
    home.ok(&["down"]);
}
