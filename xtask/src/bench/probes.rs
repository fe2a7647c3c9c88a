//! Many units, each with a TCP probe at a port of its own. This process listens at all of them and notes
//! when somebody comes.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use abide_e2e::{Home, wait};
use clap::Args;
use rustix::event::epoll;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The spread is told by how many probes come within this time.
const SLOT: Duration = Duration::from_millis(100);

/// What `bench probes` can be told.
#[derive(Args)]
pub struct Options {
    /// How many units.
    #[arg(long, default_value_t = 1000)]
    units: usize,
    /// How often each is probed, in seconds.
    #[arg(long, default_value_t = 10)]
    every: u64,
    /// How long is measured, idle and then loaded, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Measures both, and prints a table.
///
/// # Errors
/// A unit was taken for unhealthy, or nothing could be measured.
pub fn run(options: &Options) -> Result<(), String> {
    let targets = Targets::listen(options.units)?;
    let home = Home::new("bench-probes");
    home.write("abide.toml", &configuration(options, &targets.ports));
    println!(
        "{} units, a TCP probe every {} s each, {} s idle and {} s loaded",
        options.units, options.every, options.seconds, options.seconds
    );
    home.ok(&["up"]);
    // The first rounds are spread over one interval.
    wait::let_pass(Duration::from_secs(options.every + 2));
    let idle = measure(options, &home, &targets)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = Load::on(cores)?;
    let loaded = measure(options, &home, &targets)?;
    drop(load);
    println!("\n                                  idle   {cores} cores taken");
    let row = |name: &str, value: &dyn Fn(&Measured) -> String| {
        println!("{name:<28} {:>9} {:>15}", value(&idle), value(&loaded));
    };
    row("probes", &|m| m.probes.to_string());
    row("most in 100 ms", &|m| m.most.to_string());
    row("even would be", &|m| format!("{:.1}", m.even));
    row("longest wait for one, s", &|m| format!("{:.2}", m.longest));
    row("units probed", &|m| m.reached.to_string());
    row("CPU of the daemon, %", &|m| format!("{:.2}", m.daemon));
    row("CPU of the keeper, %", &|m| format!("{:.2}", m.keeper));
    row("µs of CPU per probe", &|m| format!("{:.0}", m.each));
    row("units not healthy", &|m| m.unwell.len().to_string());
    println!("\nCPU of the daemon's threads, idle: {}", idle.threads);
    let unwell: Vec<&String> = idle.unwell.iter().chain(&loaded.unwell).collect();
    if let Some(first) = unwell.first() {
        return Err(format!(
            "{} times a unit was not healthy, first {first}",
            unwell.len()
        ));
    }
    Ok(())
}

fn configuration(options: &Options, ports: &[u16]) -> String {
    let mut text = String::new();
    for (n, port) in ports.iter().enumerate() {
        let _ = writeln!(
            text,
            "[service.unit-{n}]\ncommand = [\"sleep\", \"100000\"]\n\
             health = {{ tcp = \"127.0.0.1:{port}\", every = \"{}s\", timeout = \"2s\", on_unhealthy = \"mark\" }}\n",
            options.every
        );
    }
    text
}

/// Ports that take every connection and close it.
struct Targets {
    ports: Vec<u16>,
    /// Who came when.
    came: Arc<Mutex<Vec<(usize, Instant)>>>,
}

impl Targets {
    fn listen(count: usize) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot listen at {count} ports: {error}");
        let hard = getrlimit(Resource::Nofile).maximum;
        let all = Rlimit {
            current: hard,
            maximum: hard,
        };
        setrlimit(Resource::Nofile, all).map_err(|error| failed(error.into()))?;
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
        let mut listeners = Vec::new();
        let mut ports = Vec::new();
        for n in 0..count {
            let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
            ports.push(listener.local_addr().map_err(failed)?.port());
            let data = epoll::EventData::new_u64(n as u64);
            epoll::add(&epoll, &listener, data, epoll::EventFlags::IN)
                .map_err(|error| failed(error.into()))?;
            listeners.push(listener);
        }
        let came = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&came);
        std::thread::spawn(move || accept(&epoll, &listeners, &noted));
        Ok(Self { ports, came })
    }

    fn take(&self) -> Vec<(usize, Instant)> {
        std::mem::take(&mut self.came.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn accept(epoll: &OwnedFd, listeners: &[TcpListener], noted: &Mutex<Vec<(usize, Instant)>>) {
    let mut events = Vec::with_capacity(256);
    loop {
        // An interrupted wait is a short one.
        let _ = epoll::wait(epoll, rustix::buffer::spare_capacity(&mut events), None);
        for event in events.drain(..) {
            let n = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            let came = listeners.get(n).and_then(|listener| listener.accept().ok());
            if came.is_some() {
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.push((n, Instant::now()));
            }
        }
    }
}

/// Processes that take all there is of so many cores.
struct Load(Vec<Child>);

impl Load {
    fn on(cores: usize) -> Result<Self, String> {
        let mut load = Self(Vec::new());
        for _ in 0..cores {
            let spun = Command::new("/bin/sh")
                .args(["-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .spawn();
            let child = spun.map_err(|error| format!("cannot make a load: {error}"))?;
            load.0.push(child);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Ours until it is waited for; it may have been ended by somebody else.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

struct Measured {
    probes: usize,
    most: usize,
    even: f64,
    longest: f64,
    reached: usize,
    daemon: f64,
    keeper: f64,
    each: f64,
    threads: String,
    unwell: Vec<String>,
}

fn measure(options: &Options, home: &Home, targets: &Targets) -> Result<Measured, String> {
    let daemon = home.daemon().ok_or("the daemon does not answer")?;
    let keeper = home.keeper().ok_or("the daemon has no parent")?;
    let before = (cpu(daemon), cpu(keeper), threads(daemon));
    targets.take();
    let begun = Instant::now();
    wait::let_pass(Duration::from_secs(options.seconds));
    let took = begun.elapsed();
    let came = targets.take();
    let after = (cpu(daemon), cpu(keeper), threads(daemon));
    let percent = |time: Duration| time.as_secs_f64() / took.as_secs_f64() * 100.0;
    let spent = after.0.saturating_sub(before.0);

    let mut last = vec![begun; options.units];
    let mut reached = std::collections::BTreeSet::new();
    let mut slots = std::collections::BTreeMap::<u128, usize>::new();
    let mut longest = Duration::ZERO;
    for (unit, at) in &came {
        reached.insert(*unit);
        let since = at.saturating_duration_since(begun);
        *slots
            .entry(since.as_millis() / SLOT.as_millis())
            .or_default() += 1;
        if let Some(last) = last.get_mut(*unit) {
            longest = longest.max(at.saturating_duration_since(*last));
            *last = *at;
        }
    }
    let slots_in_all = took.as_secs_f64() / SLOT.as_secs_f64();
    let mut by_thread: Vec<(String, f64)> = after
        .2
        .into_iter()
        .map(|(name, time)| {
            let earlier = before.2.iter().find(|(n, _)| *n == name);
            let earlier = earlier.map_or(Duration::ZERO, |(_, time)| *time);
            (name, percent(time.saturating_sub(earlier)))
        })
        .collect();
    by_thread.sort_by(|one, two| two.1.total_cmp(&one.1));
    let shown: Vec<String> = by_thread
        .iter()
        .filter(|(_, share)| *share >= 0.005)
        .map(|(name, share)| format!("{name} {share:.2} %"))
        .collect();
    let units = home.units().ok_or("the daemon does not answer")?;
    let unwell = units
        .iter()
        .filter(|unit| unit["health"] != "healthy" || unit["health_check"]["failures"] != 0)
        .map(|unit| {
            format!(
                "{} ({}: {})",
                unit["name"], unit["health"], unit["health_check"]
            )
        });
    Ok(Measured {
        probes: came.len(),
        most: slots.values().copied().max().unwrap_or(0),
        even: came.len() as f64 / slots_in_all,
        longest: longest.as_secs_f64(),
        reached: reached.len(),
        daemon: percent(spent),
        keeper: percent(after.1.saturating_sub(before.1)),
        each: spent.as_secs_f64() * 1e6 / came.len().max(1) as f64,
        threads: shown.join(", "),
        unwell: unwell.collect(),
    })
}

/// CPU time of a process so far, with that of threads that have ended.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.ok().and_then(|stat| ticks(&stat)).unwrap_or_default()
}

/// utime and stime of proc_pid_stat(5).
fn ticks(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    // USER_HZ is 100 on every Linux that we know.
    Some(Duration::from_millis((next()? + next()?) * 10))
}

/// CPU time by the name of threads.
fn threads(pid: u32) -> Vec<(String, Duration)> {
    let mut by_name = std::collections::BTreeMap::<String, Duration>::new();
    for (name, time) in threads_of(pid) {
        *by_name.entry(name).or_default() += time;
    }
    by_name.into_iter().collect()
}

/// Of each thread that lives, by the scheduler's count of nanoseconds where that is to be had.
fn threads_of(pid: u32) -> impl Iterator<Item = (String, Duration)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    tasks.into_iter().flatten().flatten().filter_map(|task| {
        let text = |name: &str| std::fs::read_to_string(task.path().join(name)).ok();
        let name = text("comm")?.trim_end().to_owned();
        let exact = text("schedstat")
            .and_then(|text| text.split(' ').next()?.parse().ok())
            .map(Duration::from_nanos);
        Some((name, exact.or_else(|| ticks(&text("stat")?))?))
    })
}
