//! Who is measured when: in rounds, all in turn, so that what disturbs the machine disturbs everybody.

use std::time::Duration;

use crate::ground::Ground;
use crate::measure::capture::Load;
use crate::measure::session::{Out, Session};
use crate::measure::{NAMES, capture, crash, death, idle, memory, pace, restart, status, storm};
use crate::peers::{self, Peer, Places};
use crate::results::Results;
use crate::{Options, Repository, chart, clock, conditions, front, ground, processes, tables};

/// The results that the documents are made from.
const KEPT: &str = "bench/results/results.json";
/// With this many units everything is measured.
const FLEET: usize = 200;
/// Beyond this many only abide and the floor.
const MANY: usize = 1000;

/// How much of everything.
struct Amount {
    rounds: usize,
    /// Rounds of peers that take long.
    slow_rounds: usize,
    kills: usize,
    crash_time: Duration,
    idle: Duration,
    /// Megabytes that a fast peer, and a slow one, captures from one writer.
    megabytes: (u64, u64),
}

const FULL: Amount = Amount {
    rounds: 4,
    slow_rounds: 1,
    kills: 100,
    crash_time: Duration::from_secs(15),
    idle: Duration::from_secs(10),
    megabytes: (400, 32),
};

const QUICK: Amount = Amount {
    rounds: 1,
    slow_rounds: 1,
    kills: 50,
    crash_time: Duration::from_secs(6),
    idle: Duration::from_secs(10),
    megabytes: (200, 16),
};

/// Measures, and writes the results after each peer.
///
/// # Errors
/// Nothing could be measured.
pub fn run(options: &Options, repository: &Repository) -> Result<(), String> {
    let amount = if options.quick { &QUICK } else { &FULL };
    let rounds = options.rounds.unwrap_or(amount.rounds);
    for name in &options.only {
        if !NAMES.contains(&name.as_str()) {
            return Err(format!(
                "cannot measure `{name}`; there are {}",
                NAMES.join(", ")
            ));
        }
    }
    let whole = !options.quick && options.peers.is_empty() && options.only.is_empty();
    let target = repository.folder("target/bench");
    ground::make(&target)?;
    let file = options
        .results
        .clone()
        .unwrap_or_else(|| target.join("results.json"));
    let places = Places {
        abide: match &options.abide {
            Some(binary) => std::path::absolute(binary)
                .map_err(|error| format!("cannot find {}: {error}", binary.display()))?,
            None => (repository.abide)()?,
        },
        installed: target.clone(),
        dinit: options.dinit.clone(),
    };
    let mut results = if options.add && file.is_file() {
        Results::read(&file)?
    } else {
        Results::default()
    };

    let peers = chosen(&options.peers, &places, &mut results.remarks)?;

    processes::adopt_orphans()?;
    let sources = repository.folder("bench/programs");
    let built = target.join("programs");
    let mut memory = Ground::new(&sources, &built, &options.scratch)?;
    let mut disk = Ground::new(&sources, &built, &target)?;
    front::end_with_front([memory.root().to_owned(), disk.root().to_owned()]);
    let mut asked = conditions::ask(&options.scratch, &target, &peers);
    asked.quick = options.quick;
    asked.rounds = rounds;
    let begun = clock::now();
    for (name, version) in &asked.versions {
        println!("{name}: {version}");
    }
    println!(
        "{}; {}; load {}\n",
        asked.kernel, asked.cores, asked.load_before
    );
    results.conditions = asked;

    let tasks = tasks(options, amount);
    for round in 1..=rounds {
        for task in &tasks {
            for turn in 0..peers.len() {
                // Who is first changes from round to round.
                let Some(peer) = peers.get((turn + round - 1) % peers.len()) else {
                    continue;
                };
                let last = if peer.quick() {
                    rounds
                } else {
                    amount.slow_rounds
                };
                if round > last.min(task.rounds(peer.as_ref())) || !task.suits(peer.as_ref()) {
                    continue;
                }
                println!("round {round} of {rounds}: {}", task.name());
                let mut out = Out {
                    results: &mut results,
                    round,
                };
                let ground = match task {
                    Task::Disk(_) => &mut disk,
                    _ => &mut memory,
                };
                if let Err(why) = task.run(ground, peer.as_ref(), amount, &mut out) {
                    let why = format!("{}, {}: {why}", peer.name(), task.name());
                    println!("  {why}");
                    results.remarks.push(why);
                    processes::end_all()?;
                }
                results.conditions.seconds = (clock::now() - begun) / 1_000_000_000;
                results.conditions.load_after = conditions::load();
                results.write(&file)?;
            }
        }
    }
    println!("\nresults: {}\n", file.display());
    println!("{}", tables::all(&results));
    if whole {
        publish(&results, repository)?;
    }
    Ok(())
}

/// Writes tables and charts of results that are there.
///
/// # Errors
/// They cannot be read, or the documents not be written.
pub fn report(options: &Options, repository: &Repository) -> Result<(), String> {
    let kept = repository.folder(KEPT);
    let results = Results::read(options.results.as_ref().unwrap_or(&kept))?;
    publish(&results, repository)
}

/// Keeps the results, and puts them into the documents.
fn publish(results: &Results, repository: &Repository) -> Result<(), String> {
    results.write(&repository.folder(KEPT))?;
    let page = repository.folder("docs/performance.md");
    let text = std::fs::read_to_string(&page)
        .map_err(|error| format!("cannot read {}: {error}", page.display()))?;
    ground::write(&page, &tables::put(&text, &tables::all(results))?)?;
    let charts = repository.folder("docs/charts");
    ground::make(&charts)?;
    for (name, picture) in chart::all(results) {
        ground::write(&charts.join(name), &picture)?;
    }
    println!("written: {}, {}", page.display(), charts.display());
    Ok(())
}

/// Those that are wanted and can be had; why the others cannot is a remark.
fn chosen(
    names: &[String],
    places: &Places,
    remarks: &mut Vec<String>,
) -> Result<Vec<Box<dyn Peer>>, String> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !peers::NAMES.contains(&name.as_str()))
    {
        return Err(format!(
            "cannot measure `{unknown}`; there are {}",
            peers::NAMES.join(", ")
        ));
    }
    let mut found = Vec::new();
    for name in peers::NAMES {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        let Some(peer) = peers::peer(name, places) else {
            continue;
        };
        match peer.version() {
            Ok(_) => found.push(peer),
            Err(why) => {
                println!("{name} is not measured: {why}");
                remarks.push(format!("{name} is not measured: {why}"));
            }
        }
    }
    Ok(found)
}

/// One thing to do with each peer in turn.
enum Task {
    /// A fleet of so many, and what to measure of it.
    Fleet(usize, Vec<String>),
    Capture(Load),
    /// The same, with homes and logs on a disk.
    Disk(Load),
    Pace,
    Death(usize),
}

fn tasks(options: &Options, amount: &Amount) -> Vec<Task> {
    let wants = |name: &str| options.only.is_empty() || options.only.iter().any(|n| n == name);
    let mut tasks = Vec::new();
    for size in &options.sizes {
        let all: &[&str] = match *size {
            FLEET => &[
                "launch", "memory", "status", "storm", "idle", "crash", "restart",
            ],
            size if size < FLEET => &["launch", "memory"],
            MANY => &["launch", "memory", "idle"],
            _ => &["launch", "memory", "status", "idle", "restart"],
        };
        let all: Vec<String> = all
            .iter()
            .filter(|name| wants(name))
            .map(|name| (*name).to_owned())
            .collect();
        if !all.is_empty() {
            tasks.push(Task::Fleet(*size, all));
        }
    }
    if wants("capture") {
        let lines = amount.megabytes.0 * 10_000;
        for (name, writers, block) in [
            ("capture 1 writer, 64 KiB", 1, 1 << 16),
            ("capture 1 writer, 100 B", 1, 100),
            ("capture 50 writers, 64 KiB", 50, 1 << 16),
        ] {
            tasks.push(Task::Capture(Load {
                name,
                writers,
                block,
                lines: if block == 100 { lines / 4 } else { lines },
                pace: Duration::ZERO,
            }));
        }
    }
    if wants("halves") {
        tasks.push(Task::Capture(Load {
            name: "line in two halves",
            writers: 1,
            block: 50,
            lines: 200,
            pace: Duration::from_millis(5),
        }));
    }
    if wants("disk") {
        let lines = amount.megabytes.0 * 10_000;
        for (name, block) in [
            ("disk: 1 writer, 64 KiB", 1 << 16),
            ("disk: 1 writer, 100 B", 100),
        ] {
            tasks.push(Task::Disk(Load {
                name,
                writers: 1,
                block,
                lines: if block == 100 { lines / 4 } else { lines },
                pace: Duration::ZERO,
            }));
        }
    }
    if wants("pace") {
        tasks.push(Task::Pace);
    }
    if wants("death") {
        tasks.extend([Task::Death(0), Task::Death(1)]);
    }
    tasks
}

impl Task {
    fn name(&self) -> String {
        match self {
            Self::Fleet(units, _) => format!("{units} units"),
            Self::Capture(load) | Self::Disk(load) => load.name.to_owned(),
            Self::Pace => "line by line".to_owned(),
            Self::Death(_) => "death of the supervisor".to_owned(),
        }
    }

    /// In how many rounds this is worth its time.
    fn rounds(&self, peer: &dyn Peer) -> usize {
        match self {
            Self::Fleet(units, _) if *units > MANY => 1,
            Self::Disk(_) => 1,
            Self::Pace => 2,
            Self::Death(_) if peer.name() != "abide" => 1,
            _ => usize::MAX,
        }
    }

    fn suits(&self, peer: &dyn Peer) -> bool {
        match self {
            Self::Fleet(units, _) => {
                peer.keeps() && (*units <= MANY || ["abide", "floor"].contains(&peer.name()))
            }
            Self::Capture(_) | Self::Pace => peer.captures(),
            Self::Disk(_) => ["abide", "cat", "cat-wide", "runit", "s6"].contains(&peer.name()),
            // Only abide is two processes, and can die in two ways.
            Self::Death(way) => {
                peer.keeps() && peer.name() != "floor" && (*way == 0 || peer.name() == "abide")
            }
        }
    }

    fn run(
        &self,
        ground: &mut Ground,
        peer: &dyn Peer,
        amount: &Amount,
        out: &mut Out,
    ) -> Result<(), String> {
        match self {
            Self::Fleet(units, what) => fleet(ground, peer, *units, what, amount, out),
            Self::Capture(load) | Self::Disk(load) => {
                let mut load = load.clone();
                if !peer.quick() && load.pace.is_zero() {
                    load.lines = amount.megabytes.1 * 10_000;
                }
                capture::measure(ground, peer, &load, out)
            }
            Self::Pace => {
                let time = Duration::from_secs(3);
                pace::measure(ground, peer, time, out)?;
                pace::delay(ground, peer, time, out)
            }
            Self::Death(way) => death::measure(ground, peer, *way, FLEET, out).map(|_| ()),
        }
    }
}

/// What is measured of one fleet, in an order in which nothing disturbs the next: idle seconds before anything
/// was killed, and after the storm as many as backoffs need to be forgotten.
fn fleet(
    ground: &mut Ground,
    peer: &dyn Peer,
    count: usize,
    what: &[String],
    amount: &Amount,
    out: &mut Out,
) -> Result<(), String> {
    let wants = |name: &str| what.iter().any(|wanted| wanted == name);
    let units = (0..count).map(|id| ground.child(id)).collect();
    let mut session = Session::begin(ground, peer, units)?;
    if wants("launch") {
        session.say(out, "launch s", &[session.launch]);
    }
    if wants("memory") {
        memory::measure(&session, out)?;
    }
    if wants("status") {
        status::measure(&session, out, 5)?;
    }
    if wants("idle") && out.round <= 2 {
        clock::let_pass(Duration::from_secs(9));
        idle::measure(&session, out, amount.idle);
    }
    if wants("storm") {
        storm::measure(&mut session, out)?;
    }
    if wants("storm") && wants("crash") {
        clock::let_pass(Duration::from_secs(12));
    }
    if wants("crash") {
        crash::measure(&mut session, out, amount.kills, amount.crash_time)?;
    }
    if wants("restart") {
        restart::measure(&mut session, out)?;
    }
    session.end()
}
