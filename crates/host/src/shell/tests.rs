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
