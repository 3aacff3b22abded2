//! The keep-alive of ESP-IDF's example `wss_server` (`keep_alive.c`): a client that has shown no sign of
//! life for five seconds is sent a PING each second, and is dead after ten.

use alloc::vec::Vec;
use core::cell::RefCell;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer};

use super::server::Server;
use super::websocket::Frame;
use crate::board::{Tls, WallClock};
use crate::bugs::{self, Bug};

const TAG: &str = "wss_keep_alive";
const PERIOD: Duration = Duration::from_secs(5);
const NOT_ALIVE_AFTER: Duration = Duration::from_secs(10);
/// From one look to the next where no client has to be looked at, and where one is late already.
const LONGEST: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);

/// Who was seen when.
pub(super) struct KeepAlive {
    clients: RefCell<Vec<(u32, Instant)>>,
    most: usize,
    changed: Signal<NoopRawMutex, ()>,
}

impl KeepAlive {
    pub(super) fn new(most: usize) -> Self {
        Self {
            clients: RefCell::new(Vec::new()),
            most,
            changed: Signal::new(),
        }
    }

    pub(super) fn add(&self, fd: u32) {
        let mut clients = self.clients.borrow_mut();
        if clients.len() < self.most {
            clients.push((fd, Instant::now()));
        } else {
            log::error!(target: TAG, "Cannot add new client");
        }
        self.changed.signal(());
    }

    pub(super) fn remove(&self, fd: u32) {
        let mut clients = self.clients.borrow_mut();
        clients.retain(|(client, _)| *client != fd);
        self.changed.signal(());
    }

    /// A client has shown a sign of life.
    pub(super) fn seen(&self, fd: u32) {
        let mut clients = self.clients.borrow_mut();
        match clients.iter_mut().find(|(client, _)| *client == fd) {
            Some((_, seen)) => *seen = Instant::now(),
            None => log::error!(target: TAG, "Cannot find client fd:{fd}"),
        }
        self.changed.signal(());
    }

    /// Looks after the clients for ever.
    pub(super) async fn run<T: Tls, W: WallClock>(&self, server: &Server<'_, T, W>) {
        loop {
            let wait = Timer::after(self.until_next_look(Instant::now()));
            if let Either::First(()) = select(wait, self.changed.wait()).await {
                self.look(server, Instant::now());
            }
        }
    }

    fn until_next_look(&self, now: Instant) -> Duration {
        let clients = self.clients.borrow();
        let looks = clients.iter().map(|(_, seen)| match *seen + PERIOD {
            due if due < now => SHORTEST,
            due => due - now,
        });
        looks.min().unwrap_or(LONGEST).min(LONGEST)
    }

    fn look<T: Tls, W: WallClock>(&self, server: &Server<'_, T, W>, now: Instant) {
        let clients = self.clients.borrow().clone();
        for (fd, seen) in clients {
            if seen + PERIOD > now {
                continue;
            }
            log::debug!(target: TAG, "Haven't seen the client (fd={fd}) for a while");
            if seen + NOT_ALIVE_AFTER <= now {
                log::error!(target: TAG, "Client (fd={fd}) not alive!");
                log::error!(target: "wss_echo_server", "Client not alive, closing fd {fd}");
                if !bugs::is(Bug::SilentClientKept) {
                    server.close(fd);
                }
            } else {
                log::debug!(target: "wss_echo_server", "Checking if client (fd={fd}) is alive");
                server.send(fd, Frame::ping());
            }
        }
    }
}
