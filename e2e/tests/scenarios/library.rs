//! Programs written with the library `abide-service`, guarded: they say that they are ready, beat, reload and
//! end by themselves, and nothing in them knows of abide.

use std::fs;
use std::path::PathBuf;

use abide_e2e::{Home, binary, wait};

use crate::free_port;

/// An example of the library.
fn example(name: &str) -> PathBuf {
    let built = binary::build(&["--package", "abide-service", "--example", name]);
    built
        .unwrap_or_else(|why| panic!("{why}"))
        .join("examples")
        .join(name)
}

/// How often the worker began, and how often it ended as it should.
fn entries_and_finishes(home: &Home) -> (usize, usize) {
    let history = fs::read_to_string(home.path("queue/history")).unwrap_or_default();
    let count = |what: &str| history.lines().filter(|l| l.starts_with(what)).count();
    (count("begin"), count("end"))
}

#[test]
fn a_worker_is_ready_beats_and_each_stop_is_a_clean_finish() {
    let home = Home::new("library-worker");
    let worker = home.bring(&example("worker"));
    home.write(
        "abide.toml",
        &format!(
            r#"
[service.worker]
command = ["{}", "run", "queue"]
ready = {{ notify = true, within = "2m" }}
heartbeat = {{ every = "2s", misses = 3 }}
"#,
            worker.display()
        ),
    );
    home.ok(&["up"]);
    let unit = home.unit("worker").expect("it is there");
    assert_eq!(unit["ready"], true);
    assert_eq!(entries_and_finishes(&home), (1, 0));
    home.wait_for("worker", "beats", |unit| unit["health"] == "healthy");
    fs::write(home.path("aside"), "four words to count").expect("a job");
    fs::rename(home.path("aside"), home.path("queue/jobs/one")).expect("in one piece");
    home.wait_for("worker", "says what it did", |unit| {
        unit["status_text"] == "1 jobs done"
    });

    home.ok(&["restart", "worker"]);
    assert_eq!(entries_and_finishes(&home), (2, 1));

    // What hangs in its work gives no beats, though the process lives.
    let first = home.wait_running("worker");
    fs::write(home.path("aside"), "hang").expect("a job");
    fs::rename(home.path("aside"), home.path("queue/jobs/two")).expect("in one piece");
    let after = home.wait_for("worker", "is replaced", |unit| {
        unit["state"] == "running" && unit["pid"].is_u64() && unit["pid"] != first
    });
    let reason = after["last_exit"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("missed 3 heartbeats"), "{reason}");
    wait::until("its successor has begun", wait::GENEROUS, || {
        (entries_and_finishes(&home) == (3, 1)).then_some(())
    });
    home.wait_for("worker", "is ready", |unit| unit["ready"] == true);

    home.ok(&["stop", "worker"]);
    assert_eq!(entries_and_finishes(&home), (3, 2));
    let stopped = home.unit("worker").expect("it is there");
    assert_eq!(stopped["last_exit"]["code"], 0, "{stopped}");
    home.ok(&["remove", "worker"]);
    assert!(home.unit("worker").is_none());
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_server_confirms_its_reload_and_is_polled_while_it_lives() {
    let home = Home::new("library-web");
    let web = home.bring(&example("web"));
    let address = format!("127.0.0.1:{}", free_port());
    home.write("words", "good day\n");
    home.write(
        "abide.toml",
        &format!(
            r#"
[service.web]
command = ["{}", "run", "{address}", "words"]
ready = {{ notify = true, within = "2m" }}
heartbeat = {{ every = "2s", misses = 3 }}
reload = {{ signal = "SIGHUP", confirm = true, within = "2m" }}
"#,
            web.display()
        ),
    );
    home.ok(&["up"]);
    let first = home.wait_running("web");
    let get = || {
        let api = abide_e2e::Api::Tcp(address.clone(), None);
        api.get("/").map(|answer| answer.body)
    };
    assert_eq!(get().expect("it answers"), "good day\n");
    home.write("words", "good night\n");
    home.ok(&["reload", "web"]);
    assert_eq!(get().expect("it answers"), "good night\n");
    home.wait_for("web", "beats", |unit| unit["health"] == "healthy");
    assert_eq!(home.wait_running("web"), first);
    home.ok(&["stop", "web"]);
    let stopped = home.unit("web").expect("it is there");
    assert_eq!(stopped["last_exit"]["code"], 0, "{stopped}");
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
