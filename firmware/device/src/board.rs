//! What the firmware asks of a board. These traits are all that a port has to write.

mod absent;
mod calendar;
mod tls_session;

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use bt_hci_transport::{ReadHciError, Transport};
use embedded_io_async::{ErrorType, Read, Write};
use rand_core::{CryptoRng, RngCore};

pub use absent::{Absent, AbsentError};
pub use calendar::Calendar;
pub use tls_session::{TlsEngine, TlsSession, TlsSessionError};

/// A board's parts.
pub trait Board {
    /// Network driver of the station.
    type Station: embassy_net_driver::Driver + 'static;
    /// Network driver of the SoftAP.
    type SoftAp: embassy_net_driver::Driver + 'static;
    /// The radio that both run on.
    type Radio: Radio;
    /// TLS.
    type Tls: Tls;
    /// Flash for settings.
    type Flash: embedded_storage_async::nor_flash::NorFlash;
    /// A sound random source.
    type Random: RngCore + CryptoRng + Clone;
    /// The calendar.
    type WallClock: WallClock;
    /// The UART of the console scheme; [`Absent`] on a board without one. A read returns what has
    /// come together, as far as it fits, and is cancel safe.
    type Console: Read + Write;
    /// Host controller interface of the Bluetooth radio; [`Absent`] on a board without one. Reads
    /// are cancel safe.
    type Hci: Transport<Error: From<ReadHciError<Infallible>>>;

    /// Takes the board apart.
    fn into_parts(self) -> Parts<Self>
    where
        Self: Sized;
}

/// What a board is made of.
pub struct Parts<B: Board> {
    /// Bytes of the factory data region.
    pub factory: Vec<u8>,
    /// Network driver of the station.
    pub station: B::Station,
    /// Network driver of the SoftAP.
    pub soft_ap: B::SoftAp,
    /// The radio.
    pub radio: B::Radio,
    /// TLS.
    pub tls: B::Tls,
    /// Flash for settings; all of it.
    pub flash: B::Flash,
    /// A sound random source.
    pub random: B::Random,
    /// The calendar.
    pub wall_clock: B::WallClock,
    /// The UART of the console scheme, if the board has one.
    pub console: Option<B::Console>,
    /// Host controller interface of the Bluetooth radio, if the board has one.
    pub hci: Option<B::Hci>,
}

/// A Wi-Fi radio. Methods take `&self`: one task commands while another waits for events.
pub trait Radio {
    /// Switches interfaces on and off.
    async fn set_mode(&self, mode: Mode);

    /// Starts to join a network; the outcome is a [`RadioEvent`].
    async fn join(&self, ssid: &[u8], passphrase: &str);

    /// Leaves the network.
    async fn leave(&self);

    /// Starts to listen for access points; the outcome is a [`RadioEvent`]. Channel 0 is all.
    async fn scan(&self, channel: u8, passive: bool);

    /// Becomes an access point.
    async fn start_soft_ap(&self, ssid: &[u8], passphrase: &str, channel: u8, max_stations: u8);

    /// Is none any more.
    async fn stop_soft_ap(&self);

    /// The next event. Cancel safe.
    async fn event(&self) -> RadioEvent;
}

/// Which interfaces a radio runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// None.
    Off,
    /// Station alone.
    Station,
    /// SoftAP alone.
    SoftAp,
    /// Both.
    Both,
}

/// What a radio tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RadioEvent {
    /// The station has joined.
    Joined(AccessPoint),
    /// The station is not joined, for an 802.11 reason or one of ESP-IDF's own from 200 on.
    Left {
        /// The reason.
        reason: u16,
    },
    /// What a scan found.
    ScanDone(Vec<AccessPoint>),
    /// A station has joined the SoftAP.
    StationJoined([u8; 6]),
    /// A station has left the SoftAP.
    StationLeft([u8; 6]),
}

/// An access point as a radio hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPoint {
    /// At most 32 bytes.
    pub ssid: Vec<u8>,
    /// MAC address.
    pub bssid: [u8; 6],
    /// 1..=13.
    pub channel: u8,
    /// dBm.
    pub rssi: i8,
    /// ESP-IDF's `wifi_auth_mode_t`.
    pub auth: u8,
}

/// TLS over any connection.
pub trait Tls {
    /// An established session. Its reads are cancel safe: a read that is dropped before it has
    /// returned loses no byte.
    type Session<S: Read + Write>: Read + Write;

    /// Opens a session as client. `now` is Unix time in s, if the clock is set.
    async fn connect<S: Read + Write>(
        &self,
        socket: S,
        options: &TlsClient<'_>,
        now: Option<u64>,
    ) -> Result<Self::Session<S>, TlsFailure>;

    /// Opens a session as server. `now` is Unix time in s, if the clock is set.
    async fn accept<S: Read + Write>(
        &self,
        socket: S,
        options: &TlsServer<'_>,
        now: Option<u64>,
    ) -> Result<Self::Session<S>, TlsFailure>;

    /// Why an established session's read or write failed; none if the socket below is to blame.
    /// A TLS 1.3 server judges the client's certificate only after the client's handshake is over
    /// (RFC 8446 §4.4.2.4), so its alert arrives with the first read.
    fn failure_of<S: Read + Write>(
        error: &<Self::Session<S> as ErrorType>::Error,
    ) -> Option<TlsFailure>;
}

/// How a client opens a TLS session.
#[derive(Clone, Copy, Debug)]
pub struct TlsClient<'o> {
    /// Name that the server's certificate must carry, also sent as SNI.
    pub server_name: &'o str,
    /// DER of the trusted authority.
    pub authority: &'o [u8],
    /// The device's own certificate and key.
    pub credentials: Option<&'o factory::Credentials>,
    /// Whether the authority must have signed; no setting turns this off, a defect put in may.
    pub check_authority: bool,
    /// Whether validity dates are checked.
    pub check_dates: bool,
    /// Whether the name is checked.
    pub check_name: bool,
    /// The longest records that the server is asked for; a board whose TLS cannot ask opens no session.
    pub max_fragment: Option<MaxFragment>,
}

/// Longest plaintext of a record, both ways (RFC 6066 §4); the number is the extension's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MaxFragment {
    /// 512 bytes.
    B512 = 1,
    /// 1024 bytes.
    B1024 = 2,
    /// 2048 bytes.
    B2048 = 3,
    /// 4096 bytes.
    B4096 = 4,
}

impl MaxFragment {
    /// That of so many bytes, if there is one.
    pub fn of(bytes: u16) -> Option<Self> {
        Some(match bytes {
            512 => Self::B512,
            1024 => Self::B1024,
            2048 => Self::B2048,
            4096 => Self::B4096,
            _ => return None,
        })
    }
}

/// How a server opens a TLS session.
#[derive(Clone, Copy, Debug)]
pub struct TlsServer<'o> {
    /// What it can show; see [`TlsServer::certificate`].
    pub certificates: &'o [factory::ServerCertificate],
    /// Whether clients show a certificate.
    pub client: &'o factory::ClientAuth,
    /// Protocols of ALPN, the preferred first; none is negotiated if there are none.
    pub alpn: &'o [String],
    /// Whether clients get tickets by which they can resume their sessions; a board that has no such thing
    /// gives none.
    pub tickets: bool,
}

impl<'o> TlsServer<'o> {
    /// The protocol that ALPN settles on, if the client offers one that is spoken.
    pub fn protocol<'c>(&self, offered: impl Iterator<Item = &'c [u8]> + Clone) -> Option<&'o str> {
        let mut spoken = self.alpn.iter();
        let is_offered = |name: &&String| offered.clone().any(|offer| offer == name.as_bytes());
        spoken.find(is_offered).map(String::as_str)
    }

    /// The certificate for a client that asks for this name, where ALPN has settled on this protocol:
    /// the first that fits. One that names neither fits every client.
    pub fn certificate(
        &self,
        name: Option<&str>,
        protocol: Option<&str>,
    ) -> Option<&'o factory::ServerCertificate> {
        self.certificates.iter().find(|certificate| {
            let wanted = certificate.server_name.as_deref();
            let is_named = wanted
                .is_none_or(|wanted| name.is_some_and(|name| name.eq_ignore_ascii_case(wanted)));
            is_named && (certificate.alpn.is_none() || certificate.alpn.as_deref() == protocol)
        })
    }
}

/// Why there is no TLS session, in no library's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFailure {
    /// The peer's certificate was refused.
    Certificate(CertificateProblems),
    /// The peer refused, with this alert.
    AlertReceived(u8),
    /// The connection was reset in the handshake.
    Reset,
    /// The connection was closed in the handshake.
    Closed,
    /// The peer does not speak TLS as we do.
    Protocol,
    /// Our own certificate, key or authority cannot be used.
    Configuration,
    /// There is no memory for the session.
    OutOfMemory,
}

bitflags::bitflags! {
    /// What is wrong with a certificate; the bits are mbedTLS's verify flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct CertificateProblems: u32 {
        /// Its time has passed.
        const EXPIRED = 0x1;
        /// It was revoked.
        const REVOKED = 0x2;
        /// It carries another name.
        const NAME_MISMATCH = 0x4;
        /// No trusted authority signed it.
        const NOT_TRUSTED = 0x8;
        /// There is none, although one is required.
        const MISSING = 0x40;
        /// Something else.
        const OTHER = 0x100;
        /// Its time has not come.
        const NOT_YET_VALID = 0x200;
        /// It is not meant for this use.
        const WRONG_USE = 0x1000;
    }
}

/// The calendar, which the firmware sets.
pub trait WallClock {
    /// Unix time in s, or none while it was never set.
    fn now(&self) -> Option<u64>;

    /// Sets it to a Unix time in µs.
    fn set(&self, unix_us: u64);
}

/// How the firmware ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It wants to be started anew.
    Restart,
    /// It cannot go on, and says why.
    Stopped(String),
}
