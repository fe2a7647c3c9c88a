//! The fifty programs of a home, and the configuration that says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// How many units of each kind, the mode of their program, and how often it writes, in microseconds.
const KINDS: [(&str, usize, &str, u32); 6] = [
    ("steady", 26, "steady", 40_000),
    ("stubborn", 4, "stubborn", 50_000),
    ("forker", 4, "forker", 60_000),
    ("burst", 5, "burst", 120_000),
    ("few", 1, "burst", 100_000),
    ("crash", 8, "crash", 15_000),
];

/// What a person wants of the home: the configuration file, and what was said by command since.
#[derive(Clone)]
pub struct Wanted {
    /// Units that are to be up, with the number of changes made to each in the file.
    pub units: BTreeMap<String, u32>,
    /// Those that a person stopped.
    pub stopped: BTreeSet<String>,
    /// Instances of `multi`.
    pub instances: u32,
}

impl Wanted {
    pub fn new() -> Self {
        let each = |(kind, count, ..): (&str, usize, &str, u32)| {
            let kind = kind.to_owned();
            (0..count).map(move |n| (format!("{kind}-{n}"), 0))
        };
        Self {
            units: KINDS.into_iter().flat_map(each).collect(),
            stopped: BTreeSet::new(),
            instances: 2,
        }
    }

    /// Every unit that there should be.
    pub fn names(&self) -> Vec<String> {
        let instances = (1..=self.instances).map(|n| format!("multi@{n}"));
        self.units.keys().cloned().chain(instances).collect()
    }

    /// The configuration file.
    pub fn file(&self, program: &Path, dir: &Path) -> String {
        let mut text = String::new();
        for (name, changes) in &self.units {
            let (mode, every) = how(name);
            let keep = if name.starts_with("few") { 2 } else { 100_000 };
            let _ = writeln!(
                text,
                "[service.{name}]\n\
                 command = [\"{}\", \"{name}\", \"{}\", \"{mode}\", \"{every}\"]\n\
                 environment = {{ CHANGES = \"{changes}\" }}\n{}",
                program.display(),
                dir.display(),
                common(keep)
            );
        }
        let _ = writeln!(
            text,
            "[service.multi]\n\
             command = [\"{}\", \"multi@{{instance}}\", \"{}\", \"steady\", \"50000\"]\n\
             instances = {}\n{}",
            program.display(),
            dir.display(),
            self.instances,
            common(100_000)
        );
        text
    }
}

fn common(keep: u32) -> String {
    format!(
        "stop = {{ within = \"400ms\" }}\n\
         backoff = {{ initial = \"30ms\", max = \"200ms\" }}\n\
         log = {{ max_size = \"12K\", keep = {keep}, compress = true }}\n"
    )
}

fn how(name: &str) -> (&'static str, u32) {
    let kind = name.split('-').next().unwrap_or(name);
    let found = KINDS.iter().find(|(known, ..)| *known == kind);
    found.map_or(("steady", 50_000), |(_, _, mode, every)| (mode, *every))
}

/// It ends by itself now and then.
pub fn crashes(name: &str) -> bool {
    name.starts_with("crash")
}

/// Its oldest lines are thrown away.
pub fn forgets(name: &str) -> bool {
    name.starts_with("few")
}
