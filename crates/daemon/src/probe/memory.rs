//! What trees use. Those who ask while a look is under way share the next one: where there are no
//! control groups, each is a look at all processes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use abide_platform::tree::RunTree;
use abide_platform::usage::{Figures, sample};
use tokio::sync::oneshot;

use crate::assist::{Assistants, Blocks};

/// Trees that are to be looked at.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: Vec<(RunTree, oneshot::Sender<u64>)>,
    looking: bool,
}

impl Memory {
    /// Bytes that the whole tree uses.
    pub async fn used(&self, assistants: &Assistants, tree: &RunTree) -> Result<u64, String> {
        let (tell, told) = oneshot::channel();
        let first = {
            let mut queue = self.queue();
            queue.waiting.push((tree.clone(), tell));
            !std::mem::replace(&mut queue.looking, true)
        };
        if first {
            let (memory, assistants) = (self.clone(), assistants.clone());
            tokio::spawn(async move { memory.look(&assistants).await });
        }
        told.await
            .map_err(|_| "its processes could not be looked at".into())
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self, assistants: &Assistants) {
        loop {
            let (trees, waiting): (Vec<_>, Vec<_>) = {
                let mut queue = self.queue();
                if queue.waiting.is_empty() {
                    queue.looking = false;
                    return;
                }
                std::mem::take(&mut queue.waiting).into_iter().unzip()
            };
            let looked = assistants
                .floor()
                .block(Blocks::Work, move || sample(&trees, Figures::default()));
            // Without an answer all who wait are told so, by their channels closing.
            for (usage, waiting) in looked.await.unwrap_or_default().iter().zip(waiting) {
                // Who has given up needs no answer.
                let _ = waiting.send(usage.memory);
            }
        }
    }
}

/// "612.3 MiB is above 500 MiB".
pub fn above(used: u64, most: u64) -> String {
    let unit = |bytes: u64| match bytes {
        0..0x10_0000 => (1024.0, "KiB"),
        0x10_0000..0x2_8000_0000 => (1_048_576.0, "MiB"),
        _ => (1_073_741_824.0, "GiB"),
    };
    let (size, name) = unit(most);
    let shown = |bytes: u64| {
        let text = format!("{:.1}", bytes as f64 / size);
        text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
    };
    let (used, most) = (shown(used), shown(most));
    format!("{used} {name} is above {most} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sizes_are_said_in_one_unit() {
        assert_eq!(above(612 << 20, 500 << 20), "612 MiB is above 500 MiB");
        assert_eq!(
            above((612 << 20) + 300_000, 500 << 20),
            "612.3 MiB is above 500 MiB"
        );
        assert_eq!(above(2 << 20, 100 << 10), "2048 KiB is above 100 KiB");
    }
}
