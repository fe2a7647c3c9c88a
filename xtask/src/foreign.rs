//! Debian packages that are unpacked and not installed, of any architecture: this machine's own packages, and its lists
//! of them, stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{command, debian_rust};

/// The packages of one architecture, by lists of their own. The lists go with it.
pub struct Foreign {
    architecture: &'static str,
    work: PathBuf,
    /// Lists that could not be had. One of several may be missing; what is wanted is in the first.
    incomplete: Option<String>,
}

impl Foreign {
    /// Gets the lists. `work` is a folder in which nothing else ends with `.deb`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(architecture: &'static str, work: &Path) -> Result<Self, String> {
        let mut this = Self {
            architecture,
            work: work.to_owned(),
            incomplete: None,
        };
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = this.state().join(part);
            fs::create_dir_all(&part)
                .map_err(|e| format!("cannot make {}: {e}", part.display()))?;
        }
        this.incomplete = command::run(this.apt("apt-get").arg("update")).err();
        Ok(this)
    }

    fn state(&self) -> PathBuf {
        self.work.join("apt")
    }

    fn apt(&self, program: &str) -> Command {
        let mut apt = Command::new(program);
        let state = self.state();
        for setting in [
            format!("APT::Architecture={}", self.architecture),
            format!("APT::Architectures::={}", self.architecture),
            format!("Dir::State::lists={}", state.join("lists").display()),
            format!("Dir::Cache={}", state.join("cache").display()),
            // No package of this architecture is installed here, and none is to be.
            "Dir::State::status=/dev/null".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
        ] {
            apt.args(["-o", &setting]);
        }
        apt.arg("-qq").current_dir(&self.work);
        apt
    }

    /// The first package that this one depends on: for one that only names the newest of its kind.
    ///
    /// # Errors
    /// There is none.
    pub fn newest(&self, package: &str) -> Result<String, String> {
        let output = self.apt("apt-cache").args(["depends", package]).output();
        let output = output.map_err(|e| format!("cannot run apt-cache: {e}"))?;
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .find_map(|line| line.trim().strip_prefix("Depends: "))
            .map(str::to_owned)
            .ok_or_else(|| self.because(format!("no Debian that apt knows has {package}")))
    }

    /// Downloads a package and unpacks it.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn unpack(&self, package: &str, into: &Path) -> Result<(), String> {
        command::run(self.apt("apt-get").args(["download", package]))
            .map_err(|why| self.because(why))?;
        let entries = fs::read_dir(&self.work)
            .map_err(|e| format!("cannot read {}: {e}", self.work.display()))?;
        for entry in entries.flatten() {
            let file = entry.path();
            if file.extension().is_some_and(|ending| ending == "deb") {
                command::run(Command::new("dpkg").arg("-x").arg(&file).arg(into))?;
                fs::remove_file(&file)
                    .map_err(|e| format!("cannot remove {}: {e}", file.display()))?;
            }
        }
        Ok(())
    }

    fn because(&self, why: String) -> String {
        match &self.incomplete {
            Some(before) => format!("{before}; {why}"),
            None => why,
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // What is left of lists does no harm.
        let _ = debian_rust::remove(&self.state());
    }
}
