//! A job of launchd: its property list (launchd.plist(5)).
//!
//! What launchd does was read and not tried: abide has never run on a Mac.

mod plist;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::{Account, Command, Definition, Log};
use crate::Scope;
use crate::doctor::finding::{Check, Finding};
use plist::Value;

/// Where a program without a slash is looked for (`_PATH_STDPATH`).
const PATH: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// What has a job come up when something happens.
const TRIGGERS: [&str; 9] = [
    "StartInterval",
    "StartCalendarInterval",
    "StartOnMount",
    "WatchPaths",
    "QueueDirectories",
    "Sockets",
    "MachServices",
    "LaunchEvents",
    "inetdCompatibility",
];

/// The keys that are read here, as launchd spells them.
const KEYS: [&str; 20] = [
    "Label",
    "Disabled",
    "Program",
    "ProgramArguments",
    "RunAtLoad",
    "KeepAlive",
    "LaunchOnlyOnce",
    "UserName",
    "GroupName",
    "WorkingDirectory",
    "RootDirectory",
    "EnvironmentVariables",
    "StandardInPath",
    "StandardOutPath",
    "StandardErrorPath",
    "ThrottleInterval",
    "ExitTimeOut",
    "StartInterval",
    "StartCalendarInterval",
    "EnableGlobbing",
];

/// What there is of a job beside its list.
pub(in crate::doctor) struct Around<'a> {
    /// The name of its file without `.plist`, which is how abide and people name it.
    pub name: &'a str,
    /// Whose it is.
    pub scope: Scope,
    /// It was written by us.
    pub ours: bool,
}

/// Reads a property list.
pub(in crate::doctor) fn read(file: &Path, bytes: &[u8], around: &Around<'_>) -> Definition {
    let mut job = Job {
        file,
        around,
        entries: Vec::new(),
        definition: Definition {
            files: vec![file.to_owned()],
            launchd: Some(around.scope),
            ..Definition::default()
        },
    };
    let shown = file.display();
    if bytes.starts_with(b"bplist") {
        job.warning(
            Check::Definition,
            format!("{shown} is a binary property list, which is not examined here"),
            format!("`plutil -convert xml1 {shown}` makes it one that is"),
        );
        return job.definition;
    }
    match plist::read(&String::from_utf8_lossy(bytes)) {
        Ok(Value::Dict(entries)) => job.entries = entries,
        Ok(other) => {
            job.fault(
                Check::Definition,
                format!(
                    "{shown} is {} and no <dict>: launchd cannot read a job from it",
                    other.kind()
                ),
                "put all of it into a <dict>".to_owned(),
            );
            return job.definition;
        }
        Err(broken) => {
            job.fault(
                Check::Definition,
                format!(
                    "{shown} is no property list, so launchd does not take it: line {}: {}",
                    broken.line, broken.why
                ),
                format!("correct it; `plutil -lint {shown}` says whether it is one"),
            );
            return job.definition;
        }
    }
    job.keys();
    job.label();
    job.program();
    job.boot();
    job.restart();
    job.account();
    job.rest();
    job.definition
}

struct Job<'a> {
    file: &'a Path,
    around: &'a Around<'a>,
    entries: Vec<(String, Value)>,
    definition: Definition,
}

impl Job<'_> {
    fn fault(&mut self, check: Check, what: String, fix: String) {
        let found = Finding::fault(check, what, fix).about(self.file);
        self.definition.findings.push(found);
    }

    fn warning(&mut self, check: Check, what: String, fix: String) {
        let found = Finding::warning(check, what, fix).about(self.file);
        self.definition.findings.push(found);
    }

    fn get(&self, key: &str) -> Option<&Value> {
        // Of two, launchd sees one, and which is not said: `keys` warns.
        let found = self.entries.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }

    /// A value of a kind that launchd expects there; of another kind it is a warning, and as if it were not there.
    fn of_kind<T>(
        &mut self,
        key: &str,
        kind: &str,
        as_it: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        if let Some(value) = as_it(value) {
            return Some(value);
        }
        let what = format!(
            "{key} in {} is {}, and launchd expects {kind} there",
            self.file.display(),
            value.kind()
        );
        self.warning(Check::Definition, what, format!("make it {kind}"));
        None
    }

    fn string(&mut self, key: &str) -> Option<String> {
        self.of_kind(key, "a <string>", |value| match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        self.of_kind(key, "<true/> or <false/>", |value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        })
    }

    /// Spelt as launchd spells them, and each once.
    fn keys(&mut self) {
        let names: Vec<String> = self.entries.iter().map(|(name, _)| name.clone()).collect();
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                self.warning(
                    Check::Definition,
                    format!("{} has {name} twice", self.file.display()),
                    "take one of them out".to_owned(),
                );
            }
            let meant = KEYS.iter().find(|key| key.eq_ignore_ascii_case(name));
            if let Some(meant) = meant.filter(|key| *key != name) {
                self.warning(
                    Check::Definition,
                    format!(
                        "{} has {name}, which launchd passes over: it knows {meant}",
                        self.file.display()
                    ),
                    format!("write {meant}"),
                );
            }
        }
    }

    /// launchd goes by the label; whoever looks for it, by the name of the file.
    fn label(&mut self) {
        let (name, shown) = (self.around.name, self.file.display().to_string());
        match self.string("Label") {
            None => self.fault(
                Check::Definition,
                format!("{shown} has no Label, so launchd does not take it"),
                format!("add <key>Label</key> and <string>{name}</string>"),
            ),
            Some(label) if label != name => {
                let what = format!(
                    "{shown} has the Label {label}: launchd knows it as that, and whoever looks for {name} does not find it"
                );
                let fix = format!("make the Label {name}, or call the file {label}.plist");
                // Others, Apple among them, do so and know it.
                if self.around.ours {
                    self.fault(Check::Registered, what, fix);
                } else {
                    self.warning(Check::Registered, what, fix);
                }
            }
            Some(_) => {}
        }
    }

    fn program(&mut self) {
        let shown = self.file.display().to_string();
        let program = self.string("Program");
        let arguments = self.of_kind("ProgramArguments", "an <array> of <string>s", |value| {
            let Value::Array(values) = value else {
                return None;
            };
            let text = |value: &Value| match value {
                Value::String(text) => Some(text.clone()),
                _ => None,
            };
            values.iter().map(text).collect::<Option<Vec<String>>>()
        });
        let first = arguments.and_then(|words| words.into_iter().next());
        let Some((by, program)) = program
            .map(|program| ("Program", program))
            .or(first.map(|program| ("ProgramArguments", program)))
        else {
            if self.get("BundleProgram").is_none() {
                self.fault(
                    Check::Definition,
                    format!("{shown} has neither Program nor ProgramArguments: there is nothing to execute"),
                    "say there what is to be executed".to_owned(),
                );
            }
            return;
        };
        // Its files lie elsewhere then, out of our sight; or the name is a pattern.
        let pattern =
            self.flag("EnableGlobbing") == Some(true) && program.contains(['*', '?', '[', '~']);
        if self.get("RootDirectory").is_some() || pattern {
            return;
        }
        // A path below a folder is looked for where launchd is; a plain name is, of ProgramArguments alone, looked for.
        if !program.starts_with('/') && (by == "Program" || program.contains('/')) {
            self.fault(
                Check::Definition,
                format!("{by} in {shown} names {program}, which is no absolute path"),
                "write the path from the root on".to_owned(),
            );
            return;
        }
        let directory = self.string("WorkingDirectory");
        let account = match self.around.scope {
            Scope::System => Account {
                user: self.string("UserName"),
                group: self.string("GroupName"),
                dynamic: false,
            },
            Scope::User => Account::default(),
        };
        self.definition.commands.push(Command {
            by: by.to_owned(),
            // Nothing is quoted in a list, so what follows cannot be a part of the path.
            words: vec![program],
            account,
            directory: directory
                .filter(|directory| directory.starts_with('/'))
                .map(PathBuf::from),
            path: PATH.map(PathBuf::from).to_vec(),
        });
    }

    /// What has it come up.
    fn boot(&mut self) {
        let (name, shown) = (self.around.name, self.file.display().to_string());
        if self.flag("Disabled") == Some(true) {
            self.warning(
                Check::Boot,
                format!("{shown} says Disabled, so launchd does not load it unless `launchctl enable` has said otherwise"),
                format!("`launchctl enable {}/{name}`, or take Disabled out", domain(self.around.scope)),
            );
        }
        let kept = self.kept();
        let triggered = TRIGGERS.iter().any(|key| self.get(key).is_some());
        match self.flag("RunAtLoad") {
            None if !kept && !triggered => self.fault(
                Check::Boot,
                format!("{shown} has neither RunAtLoad nor KeepAlive, so nothing has launchd start {name}"),
                "add <key>RunAtLoad</key> and <true/>; or <false/>, if only you are to start it".to_owned(),
            ),
            Some(false) if kept => self.warning(
                Check::Boot,
                format!("{shown} says that {name} is not to be started at boot (RunAtLoad), but what has KeepAlive is"),
                "make RunAtLoad <true/>, or KeepAlive <false/>".to_owned(),
            ),
            _ => {}
        }
    }

    /// launchd keeps it alive, always or under conditions: then it starts it, too.
    fn kept(&self) -> bool {
        matches!(
            self.get("KeepAlive"),
            Some(Value::Bool(true) | Value::Dict(_))
        )
    }

    /// What launchd does when it ends.
    fn restart(&mut self) {
        let shown = self.file.display().to_string();
        let conditions =
            self.of_kind(
                "KeepAlive",
                "<true/>, <false/> or a <dict>",
                |value| match value {
                    Value::Bool(_) => Some(Vec::new()),
                    Value::Dict(conditions) => Some(conditions.clone()),
                    _ => None,
                },
            );
        let on_success = conditions
            .unwrap_or_default()
            .into_iter()
            .any(|(key, value)| key == "SuccessfulExit" && value == Value::Bool(true));
        // Programs that end well and are to be begun again: not ours, which end well when they are told to.
        if self.around.ours && on_success {
            self.fault(
                Check::Definition,
                format!("KeepAlive in {shown} has it started again after it ended well, so after a stop, and not after a failure"),
                "make SuccessfulExit <false/>, or install the service again".to_owned(),
            );
        }
        if self.flag("LaunchOnlyOnce") == Some(true) && self.kept() {
            self.warning(
                Check::Definition,
                format!("{shown} has LaunchOnlyOnce, so launchd never starts it again, whatever KeepAlive says"),
                "take one of the two out".to_owned(),
            );
        }
    }

    /// In a user's own domain nobody can be made somebody else.
    fn account(&mut self) {
        if self.around.scope == Scope::System {
            return;
        }
        for key in ["UserName", "GroupName"] {
            if self.get(key).is_some() {
                self.warning(
                    Check::Account,
                    format!(
                        "{key} in {} does not count: a service of a user runs as that user",
                        self.file.display()
                    ),
                    "take it out, or make it a service of the machine".to_owned(),
                );
            }
        }
    }

    /// Variables, and where its output goes.
    fn rest(&mut self) {
        let variables = self.of_kind("EnvironmentVariables", "a <dict>", |value| match value {
            Value::Dict(entries) => Some(entries.clone()),
            _ => None,
        });
        for (name, value) in variables.unwrap_or_default() {
            if !matches!(value, Value::String(_)) {
                let what = format!(
                    "the variable {name} in {} is {} and no string, so launchd does not set it",
                    self.file.display(),
                    value.kind()
                );
                self.warning(Check::Environment, what, "make it a <string>".to_owned());
            }
        }
        for key in ["StandardOutPath", "StandardErrorPath"] {
            let to = self.string(key).filter(|to| to.starts_with('/'));
            let log = to.map(|to| Log::File(PathBuf::from(to)));
            if let Some(log) = log.filter(|log| !self.definition.logs.contains(log)) {
                self.definition.logs.push(log);
            }
        }
    }
}

/// As `launchctl` names it.
fn domain(scope: Scope) -> &'static str {
    match scope {
        Scope::System => "system",
        Scope::User => "gui/$UID",
    }
}
