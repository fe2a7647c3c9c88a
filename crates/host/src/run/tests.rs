use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn what_a_program_says_and_how_it_ends_is_told() {
    let call = Call::new(["sh", "-c", "echo out; echo why >&2; exit 3"]);
    let output = call.run(PATIENCE).expect("it runs");
    assert_eq!((output.code, output.out.as_str()), (Some(3), "out\n"));
    let error = call.succeed(PATIENCE).expect_err("3 is no success");
    assert!(error.to_string().ends_with("why"), "{error}");
}

#[test]
fn a_program_that_hangs_is_not_waited_for_for_ever() {
    let error = Call::new(["sleep", "1000"])
        .run(Duration::from_millis(50))
        .expect_err("it hangs");
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

#[test]
fn a_child_that_keeps_the_pipes_keeps_nobody_waiting() {
    let output = Call::new(["sh", "-c", "echo started; sleep 1000 & echo $!"])
        .run(PATIENCE)
        .expect("it ends");
    let pid: i32 = output
        .out
        .lines()
        .nth(1)
        .and_then(|l| l.parse().ok())
        .expect("a pid");
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("ours");
    assert!(output.out.starts_with("started"));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = Call::new(["no-such-program"])
        .run(PATIENCE)
        .expect_err("none");
    assert!(error.to_string().contains("no-such-program"), "{error}");
}
