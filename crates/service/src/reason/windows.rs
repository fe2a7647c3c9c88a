use super::StopReason;

/// The service control manager tells stops from shutdowns; nothing else asks here yet.
pub(super) fn asked_by_manager(_name: &str) -> StopReason {
    StopReason::Requested
}
