//! What log capture is compared with: `cat`, which moves bytes from a pipe to a file and does nothing else: no
//! stamps, no rotation, and what it has read is gone when it is killed. It restarts nothing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Guard, Peer};
use crate::ground::{Ground, Unit};
use crate::tool;

/// One `cat` for each program.
pub struct Cat {
    /// As it is called.
    pub name: &'static str,
    /// The size of its pipe, in bytes; `None` is the system's default, 64 KiB.
    pub pipe: Option<usize>,
}

impl Peer for Cat {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> Result<String, String> {
        let text = tool::output(Command::new("cat").arg("--version"))?;
        let pipe = self.pipe.unwrap_or(1 << 16) / 1024;
        Ok(format!(
            "{}, a pipe of {pipe} KiB",
            text.lines().next().unwrap_or_default()
        ))
    }

    fn prepare(&self, _: &Ground, dir: &Path, units: &[Unit]) -> Result<Box<dyn Guard>, String> {
        Ok(Box::new(Running {
            pipe: self.pipe,
            dir: dir.to_owned(),
            units: units.to_vec(),
            children: Vec::new(),
        }))
    }

    fn quick(&self) -> bool {
        true
    }

    fn keeps(&self) -> bool {
        false
    }
}

struct Running {
    pipe: Option<usize>,
    dir: PathBuf,
    units: Vec<Unit>,
    children: Vec<Child>,
}

impl Guard for Running {
    fn launch(&mut self) -> Result<(), String> {
        for unit in &self.units {
            let file = self.dir.join(unit.name());
            let failed = |error: std::io::Error| format!("cannot start cat: {error}");
            let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
                .map_err(|error| failed(error.into()))?;
            if let Some(size) = self.pipe {
                rustix::pipe::fcntl_setpipe_size(&read, size)
                    .map_err(|error| failed(error.into()))?;
            }
            let to = File::create(file).map_err(failed)?;
            let mut cat = tool::quiet("cat");
            cat.stdin(read).stdout(to);
            self.children.push(tool::start(&mut cat)?);
            let (program, args) = unit.argv.split_first().ok_or("an empty command")?;
            let mut writer = Command::new(program);
            writer.args(args).stdin(Stdio::null()).stdout(write);
            self.children.push(tool::start(&mut writer)?);
        }
        Ok(())
    }

    fn log_files(&self, unit: &Unit) -> Vec<PathBuf> {
        vec![self.dir.join(unit.name())]
    }

    fn stop(&mut self) -> Result<(), String> {
        Ok(())
    }
}
