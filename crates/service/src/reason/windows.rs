use super::StopReason;

/// The Service Control Manager has said why already; abide, which guards a program, does not.
pub(super) fn asked_by_manager(_name: &str) -> StopReason {
    StopReason::Requested
}
