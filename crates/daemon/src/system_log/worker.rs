//! The thread of one system log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use abide_log::{Position, Removed};
use abide_model::{Event, EventKind, LogTarget, UnitId};

use super::away::{Sender, Stopped};
use super::feed::Feed;
use super::lane::Turn;
use super::outlet::{Dropped, RunNews, Shared, State};
use super::place::{self, Place, PlaceFile};
use super::{Context, event, target};

/// Events that are read at a time.
const EVENTS: usize = 256;

/// Units whose files stay open while they say nothing.
const OPEN: usize = 8;

/// What the thread has.
pub(super) struct Worker {
    target: LogTarget,
    context: Context,
    shared: Arc<Shared>,
    sender: Sender,
    host: String,
    feeds: BTreeMap<UnitId, Feed>,
    /// Units with something to look at.
    dirty: BTreeSet<UnitId>,
    events_due: bool,
    /// The number of the last event that was sent or passed over, and where that is written down.
    heard: u64,
    heard_file: Option<PlaceFile>,
    /// Units with open files, the longest unused first.
    open: VecDeque<UnitId>,
}

/// What was told since the last time.
#[derive(Default)]
struct Told {
    fresh: Vec<UnitId>,
    news: Vec<(UnitId, RunNews)>,
    removed: Vec<(UnitId, Removed)>,
    dropped: Vec<(UnitId, Dropped)>,
}

impl Worker {
    pub fn new(target: LogTarget, context: Context, shared: Arc<Shared>) -> Self {
        Self {
            sender: Sender::new(target.clone(), context.clone()),
            host: target::identity(&target).host,
            heard: context.events.last(),
            target,
            context,
            shared,
            feeds: BTreeMap::new(),
            dirty: BTreeSet::new(),
            events_due: false,
            heard_file: None,
            open: VecDeque::new(),
        }
    }

    pub fn run(mut self) {
        self.find_events_place();
        while self.wait() {
            // Who is away is tried again at its time; what there is to do stays.
            let _: Result<(), Stopped> = self.send_events().and_then(|()| self.send_output());
            self.close_surplus();
        }
        self.sender.close();
        self.shared.ended();
    }

    /// Waits until there is something to do, and takes note of what was told; false: there never will be.
    fn wait(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            let told = self.take_note(&mut state);
            let ending = shared.ending.load(Ordering::Relaxed);
            let unused = state.begun && state.units.is_empty() && !state.home_events;
            let now = Instant::now();
            let retry = self.sender.retry_at().filter(|at| *at > now);
            let work = !self.dirty.is_empty() || self.events_due;
            if unused || (ending && (retry.is_some() || !work)) {
                // What is told from now on is for the next one.
                state.over = true;
                drop(state);
                self.heed(told);
                return false;
            }
            if work && retry.is_none() {
                drop(state);
                self.heed(told);
                return true;
            }
            if !told.is_empty() {
                drop(state);
                self.heed(told);
                state = shared.lock();
                continue;
            }
            let time = retry.filter(|_| work).map(|at| at - now);
            state.resting = time.is_some();
            state = shared.wait(state, time);
            state.resting = false;
        }
    }

    fn take_note(&mut self, state: &mut State) -> Told {
        self.dirty.append(&mut state.dirty);
        self.events_due |= std::mem::take(&mut state.events);
        let mut fresh = Vec::new();
        for id in &self.dirty {
            let Some(wanted) = state.units.get(id) else {
                continue;
            };
            let former = match self.feeds.get_mut(id) {
                Some(feed) if feed.is_for(wanted) => continue,
                _ => self.feeds.remove(id),
            };
            if let Some(former) = former.filter(|feed| feed.wanted.output && !wanted.output) {
                former.forget();
            }
            let feed = Feed::new(wanted.clone(), &self.target, &self.context);
            self.feeds.insert(*id, feed);
            fresh.push(*id);
        }
        Told {
            fresh,
            news: std::mem::take(&mut state.news),
            removed: std::mem::take(&mut state.removed),
            dropped: std::mem::take(&mut state.dropped),
        }
    }

    fn heed(&mut self, told: Told) {
        for id in told.fresh {
            if let Some(feed) = self.feeds.get_mut(&id) {
                feed.begin();
                feed.close();
            }
        }
        for (id, news) in told.news {
            if let Some(feed) = self.feeds.get_mut(&id) {
                feed.hear(news);
            }
        }
        for (id, removed) in told.removed {
            if let Some(feed) = self.feeds.get_mut(&id) {
                feed.removing(removed, &self.host, &mut self.sender);
            }
        }
        for (id, why) in told.dropped {
            self.dirty.remove(&id);
            match (self.feeds.remove(&id), why) {
                (Some(feed), Dropped::Unwanted) => feed.forget(),
                (Some(_), Dropped::Followed) | (None, _) => {}
            }
        }
    }

    fn find_events_place(&mut self) {
        let folder = self
            .context
            .home
            .system_log()
            .join(target::folder(&self.target));
        match PlaceFile::open(&folder.join(place::EVENTS)) {
            Ok((file, said)) => {
                if let Some(said) = said {
                    // Not beyond the end: the events may have been removed.
                    self.heard = said.at.offset.min(self.heard);
                }
                self.heard_file = Some(file);
                self.note_heard();
                self.events_due = true;
            }
            Err(error) => {
                tracing::warn!(path = %folder.display(), %error,
                    "how far a system log has heard the events cannot be written down: what was sent may be sent again");
            }
        }
    }

    fn note_heard(&self) {
        let at = Position {
            segment: 0,
            offset: self.heard,
        };
        if let Some(file) = &self.heard_file
            && let Err(error) = file.write(Place { at, run: None })
        {
            tracing::warn!(%error, "how far a system log has heard the events cannot be written down");
        }
    }

    fn send_events(&mut self) -> Result<(), Stopped> {
        if !std::mem::take(&mut self.events_due) {
            return Ok(());
        }
        let log = Arc::clone(&self.context.events);
        loop {
            let events: Vec<Arc<Event>> = match log.recent(self.heard, EVENTS) {
                Some(events) => events,
                None => match log.read(self.heard, EVENTS) {
                    Ok(events) => events.into_iter().map(Arc::new).collect(),
                    Err(error) => {
                        tracing::warn!(%error, "events cannot be read for a system log");
                        return Ok(());
                    }
                },
            };
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                let missing = event.seq.saturating_sub(self.heard + 1);
                if missing > 0 {
                    let why = "events were deleted before they were sent";
                    self.sender.lose(None, 0, missing, why);
                }
                if let Err(stopped) = self.send_event(&event) {
                    // Those that are missing are counted.
                    self.heard = event.seq - 1;
                    self.note_heard();
                    self.events_due = true;
                    return Err(stopped);
                }
                self.heard = event.seq;
                self.note_heard();
            }
        }
    }

    fn send_event(&mut self, event: &Event) -> Result<(), Stopped> {
        if self.wants(event) {
            let (sender, ending) = (&mut self.sender, &self.shared.ending);
            event::with_entry(event, &self.host, |entry| sender.deliver(entry, ending))?;
        }
        if let (EventKind::Removed, Some(unit)) = (&event.kind, &event.unit) {
            // The last that is said of it.
            let mut state = self.shared.lock();
            if let Some(id) = state.names.get(unit).copied() {
                state.gone.insert(id);
                state.dirty.insert(id);
            }
        }
        Ok(())
    }

    fn wants(&self, event: &Event) -> bool {
        let state = self.shared.lock();
        let Some(unit) = &event.unit else {
            return state.home_events;
        };
        let known = state.names.get(unit).and_then(|id| state.units.get(id));
        match known {
            Some(wanted) => wanted.events,
            None => state.home_events && !state.except.contains(unit),
        }
    }

    /// Each unit in its turn, until nothing is left.
    fn send_output(&mut self) -> Result<(), Stopped> {
        while let Some(id) = self.dirty.pop_first() {
            let Some(feed) = self.feeds.get_mut(&id) else {
                continue;
            };
            let turn = feed.turn(&self.host, &mut self.sender, &self.shared);
            if feed.is_open() {
                self.open.retain(|other| *other != id);
                self.open.push_back(id);
            }
            match turn {
                Err(stopped) => {
                    self.dirty.insert(id);
                    return Err(stopped);
                }
                // Others, events, and what is new of runs, first.
                Ok(Turn::More) => {
                    self.shared.lock().dirty.insert(id);
                }
                Ok(Turn::Dry) => self.let_go(id),
            }
        }
        Ok(())
    }

    /// A unit that is gone, and of which everything is sent, is forgotten.
    fn let_go(&mut self, id: UnitId) {
        let mut state = self.shared.lock();
        if !(state.leaving.contains(&id) && state.gone.remove(&id)) {
            return;
        }
        state.leaving.remove(&id);
        if let Some(wanted) = state.units.remove(&id)
            && state.names.get(&wanted.name) == Some(&id)
        {
            state.names.remove(&wanted.name);
        }
        drop(state);
        if let Some(feed) = self.feeds.remove(&id) {
            feed.forget();
        }
    }

    fn close_surplus(&mut self) {
        while self.open.len() > OPEN {
            if let Some(id) = self.open.pop_front()
                && let Some(feed) = self.feeds.get_mut(&id)
            {
                feed.close();
            }
        }
    }
}

impl Told {
    fn is_empty(&self) -> bool {
        self.fresh.is_empty()
            && self.news.is_empty()
            && self.removed.is_empty()
            && self.dropped.is_empty()
    }
}
