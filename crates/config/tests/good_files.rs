//! What a good file means, and that only what needs a new process asks for one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_config::{Caller, Document, Origin, Resolved, inherits, load, parse};
use abide_model::{
    Backoff, Command, Hook, MonitorSpec, NotifyAccess, ProbeKind, ReportSpec, ReportStyle, Restart,
    RlimitKind, Signal, Spec, StopAction, Streams, UnitName, UnitType,
};

fn read(text: &str) -> Document {
    parse(text, Path::new("/etc/abide.toml"), &Caller::default())
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn one(text: &str) -> Spec {
    let mut units = read(text).units;
    assert_eq!(units.len(), 1);
    units.remove(0).spec
}

fn mistakes(text: &str) -> String {
    match parse(text, Path::new("/etc/abide.toml"), &Caller::default()) {
        Ok(document) => panic!("{:?} was taken", document.units),
        Err(mistakes) => mistakes.to_string(),
    }
}

fn names(units: &[Resolved]) -> Vec<&str> {
    units.iter().map(|unit| unit.spec.name.as_str()).collect()
}

#[test]
fn a_unit_with_a_command_alone_has_every_default() {
    let spec = one("[service.web]\ncommand = \"sleep 1000\"\n");
    assert_eq!(spec.name.as_str(), "web");
    assert_eq!(
        spec.launch.command,
        Command::Argv(vec!["sleep".into(), "1000".into()])
    );
    assert_eq!(spec.launch.directory, Path::new("/etc"));
    assert_eq!(spec.launch.environment.variables, []);
    assert_eq!(spec.launch.umask, 0o022);
    assert_eq!(spec.policy.restart, Restart::Always);
    assert_eq!(spec.policy.backoff, Backoff::default());
    assert_eq!(spec.policy.stop, abide_model::StopPlan::default());
    assert_eq!(
        spec.policy.success_exit,
        abide_model::SuccessExit::default()
    );
    assert_eq!(spec.log, abide_model::LogSpec::default());
    assert!(spec.policy.enabled && spec.policy.ready.is_none() && spec.policy.give_up.is_none());
    assert_eq!(
        (spec.source.file.as_path(), spec.source.line),
        (Path::new("/etc/abide.toml"), 1)
    );
}

#[test]
fn every_key_is_taken() {
    let spec = one(r#"
abide = ">=0.1"
group = "shop"

[daemon]
listen = ["127.0.0.1:7878", "[::1]:7878", { address = "localhost:7879" }]

[service.web]
description = "the shop's pages"
command = ["sh", "-c", "echo {instance} '#'"]
instances = 1
directory = "../tmp"
environment = { PORT = "800{instance}", B = "2" }
user = "root"
group = 0
umask = "027"
priority = -5
oom_score = 100
stdin = "null"
enabled = false
restart = "on-failure"
success_exit = [0, 3, "SIGTERM"]
backoff = { initial = "1s", factor = 1.5, max = "1m", jitter = 0, reset_after = "1m 30s" }
give_up = { restarts = 5, within = "1h" }
stop = { within = "20s", steps = [{ signal = "INT", within = "5s" }, { signal = "SIGTERM" }] }
reload = { signal = "SIGUSR1" }
ready = { http = "http://127.0.0.1:8000/health", within = "5s" }
heartbeat = { every = "5s" }
limits = { memory = "512M", cpu = "150%", processes = 100, open_files = 1024, core_size = 0, file_size = "1G", stack = "8M", address_space = "unlimited", locked_memory = "64K", cpu_time = "1h" }
log = { max_size = "10M", keep = 3, max_age = "unlimited", max_total = "1G", compress = false, streams = "split" }
windows = { command = "py app.py" }
linux = { priority = 7 }
"#);
    assert_eq!(spec.name.as_str(), "shop:web");
    assert_eq!(
        spec.launch.command,
        Command::Argv(vec!["sh".into(), "-c".into(), "echo 1 '#'".into()])
    );
    assert_eq!(spec.launch.environment.get("PORT"), Some("8001"));
    assert_eq!(spec.launch.environment.get("ABIDE_INSTANCE"), Some("1"));
    assert_eq!(
        (spec.launch.user.as_deref(), spec.launch.group.as_deref()),
        (Some("root"), Some("0"))
    );
    assert_eq!(
        (
            spec.launch.umask,
            spec.launch.priority,
            spec.launch.oom_score
        ),
        (0o027, Some(7), Some(100))
    );
    assert_eq!(spec.policy.success_exit.signals, [Signal::TERM]);
    assert_eq!(spec.policy.give_up.map(|give_up| give_up.restarts), Some(5));
    let Backoff::Exponential(curve) = spec.policy.backoff else {
        panic!("a curve was written")
    };
    assert_eq!(
        (curve.factor, curve.reset_after),
        (1.5, Duration::from_secs(90))
    );
    assert_eq!(
        spec.policy.stop.steps[0].action,
        StopAction::Signal(Signal::INT)
    );
    assert_eq!(
        spec.policy.reload,
        Some(abide_model::Reload::signal(Signal(10)))
    );
    assert_eq!(
        spec.policy.ready.map(|ready| ready.probe),
        Some(ProbeKind::Http(abide_model::HttpProbe::get(
            "http://127.0.0.1:8000/health"
        )))
    );
    assert_eq!(spec.policy.heartbeat.map(|beat| beat.misses), Some(3));
    assert_eq!(
        (spec.launch.limits.tree.memory, spec.launch.limits.tree.cpu),
        (Some(512 << 20), Some(1.5))
    );
    assert_eq!(spec.launch.limits.process.len(), 7);
    assert_eq!(spec.launch.limits.process[0].kind, RlimitKind::OpenFiles);
    assert_eq!(
        (spec.log.max_age, spec.log.max_total, spec.log.streams),
        (None, Some(1 << 30), Streams::Split)
    );
}

#[test]
fn what_listens_is_loopback() {
    let document = read(
        "[daemon]\nlisten = [\"127.0.0.1:7878\", \"[::1]:7878\", { address = \"localhost:7879\" }]\n",
    );
    let shown: Vec<String> = document
        .daemon
        .listen
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, ["127.0.0.1:7878", "[::1]:7878", "127.0.0.1:7879"]);
}

#[test]
fn a_command_is_split_as_a_shell_would() {
    let spec = one("[service.a]\ncommand = '''sleep \"two words\" 'it is' a\\ b #5'''\n");
    let Command::Argv(argv) = spec.launch.command else {
        panic!("no shell was asked for")
    };
    assert_eq!(argv, ["sleep", "two words", "it is", "a b", "#5"]);
    let spec = one("[service.a]\ncommand = \"echo $HOME | cat\"\nshell = true\n");
    assert_eq!(
        spec.launch.command,
        Command::Shell("echo $HOME | cat".into())
    );
}

#[test]
fn instances_are_told_apart() {
    let document = read(
        "group = \"g\"\n[service.w]\ncommand = \"sleep {instance}\"\ninstances = 3\n\
         [service.c]\ncommand = \"sleep 1\"\nrequires = [\"w\"]\nwants = [\"w@2\"]\n",
    );
    assert_eq!(names(&document.units), ["g:w@1", "g:w@2", "g:w@3", "g:c"]);
    let second = &document.units[1].spec;
    assert_eq!(
        second.launch.command,
        Command::Argv(vec!["sleep".into(), "2".into()])
    );
    assert_eq!(second.launch.environment.get("ABIDE_INSTANCE"), Some("2"));
    let client = &document.units[3].spec.policy;
    assert_eq!(
        client
            .requires
            .iter()
            .map(UnitName::as_str)
            .collect::<Vec<_>>(),
        ["g:w@1", "g:w@2", "g:w@3"]
    );
    assert_eq!(
        client
            .wants
            .iter()
            .map(UnitName::as_str)
            .collect::<Vec<_>>(),
        ["g:w@2"]
    );
}

#[test]
fn scaling_wins_over_the_file() {
    let caller = Caller {
        scale: [("web".to_owned(), 2)].into(),
        ..Caller::default()
    };
    let text = "[service.web]\ncommand = \"sleep 1\"\n";
    let document = parse(text, Path::new("/etc/abide.toml"), &caller).expect("valid");
    assert_eq!(names(&document.units), ["web@1", "web@2"]);
    let setting = document.units[0]
        .settings
        .iter()
        .find(|setting| setting.key == "instances")
        .expect("noted");
    assert_eq!(
        (setting.value.as_str(), &setting.origin),
        ("2", &Origin::Scale)
    );
}

#[test]
fn a_bare_name_means_the_same_group_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let a = file(
        "a.toml",
        "[service.db]\ncommand = \"sleep 1\"\n[service.mail]\ncommand = \"sleep 1\"\n",
    );
    let b = file(
        "b.toml",
        "group = \"shop\"\n[service.db]\ncommand = \"sleep 1\"\n[service.web]\ncommand = \"sleep 1\"\nrequires = [\"db\", \"mail\"]\n",
    );
    let loaded = load(&[a.clone(), b.clone()], &Caller::default());
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
    let web = loaded
        .specs()
        .find(|spec| spec.name.as_str() == "shop:web")
        .expect("there");
    assert_eq!(
        web.policy
            .requires
            .iter()
            .map(UnitName::as_str)
            .collect::<Vec<_>>(),
        ["shop:db", "mail"]
    );
    // Alone, the second file misses what the first one holds, unless the daemon knows it.
    assert!(
        load(std::slice::from_ref(&b), &Caller::default())
            .diagnostics
            .has_errors()
    );
    let known = BTreeSet::from([UnitName::new("mail").expect("a name")]);
    let loaded = load(
        std::slice::from_ref(&b),
        &Caller {
            known,
            ..Caller::default()
        },
    );
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
    // A folder is its abide.toml and then the others by name.
    file("abide.toml", "[service.first]\ncommand = \"sleep 1\"\n");
    let loaded = load(&[folder.path().to_owned()], &Caller::default());
    let files: Vec<PathBuf> = loaded
        .documents
        .iter()
        .map(|document| document.file.clone())
        .collect();
    let folder = folder.path().canonicalize().expect("there");
    assert_eq!(
        files,
        ["abide.toml", "a.toml", "b.toml"].map(|name| folder.join(name))
    );
    assert!(
        loaded
            .documents
            .iter()
            .all(|document| document.argument == folder)
    );
}

#[test]
fn a_name_in_two_files_is_refused_with_both_places() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.toml", "b.toml"] {
        std::fs::write(
            folder.path().join(name),
            "[service.web]\ncommand = \"sleep 1\"\n",
        )
        .expect("written");
    }
    let shown = load(&[folder.path().to_owned()], &Caller::default())
        .diagnostics
        .to_string();
    assert!(shown.contains("the unit `web` is there twice"), "{shown}");
    assert!(
        shown.contains("b.toml:1:10") && shown.contains("a.toml:1:10"),
        "{shown}"
    );
}

#[test]
fn defaults_hold_where_a_unit_says_nothing() {
    let document = read(
        "[defaults]\nrestart = \"never\"\nenvironment = { A = \"1\", B = \"1\" }\nlog = { keep = 3 }\nstop = { within = \"1s\" }\n\
         [service.a]\ncommand = \"sleep 1\"\nenvironment = { B = \"2\" }\nlog = { streams = \"split\" }\nstop = { signal = \"SIGINT\" }\n",
    );
    let unit = &document.units[0];
    assert_eq!(unit.spec.policy.restart, Restart::Never);
    assert_eq!(unit.spec.launch.environment.get("A"), Some("1"));
    assert_eq!(unit.spec.launch.environment.get("B"), Some("2"));
    assert_eq!(
        (unit.spec.log.keep, unit.spec.log.streams),
        (3, Streams::Split)
    );
    assert_eq!(unit.spec.policy.stop.within, Duration::from_secs(1));
    assert_eq!(
        unit.spec.policy.stop.steps[0].action,
        StopAction::Signal(Signal::INT)
    );
    let origin = |key: &str| {
        let setting = unit.settings.iter().find(|setting| setting.key == key);
        setting
            .map(|setting| format!("{} from {}", setting.value, setting.origin))
            .unwrap_or_default()
    };
    assert_eq!(
        origin("restart"),
        "\"never\" from /etc/abide.toml:2 [defaults]"
    );
    assert_eq!(origin("environment.B"), "\"2\" from /etc/abide.toml:8");
    assert_eq!(origin("log.keep"), "3 from /etc/abide.toml:4 [defaults]");
    assert_eq!(origin("log.compress"), "true from built in");
    assert_eq!(origin("command"), "\"sleep 1\" from /etc/abide.toml:7");
}

#[test]
fn a_oneshot_is_not_run_for_ever() {
    let spec = one(
        "[defaults]\nrestart = \"always\"\n[service.migrate]\ntype = \"oneshot\"\ncommand = \"true\"\n",
    );
    assert_eq!(
        (spec.policy.unit_type, spec.policy.restart),
        (UnitType::Oneshot, Restart::OnFailure)
    );
}

#[test]
fn variables_come_from_the_caller_then_the_files_then_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("x.env"), "export A=file\nB='file'\n").expect("written");
    let path = folder.path().join("abide.toml");
    let text = "[defaults]\ninherit = [\"A\", \"B\", \"C\", \"NOT_SET\"]\n[service.a]\ncommand = \"sleep 1\"\n\
        environment_file = [\"x.env\", \"-none.env\"]\nenvironment = { A = \"table\" }\n";
    std::fs::write(&path, text).expect("written");
    let wanted = inherits(std::slice::from_ref(&path), &Caller::default());
    assert_eq!(wanted, ["A", "B", "C", "NOT_SET"].map(String::from).into());
    let environment = ["A", "B", "C"]
        .map(|name| (name.to_owned(), "caller".to_owned()))
        .into();
    let loaded = load(
        &[path],
        &Caller {
            environment,
            ..Caller::default()
        },
    );
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
    let environment = &loaded.documents[0].units[0].spec.launch.environment;
    let value = |name| environment.get(name);
    assert_eq!(
        [value("A"), value("B"), value("C"), value("NOT_SET")],
        [Some("table"), Some("file"), Some("caller"), None]
    );
    assert_eq!(loaded.documents[0].inherited, ["A", "B", "C", "NOT_SET"]);
}

#[test]
fn a_program_is_looked_for_where_the_unit_will_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let tool = folder.path().join("tool");
    std::fs::write(&tool, "#!/bin/sh\n").expect("written");
    let path = folder.path().join("abide.toml");
    let check = |text: &str| {
        std::fs::write(&path, text).expect("written");
        load(std::slice::from_ref(&path), &Caller::default())
            .diagnostics
            .to_string()
    };
    let text = "[service.a]\ncommand = \"./tool x\"\n";
    assert!(check(text).contains("not executable"));
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("set");
    assert_eq!(check(text), "");
    assert!(check("[service.a]\ncommand = \"tool\"\n").contains("was not found"));
    let with_path = format!(
        "[service.a]\ncommand = \"tool\"\nenvironment = {{ PATH = {:?} }}\n",
        folder.path()
    );
    assert_eq!(check(&with_path), "");
}

#[test]
fn only_what_needs_a_new_process_changes_the_digest() {
    let digest = |extra: &str| {
        one(&format!("[service.a]\ncommand = \"sleep 1\"\n{extra}\n"))
            .policy
            .launch_digest
    };
    let plain = digest("");
    for same in [
        "description = \"x\"",
        "restart = \"never\"",
        "backoff = \"none\"",
        "give_up = {}",
        "stop = { signal = \"SIGINT\" }",
        "log = { keep = 1 }",
        "ready = { tcp = \"127.0.0.1:1\" }",
        "enabled = false",
        "umask = \"022\"",
        "success_exit = [1]",
        "reload = {}",
        "reload = { command = \"true\", within = \"5s\" }",
        "health = { tcp = \"127.0.0.1:1\" }",
        "ready = { log = \"x\" }",
        "before_start = \"true\"",
        "on_failure = [{ command = \"true\" }]",
        "fd_store = 0",
        "# a comment",
    ] {
        assert_eq!(digest(same), plain, "{same}");
    }
    for other in [
        "environment = { A = \"1\" }",
        "directory = \"/\"",
        "user = \"root\"",
        "group = \"root\"",
        "umask = \"077\"",
        "priority = 1",
        "oom_score = 1",
        "limits = { open_files = 10 }",
        "limits = { memory = \"1G\" }",
        "type = \"oneshot\"",
        "log = { streams = \"split\" }",
        "heartbeat = { every = \"5s\" }",
        "shell = true",
        "notify = \"main\"",
        "ready = { notify = true }",
        "ready = { fd = 3 }",
        "reload = { confirm = true }",
        "fd_store = 1",
        "limits = { io_read = \"1M\" }",
        "socket = { listen = \"127.0.0.1:8080\" }",
        "socket = { listen = \"127.0.0.1:8080\", pass = \"stdin\" }",
        "socket = { listen = { address = \"127.0.0.1:8080\", name = \"x\" } }",
    ] {
        assert_ne!(digest(other), plain, "{other}");
    }
    let socket = |extra: &str| {
        digest(&format!(
            "socket = {{ listen = \"127.0.0.1:8080\"{extra} }}"
        ))
    };
    for same in [
        ", backlog = 1",
        ", mode = \"600\"",
        ", start = \"connection\"",
        ", idle_stop = \"5m\"",
    ] {
        assert_eq!(socket(same), socket(""), "{same}");
    }
    let ab = digest("environment = { A = \"1\", B = \"2\" }");
    assert_eq!(digest("environment = { B = \"2\", A = \"1\" }"), ab);
}

/// Every unit with a heartbeat has the notify socket, too: those of versions without it must not restart
/// for that. The number is that of a version without it.
#[test]
fn the_digest_of_a_unit_with_a_heartbeat_stays_what_it_was_before_there_was_a_notify_socket() {
    let with = |extra: &str| {
        let text = "[service.a]\ncommand = \"sleep 1\"\nheartbeat = { every = \"5s\" }\n";
        one(&format!("{text}{extra}\n"))
    };
    let plain = with("");
    assert_eq!(plain.launch.notify, Some(NotifyAccess::Main));
    assert_eq!(plain.policy.launch_digest, 7079280854700023385);
    // What asks for it needs a process that has it.
    let asked = with("notify = \"main\"").policy.launch_digest;
    assert_ne!(asked, plain.policy.launch_digest);
    for same in [
        "notify = \"all\"",
        "ready = { notify = true }",
        "reload = { confirm = true }",
    ] {
        assert_eq!(with(same).policy.launch_digest, asked, "{same}");
    }
}

/// A change here would restart every unit of every user at the next upgrade.
#[test]
fn the_digest_of_a_unit_stays_what_it_was() {
    let text = "[service.a]\ncommand = [\"sleep\", \"1\"]\nenvironment = { A = \"1\" }\nuser = \"root\"\nlimits = { open_files = 10 }\n";
    assert_eq!(one(text).policy.launch_digest, 7916553497711675430);
}

#[test]
fn a_file_for_a_newer_abide_says_that_and_nothing_else() {
    let shown = mistakes("abide = \">=7\"\n[service.a]\nfrom_the_future = [1\n[x]\n");
    assert!(shown.contains("this file needs abide >=7"), "{shown}");
    assert!(shown.ends_with("1 error\n"), "{shown}");
}

#[test]
fn a_file_has_one_name_however_it_is_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().canonicalize().expect("there");
    std::fs::create_dir(folder.join("sub")).expect("made");
    let file = folder.join("abide.toml");
    std::fs::write(&file, "[service.a]\ncommand = \"sleep 1\"\n").expect("written");
    let caller = Caller {
        directory: folder.join("sub"),
        ..Caller::default()
    };
    let arguments = [
        "../abide.toml".into(),
        file.clone(),
        "./../sub/../abide.toml".into(),
    ];
    let loaded = load(&arguments, &caller);
    assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics);
    assert_eq!(loaded.documents.len(), 1);
    assert_eq!(loaded.documents[0].file, file);
}

#[test]
fn a_byte_order_mark_and_the_line_ends_of_windows_do_no_harm() {
    let spec = one("\u{feff}[service.a]\r\ncommand = \"sleep 1\"\r\nrestart = \"never\"\r\n");
    assert_eq!(spec.policy.restart, Restart::Never);
    let shown = mistakes("[service.a]\r\ncommand = \"sleep 1\"\r\nrestart = \"x\"\r\n");
    assert!(
        shown.contains("abide.toml:3:11") && !shown.contains('\r'),
        "{shown}"
    );
}

#[test]
fn an_instance_is_filled_in_only_where_there_are_instances() {
    let document = read("[service.a]\ncommand = [\"sleep\", \"{instance}\"]\n");
    assert_eq!(
        document.units[0].spec.launch.command,
        Command::Argv(vec!["sleep".into(), "{instance}".into()])
    );
    assert_eq!(document.warnings.warning_count(), 1);
}

#[test]
fn reports_and_monitors_are_read_from_one_file() {
    let document = read(
        "[report]\nurl = \"http://monitor:8000/ping/{unit}\"\nstyle = \"ping\"\nevery = \"1m\"\nhost = \"web-1\"\n\
         [monitor]\nservices = [\"web-?/*\", \"backup\"]\nmisses = 5\n\
         on_silent = { command = \"true x\", timeout = \"5s\" }\n",
    );
    let report = document.daemon.report.expect("read");
    assert_eq!(
        report,
        ReportSpec {
            url: "http://monitor:8000/ping/{unit}".into(),
            every: Duration::from_secs(60),
            style: ReportStyle::Ping,
            timeout: Duration::from_secs(2),
            host: Some("web-1".into()),
        }
    );
    let monitor = document.daemon.monitor.expect("read");
    assert_eq!(
        monitor,
        MonitorSpec {
            services: vec!["web-?/*".into(), "backup".into()],
            every: Duration::from_secs(30),
            misses: 5,
            on_silent: Some(Hook {
                command: Command::Argv(vec!["true".into(), "x".into()]),
                timeout: Duration::from_secs(5),
            }),
            line: 9,
        }
    );
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.toml", "b.toml"] {
        let text = "[report]\nurl = \"http://h/\"\n[monitor]\nservices = [\"*\"]\n";
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let loaded = load(&[folder.path().to_owned()], &Caller::default());
    let shown = loaded.diagnostics.to_string();
    for part in [
        "[report] is in two files",
        "[monitor] is in two files",
        "a.toml:1:2",
        "b.toml:3:2",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
}
