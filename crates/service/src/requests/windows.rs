use std::sync::Arc;

use crate::error::RunError;
use crate::session::Shared;

/// Neither the service control manager nor the console is listened to in this version.
pub(crate) fn begin(_shared: &Arc<Shared>) -> Result<(), RunError> {
    Err(RunError::Unsupported(
        "cannot run as a service on Windows: this version of abide-service does so on Linux only",
    ))
}

pub(crate) fn end() {}
