use super::*;

fn read_text(text: &str) -> Definition {
    let around = Around {
        name: "web",
        scope: Scope::System,
        ours: false,
    };
    read(
        Path::new("/Library/LaunchDaemons/web.plist"),
        text.as_bytes(),
        &around,
    )
}

fn with(keys: &str) -> Definition {
    read_text(&format!(
        "<plist><dict><key>Label</key><string>web</string><key>RunAtLoad</key><true/>{keys}</dict></plist>"
    ))
}

#[test]
fn the_program_is_what_launchd_executes() {
    let arguments =
        "<key>ProgramArguments</key><array><string>web</string><string>-p</string></array>";
    let program = "<key>Program</key><string>/opt/web</string>";
    for (keys, by, word) in [
        (arguments.to_owned(), "ProgramArguments", "web"),
        (program.to_owned(), "Program", "/opt/web"),
        (format!("{arguments}{program}"), "Program", "/opt/web"),
    ] {
        let definition = with(&keys);
        assert_eq!(definition.findings, [], "{keys}");
        let [command] = &definition.commands[..] else {
            panic!("{definition:?}");
        };
        assert_eq!(
            (command.by.as_str(), &command.words[..]),
            (by, &[word.to_owned()][..])
        );
    }
}

#[test]
fn what_cannot_be_known_is_not_judged() {
    let program = "<key>Program</key><string>/opt/*/web</string>";
    for keys in [
        "<key>BundleProgram</key><string>Contents/web</string>".to_owned(),
        format!("{program}<key>EnableGlobbing</key><true/>"),
        format!("{program}<key>RootDirectory</key><string>/jail</string>"),
    ] {
        let definition = with(&keys);
        assert_eq!(
            (definition.findings.len(), definition.commands.len()),
            (0, 0),
            "{keys}"
        );
    }
}

#[test]
fn an_array_of_something_else_names_no_program() {
    for array in [
        "<array/>",
        "<array><integer>1</integer></array>",
        "<string>/bin/true</string>",
    ] {
        let definition = with(&format!("<key>ProgramArguments</key>{array}"));
        let last = definition.findings.last().expect("a finding");
        assert!(last.what.contains("nothing to execute"), "{last:?}");
    }
}
