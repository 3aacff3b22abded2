//! The server's sockets: who is let in, who makes room, who waits.

use alloc::borrow::Cow;
use alloc::vec;
use core::cell::Cell;

use embassy_futures::join::{join, join_array};
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::mutex::{Mutex, MutexGuard};
use embassy_sync::semaphore::{FairSemaphore, Semaphore, SemaphoreReleaser};
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use factory::{ClientAuth, WebServer};

use super::application::Application;
use super::events::{self, Event};
use super::keep_alive::KeepAlive;
use super::request::{Ended, Session};
use super::stream::Observed;
use super::websocket::Frame;
use crate::board::{Tls, TlsFailure, TlsServer, WallClock};
use crate::bugs::{self, Bug};
use crate::http::{Connection, Unacknowledged, say_goodbye};
use crate::transport::{log_alert, stack_code};

/// Sockets that listen or are open: as many clients as ESP-IDF's server takes at most, and some that
/// wait in its backlog; without them a client would meet a closed port.
pub(super) const SEATS: usize = 10;
const SOCKET_BUFFER: usize = 2048;
/// Number of the first client's socket: lwIP's begin at 54, and three are the server's own.
const FIRST_SOCKET: u32 = 57;
/// Frames of the application that wait for one client.
const FRAMES: usize = 4;
/// From one message to all WebSocket clients to the next (`wss_server`).
const HELLO: Duration = Duration::from_secs(10);

/// The permit of a client to be there.
type Room<'s> = SemaphoreReleaser<'s, FairSemaphore<NoopRawMutex, SEATS>>;
/// The right to do something as the server's task.
type Task<'s> = MutexGuard<'s, NoopRawMutex, ()>;

/// The server. [`Self::run`] works until [`Self::stop`].
pub(super) struct Server<'s, T, W> {
    stack: Stack<'static>,
    tls: &'s T,
    wall_clock: &'s W,
    settings: &'s WebServer,
    application: Application,
    /// Held by whatever ESP-IDF's only task would be busy with.
    task: Mutex<NoopRawMutex, ()>,
    room: FairSemaphore<NoopRawMutex, SEATS>,
    seats: [Seat; SEATS],
    uses: Cell<u32>,
    stopping: Cell<bool>,
    keep_alive: KeepAlive,
}

struct Seat {
    end: Signal<NoopRawMutex, End>,
    frames: Channel<NoopRawMutex, Frame, FRAMES>,
    client: Cell<Option<Client>>,
}

/// A client that was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Client {
    fd: u32,
    /// The greater, the later it was served last.
    last_use: u32,
    is_websocket: bool,
}

/// Why a connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It makes room, or its client is silent.
    Closed,
    /// The server ends.
    Stopped,
}

/// What a client's future wakes for.
enum Work {
    /// Bytes have come.
    Bytes,
    /// The application has something to say.
    Frame(Frame),
}

impl<'s, T: Tls, W: WallClock> Server<'s, T, W> {
    pub(super) fn new(
        stack: Stack<'static>,
        tls: &'s T,
        wall_clock: &'s W,
        settings: &'s WebServer,
    ) -> Self {
        Self {
            stack,
            tls,
            wall_clock,
            settings,
            application: Application(settings.application, settings.error_handler),
            task: Mutex::new(()),
            room: FairSemaphore::new(settings.max_open_sockets.into()),
            seats: core::array::from_fn(|_| Seat {
                end: Signal::new(),
                frames: Channel::new(),
                client: Cell::new(None),
            }),
            uses: Cell::new(0),
            stopping: Cell::new(false),
            keep_alive: KeepAlive::new(settings.max_open_sockets.into()),
        }
    }

    /// Serves until it is stopped and every connection is closed.
    pub(super) async fn run(&self) {
        let work = join_array(core::array::from_fn::<_, SEATS, _>(|seat| self.work(seat)));
        let beside = async {
            if self.application.keeps_alive() {
                join(self.keep_alive.run(self), self.greet()).await;
            }
            core::future::pending::<()>().await;
        };
        select(work, beside).await;
    }

    /// Ends [`Self::run`].
    pub(super) fn stop(&self) {
        self.stopping.set(true);
        for seat in &self.seats {
            seat.end.signal(End::Stopped);
        }
    }

    /// Sends a frame to the client of this socket, if it is there and keeps up.
    pub(super) fn send(&self, fd: u32, frame: Frame) {
        let seat = self.seats.iter().find(|seat| seat.is(fd));
        if seat.is_none_or(|seat| seat.frames.try_send(frame).is_err()) {
            log::error!(target: self.application.tag(), "httpd_queue_work failed!");
        }
    }

    /// Closes the connection of this socket.
    pub(super) fn close(&self, fd: u32) {
        if let Some(seat) = self.seats.iter().find(|seat| seat.is(fd))
            && !self.stopping.get()
        {
            seat.end.signal(End::Closed);
        }
    }

    /// Says hello to every WebSocket client, again and again.
    async fn greet(&self) {
        let tag = self.application.tag();
        loop {
            Timer::after(HELLO).await;
            for client in self.seats.iter().filter_map(|seat| seat.client.get()) {
                if client.is_websocket {
                    let fd = client.fd;
                    log::info!(target: tag, "Active client (fd={fd}) -> sending async message");
                    self.send(fd, Frame::text("Hello client"));
                }
            }
        }
    }

    async fn work(&self, seat: usize) {
        let (mut receive, mut send) = (vec![0; SOCKET_BUFFER], vec![0; SOCKET_BUFFER]);
        let mut socket = TcpSocket::new(self.stack, &mut receive, &mut send);
        socket.set_nagle_enabled(false);
        let end = &self.seats[seat].end;
        while !self.stopping.get() {
            match select(socket.accept(self.settings.port), end.wait()).await {
                Either::First(Ok(())) => {
                    self.client(seat, &mut socket).await;
                    say_goodbye(&mut socket).await;
                }
                // Also an end that came too late: that connection is gone by itself.
                Either::First(Err(_)) | Either::Second(_) => socket.abort(),
            }
        }
    }

    /// One client from its TCP connection to the end.
    async fn client(&self, seat: usize, socket: &mut TcpSocket<'_>) {
        let Some((room, task)) = self.enter(seat).await else {
            return;
        };
        let fd = self.free_socket();
        log::debug!(target: "httpd", "httpd_accept_conn: newfd = {fd}");
        if !self.settings.secure {
            self.opened(seat, fd);
            drop(task);
            self.serve(seat, fd, Observed::plain(Unacknowledged(&mut *socket)))
                .await;
            self.closed(seat, fd);
            return drop(room);
        }
        let task = (!bugs::is(Bug::HandshakeDoesNotBlock)).then_some(task);
        match self.shake_hands(Unacknowledged(&mut *socket)).await {
            Ok(session) => {
                log::debug!(target: super::TAG, "Secure socket open");
                self.opened(seat, fd);
                drop(task);
                let failure_of = T::failure_of::<Unacknowledged<&mut TcpSocket<'_>>>;
                let stream = Observed::secure(session, failure_of);
                self.serve(seat, fd, stream).await;
                log::debug!(target: super::TAG, "Secure socket closed");
                events::https("DISCONNECTED", None);
                self.closed(seat, fd);
            }
            Err(failure) => {
                self.log_failure(failure.as_ref());
                drop(task);
            }
        }
        drop(room);
    }

    /// Waits for room and for the task's attention; none if the server stops meanwhile.
    async fn enter(&self, seat: usize) -> Option<(Room<'_>, Task<'_>)> {
        // One of an earlier client of this seat; only the stop's own counts.
        if !self.stopping.get() {
            self.seats[seat].end.reset();
        }
        let entered = async {
            let task = self.task.lock().await;
            if let Some(room) = self.room.try_acquire(1) {
                return Some((room, task));
            }
            if self.settings.lru_purge {
                self.evict();
                // Its seat needs no task to end.
                return Some((self.room.acquire(1).await.ok()?, task));
            }
            drop(task);
            let room = self.room.acquire(1).await.ok()?;
            Some((room, self.task.lock().await))
        };
        match select(entered, self.seats[seat].end.wait()).await {
            Either::First(entered) => entered,
            Either::Second(_) => None,
        }
    }

    /// Closes the connection that was used least recently.
    fn evict(&self) {
        let seats = self.seats.iter().filter(|seat| seat.client.get().is_some());
        let last_use = |seat: &&Seat| seat.client.get().map(|client| client.last_use);
        let oldest = match bugs::is(Bug::NewestPutOut) {
            true => seats.max_by_key(last_use),
            false => seats.min_by_key(last_use),
        };
        if let Some(oldest) = oldest
            && !self.stopping.get()
        {
            oldest.end.signal(End::Closed);
        }
    }

    fn free_socket(&self) -> u32 {
        let mut fd = FIRST_SOCKET;
        while self.seats.iter().any(|seat| seat.is(fd)) {
            fd += 1;
        }
        fd
    }

    /// The TLS handshake; no failure is named if time has run out.
    async fn shake_hands<S: Read + Write>(
        &self,
        socket: S,
    ) -> Result<T::Session<S>, Option<TlsFailure>> {
        log::info!(target: super::TAG, "performing session handshake");
        let mut certificates = Cow::Borrowed(&self.settings.certificates);
        if bugs::is(Bug::ServerNameIgnored) {
            for certificate in certificates.to_mut() {
                certificate.server_name = None;
            }
        }
        let client = match &self.settings.client {
            ClientAuth::Required(_) if bugs::is(Bug::WebClientLetIn) => &ClientAuth::None,
            client => client,
        };
        if self.is_memory_used_up() {
            return Err(Some(TlsFailure::OutOfMemory));
        }
        let options = TlsServer {
            certificates: &certificates,
            client,
            alpn: &self.settings.alpn,
            tickets: self.settings.session_tickets,
        };
        let limit = Duration::from_millis(self.settings.handshake_timeout_ms.into());
        let accepted = self.tls.accept(socket, &options, self.wall_clock.now());
        let limit = match bugs::is(Bug::HandshakeNeverTimesOut) {
            true => Duration::from_secs(24 * 60 * 60),
            false => limit,
        };
        match with_timeout(limit, accepted).await {
            Ok(accepted) => accepted.map_err(Some),
            Err(_) => Err(None),
        }
    }

    /// Whether there are as many TLS sessions as there is memory for.
    fn is_memory_used_up(&self) -> bool {
        let open = self.seats.iter().filter(|seat| seat.client.get().is_some());
        let most = self.settings.memory_for_sessions;
        most.is_some_and(|most| open.count() >= usize::from(most))
    }

    fn log_failure(&self, failure: Option<&TlsFailure>) {
        // `ESP_ERR_ESP_TLS_SERVER_HANDSHAKE_TIMEOUT` is positive, and printed as its negative.
        const TIMEOUT: u32 = 0_u32.wrapping_sub(0x8009);
        let code = match failure {
            Some(failure) => {
                log_alert(failure);
                let code = stack_code(failure);
                let tag = "esp-tls-mbedtls";
                log::error!(target: tag, "mbedtls_ssl_handshake returned -0x{code:04X}");
                code
            }
            None => {
                log::debug!(target: "esp-tls", "server side TLS handshake timed out");
                TIMEOUT
            }
        };
        log::error!(target: super::TAG, "esp_tls_create_server_session failed, 0x{code:04x}");
        events::https_error(self.application.tag(), failure);
        log::error!(target: "httpd", "httpd_accept_conn: session creation failed");
        log::warn!(target: "httpd", "httpd_server: error accepting new connection");
    }

    fn opened(&self, seat: usize, fd: u32) {
        self.seats[seat].frames.clear();
        self.seats[seat].client.set(Some(Client {
            fd,
            last_use: self.next_use(),
            is_websocket: false,
        }));
        if self.application.keeps_alive() {
            log::info!(target: self.application.tag(), "New client connected {fd}");
            self.keep_alive.add(fd);
        }
        if self.settings.secure {
            events::https("ON_CONNECTED", None);
        }
        Event::Connected(fd).tell();
    }

    fn closed(&self, seat: usize, fd: u32) {
        if self.application.keeps_alive() {
            log::info!(target: self.application.tag(), "Client disconnected {fd}");
            self.keep_alive.remove(fd);
        }
        self.seats[seat].client.set(None);
        Event::Disconnected(fd).tell();
    }

    fn next_use(&self) -> u32 {
        let next = self.uses.get().wrapping_add(1);
        self.uses.set(next);
        next
    }

    /// Serves a client until its connection is to be closed.
    async fn serve<S: Read + Write>(&self, seat: usize, fd: u32, stream: S) {
        let mut connection = Connection::new(stream);
        let mut session = Session::new(fd, self.application);
        let here = &self.seats[seat];
        loop {
            let work = if connection.has_more() {
                Work::Bytes
            } else {
                let idle = (
                    connection.await_bytes(),
                    here.end.wait(),
                    here.frames.receive(),
                );
                match select3(idle.0, idle.1, idle.2).await {
                    Either3::First(Ok(())) => Work::Bytes,
                    Either3::First(Err(_)) => return session.lost(),
                    Either3::Second(_) => return,
                    Either3::Third(frame) => Work::Frame(frame),
                }
            };
            let Either::First(task) = select(self.task.lock(), here.end.wait()).await else {
                return;
            };
            let done = match work {
                Work::Bytes => session.process(&mut connection, &self.keep_alive).await,
                Work::Frame(frame) => session.push(&mut connection, &frame).await,
            };
            drop(task);
            here.client.set(here.client.get().map(|client| Client {
                last_use: self.next_use(),
                is_websocket: session.is_websocket(),
                ..client
            }));
            if let Err(Ended) = done {
                return;
            }
        }
    }
}

impl Seat {
    fn is(&self, fd: u32) -> bool {
        self.client.get().is_some_and(|client| client.fd == fd)
    }
}
