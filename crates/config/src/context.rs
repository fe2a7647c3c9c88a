//! What every step of reading one file needs.

use std::cell::RefCell;

use crate::caller::Caller;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::SourceText;

/// One file while it is read. Mistakes are gathered, never returned: reading goes on.
pub(crate) struct Context<'a> {
    pub source: &'a SourceText,
    pub caller: &'a Caller,
    found: RefCell<Diagnostics>,
}

impl<'a> Context<'a> {
    pub fn new(source: &'a SourceText, caller: &'a Caller) -> Self {
        Self {
            source,
            caller,
            found: RefCell::default(),
        }
    }

    pub fn report(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// Counts a mistake that would not be shown any more, and says whether it did so: looking for its
    /// place takes long where there are many.
    pub fn count_unseen(&self) -> bool {
        let mut found = self.found.borrow_mut();
        let full = found.is_full();
        found.hidden += usize::from(full);
        full
    }

    pub fn into_found(self) -> Diagnostics {
        self.found.into_inner()
    }
}
