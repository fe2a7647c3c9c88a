//! The machine that the tests are in.

use abide_e2e::Home;

/// What it has: control groups, or little memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Groups {
    V2,
    V1,
    None,
    /// As `V2`, with 128 MiB of memory.
    Small,
}

/// Every machine.
pub const ANY: &[Groups] = &[Groups::V2, Groups::V1, Groups::None, Groups::Small];

/// Those that can set limits.
pub const SOME: &[Groups] = &[Groups::V2, Groups::V1];

/// `None`: this is no such machine.
pub fn groups() -> Option<Groups> {
    match std::env::var("ABIDE_VM").ok()?.as_str() {
        "v2" => Some(Groups::V2),
        "v1" => Some(Groups::V1),
        "none" => Some(Groups::None),
        "small" => Some(Groups::Small),
        _ => None,
    }
}

/// How one of our programs is run.
pub fn command(words: &[&str]) -> Vec<String> {
    let me = std::env::current_exe().expect("our file");
    let mut command = vec![me.display().to_string(), "act".to_owned()];
    command.extend(words.iter().map(|&word| word.to_owned()));
    command
}

/// A configuration with one unit, `it`, that runs one of our programs.
pub fn unit(words: &[&str], rest: &str) -> String {
    format!("[service.it]\ncommand = {:?}\n{rest}\n", command(words))
}

/// A home in which `it` was started.
pub fn home(test: &str, words: &[&str], rest: &str) -> Home {
    let home = Home::new(test);
    home.write("abide.toml", &unit(words, rest));
    // Whether it comes up is what the test is about.
    let _ = home.abide(&["up", "--no-wait"]);
    home
}
