//! Arguments on a command line. Windows hands a program one text; that the C runtime of the program splits
//! it into what was meant is up to whoever writes it.
//!
//! The rules are those of "Parsing C command-line arguments" in Microsoft's documentation of the C runtime.

/// Program and arguments as one text, which the C runtime splits into just these again.
///
/// # Errors
/// Reads after "cannot": what cannot be handed to any program.
pub(crate) fn command_line(program: &str, arguments: &[String]) -> Result<String, String> {
    // The program's own name is not unescaped: a quote in it cannot be said. No file has one.
    if program.contains('"') {
        return Err("name the program on its command line: there is a quotation mark in it".into());
    }
    let mut line = format!("\"{program}\"");
    for argument in arguments {
        line.push(' ');
        append(&mut line, argument);
    }
    Ok(line)
}

/// Appends one argument, in quotes if it needs any.
fn append(line: &mut String, argument: &str) {
    // Also of what other parsers than the C runtime's stumble over.
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
                // Those before a quote mean themselves only when they are doubled, and one more says that
                // the quote is meant.
                line.extend(std::iter::repeat_n('\\', backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(c);
    }
    // So do those before the closing one.
    line.extend(std::iter::repeat_n('\\', backslashes));
    line.push('"');
}

#[cfg(test)]
#[allow(unsafe_code)]
mod tests {
    use proptest::prelude::*;
    use windows_sys::Win32::Foundation::LocalFree;
    use windows_sys::Win32::UI::Shell::CommandLineToArgvW;

    use super::*;
    use crate::win32::wide;

    /// Splits as the shell's library does, whose rules for arguments are those of the C runtime.
    fn split(line: &str) -> Vec<String> {
        let line = wide(line).expect("a text");
        let mut count = 0;
        // SAFETY: the line ends with a zero; the array has as many texts as is said, each ends with a zero,
        // and is freed once.
        unsafe {
            let array = CommandLineToArgvW(line.as_ptr(), &mut count);
            assert!(!array.is_null());
            let texts = (0..count as usize)
                .map(|i| {
                    let text = *array.add(i);
                    let length = (0..).take_while(|&at| *text.add(at) != 0).count();
                    String::from_utf16(std::slice::from_raw_parts(text, length)).expect("text")
                })
                .collect();
            LocalFree(array.cast());
            texts
        }
    }

    fn argument() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => Just("\\".to_owned()),
            3 => Just("\"".to_owned()),
            3 => Just(" ".to_owned()),
            1 => Just("\t".to_owned()),
            1 => Just("\n".to_owned()),
            1 => Just("%PATH%".to_owned()),
            1 => Just("äß漢🙂".to_owned()),
            3 => "[a-z&|<>^!'*?]{1,4}",
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_put_on_a_command_line_is_found_there_again(
            arguments in prop::collection::vec(argument(), 0..6)
        ) {
            let program = r"C:\Program Files\some ö\x.exe";
            let line = command_line(program, &arguments).expect("it can be said");
            let mut expected = vec![program.to_owned()];
            expected.extend(arguments);
            prop_assert_eq!(split(&line), expected);
        }
    }

    #[test]
    fn what_needs_no_quotes_gets_none() {
        let arguments = ["a", "", "b c", r"d\", r"e f\", r#"g"h"#, r#"i\"j"#].map(str::to_owned);
        let line = command_line(r"C:\x.exe", &arguments).expect("it can be said");
        assert_eq!(line, r#""C:\x.exe" a "" "b c" d\ "e f\\" "g\"h" "i\\\"j""#);
        assert!(command_line("a\"b", &[]).is_err());
    }
}
