//! The directory of one daemon: where its socket, state and logs lie.

use std::io;
use std::path::{Path, PathBuf};

use abide_model::UnitName;
use abide_platform::{naming, private};

/// Paths within a home. Created private; the names of the entries are relied on from outside.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Takes a path as a home; touches nothing. The path must be absolute.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Creates what is missing. A home that somebody else owns, or that others may write to, is
    /// refused: whoever can write here can make the daemon run anything.
    ///
    /// # Errors
    /// What could not be created, and why.
    pub fn create(&self) -> io::Result<()> {
        let dir = |path: &Path| {
            private::create_directory(path)
                .map_err(|e| io::Error::new(e.kind(), format!("create {}: {e}", path.display())))
        };
        dir(&self.root)?;
        private::check_directory(&self.root)?;
        for sub in [
            self.state(),
            self.run(),
            self.logs(),
            self.units(),
            self.events(),
        ] {
            dir(&sub)?;
        }
        Ok(())
    }

    /// The home itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The control socket. On Windows there is a pipe in its stead, and no such file.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.root.join("abide.sock")
    }

    /// The bearer token of the TCP API.
    #[must_use]
    pub fn token(&self) -> PathBuf {
        self.root.join("token")
    }

    /// What a new daemon needs.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Output that is on its way to its log, on a system without stages.
    #[must_use]
    pub fn slots(&self) -> PathBuf {
        self.state().join("slots")
    }

    /// Services of other machines that report here.
    #[must_use]
    pub fn remotes(&self) -> PathBuf {
        self.state().join("remotes.json")
    }

    /// How far the system's logs have heard what there is.
    #[must_use]
    pub fn system_log(&self) -> PathBuf {
        self.state().join("system-log")
    }

    /// What a daemon that yields to another executable leaves to it.
    #[must_use]
    pub fn upgrade_note(&self) -> PathBuf {
        self.state().join("upgrade.json")
    }

    /// On which port of the loopback programs last found the daemon for their beats.
    #[must_use]
    pub fn beats_port(&self) -> PathBuf {
        self.state().join("beats-port")
    }

    /// FIFOs and records of runs.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// One unit's FIFOs and record.
    #[must_use]
    pub fn unit_run(&self, unit: &UnitName) -> PathBuf {
        self.run().join(&*naming::of_unit(unit))
    }

    /// Segments of output.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// One unit's segments.
    #[must_use]
    pub fn unit_logs(&self, unit: &UnitName) -> PathBuf {
        self.logs().join(&*naming::of_unit(unit))
    }

    /// Configurations of units made by `abide run`.
    #[must_use]
    pub fn units(&self) -> PathBuf {
        self.root.join("units")
    }

    /// The configuration of one unit made by `abide run`.
    #[must_use]
    pub fn unit_file(&self, unit: &UnitName) -> PathBuf {
        self.units().join(format!("{}.toml", naming::of_unit(unit)))
    }

    /// What happened.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.root.join("events")
    }

    /// What the daemon and the keeper themselves have to say.
    #[must_use]
    pub fn daemon_log(&self) -> PathBuf {
        self.root.join("daemon.log")
    }
}
