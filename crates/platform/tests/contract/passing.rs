//! What is passed to a program: sockets, a ready descriptor, a notify socket.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use abide_model::{ExitStatus, Launch, Listen, ListenAddress, SocketPass, SocketSpec};

use crate::daemon::{Ask, How, Tell};
use crate::linux::{Linux, launch, wait_for};
use crate::platform::{Platform, Program};
use crate::runner::{Both, Outcome, Skipped};

pub const ALL: &[Both] = &[
    ("sockets_are_found_as_sd_listen_fds_says", found),
    ("a_socket_is_found_as_standard_input", standard_input),
    (
        "no_connection_is_refused_while_program_and_daemon_are_gone",
        nobody_is_refused,
    ),
    ("connections_are_counted", counted),
    ("a_program_says_on_its_descriptor_that_it_is_ready", ready),
    (
        "what_cannot_be_passed_is_refused_and_leaves_nothing",
        refused,
    ),
    (
        "a_message_of_a_run_is_known_to_be_its_own_and_waits_for_a_daemon",
        message,
    ),
];

fn named(name: &str, address: SocketAddr) -> Listen {
    Listen {
        address: ListenAddress::Tcp(address),
        name: name.to_owned(),
    }
}

/// An address that is free, at least now.
fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
    listener.local_addr().expect("it has an address")
}

fn pass(linux: &mut Linux, run: u64, launch: Launch, listen: Vec<Listen>, how: How) -> u32 {
    let launch = Box::new(launch);
    match linux.ask(&Ask::Pass {
        run,
        launch,
        listen,
        how,
    }) {
        Tell::Spawned { pid } => pid,
        other => panic!("{other:?}"),
    }
}

fn answer(mut stream: &TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

struct Report {
    _place: tempfile::TempDir,
    file: PathBuf,
}

impl Report {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        Self {
            file: place.path().join("report"),
            _place: place,
        }
    }

    fn launch(&self) -> Launch {
        launch(&["report", &self.file.display().to_string()])
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.file).expect("a report");
        text.lines().map(str::to_owned).collect()
    }
}

#[track_caller]
fn has(lines: &[String], line: &str) {
    assert!(lines.iter().any(|l| l == line), "{line:?} in {lines:?}");
}

fn found(linux: &mut Linux) {
    let report = Report::new();
    let mut launch = report.launch();
    // Leftovers of whoever wrote the configuration say nothing.
    launch.environment.variables = vec![
        ("LISTEN_PID".into(), "1".into()),
        ("LISTEN_FDS".into(), "9".into()),
    ];
    let listen = vec![
        named("web", free()),
        Listen {
            address: ListenAddress::Unix(linux.home().join("socket")),
            name: "admin port".into(),
        },
        named("", free()),
    ];
    // The numbers from 3 on are just those that the daemon uses itself.
    let pid = pass(linux, 1, launch, listen, How::default());
    assert_eq!(linux.exit(1), ExitStatus::Code(0));
    let lines = report.lines();
    has(&lines, "fds [0, 1, 2, 3, 4, 5, 200]");
    has(&lines, "env LISTEN_FDS=3");
    has(&lines, &format!("env LISTEN_PID={pid}"));
    has(&lines, "env LISTEN_FDNAMES=web:admin port:");
    linux.take(1);
}

fn standard_input(linux: &mut Linux) {
    let address = free();
    let how = How {
        stdin: true,
        ..How::default()
    };
    let web = vec![named("web", address)];
    let pid = pass(linux, 1, launch(&["serve", "0"]), web, how);
    let stream = TcpStream::connect(address).expect("it listens");
    assert_eq!(answer(&stream), pid.to_string());
}

fn nobody_is_refused(linux: &mut Linux) {
    let address = free();
    let web = || vec![named("web", address)];
    let first = pass(linux, 1, launch(&["serve", "3"]), web(), How::default());
    let stream = TcpStream::connect(address).expect("it listens");
    assert_eq!(answer(&stream), first.to_string());
    linux.kill_tree(1);
    let between = TcpStream::connect(address).expect("it listens, without a program");
    linux.daemon_dies();
    let later = TcpStream::connect(address).expect("it listens, after the daemon's death");
    let tcp = ListenAddress::Tcp(address);
    assert_eq!(linux.ask(&Ask::Listening), Tell::Addresses(vec![tcp]));
    let second = pass(linux, 2, launch(&["serve", "3"]), web(), How::default());
    for stream in [between, later] {
        assert_eq!(answer(&stream), second.to_string());
    }
}

fn counted(linux: &mut Linux) {
    let tcp = free();
    let path = linux.home().join("socket");
    let addresses = vec![ListenAddress::Tcp(tcp), ListenAddress::Unix(path.clone())];
    let listen = addresses.iter().map(|address| Listen {
        address: address.clone(),
        name: "x".into(),
    });
    pass(
        linux,
        1,
        launch(&["idle"]),
        listen.collect(),
        How::default(),
    );
    let mut count = |wanted: u64| {
        wait_for("the connections are counted", || {
            let addresses = addresses.clone();
            (linux.ask(&Ask::Connected { addresses }) == Tell::Count(wanted)).then_some(())
        });
    };
    count(0);
    let one = TcpStream::connect(tcp).expect("it listens");
    count(1);
    let two = std::os::unix::net::UnixStream::connect(&path).expect("it listens");
    count(2);
    drop(two);
    // Nobody has accepted it: it still waits for the program, which will find it closed.
    drop(one);
    linux.kill_tree(1);
}

fn ready(linux: &mut Linux) {
    let how = How {
        ready: Some(7),
        ..How::default()
    };
    let web = vec![named("web", free())];
    pass(linux, 1, launch(&["ready", "7"]), web, how);
    assert_eq!(linux.ask(&Ask::Ready), Tell::Content(Some("\n".into())));
}

fn refused(linux: &mut Linux) {
    let mut refuse = |run: u64, launch: Launch, ready: Option<u32>, wanted: &str| {
        let ask = Ask::Pass {
            run,
            launch: Box::new(launch),
            listen: vec![named("web", free())],
            how: How {
                ready,
                ..How::default()
            },
        };
        match linux.ask(&ask) {
            Tell::Refused(error) => assert!(error.contains(wanted), "{error}"),
            other => panic!("{other:?}"),
        }
    };
    let idle = || launch(&["idle"]);
    refuse(1, idle(), Some(3), "its sockets are there");
    refuse(2, idle(), Some(200), "choose another number");
    // The keeper is told although its socket had to make way for the sockets of the program.
    let missing = Launch {
        command: abide_model::Command::Argv(vec!["/no/such/program".into()]),
        ..idle()
    };
    refuse(3, missing, None, "cannot execute /no/such/program");
    assert!(matches!(linux.exit(3), ExitStatus::SpawnFailed(_)));
    assert_eq!(linux.processes(3), 0);
}

fn message(linux: &mut Linux) {
    let Tell::Content(Some(address)) = linux.ask(&Ask::Notify) else {
        panic!("no address")
    };
    let mut notify = launch(&["notify", "READY=1"]);
    notify.environment.variables = vec![("NOTIFY_SOCKET".into(), address.clone())];
    let pid = linux.start_run(1, notify.clone()).expect("it starts");
    let expected = |pid, member| Tell::Message {
        text: "READY=1".into(),
        pid,
        descriptors: 1,
        member: Some(member),
    };
    assert_eq!(linux.ask(&Ask::Message { run: 1 }), expected(pid, true));
    let other = linux.start_run(2, notify).expect("it starts");
    assert_eq!(linux.ask(&Ask::Message { run: 1 }), expected(other, false));

    // Nobody reads, and then there is nobody.
    let socket = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
    socket
        .send_to(b"WATCHDOG=1", &address)
        .expect("it is taken");
    linux.daemon_dies();
    let content = Tell::Content(Some(address));
    assert_eq!(linux.ask(&Ask::Notify), content);
    let ours = std::process::id();
    match linux.ask(&Ask::Message { run: 1 }) {
        Tell::Message {
            text, pid, member, ..
        } => {
            assert_eq!((&*text, pid, member), ("WATCHDOG=1", ours, Some(false)));
        }
        other => panic!("{other:?}"),
    }
    for run in [1, 2] {
        linux.kill_tree(run);
    }
    linux.spawn(3, Program::Exit(0)).expect("it starts");
    assert_eq!(linux.exit(3), ExitStatus::Code(0));
}

pub fn privileged() -> Outcome {
    let spec = SocketSpec {
        listen: vec![named("web", (Ipv4Addr::LOCALHOST, 1).into())],
        pass: SocketPass::Fds,
        backlog: 1,
        mode: 0,
        owner: None,
        group: None,
    };
    match abide_platform::listen::bind(&spec, &spec.listen[0], None) {
        Ok(_) => Err(Skipped("this user may listen on any port")),
        Err(error) => {
            let error = error.to_string();
            assert!(
                error.contains("need root or CAP_NET_BIND_SERVICE"),
                "{error}"
            );
            assert!(error.contains("ip_unprivileged_port_start=1"), "{error}");
            Ok(())
        }
    }
}
