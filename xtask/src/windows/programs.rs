//! What cargo has built for Windows, as it tells in its messages, one JSON object a line.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// One program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    pub kind: Kind,
    pub path: PathBuf,
    /// The folder of its package.
    pub folder: PathBuf,
    /// What its target is called.
    pub target: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Test,
    Example,
    Command,
}

impl Program {
    /// The folder's name and the target's: `log-reading`. Two packages have tests of the same name.
    pub fn name(&self) -> String {
        let folder = self.folder.file_name().unwrap_or_default();
        format!("{}-{}", folder.to_string_lossy(), self.target)
    }
}

/// Has cargo build, and says which programs there are then.
///
/// # Errors
/// What cargo ended with; what it said is on standard error.
pub fn build(cargo: &mut Command) -> Result<Vec<Program>, String> {
    let output = cargo
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo ended with {}", output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().filter_map(program).collect())
}

/// The program that a message of cargo names, if it names one.
fn program(line: &str) -> Option<Program> {
    let message: Value = serde_json::from_str(line).ok()?;
    let (target, test) = (&message["target"], message["profile"]["test"] == true);
    let kind = match target["kind"][0].as_str()? {
        _ if test => Kind::Test,
        "example" => Kind::Example,
        "bin" => Kind::Command,
        _ => return None,
    };
    Some(Program {
        kind,
        path: message["executable"].as_str()?.into(),
        folder: Path::new(message["manifest_path"].as_str()?)
            .parent()?
            .to_owned(),
        target: target["name"].as_str()?.to_owned(),
    })
}

#[cfg(test)]
mod check {
    use super::*;

    #[test]
    fn programs_are_told_from_everything_else_that_cargo_says() {
        let artifact = |kind: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/x/crates/log/Cargo.toml","target":{{"kind":["{kind}"],"name":"reading"}},"profile":{{"test":{test}}},"executable":"/t/reading-1.exe"}}"#
            )
        };
        for (kind, test, expected) in [
            ("test", true, Some(Kind::Test)),
            ("lib", true, Some(Kind::Test)),
            ("bin", true, Some(Kind::Test)),
            ("bin", false, Some(Kind::Command)),
            ("example", false, Some(Kind::Example)),
            ("lib", false, None),
        ] {
            let found = program(&artifact(kind, test));
            assert_eq!(found.as_ref().map(|it| it.kind), expected, "{kind} {test}");
            if let Some(found) = found {
                assert_eq!(found.name(), "log-reading");
                assert_eq!(found.path, Path::new("/t/reading-1.exe"));
                assert_eq!(found.folder, Path::new("/x/crates/log"));
            }
        }
        let library = artifact("lib", true).replace(r#""/t/reading-1.exe""#, "null");
        assert_eq!(program(&library), None);
        assert_eq!(
            program(r#"{"reason":"build-finished","success":true}"#),
            None
        );
        assert_eq!(program("no message"), None);
    }
}
