//! How programs are started, and what they find.

use std::io::Read;

use abide_model::{Command, ExitStatus};
use abide_platform::spawn::{Step, spawn};
use abide_platform::tree::Trees;

use super::{LONG, Test, in_directory, launch, order, start, wait_for};

pub const ALL: &[Test] = &[
    (
        "a_program_finds_what_its_spec_says_and_nothing_else",
        surroundings,
    ),
    ("a_crash_is_told_in_words", crash),
    ("a_command_file_gets_its_arguments_as_text", command_file),
    ("a_line_for_the_shell_is_run_by_cmd", shell),
    ("what_cannot_be_started_is_said_with_its_step", refusals),
];

fn text(file: std::fs::File) -> Vec<u8> {
    let (mut file, mut bytes) = (file, Vec::new());
    file.read_to_end(&mut bytes).expect("read");
    bytes
}

fn surroundings() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("wörk dir");
    std::fs::create_dir(&directory).expect("made");
    let report = place.path().join("report.txt");
    let hostile = [
        "",
        "a b",
        r"c\",
        r#"d"e"#,
        r#"f\"g"#,
        r"h i\\",
        "%PATH%",
        "&|<>^",
        "ä漢🙂",
        "x\ny",
    ];
    let file = report.to_str().expect("a text");
    let words = [&["report", file], &hostile[..]].concat();
    let mut launch = launch(&words);
    launch.directory = directory.clone();
    launch.environment.variables = vec![
        ("Path".to_owned(), r"C:\none".to_owned()),
        ("FOO".to_owned(), "bär".to_owned()),
    ];
    let trees = Trees::reporting().expect("a port");
    let mut order = order(&trees, 1, launch);
    order.variables = vec![("ABIDE_X".to_owned(), "1".to_owned())];
    let (out, err) = (place.path().join("out"), place.path().join("err"));
    let create = |path| std::fs::File::create(path).expect("made").into();
    (order.stdout, order.stderr) = (Some(create(&out)), Some(create(&err)));
    let spawned = spawn(&order).expect("it starts");
    let ended = spawned.handle.exit(Some(LONG)).expect("asked");
    assert_eq!(ended, Some(ExitStatus::Code(0)));
    assert_eq!(spawned.warnings, [""; 0]);
    let said = wait_for(&report);
    for argument in hostile {
        let line = format!("argument {argument:?}");
        assert!(said.lines().any(|l| l == line), "{line} is not in\n{said}");
    }
    let line = |line: &str| said.lines().any(|l| l == line);
    assert!(
        line(&format!("directory {}", directory.display())),
        "{said}"
    );
    assert!(line("input Some(0)"), "{said}");
    assert!(
        line("variable FOO=bär") && line("variable ABIDE_X=1"),
        "{said}"
    );
    assert!(
        said.to_lowercase().contains("variable path=c:\\none\n"),
        "{said}"
    );
    assert!(!said.contains("CARGO_MANIFEST_DIR"), "{said}");
    assert_eq!(text(std::fs::File::open(out).expect("there")), b"out\xff\n");
    assert_eq!(text(std::fs::File::open(err).expect("there")), b"err");
}

fn crash() {
    let trees = Trees::reporting().expect("a port");
    let (spawned, _) = start(&trees, 1, launch(&["crash"]));
    let ended = spawned
        .handle
        .exit(Some(LONG))
        .expect("asked")
        .expect("ended");
    assert_eq!(ended.to_string(), "exit 0xC0000005 (access violation)");
}

fn command_file() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("my files");
    std::fs::create_dir(&directory).expect("made");
    let file = directory.join("tool.cmd");
    std::fs::write(&file, "@echo one=%1 two=%2\r\n@exit /b 5\r\n").expect("written");
    let words = ["tool", "a b", "c&echo injected"].map(str::to_owned);
    let mut launch = in_directory(Command::Argv(words.to_vec()), &directory);
    let path = directory.display().to_string();
    launch.environment.variables = vec![("PATH".to_owned(), path)];
    let trees = Trees::reporting().expect("a port");
    let mut order = order(&trees, 1, launch);
    let out = place.path().join("out");
    order.stdout = Some(std::fs::File::create(&out).expect("made").into());
    let spawned = spawn(&order).expect("it starts");
    let ended = spawned.handle.exit(Some(LONG)).expect("asked");
    let said = String::from_utf8(text(std::fs::File::open(out).expect("there"))).expect("text");
    assert_eq!(ended, Some(ExitStatus::Code(5)), "{said}");
    assert_eq!(said.trim_end(), "one=\"a b\" two=\"c&echo injected\"");
}

fn shell() {
    let place = tempfile::tempdir().expect("a directory");
    let line = "echo first&& echo second>second.txt& exit 4";
    let launch = in_directory(Command::Shell(line.to_owned()), place.path());
    let trees = Trees::reporting().expect("a port");
    let (spawned, _) = start(&trees, 1, launch);
    let ended = spawned.handle.exit(Some(LONG)).expect("asked");
    assert_eq!(ended, Some(ExitStatus::Code(4)));
    let said = std::fs::read_to_string(place.path().join("second.txt")).expect("there");
    assert_eq!(said.trim(), "second");
}

fn refusals() {
    let place = tempfile::tempdir().expect("a directory");
    let trees = Trees::reporting().expect("a port");
    let refused = |launch| {
        let order = order(&trees, 1, launch);
        let error = spawn(&order).expect_err("it is refused");
        assert!(order.tree.processes().expect("asked").is_empty());
        (error.step, error.to_string())
    };
    let mut nowhere = launch(&["idle"]);
    nowhere.directory = place.path().join("none");
    let (step, said) = refused(nowhere);
    assert_eq!(step, Step::Directory);
    assert!(said.starts_with("cannot enter the directory "), "{said}");
    let mut somebody = launch(&["idle"]);
    somebody.user = Some("nobody-here".to_owned());
    let (step, said) = refused(somebody);
    assert_eq!(step, Step::User);
    assert!(
        said.starts_with("cannot run as .\\nobody-here: there is no such account"),
        "{said}"
    );
    let text = place.path().join("text.exe");
    std::fs::write(&text, "no program").expect("written");
    let words = vec![text.to_str().expect("a text").to_owned()];
    let (step, said) = refused(in_directory(Command::Argv(words), place.path()));
    assert_eq!(step, Step::Execute);
    assert!(said.starts_with("cannot execute "), "{said}");
}
