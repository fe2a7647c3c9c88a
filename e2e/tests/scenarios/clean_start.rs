//! Nothing of whoever typed the command leaks into the program.

use std::collections::BTreeMap;
use std::process::Command;

use abide_e2e::{Home, wait};

#[test]
fn a_program_starts_clean_whatever_the_caller_was_like() {
    let home = Home::new("clean");
    home.make_dir("work");
    home.write(
        "abide.toml",
        r#"
[service.probe]
command = "env | sort; echo cwd=$(pwd); echo umask=$(umask); ls /proc/$$/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status; echo end; exec sleep 1000"
shell = true
directory = "work"
environment = { OWN = "yes" }
inherit = ["WANTED"]
"#,
    );
    // A caller with variables, a narrow umask, ignored signals and open files of its own.
    let mut caller = Command::new("sh");
    caller
        .args(["-c", "umask 077; trap '' HUP PIPE INT QUIT; exec 7</etc/passwd 8</etc/passwd; exec bin/abide up"])
        .current_dir(home.path("."))
        .env("ABIDE_HOME", home.home())
        .env("LEAK", "from the caller")
        .env("LD_PRELOAD_NOT", "1")
        .env("WANTED", "taken along")
        .stdin(std::process::Stdio::null());
    let _ = home.finish(caller, "abide up").expect(0);
    let text = wait::until("the probe has spoken", wait::GENEROUS, || {
        Some(home.ok(&["logs", "probe", "--format", "raw"])).filter(|text| text.contains("\nend"))
    });
    let said: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    assert_eq!(said.get("OWN"), Some(&"yes"), "{text}");
    assert_eq!(said.get("WANTED"), Some(&"taken along"), "{text}");
    for leaked in ["LEAK", "LD_PRELOAD_NOT", "ABIDE_HOME", "CARGO"] {
        assert!(!said.contains_key(leaked), "{leaked} leaked:\n{text}");
    }
    for base in ["PATH", "HOME", "USER", "LOGNAME", "SHELL"] {
        assert!(said.contains_key(base), "{base} is missing:\n{text}");
    }
    let work = home.path("work");
    assert_eq!(said.get("cwd").copied(), work.to_str(), "{text}");
    assert_eq!(said.get("umask"), Some(&"0022"), "{text}");
    let open: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    let low: Vec<u32> = open.iter().copied().filter(|fd| *fd < 100).collect();
    assert_eq!(low, [0, 1, 2], "{text}");
    assert!(open.len() <= 5, "{text}");
    for mask in ["SigBlk", "SigIgn"] {
        let line = text
            .lines()
            .find(|line| line.starts_with(mask))
            .unwrap_or_default();
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
}
