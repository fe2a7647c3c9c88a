//! Programs that do not want to be stopped are stopped, with all their descendants, and nobody else.

use std::path::Path;
use std::time::{Duration, Instant};

use abide_e2e::{Home, processes, skip, wait};

const STOP_WITHIN: Duration = Duration::from_secs(2);

/// A stop takes its time-out and a moment, and what a busy test machine adds: far less than what the enemy lives for.
const LIMIT: Duration = Duration::from_secs(60);

struct Case {
    how: &'static str,
    main: &'static str,
    kill_daemon: bool,
}

fn scenario(home: &Home, case: &Case) {
    let escapee = Path::new(env!("CARGO_BIN_EXE_escapee"));
    let enemy = home.bring_as(escapee, "enemy");
    let innocent = home.bring_as(escapee, "innocent");
    let traces = home.make_dir("traces");
    let trace = traces.join("enemy");
    let within = STOP_WITHIN.as_secs();
    home.write(
        "abide.toml",
        &format!(
            r#"
[service.enemy]
command = ["{enemy}", "{how}", "{main}", "{trace}"]
stop = {{ within = "{within}s" }}
restart = "never"

[service.innocent]
command = ["{innocent}", "idle", "stay", "{traces}/innocent"]

[service.bystander]
command = ["sleep", "1000"]
"#,
            enemy = enemy.display(),
            innocent = innocent.display(),
            how = case.how,
            main = case.main,
            trace = trace.display(),
            traces = traces.display(),
        ),
    );
    let up = home.abide(&["up"]);
    if case.main == "stay" {
        assert_eq!(up.code, 0, "{up:?}");
        home.wait_running("enemy");
        match case.how {
            "hop" => wait::until("the enemy hops", wait::GENEROUS, || {
                (hops(&trace) > 20).then_some(())
            }),
            // The main process and its escaped descendant.
            _ => wait::until("the enemy has escaped", wait::GENEROUS, || {
                (home.running("enemy").len() == 2).then_some(())
            }),
        }
    }
    wait::until("the innocent has its descendant", wait::GENEROUS, || {
        (home.running("innocent").len() == 2).then_some(())
    });
    let innocents = home.running("innocent");
    let bystander = home.wait_running("bystander");
    if case.kill_daemon {
        home.kill_daemon();
    }

    let begun = Instant::now();
    home.ok(&["stop", "enemy"]);
    let took = begun.elapsed();
    assert!(took < LIMIT, "the stop took {took:?}");
    if case.main == "stay" {
        assert!(
            home.running("enemy").is_empty(),
            "processes of the enemy are left"
        );
    } else {
        // Its main process ended by itself; what it left behind is hunted since then. One that hops
        // is hardly ever seen among the processes, so its trace tells.
        wait::until("the enemy is gone", LIMIT, || {
            let then = hops(&trace);
            wait::let_pass(Duration::from_millis(200));
            (home.running("enemy").is_empty() && hops(&trace) == then).then_some(())
        });
    }
    let then = hops(&trace);
    wait::let_pass(Duration::from_millis(300));
    assert_eq!(hops(&trace), then, "it still hops");
    assert!(
        home.running("enemy").is_empty(),
        "processes of the enemy are left"
    );
    assert_eq!(
        home.running("innocent"),
        innocents,
        "the innocent unit lost processes"
    );
    assert!(processes::lives(bystander));
    home.ok(&["down"]);
    assert_eq!(home.processes(), [], "`down` left processes");
}

/// How often it has hopped.
fn hops(trace: &Path) -> u64 {
    std::fs::metadata(trace).map_or(0, |file| file.len())
}

/// Every combination, one after another: root's tests do them as `nobody` too.
fn all_cases(name: &str, home: impl Fn(&str) -> Home) {
    for how in ["idle", "hop"] {
        for main in ["stay", "leave"] {
            for kill_daemon in [false, true] {
                eprintln!(
                    "{name}: {how}, main process to {main}, daemon killed in between: {kill_daemon}"
                );
                scenario(
                    &home(name),
                    &Case {
                        how,
                        main,
                        kill_daemon,
                    },
                );
            }
        }
    }
}

#[test]
fn what_escapes_its_unit_is_stopped_with_it_and_nothing_else_is() {
    if !skip::is_root() {
        return skip::skip("escapees as root", "this is not root");
    }
    all_cases("escapees", Home::new);
}

#[test]
fn what_escapes_the_unit_of_an_ordinary_user_is_stopped_with_it_and_nothing_else_is() {
    all_cases("escapees-user", Home::of_ordinary_user);
}
