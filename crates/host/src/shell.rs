//! Words for a POSIX shell.

/// The word as a shell reads it back: plain where nothing in it has a meaning, else in single quotes.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A command line.
pub(crate) fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(quote).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let words = [
            "plain",
            "",
            "two words",
            "it's",
            "$HOME `id`",
            "a\nb",
            "-n",
            "*",
            "~",
            "ü",
            "\\",
            "a=b c",
        ];
        let script = format!("printf '%s\\0' {}", line(words));
        let output = std::process::Command::new("sh")
            .arg("-c")
            .arg(script)
            .output();
        let text = String::from_utf8(output.expect("a shell").stdout).expect("text");
        let back: Vec<&str> = text.split_terminator('\0').collect();
        assert_eq!(back, words);
    }
}
