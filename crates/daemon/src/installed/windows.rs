use std::path::PathBuf;

use abide_host::Scope;

/// Nowhere: `abide install` does not make services of Windows yet, so none can have been noted.
pub(super) fn places(_scope: Scope) -> Option<(PathBuf, PathBuf)> {
    None
}
