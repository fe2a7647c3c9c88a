//! abide and shawl, as they are used.

use std::fmt::Write as _;
use std::time::Duration;

use super::desk::{Desk, FOLDER};

/// What is kept.
pub struct Program {
    pub name: String,
    arguments: Vec<String>,
}

impl Program {
    /// Crashes after so long.
    pub fn crashing(name: &str, after: Duration) -> Self {
        let notes = format!(r"{FOLDER}\{name}.notes");
        Self::new(
            name,
            vec!["crash".to_owned(), notes, after.as_millis().to_string()],
        )
    }

    /// Does nothing.
    pub fn idle(name: &str) -> Self {
        Self::new(name, vec!["idle".to_owned()])
    }

    /// Writes what others lose, and crashes once.
    pub fn hostile(name: &str) -> Self {
        Self::new(
            name,
            vec!["hostile".to_owned(), format!(r"{FOLDER}\{name}.notes")],
        )
    }

    fn new(name: &str, arguments: Vec<String>) -> Self {
        let name = name.to_owned();
        Self { name, arguments }
    }

    fn command(&self) -> Vec<String> {
        let program = format!(r"{FOLDER}\child.exe");
        std::iter::once(program)
            .chain(self.arguments.iter().cloned())
            .collect()
    }
}

/// Who keeps it.
#[derive(Clone, Copy)]
pub enum Peer {
    Abide,
    Shawl,
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Abide => "abide",
            Self::Shawl => "shawl",
        }
    }

    /// What its processes run.
    pub fn executable(self) -> &'static str {
        match self {
            Self::Abide => "abide.exe",
            Self::Shawl => "shawl.exe",
        }
    }

    /// Has these kept, each restarted at once.
    pub fn start(self, desk: &Desk, programs: &[Program]) -> Result<(), String> {
        match self {
            Self::Abide => {
                let mut text = String::new();
                for program in programs {
                    let command: Vec<String> = program
                        .command()
                        .iter()
                        .map(|part| format!("'{part}'"))
                        .collect();
                    let (name, command) = (&program.name, command.join(", "));
                    let _ = writeln!(
                        text,
                        "[service.{name}]\ncommand = [{command}]\nbackoff = \"none\""
                    );
                }
                desk.write("abide.toml", &text)?;
                let file = format!(r"{FOLDER}\abide.toml");
                desk.run("abide.exe", &["--home", HOME, "up", &file])
            }
            Self::Shawl => {
                for program in programs {
                    let command = program.command();
                    let mut arguments = vec!["add", "--name", &program.name];
                    // It restarts at once unless told otherwise. All of its log in one file, for counting.
                    arguments.extend([
                        "--restart",
                        "--log-rotate",
                        "bytes=1000000000",
                        "--log-dir",
                        FOLDER,
                        "--",
                    ]);
                    arguments.extend(command.iter().map(String::as_str));
                    desk.run("shawl.exe", &arguments)?;
                    desk.system("sc", &["start", &program.name])?;
                }
                Ok(())
            }
        }
    }

    /// Has them end, and is gone.
    pub fn end(self, desk: &Desk, programs: &[Program]) -> Result<(), String> {
        match self {
            Self::Abide => {
                for program in programs {
                    desk.run("abide.exe", &["--home", HOME, "remove", &program.name])?;
                }
                desk.run("abide.exe", &["--home", HOME, "down"])?;
            }
            Self::Shawl => {
                for program in programs {
                    desk.system("sc", &["stop", &program.name])?;
                    desk.system("sc", &["delete", &program.name])?;
                }
            }
        }
        desk.wait_for_none(self.executable())
    }

    /// What it has kept of a program's output.
    pub fn lines(self, desk: &Desk, program: &Program) -> Result<Vec<Vec<u8>>, String> {
        let split = |bytes: &[u8]| {
            bytes
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect()
        };
        match self {
            Self::Abide => {
                let arguments = [
                    "--home",
                    HOME,
                    "logs",
                    &program.name,
                    "--format",
                    "raw",
                    "-n",
                    "1000000",
                ];
                let bytes = desk.output("abide.exe", &arguments)?;
                // Behind the last newline there is no line, unless there is something.
                let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                Ok(split(bytes))
            }
            Self::Shawl => {
                let name = format!("shawl_for_{}_rCURRENT.log", program.name);
                let lines: Vec<Vec<u8>> = split(&desk.read(&name)?);
                Ok(lines.iter().filter_map(|line| said(line)).collect())
            }
        }
    }
}

const HOME: &str = r"C:\bench\home";

/// What a program said, by a line of shawl's log: `2026-11-23 11:52:24 [DEBUG] stdout: "plain 74"`.
fn said(line: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(line).ok()?.trim_end();
    let (_, said) = text.split_once("[DEBUG] stdout: \"")?;
    Some(said.strip_suffix('"')?.as_bytes().to_vec())
}

#[cfg(test)]
mod check {
    #[test]
    fn what_a_program_said_is_told_from_what_shawl_says() {
        let said = |line: &str| {
            super::said(line.as_bytes()).map(|line| String::from_utf8_lossy(&line).into_owned())
        };
        let at = "2026-11-23 11:52:24 ";
        assert_eq!(
            said(&format!("{at}[DEBUG] stdout: \"plain 74\"\r")).as_deref(),
            Some("plain 74")
        );
        assert_eq!(
            said(&format!("{at}[DEBUG] stdout: \"\"")).as_deref(),
            Some("")
        );
        assert_eq!(said(&format!("{at}[INFO] Launching command")), None);
    }
}
