//! Where it is measured: a folder in memory (or on a disk, when that is the question), the programs, the
//! FIFO of reports. All of it goes when the benchmark ends.

use std::fs;
use std::path::{Path, PathBuf};

use crate::reports::Reports;
use crate::tool;

/// The programs, in C since that is the least that a program can be.
const PROGRAMS: &[&str] = &["bench-child", "bench-writer", "bench-floor"];

/// The benchmark's folders.
pub struct Ground {
    root: PathBuf,
    programs: PathBuf,
    sessions: u32,
    /// What programs say.
    pub reports: Reports,
}

impl Ground {
    /// Builds the programs into `built`, and makes a folder below `scratch`.
    ///
    /// # Errors
    /// There is no C compiler, or a folder cannot be made.
    pub fn new(sources: &Path, built: &Path, scratch: &Path) -> Result<Self, String> {
        make(built)?;
        for program in PROGRAMS {
            let source = sources.join(format!("{program}.c"));
            let mut cc = tool::quiet("cc");
            cc.args(["-O2", "-Wall", "-static", "-o"])
                .arg(built.join(program))
                .arg(source)
                .stderr(std::process::Stdio::inherit());
            if !tool::within(&mut cc, std::time::Duration::from_secs(60))? {
                return Err(format!("cannot build {program}"));
            }
        }
        let root = scratch.join(format!("abide-bench-{}", std::process::id()));
        make(&root)?;
        let reports = Reports::open(&root.join("reports"))?;
        Ok(Self {
            root,
            programs: built.to_owned(),
            sessions: 0,
            reports,
        })
    }

    /// The folder of all sessions.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the programs.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// One of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> String {
        self.programs.join(name).display().to_string()
    }

    /// A fresh folder for one session.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn session(&mut self) -> Result<PathBuf, String> {
        self.sessions += 1;
        let dir = self.root.join(self.sessions.to_string());
        // Not with those above it: they are gone when the benchmark was interrupted, and stay so.
        fs::create_dir(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        Ok(dir)
    }

    /// A unit that says when it is there and waits.
    #[must_use]
    pub fn child(&self, id: usize) -> Unit {
        Unit {
            id,
            argv: vec![
                self.program("bench-child"),
                self.reports.path().display().to_string(),
                id.to_string(),
            ],
        }
    }

    /// A unit that writes lines of 100 bytes.
    #[must_use]
    pub fn writer(&self, id: usize, writing: &Writing) -> Unit {
        let gate = writing
            .gate
            .as_ref()
            .map_or_else(|| "-".to_owned(), |gate| gate.display().to_string());
        Unit {
            id,
            argv: vec![
                self.program("bench-writer"),
                self.reports.path().display().to_string(),
                id.to_string(),
                gate,
                writing.block.to_string(),
                writing.lines.to_string(),
                writing.pace_us.to_string(),
            ],
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// How a writer writes.
#[derive(Debug, Clone)]
pub struct Writing {
    /// Begins when somebody opens this FIFO; else at once.
    pub gate: Option<PathBuf>,
    /// Bytes a write.
    pub block: usize,
    /// Lines in all.
    pub lines: u64,
    /// Between two writes.
    pub pace_us: u64,
}

/// A program to keep.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its number.
    pub id: usize,
    /// What is run.
    pub argv: Vec<String>,
}

impl Unit {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.id)
    }

    /// As one line; nothing in it needs quotes.
    #[must_use]
    pub fn line(&self) -> String {
        self.argv.join(" ")
    }
}

/// The name of the unit with this number.
#[must_use]
pub fn name(id: usize) -> String {
    format!("u{id}")
}

/// Makes a folder and those above it.
///
/// # Errors
/// It cannot be made.
pub fn make(dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))
}

/// Writes a file.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Writes a file that can be run.
///
/// # Errors
/// It cannot be written.
pub fn write_script(path: &Path, text: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
