//! What a panic said, and where: for whoever was not at the terminal.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// The last panic of this thread, in words.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Calls it; a panic becomes its message with its place. What was printed before is printed still.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let said = message(info.payload());
            let place = info.location().map_or_else(
                || said.to_owned(),
                |at| format!("{said} ({}:{})", at.file(), at.line()),
            );
            // A thread at its very end has no place for it any more; then there is nobody to read it.
            let _kept = LAST.try_with(|last| last.replace(Some(place)));
            before(info);
        }));
    });
    // What the body shared is the body's affair: nothing of it is used afterwards.
    panic::catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        LAST.with_borrow_mut(Option::take)
            .unwrap_or_else(|| message(&*payload).to_owned())
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_message_and_its_place() {
        let said = caught(|| panic!("no {}", "disk")).expect_err("it panics");
        assert!(said.starts_with("no disk ("), "{said}");
        assert!(said.contains("panics.rs:"), "{said}");
        assert_eq!(caught(|| 7), Ok(7));
    }
}
