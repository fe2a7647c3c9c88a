//! What lies beside the program: man pages, completions, the unit file, the completions of PowerShell. The program itself writes them, so that they
//! say what it does.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::debian_rust;

/// Where a package puts the program.
const INSTALLED: &str = "/usr/bin/abide";

/// Scripts for shells: its name, and the file that its shell looks for.
pub const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "abide"), ("zsh", "_abide"), ("fish", "abide.fish")];

/// Writes all of it into `folder`: `man/`, `completions/`, `abide.service`, `abide.ps1`. The program runs here.
///
/// # Errors
/// It does not say it.
pub fn make(folder: &Path, program: &Path) -> Result<(), String> {
    debian_rust::remove(folder)?;
    let pages = folder.join("man");
    let scripts = folder.join("completions");
    for place in [&pages, &scripts] {
        fs::create_dir_all(place).map_err(|e| format!("cannot make {}: {e}", place.display()))?;
    }
    let pages = pages.to_str().ok_or("the path is no text")?;
    said(program, &["manual", pages])?;
    for (shell, file) in COMPLETIONS {
        write(
            &scripts.join(file),
            &said(program, &["completions", shell])?,
        )?;
    }
    let powershell = said(program, &["completions", "powershell"])?;
    write(&folder.join("abide.ps1"), &powershell)?;
    write(&folder.join("abide.service"), &unit_file(program)?)
}

fn said(program: &Path, words: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(words)
        .env_remove("ABIDE_HOME")
        .output()
        .map_err(|e| format!("cannot run {}: {e}", program.display()))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|e| e.to_string());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "`abide {}` ended with {}: {error}",
        words.join(" "),
        output.status
    ))
}

/// The same that `abide install` writes, but for its first line and the place of the program.
fn unit_file(program: &Path) -> Result<String, String> {
    let words = [
        "install",
        "--manager",
        "systemd",
        "--home",
        "/var/lib/abide",
        "--dry-run",
        "--json",
    ];
    let plan: Value = serde_json::from_str(&said(program, &words)?).map_err(|e| e.to_string())?;
    let text = plan["files"][0]["text"].as_str();
    let text = text.ok_or("the plan has no unit file")?;
    let (mark, rest) = text.split_once('\n').ok_or("the unit file has one line")?;
    if !mark.contains("written by abide") {
        return Err(format!("the unit file begins with {mark:?}"));
    }
    let executable = fs::canonicalize(program).map_err(|e| e.to_string())?;
    let ours = executable.to_string_lossy();
    if !rest.contains(&*ours) {
        return Err(format!("the unit file does not name {ours}"));
    }
    let note = "# Of the package abide. `systemctl edit abide` changes it.\n";
    // The path may have been quoted for a blank in it; the new one needs none.
    let rest = rest
        .replace(&format!("\"{ours}\""), INSTALLED)
        .replace(&*ours, INSTALLED);
    Ok(format!("{note}{rest}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}
