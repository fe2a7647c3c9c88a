//! One unit on its way to one system log.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;

use abide_log::{Removed, Stream, Text};
use abide_model::{LogTarget, RunId};
use abide_platform::text;

use super::away::{Sender, Stopped};
use super::lane::{Lane, Means, Turn};
use super::outlet::{RunNews, Shared, Wanted};
use super::{Context, place, target};

/// So many runs' processes are remembered.
const PROCESSES: usize = 8;

/// Its lanes, and what is known of its runs.
pub(super) struct Feed {
    pub wanted: Wanted,
    lanes: Vec<Lane>,
    processes: VecDeque<(RunId, u32)>,
    /// Its main process has ended since the last turn.
    ended: bool,
}

impl Feed {
    pub fn new(wanted: Wanted, to: &LogTarget, context: &Context) -> Self {
        let folder = context.home.system_log().join(target::folder(to));
        let mut lanes = Vec::new();
        for stream in Stream::ALL {
            let place = folder.join(place::file_name(&wanted.name, stream));
            // What was split before may still have something to send.
            if stream == Stream::Out || wanted.split || place.exists() {
                let dir = context.home.unit_logs(&wanted.name);
                let text = Text::new(wanted.encoding, text::read);
                lanes.push(Lane::new(stream, dir, text, place, wanted.since));
            }
        }
        Self {
            wanted,
            lanes,
            processes: VecDeque::new(),
            ended: false,
        }
    }

    /// Whether it can go on as it is.
    pub fn is_for(&self, wanted: &Wanted) -> bool {
        self.wanted.split == wanted.split
            && self.wanted.output == wanted.output
            && self.wanted.encoding == wanted.encoding
    }

    /// Finds out where its output begins.
    pub fn begin(&mut self) {
        if self.wanted.output {
            for lane in &mut self.lanes {
                lane.begin(&self.wanted.name);
            }
        }
    }

    pub fn hear(&mut self, news: RunNews) {
        match news {
            RunNews::Begins(run, mark, since) => {
                for lane in &mut self.lanes {
                    lane.begins(run, &mark, since);
                }
            }
            RunNews::Runs(run, process, since) => {
                if let Some(process) = process {
                    self.processes.truncate(PROCESSES - 1);
                    self.processes.push_front((run, process));
                }
                for lane in &mut self.lanes {
                    lane.runs(run, since);
                }
            }
            RunNews::Ended => self.ended = true,
        }
    }

    /// Sends what is there, for one turn.
    pub fn turn(
        &mut self,
        host: &str,
        sender: &mut Sender,
        shared: &Shared,
    ) -> Result<Turn, Stopped> {
        if !self.wanted.output {
            return Ok(Turn::Dry);
        }
        let mut turn = Turn::Dry;
        let mut means = Means {
            unit: &self.wanted.name,
            host,
            sender,
            ending: &shared.ending,
            news: &|| shared.has_news(),
            processes: &self.processes,
        };
        for lane in &mut self.lanes {
            if lane.turn(&mut means, self.ended)? == Turn::More {
                turn = Turn::More;
            }
        }
        if turn == Turn::Dry {
            self.ended = false;
        }
        Ok(turn)
    }

    pub fn removing(&mut self, removed: Removed, host: &str, sender: &mut Sender) {
        let mut means = Means {
            unit: &self.wanted.name,
            host,
            sender,
            ending: &AtomicBool::new(true),
            news: &|| false,
            processes: &self.processes,
        };
        for lane in &mut self.lanes {
            lane.removing(removed);
            lane.settle_removed(&mut means);
        }
    }

    pub fn is_open(&self) -> bool {
        self.lanes.iter().any(Lane::is_open)
    }

    pub fn close(&mut self) {
        self.lanes.iter_mut().for_each(Lane::close);
    }

    /// Nothing is sent any more.
    pub fn forget(self) {
        self.lanes.into_iter().for_each(Lane::forget);
    }
}
