//! What is executed on Windows, where, and with which files: there, to be used by the account, and nobody else's to
//! change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use abide_model::{AccountKind, AccountName};

use super::access::{
    Answer, CHANGE_ABOVE, CHANGE_FILE, CHANGE_FOLDER, CHANGE_ROOT, DELETE, EXECUTE, READ_DATA,
    Security, Token, WRITE_DATA, names,
};
use crate::doctor::finding::{Check, Finding};

/// The longest path of a folder that a program can be started in (`SetCurrentDirectory`), in units of UTF-16.
const LONGEST_DIRECTORY: usize = 258;

/// All of a service, or of a unit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::doctor) struct Execution {
    /// What is executed, in order.
    pub programs: Vec<Program>,
    /// What is needed beside it.
    pub needs: Vec<Need>,
    /// Who executes it, by name.
    pub account: String,
    /// And to access lists; `None`: that is not known.
    pub token: Option<Token>,
    /// Its token lets it write only where that was given to the service by name.
    pub restricted: bool,
    /// Who asks, where that is an administrator: what is theirs is the machine's.
    pub administrator: Option<String>,
    /// Names of identifiers, as far as they are known.
    pub names: BTreeMap<String, String>,
}

/// A program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::doctor) struct Program {
    /// What names it, such as `ImagePath`.
    pub by: String,
    /// As it is named.
    pub named: String,
    /// What the name leads to, or would; `None`: nothing, wherever it was looked for.
    pub thing: Option<Thing>,
    /// It begins with a drive's letter that services do not have.
    pub of_a_session: bool,
    /// The manager executes it itself.
    pub is_service: bool,
}

/// A folder or file that is needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::doctor) struct Need {
    pub what: What,
    pub thing: Thing,
}

/// What it is needed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::doctor) enum What {
    /// To be started in.
    Directory,
    /// What the account was given with the service, to read.
    GivenToRead,
    /// And to write.
    GivenToChange,
    /// To say what is executed: who may write to it decides that.
    Definition,
}

/// What a path leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::doctor) struct Thing {
    pub path: PathBuf,
    pub found: Found,
    /// From the root to it, and to where links lead.
    pub way: Vec<Node>,
}

/// What lies at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::doctor) enum Found {
    /// A program that this machine executes.
    Program,
    /// A program for another kind of processor.
    Foreign,
    /// Something that programs load.
    Library,
    /// A batch file.
    Batch,
    /// Any other file.
    Other,
    Folder,
    Nothing,
    /// This process may not look.
    Hidden,
}

/// A file or folder on the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::doctor) struct Node {
    pub path: PathBuf,
    pub place: Place,
    /// `None`: this process may not look.
    pub security: Option<Security>,
}

/// Where on the way something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::doctor) enum Place {
    /// At its end.
    Itself,
    /// The folder that it is in.
    Folder,
    /// Above that.
    Above,
    /// The root of a disk.
    Root,
}

impl Place {
    /// By how many folders it is above the end.
    pub(in crate::doctor) fn of(above: usize, is_root: bool) -> Self {
        match above {
            0 => Self::Itself,
            _ if is_root => Self::Root,
            1 => Self::Folder,
            _ => Self::Above,
        }
    }

    /// What lets somebody put something else there.
    fn changing(self) -> u32 {
        match self {
            Self::Itself => CHANGE_FILE,
            Self::Folder => CHANGE_FOLDER,
            Self::Above => CHANGE_ABOVE,
            Self::Root => CHANGE_ROOT,
        }
    }
}

/// All that is wrong with it.
pub(in crate::doctor) fn judge(execution: &Execution) -> Vec<Finding> {
    let mut findings = Vec::new();
    for program in &execution.programs {
        execution.program(program, &mut findings);
    }
    for need in &execution.needs {
        findings.extend(execution.need(need));
    }
    findings
}

impl Execution {
    fn program(&self, program: &Program, findings: &mut Vec<Finding>) {
        let (by, named) = (&program.by, &program.named);
        let Some(thing) = &program.thing else {
            findings.push(Finding::fault(
                Check::Program,
                format!("{named}, which {by} executes, is in no folder of PATH"),
                "install it, or give its path",
            ));
            return;
        };
        let path = &thing.path;
        let shown = path.display();
        let mut fault = |what: String, fix: &str| {
            findings.push(Finding::fault(Check::Program, what, fix).about(path))
        };
        if program.of_a_session {
            fault(
                format!(
                    "{shown}, which {by} executes, lies on a drive of your session: services have no such letter"
                ),
                r"put it on a disk of this machine, or write its path as \\SERVER\SHARE\…",
            );
            return;
        }
        match thing.found {
            Found::Nothing => {
                fault(
                    format!("{shown}, which {by} executes, is not there"),
                    "put it there, or correct the path",
                );
                return;
            }
            Found::Folder => fault(
                format!("{shown}, which {by} executes, is a folder, and no program"),
                "name the program in it",
            ),
            Found::Other => fault(
                format!("{shown}, which {by} executes, is no program that Windows can execute"),
                "build or fetch the one for this machine",
            ),
            Found::Library => fault(
                format!("{shown}, which {by} executes, is a library, and no program"),
                "name the program that loads it",
            ),
            Found::Foreign => fault(
                format!("{shown}, which {by} executes, is a program for another kind of processor"),
                "build or fetch the one for this machine",
            ),
            Found::Batch if program.is_service => fault(
                format!("{shown}, which {by} executes, is a batch file, which can be no service"),
                "`abide install --name NAME -- FILE` has abide be the service that runs it",
            ),
            Found::Program | Found::Batch | Found::Hidden => {}
        }
        let wanted = match thing.found {
            // cmd.exe reads it.
            Found::Batch => READ_DATA,
            _ => EXECUTE,
        };
        if matches!(thing.found, Found::Program | Found::Batch) {
            findings.extend(self.refused(thing, wanted).map(|refusal| {
                let grant = if refusal.denied { "denied" } else { "given" };
                Finding::fault(
                    Check::Executable,
                    format!(
                        "{} may not execute {shown}: its access list has that {grant} to {}",
                        self.account,
                        if refusal.denied { "it" } else { "others only" },
                    ),
                    refusal.fix("RX"),
                )
                .about(path)
            }));
        }
        findings.extend(self.hole(thing, "is executed"));
    }

    fn need(&self, need: &Need) -> Option<Finding> {
        let thing = &need.thing;
        let path = &thing.path;
        let shown = path.display();
        let check = match (need.what, thing.found) {
            (What::Definition, _) => return self.hole(thing, "says what is executed"),
            (What::Directory, _) | (_, Found::Folder) => Check::Directory,
            _ => Check::Environment,
        };
        let fault = |what: String, fix: String| Some(Finding::fault(check, what, fix).about(path));
        let (name, wanted, right) = match need.what {
            What::Directory => ("its working directory", EXECUTE, "RX"),
            What::GivenToRead => ("what it reads", READ_DATA, "RX"),
            What::GivenToChange => ("its home", READ_DATA | WRITE_DATA | DELETE, "M"),
            What::Definition => return None,
        };
        match thing.found {
            Found::Hidden => return None,
            Found::Nothing if need.what == What::Directory => {
                return fault(
                    format!("its working directory, {shown}, is not there"),
                    format!("`mkdir \"{shown}\"`, or name another"),
                );
            }
            Found::Nothing => {
                return fault(
                    format!(
                        "{name}, {shown}, is not there, and {} may not make it",
                        self.account
                    ),
                    "`abide install` it again, which makes it".to_owned(),
                );
            }
            Found::Folder => {}
            _ if need.what == What::Directory => {
                return fault(
                    format!("its working directory, {shown}, is no directory"),
                    "name another".to_owned(),
                );
            }
            _ => {}
        }
        let length = path.to_string_lossy().encode_utf16().count();
        if need.what == What::Directory && length > LONGEST_DIRECTORY {
            return fault(
                format!(
                    "its working directory, {shown}, has a path of {length} characters: Windows starts no program where it has more than {LONGEST_DIRECTORY}"
                ),
                "name a shorter one".to_owned(),
            );
        }
        if need.what == What::GivenToChange && self.restricted {
            return None;
        }
        let refusal = self.refused(thing, wanted)?;
        let may_not = if need.what == What::Directory {
            "enter"
        } else {
            "use"
        };
        fault(
            format!("{} may not {may_not} {name}, {shown}", self.account),
            refusal.fix(right),
        )
    }

    /// The account is known not to get at it. (Whoever has the privilege to go past folders, which is everybody unless
    /// somebody has changed that, needs no rights to those on the way.)
    fn refused<'a>(&'a self, thing: &'a Thing, wanted: u32) -> Option<Refusal<'a>> {
        let token = self.token.as_ref()?;
        let node = thing.way.last()?;
        let security = node.security.as_ref()?;
        (security.allows(token, wanted) == Answer::No).then(|| Refusal {
            denied: security.denies(token, wanted),
            path: &thing.path,
            account: &self.account,
        })
    }

    /// Somebody else could put something else in the place of it.
    fn hole(&self, thing: &Thing, what: &str) -> Option<Finding> {
        let own = self.token.as_ref().map(|token| &token.user);
        let known: Vec<&str> = own
            .into_iter()
            .chain(&self.administrator)
            .map(String::as_str)
            .collect();
        thing.way.iter().find_map(|node| {
            let security = node.security.as_ref()?;
            let who = security.strangers(node.place.changing(), &known);
            if who.is_empty() {
                return None;
            }
            let at = node.path.display();
            let it = if node.place == Place::Itself {
                format!("{at}, which {what},")
            } else {
                format!("{at}, on the way to {}, which {what},", thing.path.display())
            };
            let owner = security.owner.as_ref().filter(|owner| who.contains(*owner));
            let sids: Vec<String> = who.iter().map(|sid| format!("*{sid}")).collect();
            let fix = match owner {
                _ if security.entries.is_none() => {
                    "put it on a disk with NTFS, or give it an access list".to_owned()
                }
                Some(_) => format!(
                    "`icacls \"{at}\" /setowner *S-1-5-32-544`, then `icacls \"{at}\" /inheritance:d /remove:g {}`",
                    sids.join(" ")
                ),
                None => format!(
                    "`icacls \"{at}\" /inheritance:d /remove:g {}`",
                    sids.join(" ")
                ),
            };
            Some(
                Finding::fault(
                    Check::Writable,
                    format!(
                        "{it} can be written to by {}, who could put something else there that runs as {}",
                        names(&who, &self.names),
                        self.account
                    ),
                    fix,
                )
                .about(&node.path),
            )
        })
    }
}

/// An account that may not do something.
struct Refusal<'a> {
    /// A line says so.
    denied: bool,
    path: &'a Path,
    account: &'a str,
}

impl Refusal<'_> {
    fn fix(&self, right: &str) -> String {
        let path = self.path.display();
        let account = icacls_name(self.account);
        if self.denied {
            return format!(
                "`icacls \"{path}\"` shows the line that denies it (DENY); `icacls \"{path}\" /remove:d …` takes it away"
            );
        }
        format!("`icacls \"{path}\" /grant \"{account}:({right})\"`")
    }
}

/// An account as icacls takes it, which knows neither `.` nor `LocalSystem`.
fn icacls_name(account: &str) -> String {
    let account = AccountName::new(account);
    match account.kind() {
        AccountKind::System => "SYSTEM".to_owned(),
        _ => account.looked_up().to_owned(),
    }
}
