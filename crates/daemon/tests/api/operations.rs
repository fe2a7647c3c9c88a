//! Waiting for an operation.

use abide_model::{Operation, OperationId, OperationKind, OperationState, Wall};

use super::client::{send, socket};
use super::fake;
use super::system::is_there;

fn operation(state: OperationState) -> Operation {
    Operation {
        id: OperationId(77),
        kind: OperationKind::Restart,
        since: Wall(0),
        state,
        steps: Vec::new(),
        rolling: None,
    }
}

#[test]
fn a_long_poll_is_answered_when_the_operation_ends() {
    let fake = fake::start();
    fake.board
        .publish_operation(operation(OperationState::Running));
    assert_eq!(fake.get("/v1/operations/77").json()["state"], "running");
    assert_eq!(
        fake.get("/v1/operations/77?wait=1").json()["state"],
        "running"
    );
    let home = fake.home.clone();
    let waiting = std::thread::spawn(move || {
        send(socket(&home), "GET", "/v1/operations/77?wait=60", &[], None).json()["state"].clone()
    });
    fake.board
        .publish_operation(operation(OperationState::Failed));
    assert_eq!(waiting.join().expect("an answer"), "failed");
}

#[test]
fn an_operation_that_nobody_knows_is_not_waited_for() {
    let fake = fake::start();
    let mut answer = fake.get("/v1/operations/12345?wait=60");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"], "no_such_operation");
    assert_eq!(fake.get("/v1/operations/x").status, 400);
    assert_eq!(fake.get("/v1/operations/77?wait=soon").status, 400);
}

#[test]
fn whoever_waits_is_answered_when_the_api_ends() {
    let mut fake = fake::start();
    fake.board
        .publish_operation(operation(OperationState::Running));
    let home = fake.home.clone();
    let connection = socket(&home);
    let waiting = std::thread::spawn(move || {
        send(connection, "GET", "/v1/operations/77?wait=60", &[], None).status
    });
    // Its request may come before the end or after: it is answered, or the connection ends.
    fake.api.take().expect("running").stop();
    let _either = waiting.join();
    assert!(!is_there(&home));
}
