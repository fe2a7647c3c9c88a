//! `health`: what is looked at while a unit runs.

use std::time::Duration;

use abide_model::{HealthCheck, HealthProbe, Hook, OnUnhealthy};
use toml::de::DeValue;

use super::hook::{self, Written as WrittenHook};
use super::probe::{self, Here, Http};
use super::reader::{Placed, Reader};
use crate::keys::{Table, nearest};
use crate::source::quoted;
use crate::values::{Int, Size, Value as _, Wrong, show_duration, show_text};

/// `health` as it is written.
#[derive(Clone)]
pub(super) struct Written {
    probes: Vec<Probe>,
    every: Duration,
    timeout: Duration,
    misses: u32,
    grace: Duration,
    on_unhealthy: OnUnhealthy,
    hooks: Vec<WrittenHook>,
}

#[derive(Clone)]
enum Probe {
    Http(Http),
    Tcp(Placed<String>),
    Exec(Placed<Vec<String>>),
    Silence(Duration),
    Memory(u64),
}

const EVERY: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(2);
const MISSES: i64 = 3;
const GRACE: Duration = Duration::from_secs(30);

/// Reads `health`. `ready`: it has a readiness check, so it needs no time to start up after that.
pub(super) fn health(reader: &Reader<'_>, ready: bool) -> Option<Written> {
    let table = reader.top_table("health", Table::Health)?;
    let probes = probes(&table);
    let every: Duration = table.get_or("every", EVERY);
    if let Some(field) = table
        .field("every")
        .filter(|_| every < Duration::from_millis(100))
    {
        let wrong = Wrong::new("more often than every 100ms").help("such as \"10s\"");
        table.wrong(&field, wrong);
    }
    let timeout: Duration = table.get_or("timeout", TIMEOUT.min(every));
    if let Some(field) = table.field("timeout") {
        if timeout.is_zero() {
            let wrong = Wrong::new("nothing is answered in no time").help("such as \"2s\"");
            table.wrong(&field, wrong);
        } else if timeout > every {
            let wrong = Wrong::new("one round may last longer than the time to the next")
                .label("longer than `every`")
                .help(format!(
                    "`every` is \"{}\"; lengthen that or shorten this",
                    show_duration(every)
                ));
            table.wrong(&field, wrong);
        }
    }
    let misses = misses(&table, every, &probes);
    let grace = table.get_or("grace", if ready { Duration::ZERO } else { GRACE });
    let (on_unhealthy, hooks) = on_unhealthy(&table);
    let looks = ["http", "tcp", "exec", "silence", "memory"];
    if probes.is_empty() && looks.iter().all(|look| table.field(look).is_none()) {
        if let Some(whole) = reader.field("health") {
            let wrong = Wrong::new("does not say what to look at").help(
                "name `http`, `tcp`, `exec`, `silence` or `memory`: `health = { tcp = \"127.0.0.1:6379\" }`",
            );
            reader.wrong(&whole, wrong);
        }
        return None;
    }
    Some(Written {
        probes,
        every,
        timeout,
        misses,
        grace,
        on_unhealthy,
        hooks,
    })
}

fn probes(table: &Reader<'_>) -> Vec<Probe> {
    let mut probes = Vec::new();
    // What costs least is asked first: the first that fails gives the reason.
    if let Some(silence) = table.get::<Duration>("silence") {
        if let Some(field) = table
            .field("silence")
            .filter(|_| silence < Duration::from_secs(1))
        {
            let wrong = Wrong::new("everybody is silent for so long").help("such as \"5m\"");
            table.wrong(&field, wrong);
        }
        probes.push(Probe::Silence(silence));
    }
    if let Some(memory) = table.get::<Size>("memory") {
        if let Some(field) = table.field("memory").filter(|_| memory.0 < 64 << 10) {
            let wrong = Wrong::new("nothing can run in so little memory")
                .label("less than 64K")
                .help("write it such as \"500M\"");
            table.wrong(&field, wrong);
        }
        probes.push(Probe::Memory(memory.0));
    }
    probes.extend(table.placed("tcp").map(Probe::Tcp));
    probes.extend(probe::http(table).map(Probe::Http));
    probes.extend(probe::exec(table).map(Probe::Exec));
    probes
}

/// Reads `misses`, or `for`, which says the same in time.
fn misses(table: &Reader<'_>, every: Duration, probes: &[Probe]) -> u32 {
    let time: Option<Duration> = table.get("for");
    if let (Some(time), Some(field)) = (time, table.field("for")) {
        let wrong = if table.field("memory").is_none() {
            Some(
                Wrong::new("means nothing without `memory`")
                    .help("write `misses = N`, which counts rounds, or add `memory = \"500M\"`"),
            )
        } else if table.field("misses").is_some() {
            Some(
                Wrong::new("`for` and `misses` are two ways to say it")
                    .help("take one of them out: `for` is `misses` times `every`"),
            )
        } else if time < every {
            Some(
                Wrong::new("shorter than the time between two rounds").help(format!(
                    "`every` is \"{}\"; shorten that too",
                    show_duration(every)
                )),
            )
        } else {
            None
        };
        if let Some(wrong) = wrong {
            table.wrong(&field, wrong);
        }
        let rounds = time.as_nanos().div_ceil(every.as_nanos().max(1));
        return u32::try_from(rounds).unwrap_or(u32::MAX).max(1);
    }
    // Who was silent for so long need not be silent three times.
    let only_silence = matches!(probes, [Probe::Silence(_)]);
    let standard = if only_silence { 1 } else { MISSES };
    let misses = table.get_or::<Int<1, 1000>>("misses", Int(standard)).0;
    u32::try_from(misses).unwrap_or(u32::MAX)
}

/// Reads `on_unhealthy`: a word, or a command.
fn on_unhealthy(table: &Reader<'_>) -> (OnUnhealthy, Vec<WrittenHook>) {
    let Some(field) = table.field("on_unhealthy") else {
        table.built_in("on_unhealthy", show_text("restart"));
        return (OnUnhealthy::Restart, Vec::new());
    };
    let word = match field.value.get_ref() {
        DeValue::String(text) => text.trim(),
        _ => "",
    };
    let known = match word {
        "restart" => Some(OnUnhealthy::Restart),
        "mark" => Some(OnUnhealthy::Mark),
        _ => None,
    };
    if let Some(known) = known {
        table.note(&field, word.to_owned().show());
        return (known, Vec::new());
    }
    let ours = match word.to_ascii_lowercase().as_str() {
        "kill" | "stop" | "terminate" | "on-failure" | "always" => Some("restart"),
        "none" | "ignore" | "nothing" | "log" | "no" | "never" | "warn" | "event" => Some("mark"),
        _ if word.contains(['/', ' ']) => None,
        _ => nearest(word, ["restart", "mark"].into_iter()).filter(|_| !word.is_empty()),
    };
    if let Some(ours) = ours {
        let wrong = Wrong::new(format!("{} is neither a word nor a command", quoted(word)))
            .label(format!("did you mean \"{ours}\"?"))
            .help("write \"restart\", \"mark\", or a command; an array is always a command");
        table.wrong(&field, wrong);
        return (OnUnhealthy::Restart, Vec::new());
    }
    let hooks = hook::written(table, &field);
    table.note(&field, hook::show(&field, &hooks));
    if hooks.is_empty() {
        if matches!(field.value.get_ref(), DeValue::Array(items) if items.is_empty()) {
            let wrong = Wrong::new("it is empty").help("write \"restart\", \"mark\", or a command");
            table.wrong(&field, wrong);
        }
        return (OnUnhealthy::Mark, Vec::new());
    }
    (OnUnhealthy::Command, hooks)
}

impl Written {
    /// The check of one instance, and the commands of `on_unhealthy`; mistakes are reported.
    pub fn settle(&self, reader: &Reader<'_>, here: &Here<'_>) -> (HealthCheck, Vec<Hook>) {
        let probes = self.probes.iter().filter_map(|written| {
            Some(match written {
                Probe::Http(http) => HealthProbe::Http(http.settle(reader, here)?),
                Probe::Tcp(written) => HealthProbe::Tcp(probe::tcp(reader, written, here)?),
                Probe::Exec(written) => {
                    HealthProbe::Exec(probe::settle_exec(reader, written, here)?)
                }
                Probe::Silence(time) => HealthProbe::Silence(*time),
                Probe::Memory(bytes) => HealthProbe::Memory(*bytes),
            })
        });
        let check = HealthCheck {
            probes: probes.collect(),
            every: self.every,
            timeout: self.timeout,
            misses: self.misses,
            grace: self.grace,
            on_unhealthy: self.on_unhealthy,
        };
        let hooks = self.hooks.iter().map(|hook| hook.settle(reader, here));
        (check, hooks.collect())
    }
}
