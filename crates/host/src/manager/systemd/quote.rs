//! Words as systemd reads them back (systemd.syntax(7), systemd.service(5) "Command lines").

/// Where a word stands: which characters mean something there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    /// The program of `ExecStart=`: no variables are put in.
    Program,
    /// A later word of `ExecStart=`: `$` begins a variable.
    Argument,
    /// One of a list of words, such as `Environment=`.
    List,
}

/// One word, quoted where it has to be.
pub(super) fn word(text: &str, at: At) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%$^~".contains(c);
    let mut escaped = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            '%' => escaped.push_str("%%"),
            '$' if at == At::Argument => escaped.push_str("$$"),
            '\\' => escaped.push_str(r"\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str(r"\n"),
            '\t' => escaped.push_str(r"\t"),
            '\r' => escaped.push_str(r"\r"),
            c if c.is_ascii_control() => escaped.push_str(&format!(r"\x{:02x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    // A `;` alone would begin another command, quoted it does not.
    if !text.is_empty() && text.chars().all(plain) {
        escaped
    } else {
        format!("\"{escaped}\"")
    }
}

/// A value that is taken to the end of the line: a path, a description.
pub(super) fn value(text: &str) -> String {
    let mut escaped = text.replace('%', "%%");
    if escaped.ends_with('\\') {
        // The line would go on with the next one; blanks at its end are dropped after that.
        escaped.push(' ');
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_would_take_for_something_else_is_escaped() {
        for (text, quoted) in [
            ("plain", "plain"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("100%", "100%%"),
            ("$HOME", "$$HOME"),
            ("a\"b", "\"a\\\"b\""),
            ("it's", "\"it's\""),
            (r"C:\x", r#""C:\\x""#),
            ("a\nb", r#""a\nb""#),
            ("\u{1}", r#""\x01""#),
            (";", "\";\""),
            ("#x", "\"#x\""),
            ("größe", "\"größe\""),
        ] {
            assert_eq!(word(text, At::Argument), quoted, "{text:?}");
        }
        assert_eq!(word("/opt/$x/a b", At::Program), "\"/opt/$x/a b\"");
        assert_eq!(word("K=$v %h", At::List), "\"K=$v %%h\"");
        assert_eq!(value("50% \\"), "50%% \\ ");
    }
}
