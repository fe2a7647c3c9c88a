use std::sync::Arc;

use abide_platform::poll::Wait;
use abide_platform::spawn::Auxiliary;
use tokio::sync::Notify;

/// The end of a process.
pub struct Exit {
    ended: Arc<Notify>,
    /// `None`: the system could not be asked to tell.
    wait: Option<Wait>,
}

impl Exit {
    /// That of this command.
    pub fn of(child: &Auxiliary) -> Self {
        let ended = Arc::new(Notify::new());
        let told = Arc::clone(&ended);
        // A permit is kept for who asks later.
        let call = move || told.notify_one();
        let wait = child
            .waitable()
            .and_then(|process| Wait::new(&process, call).ok());
        Self { ended, wait }
    }

    /// Returns when it has ended. False at once: nothing tells.
    pub async fn wait(&self) -> bool {
        if self.wait.is_none() {
            return false;
        }
        self.ended.notified().await;
        true
    }
}
