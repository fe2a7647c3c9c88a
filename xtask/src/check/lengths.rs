//! How long the files are. A report, not a gate: the median tells whether a file is still one idea.

use super::sources;

const WANTED_MEDIAN: usize = 200;
const LONG: usize = 600;

/// Prints the median and the files that are hard to hold in one's head.
pub fn report() -> Result<(), String> {
    let mut files: Vec<(usize, String)> = sources::rust_files()?
        .into_iter()
        .map(|(path, text)| (text.lines().count(), path.display().to_string()))
        .collect();
    files.sort();
    let lines: usize = files.iter().map(|(lines, _)| lines).sum();
    let median = files.get(files.len() / 2).map_or(0, |(lines, _)| *lines);
    println!(
        "{} files, {lines} lines; median {median} (wanted: under {WANTED_MEDIAN})",
        files.len()
    );
    for (lines, path) in files.iter().rev().take_while(|(lines, _)| *lines > LONG) {
        println!("{lines:>6} lines: {path} (wanted: hardly any over {LONG}; is it one idea?)");
    }
    Ok(())
}
