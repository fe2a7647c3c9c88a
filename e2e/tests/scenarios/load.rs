//! Clients that ask all the time, and notice when nobody answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{JoinHandle, spawn};

use abide_e2e::{Home, wait};

use crate::sockets::get;

/// Four clients of a server that abide listens for, and one of the API.
pub struct Load {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn begin(home: &Home, port: u16) -> Self {
        let (over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let client = |_| {
            let (over, answered) = (Arc::clone(&over), Arc::clone(&answered));
            spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    get(port);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let mut clients: Vec<_> = (0..4).map(client).collect();
        let (asks, api) = (Arc::clone(&over), home.api());
        clients.push(spawn(move || {
            while !asks.load(Ordering::Relaxed) {
                let answer = api.get("/v1/units").expect("the API answers");
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }));
        Self {
            over,
            answered,
            clients,
        }
    }

    /// Waits until each client is likely to have been answered again.
    pub fn goes_on(&self) {
        let so_far = self.answered.load(Ordering::Relaxed);
        wait::until("clients are answered", wait::GENEROUS, || {
            (self.answered.load(Ordering::Relaxed) > so_far + 8).then_some(())
        });
    }

    /// Every request was answered.
    pub fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("every request was answered");
        }
    }
}
