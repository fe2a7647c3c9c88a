//! How much code runs in the keeper after its start. Whoever has to trust it has to read it, so it only
//! becomes less: `docs/decisions/0022-a-smaller-keeper.md` says what it is for.

use std::path::Path;

use super::sources;

/// Files and folders of it. The fuzzer in them is a test.
const PLACES: &[&str] = &[
    "crates/platform/src/keeper/restarts.rs",
    "crates/platform/src/keeper/wire.rs",
    "crates/platform/src/keeper/linux/socket.rs",
    "crates/platform/src/keeper/linux/hold",
];
const TESTS: &str = "crates/platform/src/keeper/linux/hold/fuzz";

/// Lines of code that it may have. To be lowered with every one that goes.
const MOST: usize = 1440;

/// Counts them.
pub fn check() -> Result<(), String> {
    let mut lines = 0;
    for (path, text) in sources::rust_files()? {
        let counts = |place: &&str| path.starts_with(place);
        if PLACES.iter().any(counts) && !path.starts_with(TESTS) {
            lines += code(&text);
        }
    }
    println!("{lines} lines of code in the keeper after its start (at most {MOST})");
    if lines == 0 {
        return Err(format!(
            "none is found in {}",
            Path::new(PLACES[0]).display()
        ));
    }
    if lines > MOST {
        return Err(format!(
            "{} lines too many: what of it can the daemon do, or nobody?",
            lines - MOST
        ));
    }
    Ok(())
}

/// Lines that are neither empty, nor comments, nor tests, which come last.
fn code(text: &str) -> usize {
    let lines = text.lines().map(str::trim);
    let mut code = 0;
    for line in lines.take_while(|line| !line.starts_with("mod tests {")) {
        code += usize::from(!line.is_empty() && !line.starts_with("//"));
    }
    code
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn only_code_is_counted() {
        let text = "//! About.\n\nuse a::b;\n/// A.\nfn a() {} // there\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(code(text), 3, "with the line before the tests");
    }
}
