//! The board made of memory, and the air that its radio hears.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use bt_hci_transport::{PacketToController, PacketToHost, Transport};
use device::board::{
    AbsentError, AccessPoint, Board, Mode, Parts, Radio, RadioEvent, Tls, TlsClient, TlsFailure,
    TlsServer, WallClock,
};
use embassy_time::Instant;
use embedded_io_async::{ErrorType, Read, Write};
use rand_core::{CryptoRng, RngCore};

use crate::flash::Flash;
use crate::hub::Plug;
use crate::uart::Uart;

/// What the radio hears, and what it was told to do.
pub struct Air {
    /// Access points with their passphrases.
    pub access_points: RefCell<Vec<(AccessPoint, String)>>,
    pub mode: Cell<Mode>,
    pub soft_ap: RefCell<Option<String>>,
    /// When the station was told to join, in ms, and what.
    pub joins: RefCell<Vec<(u64, String)>>,
    /// Channels that were to be scanned, 0 for all, and whether only by listening.
    pub scans: RefCell<Vec<(u8, bool)>>,
    events: RefCell<VecDeque<RadioEvent>>,
    waker: RefCell<Option<Waker>>,
    joined: Cell<bool>,
    station: Plug,
}

impl Air {
    pub fn new(station: Plug) -> Self {
        Self {
            access_points: RefCell::default(),
            mode: Cell::new(Mode::Off),
            soft_ap: RefCell::default(),
            joins: RefCell::default(),
            scans: RefCell::default(),
            events: RefCell::default(),
            waker: RefCell::default(),
            joined: Cell::new(false),
            station,
        }
    }

    /// A radio that has just got its power knows nothing of before.
    pub fn power_on(&self) {
        self.set_joined(false);
        self.mode.set(Mode::Off);
        self.soft_ap.take();
        self.events.borrow_mut().clear();
    }

    /// Has the radio tell this.
    pub fn tell(&self, event: RadioEvent) {
        match event {
            RadioEvent::Joined(_) => self.set_joined(true),
            RadioEvent::Left { .. } => self.set_joined(false),
            _ => {}
        }
        self.events.borrow_mut().push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    #[cfg(feature = "bugs")]
    pub fn is_joined(&self) -> bool {
        self.joined.get()
    }

    fn set_joined(&self, joined: bool) {
        self.joined.set(joined);
        self.station.set_link(joined);
    }

    /// What a station is told that wants to join.
    fn answer(&self, ssid: &[u8], passphrase: &str) -> RadioEvent {
        let access_points = self.access_points.borrow();
        match access_points.iter().find(|(found, _)| found.ssid == ssid) {
            None => RadioEvent::Left { reason: 201 },
            Some((_, right)) if right != passphrase => RadioEvent::Left { reason: 15 },
            Some((access_point, _)) => RadioEvent::Joined(access_point.clone()),
        }
    }
}

pub struct FakeRadio(pub Rc<Air>);

impl Radio for FakeRadio {
    async fn set_mode(&self, mode: Mode) {
        self.0.mode.set(mode);
    }

    async fn join(&self, ssid: &[u8], passphrase: &str) {
        let name = String::from_utf8_lossy(ssid).into_owned();
        let now = Instant::now().as_millis();
        self.0.joins.borrow_mut().push((now, name));
        self.0.tell(self.0.answer(ssid, passphrase));
    }

    async fn leave(&self) {
        if self.0.joined.get() {
            self.0.tell(RadioEvent::Left { reason: 8 });
        }
    }

    async fn scan(&self, channel: u8, passive: bool) {
        self.0.scans.borrow_mut().push((channel, passive));
        let access_points = self.0.access_points.borrow();
        let found = access_points
            .iter()
            .map(|(access_point, _)| access_point.clone())
            .filter(|access_point| channel == 0 || access_point.channel == channel)
            .collect();
        self.0.tell(RadioEvent::ScanDone(found));
    }

    async fn start_soft_ap(&self, ssid: &[u8], _: &str, _: u8, _: u8) {
        let name = String::from_utf8_lossy(ssid).into_owned();
        self.0.soft_ap.replace(Some(name));
    }

    async fn stop_soft_ap(&self) {
        self.0.soft_ap.take();
    }

    async fn event(&self) -> RadioEvent {
        poll_fn(|context| match self.0.events.borrow_mut().pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                self.0.waker.replace(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

/// There is no TLS on this board.
pub struct NoTls;

/// A session that cannot exist.
pub enum Never {}

impl embedded_io_async::Error for Never {
    fn kind(&self) -> embedded_io_async::ErrorKind {
        match *self {}
    }
}

impl std::fmt::Debug for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}

impl ErrorType for Never {
    type Error = Never;
}

impl Read for Never {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, Never> {
        match *self {}
    }
}

impl Write for Never {
    async fn write(&mut self, _: &[u8]) -> Result<usize, Never> {
        match *self {}
    }

    async fn flush(&mut self) -> Result<(), Never> {
        match *self {}
    }
}

impl Tls for NoTls {
    type Session<S: Read + Write> = Never;

    async fn connect<S: Read + Write>(
        &self,
        _: S,
        _: &TlsClient<'_>,
        _: Option<u64>,
    ) -> Result<Never, TlsFailure> {
        Err(TlsFailure::Configuration)
    }

    async fn accept<S: Read + Write>(
        &self,
        _: S,
        _: &TlsServer<'_>,
        _: Option<u64>,
    ) -> Result<Never, TlsFailure> {
        Err(TlsFailure::Configuration)
    }

    fn failure_of<S: Read + Write>(error: &Never) -> Option<TlsFailure> {
        match *error {}
    }
}

/// Numbers that look random and are the same in each run.
#[derive(Clone)]
pub struct Xorshift(pub u64);

impl RngCore for Xorshift {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next_u64() as u8);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Xorshift {}

#[derive(Default)]
pub struct Calendar(Cell<Option<u64>>);

impl WallClock for Calendar {
    fn now(&self) -> Option<u64> {
        self.0.get().map(|us| us / 1_000_000)
    }

    fn set(&self, unix_us: u64) {
        self.0.set(Some(unix_us));
    }
}

/// A Bluetooth controller that never answers. The log shows when it is given up.
pub struct Controller;

impl Controller {
    /// What the log shows.
    pub const GONE: &str = "the Bluetooth controller is gone";
}

impl Drop for Controller {
    fn drop(&mut self) {
        log::info!(target: "board", "{}", Self::GONE);
    }
}

impl ErrorType for Controller {
    type Error = AbsentError;
}

impl Transport for Controller {
    async fn read<'a, P: PacketToHost<'a>>(&self, _: &'a mut [u8]) -> Result<P, AbsentError> {
        pending().await
    }

    async fn write<P: PacketToController>(&self, _: &P) -> Result<(), AbsentError> {
        pending().await
    }
}

pub struct FakeBoard {
    pub factory: Vec<u8>,
    pub station: Plug,
    pub soft_ap: Plug,
    pub air: Rc<Air>,
    pub flash: Flash,
    pub uart: Uart,
    pub controller: Option<Controller>,
}

impl Board for FakeBoard {
    type Station = Plug;
    type SoftAp = Plug;
    type Radio = FakeRadio;
    type Tls = NoTls;
    type Flash = Flash;
    type Random = Xorshift;
    type WallClock = Calendar;
    type Console = Uart;
    type Hci = Controller;

    fn into_parts(self) -> Parts<Self> {
        Parts {
            factory: self.factory,
            station: self.station,
            soft_ap: self.soft_ap,
            radio: FakeRadio(self.air),
            tls: NoTls,
            flash: self.flash,
            random: Xorshift(4711),
            wall_clock: Calendar::default(),
            console: Some(self.uart),
            hci: self.controller,
        }
    }
}
