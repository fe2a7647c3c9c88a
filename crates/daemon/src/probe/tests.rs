//! Against targets that behave as badly as they can.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use abide_model::{
    EffectId, HealthCheck, HealthProbe, HttpProbe, LogEncoding, LogSpec, Mono, OnUnhealthy,
    ProbeKind, RunId, UnitId, UnitName,
};
use abide_platform::pipe;
use abide_platform::tree::Trees;

use super::{BeatFile, Prober, ReadyWatch, Round, Subject};
use crate::assist::tests::{PATIENCE, launch, processes, wait_for};
use crate::assist::{Assistants, Report};
use crate::capture::{Capture, StreamSpec};
use crate::home::Home;

const RUN: RunId = RunId(3);

struct Bench {
    root: tempfile::TempDir,
    trees: Trees,
    capture: Capture,
    prober: Prober,
    reports: Receiver<Report>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.trees.remove();
    }
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let trees = Trees::new(root.path());
        let (tell, reports) = channel();
        let tell = Mutex::new(tell);
        let assistants = Assistants::new(trees.clone(), None, move |report| {
            // The test may be over.
            let _ = tell.lock().expect("nobody panics with it").send(report);
        });
        let capture = Capture::start((), |_| {}).expect("a capture");
        let home = Home::new(root.path().to_owned());
        let prober = Prober::new(assistants, capture.clone(), home);
        Self {
            root,
            trees,
            capture,
            prober,
            reports,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn subject(&self, unit: u32) -> Subject {
        Subject {
            unit: UnitId(unit),
            name: name(unit),
            run: RUN,
            launch: launch(self.root.path()),
            variables: Vec::new(),
        }
    }

    fn begin(&mut self, unit: u32, probes: Vec<HealthProbe>, timeout: Duration) {
        let round = Round {
            effect: EffectId(unit.into()),
            subject: self.subject(unit),
            check: HealthCheck {
                probes,
                every: PATIENCE,
                timeout,
                misses: 3,
                grace: Duration::ZERO,
                on_unhealthy: OnUnhealthy::Mark,
            },
            tree: self.trees.run(UnitId(unit), &name(unit), RUN),
            began: Mono(0),
        };
        self.prober.probe_once(round);
    }

    fn done(&self) -> (u64, Result<(), String>) {
        match self.reports.recv_timeout(PATIENCE) {
            Ok(Report::Done { effect, result }) => (effect.0, result),
            other => panic!("no answer, but {other:?}"),
        }
    }

    fn round(&mut self, probes: Vec<HealthProbe>, timeout: Duration) -> Result<(), String> {
        self.begin(1, probes, timeout);
        self.done().1
    }

    fn http(&mut self, probe: HttpProbe) -> Result<(), String> {
        self.round(vec![HealthProbe::Http(probe)], PATIENCE)
    }

    fn watch(&mut self, probe: ProbeKind, mark: Option<crate::capture::LogMark>) {
        self.prober.watch_ready(ReadyWatch {
            subject: self.subject(1),
            probe,
            since: SystemTime::now(),
            mark,
            encoding: LogEncoding::Utf8,
        });
    }

    fn ready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        loop {
            match self.reports.recv_timeout(PATIENCE) {
                Ok(Report::Ready { .. }) => return reasons,
                Ok(Report::NotYet { reason, .. }) => reasons.push(reason),
                other => panic!("not ready, but {other:?}"),
            }
        }
    }

    /// The unit's FIFO, captured, and its program's end.
    fn output(&self) -> std::fs::File {
        pipe::create_fifo(&self.path("fifo"), None).expect("a FIFO");
        let fifo = pipe::hold(&self.path("fifo")).expect("held");
        let spec = StreamSpec {
            unit: UnitId(1),
            name: name(1),
            stream: abide_log::Stream::Out,
            log: LogSpec::default(),
            dir: self.path("logs").join(name(1).as_str()),
            fifo: Arc::new(fifo),
            stage: None,
            program: None,
        };
        self.capture.add(spec).expect("captured");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).open(self.path("fifo")).expect("opened")
    }
}

fn name(unit: u32) -> UnitName {
    UnitName::new(&format!("u{unit}")).expect("a name")
}

/// A target that does this with each connection, on a thread of its own.
fn target(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("an address");
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads the head of a request, then says this.
fn says(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    target(move |mut stream| {
        head(&mut stream);
        // Who asked may have gone.
        let _ = stream.write_all(&answer);
    })
}

fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Accepts and never answers.
fn hangs() -> SocketAddr {
    target(|mut stream| {
        // Ends when the other side does.
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// Nobody listens there.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    listener.local_addr().expect("an address")
}

fn get(address: SocketAddr) -> HttpProbe {
    HttpProbe::get(format!("http://{address}/"))
}

fn tcp(address: SocketAddr) -> HealthProbe {
    HealthProbe::Tcp(address.to_string())
}

#[test]
fn a_connection_is_enough_for_tcp_and_a_refusal_is_said() {
    let mut bench = Bench::new();
    let there = hangs();
    assert_eq!(bench.round(vec![tcp(there)], PATIENCE), Ok(()));
    let local = HealthProbe::Tcp(format!("localhost:{}", there.port()));
    assert_eq!(bench.round(vec![local], PATIENCE), Ok(()));
    let gone = nobody();
    assert_eq!(
        bench.round(vec![tcp(gone)], PATIENCE),
        Err(format!("tcp {gone}: connection refused"))
    );
}

#[test]
fn an_http_answer_is_judged_by_its_status_and_its_body() {
    let mut bench = Bench::new();
    let good = says("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nstatus: fine");
    assert_eq!(bench.http(get(good)), Ok(()));
    let bad = says("HTTP/1.0 503 No\r\n\r\nsorry");
    assert_eq!(
        bench.http(get(bad)),
        Err(format!("http http://{bad}/: 503"))
    );
    let accepted = HttpProbe {
        status: vec![(200, 299), (503, 503)],
        ..get(bad)
    };
    assert_eq!(bench.http(accepted), Ok(()));
    let matching = |address, body: &str| HttpProbe {
        body: Some(body.into()),
        ..get(address)
    };
    assert_eq!(bench.http(matching(good, "status: (fine|ok)$")), Ok(()));
    assert_eq!(
        bench.http(matching(good, "broken")),
        Err(format!(
            "http http://{good}/: 200, but its body does not match \"broken\""
        ))
    );
    let chunked = says(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfi-\r\n3\r\nne!\r\n0\r\n\r\n",
    );
    assert_eq!(bench.http(matching(chunked, "^fi-ne!$")), Ok(()));
}

#[test]
fn a_request_says_where_it_goes_and_that_it_is_the_only_one() {
    let mut bench = Bench::new();
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let address = target(move |mut stream| {
        let head = head(&mut stream);
        tell.lock()
            .expect("one at a time")
            .send(head)
            .expect("waited for");
        stream
            .write_all(b"HTTP/1.1 204 Empty\r\n\r\n")
            .expect("written");
    });
    let url = format!("http://user:secret@{address}/health?deep=1");
    assert_eq!(bench.http(HttpProbe::get(url)), Ok(()));
    let head = told
        .recv_timeout(PATIENCE)
        .expect("a request")
        .to_lowercase();
    assert!(
        head.starts_with("get /health?deep=1 http/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains(&format!("host: {address}\r\n")), "{head}");
    assert!(head.contains("connection: close\r\n"), "{head}");
}

#[test]
fn what_is_no_answer_is_said_in_words() {
    let mut bench = Bench::new();
    let closes = target(|mut stream| drop(head(&mut stream)));
    assert_eq!(
        bench.http(get(closes)),
        Err(format!(
            "http http://{closes}/: the connection was closed without an answer"
        ))
    );
    let babbles = says("220 smtp.example ESMTP\r\n");
    assert_eq!(
        bench.http(get(babbles)),
        Err(format!("http http://{babbles}/: the answer is not HTTP"))
    );
    let floods = target(|mut stream| {
        head(&mut stream);
        let line = format!("X: {}\r\n", "y".repeat(1000));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(line.as_bytes()).is_ok() {}
    });
    assert_eq!(
        bench.http(get(floods)),
        Err(format!(
            "http http://{floods}/: the head of the answer is too large"
        ))
    );
}

#[test]
fn of_an_endless_body_only_the_beginning_is_read() {
    let mut bench = Bench::new();
    let floods = target(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nbegin ");
        while stream.write_all(&[b'x'; 10_000]).is_ok() {}
    });
    // Without a wish for the body it is not read at all.
    assert_eq!(bench.http(get(floods)), Ok(()));
    let matching = |body: &str| HttpProbe {
        body: Some(body.into()),
        ..get(floods)
    };
    assert_eq!(bench.http(matching("^begin x+$")), Ok(()));
    assert!(bench.http(matching("end$")).is_err());
}

#[test]
fn who_accepts_and_never_answers_or_sends_for_ever_is_given_up_in_time() {
    let mut bench = Bench::new();
    let time = Duration::from_millis(200);
    let hangs = hangs();
    assert_eq!(
        bench.round(vec![HealthProbe::Http(get(hangs))], time),
        Err(format!("http http://{hangs}/: no answer within 0.2 s"))
    );
    let drips = target(|mut stream| {
        head(&mut stream);
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        // A byte now and then, until the other side is gone.
        while stream.write_all(b"y").is_ok() {
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    assert_eq!(
        bench.round(vec![HealthProbe::Http(get(drips))], time),
        Err(format!("http http://{drips}/: no answer within 0.2 s"))
    );
}

#[test]
fn all_probes_of_a_round_are_asked_at_once_and_the_first_failure_is_its_reason() {
    let mut bench = Bench::new();
    let (hangs, gone) = (hangs(), nobody());
    let probes = vec![HealthProbe::Http(get(hangs)), tcp(hangs), tcp(gone)];
    assert_eq!(
        bench.round(probes, PATIENCE),
        Err(format!("tcp {gone}: connection refused"))
    );
    assert_eq!(bench.round(vec![tcp(hangs), tcp(hangs)], PATIENCE), Ok(()));
}

#[test]
fn a_name_that_nobody_knows_or_answers_for_fails_the_round_and_holds_up_no_other() {
    let mut bench = Bench::new();
    let unknown = HealthProbe::Tcp("no-such-host.invalid:80".into());
    bench.begin(5, vec![unknown], Duration::from_secs(2));
    let there = hangs();
    bench.begin(6, vec![tcp(there)], PATIENCE);
    let mut answers = [bench.done(), bench.done()];
    answers.sort();
    let [(5, Err(reason)), (6, Ok(()))] = &answers else {
        panic!("{answers:?}");
    };
    assert!(
        reason.starts_with("tcp no-such-host.invalid:80: "),
        "{reason}"
    );
}

#[test]
fn many_hung_targets_cost_no_threads_and_are_all_answered() {
    let mut bench = Bench::new();
    // Its backlog takes them; nobody ever accepts.
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("an address");
    for unit in 0..100 {
        let probes = vec![HealthProbe::Http(get(address))];
        bench.begin(unit, probes, Duration::from_millis(500));
    }
    let mut answered: Vec<u64> = (0..100)
        .map(|_| {
            let (effect, result) = bench.done();
            let reason = result.expect_err("nobody answers");
            assert!(reason.ends_with("no answer within 0.5 s"), "{reason}");
            effect
        })
        .collect();
    answered.sort_unstable();
    assert!(answered.into_iter().eq(0..100));
}

#[test]
fn a_round_of_a_run_that_is_over_is_not_answered() {
    let mut bench = Bench::new();
    let hangs = hangs();
    let probes = || vec![HealthProbe::Http(get(hangs))];
    // It is over long before it would be answered.
    let (time, later) = (Duration::from_secs(1), Duration::from_secs(2));
    bench.begin(1, probes(), time);
    bench.prober.stop(UnitId(1));
    bench.begin(2, probes(), later);
    assert_eq!(bench.done().0, 2);
    // A new round takes the place of one that hangs.
    bench.begin(2, probes(), time);
    bench.begin(2, vec![tcp(hangs)], PATIENCE);
    assert_eq!(bench.done(), (2, Ok(())));
    let more = bench.reports.recv_timeout(later);
    assert_eq!(more, Err(RecvTimeoutError::Timeout));
}

#[test]
fn a_command_is_judged_by_how_it_ends_and_one_that_hangs_is_gone_afterwards() {
    let mut bench = Bench::new();
    let exec = |argv: &[&str]| HealthProbe::Exec(argv.iter().map(|w| (*w).to_owned()).collect());
    assert_eq!(bench.round(vec![exec(&["true"])], PATIENCE), Ok(()));
    assert_eq!(
        bench.round(vec![exec(&["/bin/sh", "-c", "exit 4"])], PATIENCE),
        Err("exec: exit 4".into())
    );
    let missing = bench.round(vec![exec(&["/no/such/program"])], PATIENCE);
    let reason = missing.expect_err("there is none");
    assert!(
        reason.starts_with("exec: cannot execute /no/such/program: "),
        "{reason}"
    );
    let mark = format!("sleep 4331{}", std::process::id());
    let script = format!("trap '' TERM; setsid {mark} & {mark}");
    assert_eq!(
        bench.round(
            vec![exec(&["/bin/sh", "-c", &script])],
            Duration::from_millis(300)
        ),
        Err("exec: no answer within 0.3 s".into())
    );
    wait_for("its end", || processes(&mark).is_empty().then_some(()));
}

#[test]
fn silence_is_counted_from_the_last_output() {
    let mut bench = Bench::new();
    let mut program = bench.output();
    let silence = |most| vec![HealthProbe::Silence(most)];
    program.write_all(b"here I am\n").expect("written");
    assert_eq!(bench.round(silence(PATIENCE), PATIENCE), Ok(()));
    assert_eq!(
        bench.round(silence(Duration::ZERO), PATIENCE),
        Err("no output for 0 s".into())
    );
}

#[test]
fn memory_that_nobody_uses_is_below_any_bound() {
    let mut bench = Bench::new();
    assert_eq!(bench.round(vec![HealthProbe::Memory(1)], PATIENCE), Ok(()));
}

#[test]
fn readiness_is_asked_until_it_is_there_and_says_why_it_is_not() {
    let mut bench = Bench::new();
    let gone = nobody();
    bench.watch(ProbeKind::Tcp(gone.to_string()), None);
    let reason = format!("tcp {gone}: connection refused");
    let not_yet = Report::NotYet {
        unit: UnitId(1),
        run: RUN,
        reason,
    };
    assert_eq!(bench.reports.recv_timeout(PATIENCE), Ok(not_yet));
    let _listener = TcpListener::bind(gone).expect("it is still free");
    assert_eq!(bench.ready(), [""; 0]);
}

#[test]
fn a_file_of_an_earlier_run_is_not_ready_and_a_touched_one_is() {
    let mut bench = Bench::new();
    let path = bench.path("ready");
    let old = std::fs::File::create(&path).expect("made");
    let hour = Duration::from_secs(3600);
    old.set_modified(SystemTime::now() - hour).expect("set");
    bench.watch(ProbeKind::File("ready".into()), None);
    let reason = format!("file {}: it is older than this run", path.display());
    let not_yet = Report::NotYet {
        unit: UnitId(1),
        run: RUN,
        reason,
    };
    assert_eq!(bench.reports.recv_timeout(PATIENCE), Ok(not_yet));
    old.set_modified(SystemTime::now()).expect("set");
    bench.ready();
}

#[test]
fn a_line_of_this_run_makes_it_ready_and_none_of_the_run_before() {
    let mut bench = Bench::new();
    let mut program = bench.output();
    let pattern = || ProbeKind::Log("^listening on [0-9]+$".into());
    program.write_all(b"listening on 1\n").expect("written");
    let flushed = |bench: &Bench| {
        let (tell, told) = channel();
        bench
            .capture
            .flush(UnitId(1), move || tell.send(()).expect("waited for"));
        told.recv_timeout(PATIENCE).expect("flushed");
    };
    flushed(&bench);
    // What the run before wrote last may still be on its way.
    program.write_all(b"listening on 2\n").expect("written");
    let mark = bench.capture.mark(UnitId(1));
    flushed(&bench);
    bench.watch(pattern(), Some(mark));
    let waiting = "log: no line has matched \"^listening on [0-9]+$\" so far";
    let not_yet = Report::NotYet {
        unit: UnitId(1),
        run: RUN,
        reason: waiting.into(),
    };
    assert_eq!(bench.reports.recv_timeout(PATIENCE), Ok(not_yet));
    program
        .write_all(b"not listening on 3\nlisten")
        .expect("written");
    flushed(&bench);
    let nothing = bench.reports.recv_timeout(Duration::from_millis(100));
    assert_eq!(nothing, Err(RecvTimeoutError::Timeout));
    program.write_all(b"ing on 4\n").expect("written");
    bench.ready();
}

#[test]
fn lines_of_a_run_that_another_daemon_began_are_found_by_their_time() {
    let mut bench = Bench::new();
    let since = SystemTime::now();
    let mut program = bench.output();
    program.write_all(b"ready\n").expect("written");
    bench.prober.watch_ready(ReadyWatch {
        subject: bench.subject(1),
        probe: ProbeKind::Log("ready".into()),
        since,
        mark: None,
        encoding: LogEncoding::Utf8,
    });
    bench.ready();
}

#[test]
fn each_touch_of_a_heartbeat_file_is_a_beat() {
    let mut bench = Bench::new();
    let path = bench.path("beat");
    let watch = BeatFile {
        unit: UnitId(1),
        run: RUN,
        path: path.clone(),
        every: Duration::from_millis(100),
        since: SystemTime::now(),
    };
    bench.prober.watch_beats(watch);
    let beat = Report::Beat {
        unit: UnitId(1),
        run: RUN,
    };
    let file = std::fs::File::create(&path).expect("made");
    assert_eq!(bench.reports.recv_timeout(PATIENCE), Ok(beat.clone()));
    let nothing = bench.reports.recv_timeout(Duration::from_millis(200));
    assert_eq!(nothing, Err(RecvTimeoutError::Timeout));
    // The calendar was set back: it was touched all the same.
    let hour = Duration::from_secs(3600);
    file.set_modified(SystemTime::now() - hour).expect("set");
    assert_eq!(bench.reports.recv_timeout(PATIENCE), Ok(beat));
    bench.prober.stop(UnitId(1));
}
