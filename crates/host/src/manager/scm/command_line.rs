//! A service's command line (`ImagePath`): one text, which the program splits again.
//!
//! The rules are those of "Parsing C command-line arguments" in Microsoft's documentation of the C runtime, which
//! `CommandLineToArgvW` has, too.

use crate::Error;

/// Program and arguments as one text. The program always stands in quotes: without them Windows tries
/// `C:\Program.exe` before `C:\Program Files\…`, and whoever can write there is the service.
pub(crate) fn write(program: &str, arguments: &[String]) -> Result<String, Error> {
    // The program's own name is not unescaped: a quote in it cannot be said. No file has one.
    if program.contains('"') {
        return Err(Error::Invalid(format!(
            "write {program} into a command line: there is a quotation mark in it"
        )));
    }
    let mut line = format!("\"{program}\"");
    for argument in arguments {
        line.push(' ');
        append(&mut line, argument);
    }
    Ok(line)
}

fn append(line: &mut String, argument: &str) {
    let plain = !argument.is_empty() && !argument.contains([' ', '\t', '\n', '\u{b}', '"']);
    if plain {
        line.push_str(argument);
        return;
    }
    line.push('"');
    let mut backslashes = 0;
    for c in argument.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                // Backslashes before a quote are halved, and one more says that the quote is meant.
                line.extend(std::iter::repeat_n('\\', backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(c);
    }
    line.extend(std::iter::repeat_n('\\', backslashes));
    line.push('"');
}

/// Splits a command line as the program does; `None`: there is none.
pub(crate) fn split(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim_start_matches([' ', '\t']);
    // In the program's own name quotes only group, and a backslash is one.
    let (program, mut rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => line.split_at(line.find([' ', '\t']).unwrap_or(line.len())),
    };
    if program.is_empty() {
        return None;
    }
    let mut arguments = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return Some((program.to_owned(), arguments));
        }
        let (argument, after) = one(rest);
        arguments.push(argument);
        rest = after;
    }
}

/// The first argument, and what is left.
fn one(text: &str) -> (String, &str) {
    let mut argument = String::new();
    let mut quoted = false;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            ' ' | '\t' if !quoted => return (argument, text.get(at..).unwrap_or("")),
            '\\' => {
                let mut count = 1;
                while characters.next_if(|&(_, c)| c == '\\').is_some() {
                    count += 1;
                }
                if characters.peek().is_some_and(|&(_, c)| c == '"') {
                    argument.extend(std::iter::repeat_n('\\', count / 2));
                    if count % 2 == 1 {
                        argument.push('"');
                        characters.next();
                    }
                } else {
                    argument.extend(std::iter::repeat_n('\\', count));
                }
            }
            '"' if quoted && characters.peek().is_some_and(|&(_, c)| c == '"') => {
                // Two in quotes are one that is meant.
                argument.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            c => argument.push(c),
        }
    }
    (argument, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_split_into_the_same(
            arguments in proptest::collection::vec(r#"[a\\" \t\nü]{0,8}"#, 0..5),
        ) {
            let program = r"C:\Program Files\shop\web.exe";
            let line = write(program, &arguments).expect("it can be said");
            prop_assert_eq!(split(&line), Some((program.to_owned(), arguments)));
        }
    }

    #[test]
    fn the_program_always_stands_in_quotes() {
        let line = write(r"C:\x.exe", &["a b".to_owned(), r"c\".to_owned()]);
        assert_eq!(line.expect("it can be said"), r#""C:\x.exe" "a b" c\"#);
        assert!(write("a\"b", &[]).is_err());
    }

    #[test]
    fn what_others_wrote_is_split_as_windows_does() {
        let split = |line| split(line).expect("a program");
        assert_eq!(
            split(r"C:\Program Files\x.exe -a"),
            (
                r"C:\Program".to_owned(),
                vec![r"Files\x.exe".to_owned(), "-a".to_owned()]
            )
        );
        assert_eq!(
            split(r#""C:\a b\x.exe"  "a""b"  c"d e"f"#),
            (
                r"C:\a b\x.exe".to_owned(),
                vec![r#"a"b"#.to_owned(), "cd ef".to_owned()]
            )
        );
        assert_eq!(super::split("  "), None);
    }
}
