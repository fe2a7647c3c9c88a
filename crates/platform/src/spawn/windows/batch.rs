//! Command files (`.cmd`, `.bat`) and lines for the command interpreter. cmd.exe does not split its command
//! line as the C runtime does, and what looks like an argument there may become a command: "BatBadBut",
//! CVE-2024-24576. So an argument is written so that cmd.exe reads it as text, or it is refused.

/// Whether Windows would run this file by cmd.exe. Names that end in dots or spaces mean the one without.
pub(super) fn is_command_file(program: &str) -> bool {
    let name = program.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    name.ends_with(".cmd") || name.ends_with(".bat")
}

/// The most that cmd.exe reads of a line.
const LONGEST: usize = 8191;

/// The command line for a line of the configuration's `shell = true`: cmd.exe gets it as it is, and what
/// stands before it are no settings of the machine's (`/d`: no AutoRun) but quotes that it takes off (`/s`).
///
/// # Errors
/// Reads after "cannot".
pub(super) fn shell_line(interpreter: &str, line: &str) -> Result<String, String> {
    if line.contains(['\r', '\n']) {
        return Err(
            "hand over the command to cmd.exe: a line ends within it; write a .cmd file, \
                    or put `&` between commands"
                .into(),
        );
    }
    bounded(format!("\"{interpreter}\" /d /s /c \"{line}\""))
}

/// The command line that runs a command file with these arguments.
///
/// # Errors
/// Reads after "cannot": an argument that cmd.exe cannot be given as text.
pub(super) fn command_line(
    interpreter: &str,
    file: &str,
    arguments: &[String],
) -> Result<String, String> {
    if file.contains(['"', '%', '\r', '\n']) {
        return Err(format!(
            "run {file} by cmd.exe: its name holds a quotation mark, a percent sign or a line's end; \
             rename it"
        ));
    }
    // Extensions on, for the `%` below; no delayed expansion, which would read `!`.
    let mut line = format!("\"{interpreter}\" /e:on /v:off /d /s /c \"\"{file}\"");
    for argument in arguments {
        line.push(' ');
        append(&mut line, argument).map_err(|why| {
            format!(
                "hand over the argument {argument:?} to {file}: {why}; a .cmd file cannot get it"
            )
        })?;
    }
    line.push('"');
    bounded(line)
}

fn append(line: &mut String, argument: &str) -> Result<(), &'static str> {
    if argument.contains(['\r', '\n', '\0']) {
        return Err("cmd.exe takes the end of a line for the end of the command");
    }
    line.push('"');
    let mut backslashes = 0;
    for c in argument.chars() {
        match c {
            '\\' => backslashes += 1,
            // A doubled quote is a quote and does not end the quoted text. Programs that the file starts
            // with `%1` see a C runtime's line again: for them the backslashes are doubled.
            '"' => {
                line.extend(std::iter::repeat_n('\\', backslashes));
                line.push('"');
                backslashes = 0;
            }
            // `%cd:~,%` is no character at all of the current directory: a variable that is always there,
            // so that the first `%` stays alone, which means itself.
            '%' => {
                line.push_str("%%cd:~,");
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(c);
    }
    line.extend(std::iter::repeat_n('\\', backslashes));
    line.push('"');
    Ok(())
}

fn bounded(line: String) -> Result<String, String> {
    let length = line.encode_utf16().count();
    if length > LONGEST {
        return Err(format!(
            "hand over the command to cmd.exe: it has {length} characters, and cmd.exe reads {LONGEST}"
        ));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<_> = arguments.iter().map(|&a| a.to_owned()).collect();
        command_line(r"C:\cmd.exe", r"C:\my files\x.cmd", &arguments)
    }

    #[test]
    fn an_argument_for_a_command_file_is_text_for_cmd_whatever_it_holds() {
        let begin = r#""C:\cmd.exe" /e:on /v:off /d /s /c ""C:\my files\x.cmd""#;
        let said = |arguments: &[&str]| line(arguments).expect("it can be said");
        assert_eq!(said(&["a", ""]), format!(r#"{begin} "a" """#) + "\"");
        assert_eq!(said(&["&calc"]), format!(r#"{begin} "&calc"""#));
        assert_eq!(said(&["\"&calc"]), format!(r#"{begin} """&calc"""#));
        assert_eq!(
            said(&["%PATH%"]),
            format!(r#"{begin} "%%cd:~,%PATH%%cd:~,%"""#)
        );
        assert_eq!(said(&[r"a\"]), format!(r#"{begin} "a\\"""#));
    }

    #[test]
    fn what_cannot_be_text_for_cmd_is_refused() {
        let refused = line(&["a\nb"]).expect_err("a line's end");
        assert!(
            refused.starts_with(r#"hand over the argument "a\nb""#),
            "{refused}"
        );
        assert!(line(&[&"x".repeat(9000)]).is_err());
        assert!(shell_line("cmd.exe", "a\nb").is_err());
        assert!(command_line("cmd.exe", "C:\\50%\\x.cmd", &[]).is_err());
    }

    #[test]
    fn a_name_is_that_of_a_command_file_also_with_dots_and_spaces_behind_it() {
        for name in ["x.cmd", "x.BAT", r"C:\y\x.bat. .", "x.cmd "] {
            assert!(is_command_file(name), "{name}");
        }
        for name in ["x.exe", "x.cmd.exe", "cmd", "x.batch"] {
            assert!(!is_command_file(name), "{name}");
        }
    }
}
