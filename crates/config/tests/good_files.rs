//! What a good file means, and that only what needs a new process asks for one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_config::{Caller, Document, Origin, Resolved, inherits, load, parse};
use abide_model::{
    Accounts, Backoff, Command, HealthCheck, HealthProbe, Hook, HookKind, HttpProbe, ListenAddress,
    LogEncoding, LogSync, MonitorSpec, NotifyAccess, OnUnhealthy, ProbeKind, Reload, ReloadAction,
    ReportSpec, ReportStyle, Restart, RlimitKind, Signal, SocketGate, SocketPass, Spec, StopAction,
    Streams, Unfit, UnitName, UnitType, WhenFull,
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
cpu_affinity = "0-2, 7"
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
log = { max_size = "10M", keep = 3, max_age = "unlimited", max_total = "1G", compress = false, streams = "split", sync = "500ms", when_full = "drop", encoding = "oem" }
windows = { command = "py app.py" }
linux = { priority = 7 }
"#);
    assert_eq!(spec.name.as_str(), "shop:web");
    // Its overlay is that of the system it is read on.
    let (command, priority) = if cfg!(windows) {
        (vec!["py".into(), "app.py".into()], -5)
    } else {
        (vec!["sh".into(), "-c".into(), "echo 1 '#'".into()], 7)
    };
    assert_eq!(spec.launch.command, Command::Argv(command));
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
        (0o027, Some(priority), Some(100))
    );
    let cpus = spec.launch.cpu_affinity.as_ref().map(ToString::to_string);
    assert_eq!(cpus.as_deref(), Some("0-2,7"));
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
    assert_eq!(
        (spec.log.sync, spec.log.when_full),
        (LogSync::Every(Duration::from_millis(500)), WhenFull::Drop)
    );
    assert_eq!(spec.log.encoding, LogEncoding::Oem);
}

#[test]
fn an_encoding_is_a_word_or_a_code_page_and_changes_nothing_of_how_a_unit_runs() {
    let unit = |value: &str| {
        one(&format!(
            "[service.a]\ncommand = \"cargo\"\nlog = {{ encoding = {value} }}\n"
        ))
    };
    let plain = unit("\"utf-8\"");
    assert_eq!(plain.log.encoding, LogEncoding::Utf8);
    for (value, encoding) in [
        ("\"utf-16\"", LogEncoding::Utf16),
        ("\"ansi\"", LogEncoding::Ansi),
        ("\"cp437\"", LogEncoding::CodePage(437)),
        ("850", LogEncoding::CodePage(850)),
    ] {
        let spec = unit(value);
        assert_eq!(spec.log.encoding, encoding, "{value}");
        assert_eq!(spec.policy.launch_digest, plain.policy.launch_digest);
    }
    for value in ["\"latin\"", "0", "70000", "1201", "true"] {
        let shown = mistakes(&format!(
            "[service.a]\ncommand = \"cargo\"\nlog = {{ encoding = {value} }}\n"
        ));
        assert!(shown.contains("abide.toml:3"), "{value}: {shown}");
    }
}

#[test]
fn an_encoding_that_cannot_be_read_here_is_refused_with_the_reason() {
    let caller = Caller {
        unreadable: |encoding| Some(format!("nobody reads {encoding} here")),
        ..Caller::default()
    };
    let text = "[service.a]\ncommand = \"cargo\"\nlog = { encoding = \"oem\" }\n";
    let mistakes = parse(text, Path::new("/x.toml"), &caller).expect_err("refused");
    let shown = mistakes.to_string();
    assert!(shown.contains("nobody reads oem here"), "{shown}");
    assert!(shown.contains("x.toml:3"), "{shown}");
    // Who says nothing is not asked.
    let text = "[service.a]\ncommand = \"cargo\"\n";
    assert!(parse(text, Path::new("/x.toml"), &caller).is_ok());
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

#[cfg(unix)]
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
    let folder = folder.path();
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

#[cfg(unix)]
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
        "cpu_affinity = 0",
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
            line: 6,
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

#[test]
fn readiness_is_found_out_in_every_way() {
    let ready = |table: &str| {
        let spec = one(&format!(
            "[service.a]\ncommand = \"sleep 1\"\nready = {{ {table} }}\n"
        ));
        (spec.policy.ready.expect("read").probe, spec.launch.notify)
    };
    let main = Some(NotifyAccess::Main);
    assert_eq!(ready("notify = true"), (ProbeKind::Notify, main));
    assert_eq!(ready("notify = \"main\""), (ProbeKind::Notify, main));
    assert_eq!(
        ready("notify = \"all\""),
        (ProbeKind::Notify, Some(NotifyAccess::All))
    );
    assert_eq!(ready("fd = 3"), (ProbeKind::Fd(3), None));
    let log = ProbeKind::Log(r"listening on .*:\d+$".into());
    assert_eq!(ready(r"log = 'listening on .*:\d+$'"), (log, None));
    let http = |status, body: Option<&str>| {
        let url = "http://127.0.0.1:8000/".to_owned();
        let body = body.map(str::to_owned);
        (ProbeKind::Http(HttpProbe { url, status, body }), None)
    };
    let url = "http = \"http://127.0.0.1:8000/\"";
    assert_eq!(
        ready(&format!("{url}, status = 204, body = \"^ok\"")),
        http(vec![(204, 204)], Some("^ok"))
    );
    assert_eq!(
        ready(&format!(
            "{url}, status = [200, \"300-399\", \"4xx\", \"503\"]"
        )),
        http(vec![(200, 200), (300, 399), (400, 499), (503, 503)], None)
    );
}

#[test]
fn who_may_notify_is_said_once() {
    let notify = |lines: &str| {
        let launch = one(&format!("[service.a]\ncommand = \"sleep 1\"\n{lines}\n")).launch;
        (launch.notify, launch.fd_store)
    };
    assert_eq!(notify(""), (None, 0));
    for main in [
        "heartbeat = { every = \"5s\" }",
        "reload = { confirm = true }",
        "notify = \"main\"",
    ] {
        assert_eq!(notify(main), (Some(NotifyAccess::Main), 0), "{main}");
    }
    assert_eq!(notify("fd_store = 128"), (Some(NotifyAccess::Main), 128));
    assert_eq!(
        notify("notify = \"exec\"\nready = { notify = true }\nheartbeat = { every = \"5s\" }"),
        (Some(NotifyAccess::Exec), 0)
    );
}

#[test]
fn health_is_several_probes_under_one_schedule() {
    let health = |lines: &str| {
        let text = format!("[service.a]\ncommand = \"sleep 1\"\ndirectory = \"/tmp\"\n{lines}\n");
        one(&text).policy
    };
    let second = Duration::from_secs;
    let policy = health("health = { tcp = \"127.0.0.1:1\" }");
    assert_eq!(
        policy.health,
        Some(HealthCheck {
            probes: vec![HealthProbe::Tcp("127.0.0.1:1".into())],
            every: second(10),
            timeout: second(2),
            misses: 3,
            grace: second(30),
            on_unhealthy: OnUnhealthy::Restart,
        })
    );
    let policy = health(
        "health = { http = \"http://[::1]/\", status = 200, tcp = \"[::1]:80\", exec = \"true x\", silence = \"5m\", memory = \"500M\",\n\
         every = \"1s\", misses = 5, grace = \"1m\", on_unhealthy = \"mark\" }\nready = { notify = true }",
    );
    let check = policy.health.expect("read");
    assert_eq!(
        check.probes,
        [
            HealthProbe::Silence(second(300)),
            HealthProbe::Memory(500 << 20),
            HealthProbe::Tcp("[::1]:80".into()),
            HealthProbe::Http(HttpProbe {
                status: vec![(200, 200)],
                ..HttpProbe::get("http://[::1]/")
            }),
            HealthProbe::Exec(vec!["true".into(), "x".into()]),
        ]
    );
    // One round is never longer than the time to the next.
    assert_eq!((check.every, check.timeout), (second(1), second(1)));
    assert_eq!((check.misses, check.grace), (5, second(60)));
    assert_eq!(check.on_unhealthy, OnUnhealthy::Mark);
    // When it is ready, it has started up.
    let policy = health("health = { tcp = \"[::1]:1\" }\nready = { notify = true }");
    assert_eq!(policy.health.map(|check| check.grace), Some(Duration::ZERO));
    // For a time is so many rounds, and silence is long enough by itself.
    for (table, misses) in [
        ("memory = \"1G\", for = \"1m\"", 6),
        ("memory = \"1G\", for = \"61s\"", 7),
        ("memory = \"1G\", for = \"10s\"", 1),
        ("memory = \"1G\"", 3),
        ("silence = \"5m\"", 1),
        ("silence = \"5m\", misses = 2", 2),
        ("silence = \"5m\", tcp = \"[::1]:1\"", 3),
    ] {
        let policy = health(&format!("health = {{ {table} }}"));
        assert_eq!(
            policy.health.map(|check| check.misses),
            Some(misses),
            "{table}"
        );
    }
}

#[test]
fn what_is_run_when_it_becomes_unhealthy_is_a_hook() {
    for (command, timeout) in [
        ("\"true --page\"", 30),
        ("[\"true\", \"--page\"]", 30),
        ("{ command = \"true --page\", timeout = \"5s\" }", 5),
    ] {
        let text = format!(
            "[service.a]\ncommand = \"sleep 1\"\nhealth = {{ tcp = \"[::1]:1\", on_unhealthy = {command} }}\n"
        );
        let policy = one(&text).policy;
        let check = policy.health.expect("read");
        assert_eq!(check.on_unhealthy, OnUnhealthy::Command);
        let hooks: Vec<_> = policy.hooks.of(HookKind::OnUnhealthy).collect();
        let wanted = Hook {
            command: Command::Argv(vec!["true".into(), "--page".into()]),
            timeout: Duration::from_secs(timeout),
        };
        assert_eq!(hooks, [&wanted], "{command}");
    }
}

#[test]
fn hooks_are_lines_arrays_tables_and_arrays_of_tables() {
    let document = read(
        r#"
[defaults]
before_start = "true of the defaults"
on_failure = "true of the defaults"

[service.a]
command = "sleep 1"
instances = 2
before_start = [{ command = "true {instance}" }, { command = "echo {instance} | cat", shell = true, timeout = "1m" }]
after_start = "true 'two words'"
before_stop = ["true", "two words"]
after_stop = { command = ["true"], timeout = "5s" }
on_failure = []
on_give_up = "true"
"#,
    );
    let hooks = &document.units[1].spec.policy.hooks;
    let argv = |words: &[&str]| Command::Argv(words.iter().map(ToString::to_string).collect());
    let of = |kind| {
        let hooks = hooks.of(kind);
        let hooks = hooks.map(|hook| (hook.command.clone(), hook.timeout.as_secs()));
        hooks.collect::<Vec<_>>()
    };
    assert_eq!(
        of(HookKind::BeforeStart),
        [
            (argv(&["true", "2"]), 30),
            (Command::Shell("echo 2 | cat".into()), 60)
        ]
    );
    assert_eq!(
        of(HookKind::AfterStart),
        [(argv(&["true", "two words"]), 30)]
    );
    assert_eq!(
        of(HookKind::BeforeStop),
        [(argv(&["true", "two words"]), 30)]
    );
    assert_eq!(of(HookKind::AfterStop), [(argv(&["true"]), 5)]);
    assert_eq!(of(HookKind::OnFailure), []);
    assert_eq!(of(HookKind::OnGiveUp), [(argv(&["true"]), 30)]);
    let shown = |key: &str| {
        let mut settings = document.units[1].settings.iter();
        let found = settings.find(|setting| setting.key == key).expect("noted");
        found.value.clone()
    };
    assert_eq!(shown("after_start"), "\"true 'two words'\"");
    assert_eq!(
        shown("after_stop"),
        "{ command = [\"true\"], timeout = \"5s\" }"
    );
}

#[test]
fn a_reload_is_a_signal_or_a_command_and_may_be_confirmed() {
    let reload = |table: &str| {
        let text = format!("[service.a]\ncommand = \"sleep 1\"\nreload = {{ {table} }}\n");
        one(&text).policy.reload.expect("read")
    };
    assert_eq!(reload(""), Reload::signal(Signal(1)));
    assert_eq!(
        reload("signal = \"SIGUSR2\", confirm = true, within = \"5s\""),
        Reload {
            action: ReloadAction::Signal(Signal(12)),
            confirm: true,
            within: Duration::from_secs(5),
        }
    );
    assert_eq!(
        reload("command = \"true x\"").action,
        ReloadAction::Command(Command::Argv(vec!["true".into(), "x".into()]))
    );
    assert_eq!(
        reload("command = \"kill -HUP $MAINPID\", shell = true").action,
        ReloadAction::Command(Command::Shell("kill -HUP $MAINPID".into()))
    );
    // What the unit says holds over what the defaults say.
    let spec = one(
        "[defaults]\nreload = { signal = \"SIGUSR1\", within = \"5s\" }\n[service.a]\ncommand = \"sleep 1\"\nreload = { command = \"true\" }\n",
    );
    let reload = spec.policy.reload.expect("read");
    assert!(matches!(reload.action, ReloadAction::Command(_)));
    assert_eq!(reload.within, Duration::from_secs(5));
}

#[test]
fn sockets_are_addresses_paths_and_tables() {
    let spec = one(r#"
group = "shop"

[service.web]
command = "sleep 1"

[service.web.socket]
listen = ["127.0.0.1:8080", "[::]:8081", "localhost:8082", "tcp://10.0.0.1:8083", "/run/x.sock", "./web.sock", "udp://127.0.0.1:5353", { address = "[::1]:8084", name = "admin" }]
start = "connection"
idle_stop = "5m"
backlog = 511
mode = "0660"
user = "root"
group = 0
"#);
    let socket = spec.launch.socket.expect("read");
    let tcp = |text: &str| ListenAddress::Tcp(text.parse().expect("an address"));
    let listen: Vec<_> = socket
        .listen
        .iter()
        .map(|listen| (listen.address.clone(), listen.name.as_str()))
        .collect();
    assert_eq!(
        listen,
        [
            (tcp("127.0.0.1:8080"), "web"),
            (tcp("[::]:8081"), "web"),
            (tcp("127.0.0.1:8082"), "web"),
            (tcp("10.0.0.1:8083"), "web"),
            (ListenAddress::Unix("/run/x.sock".into()), "web"),
            (ListenAddress::Unix("/etc/web.sock".into()), "web"),
            (
                ListenAddress::Udp("127.0.0.1:5353".parse().expect("an address")),
                "web"
            ),
            (tcp("[::1]:8084"), "admin"),
        ]
    );
    assert_eq!(
        (socket.pass, socket.backlog, socket.mode),
        (SocketPass::Fds, 511, 0o660)
    );
    assert_eq!(
        (socket.owner.as_deref(), socket.group.as_deref()),
        (Some("root"), Some("0"))
    );
    assert_eq!(
        spec.policy.socket,
        Some(SocketGate {
            on_connection: true,
            idle_stop: Some(Duration::from_secs(300)),
        })
    );
    let plain =
        one("[service.a]\ncommand = \"sleep 1\"\nsocket = { listen = \"127.0.0.1:8080\" }\n");
    let socket = plain.launch.socket.expect("read");
    assert_eq!(
        (socket.backlog, socket.mode, socket.owner),
        (4096, 0o666, None)
    );
    assert_eq!(
        plain.policy.socket.map(|gate| gate.on_connection),
        Some(false)
    );
}

#[test]
fn instances_share_a_socket_unless_their_number_is_in_it() {
    let document = read(
        "[service.a]\ncommand = \"sleep 1\"\ninstances = 2\nsocket = { listen = [\"127.0.0.1:8080\", \"127.0.0.1:900{instance}\"] }\n\
         heartbeat = { every = \"5s\", file = \"alive.{instance}\" }\nready = { log = \"instance {instance} is up\" }\n",
    );
    let address = |unit: usize, at: usize| {
        let socket = document.units[unit].spec.launch.socket.as_ref();
        socket.expect("read").listen[at].address.to_string()
    };
    assert_eq!(address(0, 0), address(1, 0));
    assert_eq!(
        (address(0, 1).as_str(), address(1, 1).as_str()),
        ("127.0.0.1:9001", "127.0.0.1:9002")
    );
    let policy = &document.units[1].spec.policy;
    let file = policy.heartbeat.as_ref().and_then(|beat| beat.file.clone());
    assert_eq!(file, Some("/etc/alive.2".into()));
    let ready = policy.ready.as_ref().map(|ready| ready.probe.clone());
    assert_eq!(ready, Some(ProbeKind::Log("instance 2 is up".into())));
}

#[test]
fn an_address_in_two_units_is_refused_with_both_places() {
    for (first, second) in [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("0.0.0.0:8080", "127.0.0.1:8080"),
        ("127.0.0.1:8080", "0.0.0.0:8080"),
        #[cfg(unix)]
        ("/run/x.sock", "/run/./x.sock"),
    ] {
        let shown = mistakes(&format!(
            "[service.a]\ncommand = \"sleep 1\"\nsocket = {{ listen = {first:?} }}\n\
             [service.b]\ncommand = \"sleep 1\"\nsocket = {{ listen = {second:?} }}\n"
        ));
        assert!(
            shown.contains(&format!("`a` listens on {first} already")),
            "{shown}"
        );
        assert!(
            shown.contains("abide.toml:6:") && shown.contains("abide.toml:3:"),
            "{shown}"
        );
    }
    // Streams and datagrams do not meet.
    read(
        "[service.a]\ncommand = \"sleep 1\"\nsocket = { listen = [\"127.0.0.1:8080\", \"udp://127.0.0.1:8080\", \"[::1]:8080\"] }\n",
    );
}

#[test]
fn a_privileged_port_needs_the_right_to_it() {
    let text = "[service.a]\ncommand = \"sleep 1\"\nsocket = { listen = \"127.0.0.1:80\" }\n";
    let with = |first_port| Caller {
        first_port,
        ..Caller::default()
    };
    let path = Path::new("/etc/abide.toml");
    assert!(parse(text, path, &with(1)).is_ok());
    assert!(parse(text, path, &with(80)).is_ok());
    let shown = parse(text, path, &with(1024))
        .expect_err("refused")
        .to_string();
    assert!(shown.contains("port 80 is for root alone"), "{shown}");
    assert!(
        shown.contains("setcap") && shown.contains("from 1024 on"),
        "{shown}"
    );
}

#[test]
fn what_may_be_read_and_written_is_bytes_a_second() {
    let limits = one(
        "[service.a]\ncommand = \"sleep 1\"\nlimits = { io_read = \"10M\", io_write = \"512K\" }\n",
    )
    .launch
    .limits;
    assert_eq!(
        (limits.tree.io_read, limits.tree.io_write),
        (Some(10 << 20), Some(512 << 10))
    );
}

#[test]
fn system_logs_are_named_by_one_word_or_described() {
    let document = read(
        "[daemon]\nsystem_log = \"journald\"\n[defaults]\nsystem_log = true\n\
         [service.a]\ncommand = \"sleep 1\"\n\
         [service.b]\ncommand = \"sleep 1\"\nsystem_log = false\n\
         [service.c]\ncommand = \"sleep 1\"\n\
         system_log = [\"syslog\", { to = [\"udp://h\", \"tcp://[::1]:601\"], output = true, events = false, facility = \"local0\", host = \"web-1\" }]\n",
    );
    let shown = |specs: &Option<Vec<abide_model::SystemLogSpec>>| -> Vec<String> {
        let specs = specs.as_ref().expect("it is there").iter();
        let show = |spec: &abide_model::SystemLogSpec| {
            format!(
                "{} {} {} {}",
                spec.to.way, spec.to.facility, spec.events, spec.output
            )
        };
        specs.map(show).collect()
    };
    assert_eq!(
        shown(&document.daemon.system_log),
        ["journald daemon true false"]
    );
    let logs: Vec<_> = document
        .specs()
        .map(|spec| shown(&spec.log.system))
        .collect();
    assert_eq!(logs[0], ["auto daemon true false"]);
    assert!(logs[1].is_empty());
    assert_eq!(
        logs[2],
        [
            "syslog daemon true false",
            "udp://h:514 local0 false true",
            "tcp://[::1]:601 local0 false true"
        ]
    );
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.toml", "b.toml"] {
        std::fs::write(folder.path().join(name), "[daemon]\nsystem_log = true\n").expect("written");
    }
    let loaded = load(&[folder.path().to_owned()], &Caller::default());
    let shown = loaded.diagnostics.to_string();
    assert!(
        shown.contains("`system_log` of [daemon] is in two files"),
        "{shown}"
    );
}

/// Where one user logs on with a password, and nobody else with anything.
struct OnePassword;

fn unfit(why: String) -> Unfit {
    Unfit {
        why,
        unknown: false,
        help: None,
    }
}

impl Accounts for OnePassword {
    fn user(&self, name: &str) -> Result<(), Unfit> {
        match name {
            "web" | "plain" => Ok(()),
            _ => Err(unfit(format!("nobody is {name}"))),
        }
    }

    fn group(&self, _name: &str) -> Result<(), Unfit> {
        Err(unfit("groups are nobody's".into()))
    }

    fn password(&self, user: Option<&str>, file: Option<&Path>) -> Result<(), Unfit> {
        match (user, file) {
            (Some("web"), Some(file)) if file == Path::new("/shop/web.password") => Ok(()),
            (Some("web"), file) => Err(unfit(format!("{file:?} is no password of web"))),
            (_, None) => Ok(()),
            (user, Some(_)) => Err(unfit(format!("{user:?} has no password"))),
        }
    }
}

fn with_one_password(lines: &str) -> Result<Document, String> {
    let caller = Caller {
        accounts: Box::new(OnePassword),
        ..Caller::default()
    };
    let text = format!("[service.a]\ncommand = \"cargo\"\ndirectory = \"/\"\n{lines}\n");
    parse(&text, Path::new("/shop/x.toml"), &caller).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn why_somebody_cannot_be_the_user_stands_where_it_is_written() {
    for (lines, why, at) in [
        ("user = \"root\"", "nobody is root", 4),
        ("user = 0", "nobody is 0", 4),
        ("group = \"root\"", "groups are nobody's", 4),
        ("user = \"web\"", "None is no password of web", 4),
        ("\npassword_file = \"x\"", "None has no password", 5),
        (
            "user = \"web\"\npassword_file = \"x\"",
            "x\") is no password of web",
            5,
        ),
        (
            "user = \"plain\"\npassword_file = \"x\"",
            "Some(\"plain\") has no password",
            5,
        ),
    ] {
        let shown = with_one_password(lines).expect_err(lines);
        assert!(shown.contains(why), "{shown}");
        assert!(shown.contains(&format!("x.toml:{at}")), "{shown}");
    }
    // What is wrong is told once.
    let shown = with_one_password("user = \"root\"\npassword_file = \"x\"").expect_err("no");
    assert!(!shown.contains("has no password"), "{shown}");
}

#[test]
fn a_password_is_where_its_file_is_and_no_process_is_another_one_for_it() {
    let read = |lines: &str| {
        let spec = with_one_password(lines).expect("it is valid").units[0]
            .spec
            .clone();
        (spec.launch.password_file, spec.policy.launch_digest)
    };
    let (file, digest) = read("user = \"web\"\npassword_file = \"web.password\"");
    assert_eq!(file, Some(PathBuf::from("/shop/web.password")));
    let (_, other) = read("user = \"web\"\npassword_file = \"/shop/web.password\"");
    assert_eq!(digest, other);
    assert_ne!(read("user = \"plain\"").1, digest);
}

#[cfg(target_os = "linux")]
#[test]
fn on_linux_nobody_logs_on_with_a_password() {
    let text = "[service.a]\ncommand = \"true\"\npassword_file = \"x\"\n";
    let refused = parse(text, Path::new("/x.toml"), &Caller::default()).expect_err("refused");
    let shown = refused.to_string();
    assert!(
        shown.contains("on Linux no unit logs on with a password"),
        "{shown}"
    );
    let text = "[service.a]\ncommand = \"true\"\nwindows = { password_file = \"x\" }\n";
    parse(text, Path::new("/x.toml"), &Caller::default()).expect("it counts elsewhere");
}

#[test]
fn an_input_that_ends_at_a_step_needs_a_new_process_and_the_step_alone_does_not() {
    let unit = |more: &str| {
        let spec = one(&format!("[service.a]\ncommand = \"cargo\"\n{more}\n"));
        (
            spec.policy.stop.steps[0].action.clone(),
            spec.policy.launch_digest,
        )
    };
    let steps = "stop.steps = [{ stdin = \"close\", within = \"1s\" }, { signal = \"INT\" }]";
    let (_, plain) = unit("");
    assert_eq!(unit("stdin = \"null\"").1, plain);
    let (_, pipe) = unit("stdin = \"pipe\"");
    assert_ne!(pipe, plain);
    let both = unit(&format!("stdin = \"pipe\"\n{steps}"));
    assert_eq!(both, (StopAction::EndOfInput, pipe));
}
