//! Defects that can be put into the device on purpose.
//!
//! A scenario names the bugs it would catch; with one of them in the device it must fail. Factory
//! data says which are in ([`put_in`]), code at the defect's place asks ([`is`]). Without the feature
//! `bugs`, which images never enable, the answer is the constant `false` and the defects are not
//! even compiled.

#[cfg(feature = "bugs")]
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

macro_rules! bugs {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($(#[$doc])* $variant,)*
        }

        impl Bug {
            /// Every defect there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in factory data and scenarios.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

bugs! {
    /// Security 1 accepts any verify data.
    PopNotCompared = "pop-not-compared",
    /// Security 2 accepts any client proof.
    SrpProofNotChecked = "srp-proof-not-checked",
    /// Security 2 does not count its nonce on.
    NonceReused = "nonce-reused",
    /// A missing access point is reported as an authentication error.
    WrongReasonReported = "wrong-reason-reported",
    /// After a failure new credentials are taken without a reset.
    SecondCredentialsAccepted = "second-credentials-accepted",
    /// The provisioning service stays after success.
    ServiceNeverStops = "service-never-stops",
    /// The provisioning service stops before a phone has asked for the status.
    StopsTooEarly = "stops-too-early",
    /// Credentials are kept in RAM only.
    CredentialsLostOnRestart = "credentials-lost-on-restart",
    /// Credentials are stored when they are set, before they are applied.
    CredentialsStoredBeforeApply = "credentials-stored-before-apply",
    /// The device stops reacting to anything once it has credentials.
    SilentHang = "silent-hang",
    /// The firmware panics when it gets its address.
    PanicOnGotIp = "panic-on-got-ip",
    /// A second client's request does not end the first one's session.
    SessionSurvivesSecondClient = "session-survives-second-client",
    /// A client that keeps its connection is not put out by the next one.
    OlderClientKept = "older-client-kept",
    /// A scan that is only to listen sends probes.
    PassiveScanIgnored = "passive-scan-ignored",
    /// A device with stored credentials starts the provisioning service all the same.
    ProvisionedDeviceStartsService = "provisioned-device-starts-service",
    /// A missing access point is never final.
    ApNotFoundRetriedForever = "ap-not-found-retried-forever",
    /// The server certificate's dates are not checked.
    DatesNotChecked = "dates-not-checked",
    /// The server certificate's name is not checked.
    NameNotChecked = "name-not-checked",
    /// The server certificate may come from any authority.
    AuthorityNotChecked = "authority-not-checked",
    /// The device does not present its certificate.
    ClientCertificateNotSent = "client-certificate-not-sent",
    /// The device connects before its clock is set.
    ClockNotAwaited = "clock-not-awaited",
    /// The cloud's reply to a token report is not heard.
    MatchReplyIgnored = "match-reply-ignored",
    /// A bound or expired token is reported again.
    TokenNotRotated = "token-not-rotated",
    /// The token is told on the LAN before the cloud has taken it.
    NotifyWithoutReply = "notify-without-reply",
    /// A token is reported without end while no reply comes.
    ReportNeverGivesUp = "report-never-gives-up",
    /// A token is reported once, although no reply comes.
    ReportOnceOnly = "report-once-only",
    /// The device connects again at once, without any delay.
    RetryStorm = "retry-storm",
    /// A token is told after its life is over.
    TokenOutlivesItsLife = "token-outlives-its-life",
    /// A query is answered with a token that the cloud does not know.
    AnswersQueryWithoutToken = "answers-query-without-token",
    /// No MQTT PINGREQ is ever sent.
    KeepaliveNotSent = "keepalive-not-sent",
    /// Telemetry is not published.
    TelemetryNotSent = "telemetry-not-sent",
    /// CONNECT is signed wrongly.
    WrongSignature = "wrong-signature",
    /// Scan results come by channel, not by strength.
    ScanUnsorted = "scan-unsorted",
    /// Results beyond the last one are asked for, and granted.
    ScanOverrunAccepted = "scan-overrun-accepted",
    /// A scan is started although credentials are being tried.
    ScanInAnyState = "scan-in-any-state",
    /// A scan that is to be waited for is answered before its end.
    BlockingScanReturnsAtOnce = "blocking-scan-returns-at-once",
    /// A scan in groups makes no pauses, so that the SoftAP does not serve its phones.
    GroupPauseMissing = "group-pause-missing",
    /// After a failure a reset is refused.
    ResetRefusedInFail = "reset-refused-in-fail",
    /// A reset is granted in any state.
    ResetAcceptedAnywhere = "reset-accepted-anywhere",
    /// Provisioning anew is granted although the service stops by itself.
    ReprovWithoutDisableAccepted = "reprov-without-disable-accepted",
    /// Provisioning anew leaves the station in the network that it is in.
    ReprovStaysConnected = "reprov-stays-connected",
    /// The console does not echo what is typed.
    ConsoleEchoMissing = "console-echo-missing",
    /// Another session number on the console does not begin another session.
    ConsoleSessionIdIgnored = "console-session-id-ignored",
    /// The application's endpoints are not there.
    CustomEndpointMissing = "custom-endpoint-missing",
    /// An endpoint that was unregistered still answers.
    EndpointStaysRegistered = "endpoint-stays-registered",
    /// The service stops by itself although it must not.
    AutoStopIgnoresDisable = "auto-stop-ignores-disable",
    /// Failed attempts to connect are not counted.
    AttemptsNotCounted = "attempts-not-counted",
    /// `proto-ver` does not tell about the application.
    AppInfoMissing = "app-info-missing",
    /// A failure is announced with the reason of the one before.
    StaleReason = "stale-reason",
    /// The binding token that a phone made is not reported.
    PhoneTokenNotReported = "phone-token-not-reported",
    /// Security 2 of patch version 0 counts its nonce.
    ConstantNonceCounted = "constant-nonce-counted",
    /// A request without a body is served.
    EmptyBodyAccepted = "empty-body-accepted",
    /// The memory of Bluetooth is not given back, whatever the policy.
    MemoryNotReleased = "memory-not-released",
    /// The advertisement names another service than the device has.
    WrongServiceAdvertised = "wrong-service-advertised",
    /// The scan response tells no name.
    NameNotAdvertised = "name-not-advertised",
    /// Once a phone has gone the device advertises no more.
    NotAdvertisedAgain = "not-advertised-again",
    /// The device still advertises when the service has stopped.
    AdvertisedAfterTheEnd = "advertised-after-the-end",
    /// A phone that comes back goes on in the session it had.
    SessionSurvivesDisconnect = "session-survives-disconnect",
    /// What is longer than a packet is taken as far as the first packet goes.
    LongWriteTruncated = "long-write-truncated",
    /// Of an answer that is longer than a packet only the first packet can be read.
    LongReadTruncated = "long-read-truncated",
    /// Characteristics do not tell their endpoints' names.
    EndpointNameMissing = "endpoint-name-missing",
    /// The web server puts out the client that it served most recently.
    NewestPutOut = "newest-put-out",
    /// The web server serves others while it shakes hands with a client.
    HandshakeDoesNotBlock = "handshake-does-not-block",
    /// A handshake with the web server may take for ever.
    HandshakeNeverTimesOut = "handshake-never-times-out",
    /// The web server shows its first certificate, whatever name it is asked for.
    ServerNameIgnored = "server-name-ignored",
    /// The web server lets clients in without a certificate that it requires.
    WebClientLetIn = "web-client-let-in",
    /// The web server keeps a WebSocket's client that answers no PING.
    SilentClientKept = "silent-client-kept",
    /// A WebSocket's frame that is not masked is taken.
    UnmaskedFrameTaken = "unmasked-frame-taken",
    /// The web server does not stop when the station has left its network.
    ServerOutlivesStation = "server-outlives-station",
    /// Messages that are not acknowledged are forgotten with their connection.
    OutboxLostWithConnection = "outbox-lost-with-connection",
    /// A message that is sent again does not say so.
    DupNotSet = "dup-not-set",
    /// Packet identifiers begin anew with each connection, also those that are in flight.
    PacketIdsStartAnew = "packet-ids-start-anew",
    /// Telemetry ends with the first session.
    TelemetryEndsWithSession = "telemetry-ends-with-session",
    /// CONNECT carries no will.
    WillNotTold = "will-not-told",
    /// Every session is a clean one.
    SessionAlwaysClean = "session-always-clean",
    /// The address that the broker's name stood for first is kept for ever.
    AddressKeptForEver = "address-kept-for-ever",
    /// The address is not renewed, and used on and on.
    LeaseNotRenewed = "lease-not-renewed",
    /// The address is used although its lease is over.
    AddressOutlivesLease = "address-outlives-lease",
    /// Refused an address, the device asks anew at once, as fast as it is refused.
    NakStorm = "nak-storm",
    /// The device uses an address that another host has.
    ConflictIgnored = "conflict-ignored",
    /// Full storage is not emptied, and nothing is kept.
    FullStorageGivenUp = "full-storage-given-up",
    /// A call of ThingsBoard's is read, and gets no answer.
    CallNotAnswered = "call-not-answered",
}

impl Bug {
    /// The bug of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name)
    }
}

/// A bit for each bug, in words that every core can change at once.
#[cfg(feature = "bugs")]
const WORDS: usize = Bug::ALL.len().div_ceil(32);

#[cfg(feature = "bugs")]
static PRESENT: [AtomicU32; WORDS] = [const { AtomicU32::new(0) }; WORDS];

/// Whether the firmware has come to [`Bug::SilentHang`].
#[cfg(feature = "bugs")]
static HUNG: AtomicBool = AtomicBool::new(false);

/// Whether this bug is in the device.
#[cfg(feature = "bugs")]
pub fn is(bug: Bug) -> bool {
    let bit = bug as usize;
    PRESENT[bit / 32].load(Ordering::Relaxed) & (1 << (bit % 32)) != 0
}

/// Whether this bug is in the device: never, in this build.
#[cfg(not(feature = "bugs"))]
pub const fn is(_bug: Bug) -> bool {
    false
}

/// Puts these bugs in and takes all others out. Returns the first name that is none of ours.
#[cfg(feature = "bugs")]
pub fn put_in<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<(), &'n str> {
    let mut words = [0_u32; WORDS];
    let mut unknown = None;
    for name in names {
        match Bug::from_name(name) {
            Some(bug) => words[bug as usize / 32] |= 1 << (bug as usize % 32),
            None => unknown = unknown.or(Some(name)),
        }
    }
    for (place, word) in PRESENT.iter().zip(words) {
        place.store(word, Ordering::Relaxed);
    }
    HUNG.store(false, Ordering::Relaxed);
    unknown.map_or(Ok(()), Err)
}

/// From now on nothing of the firmware runs any more ([`Bug::SilentHang`]).
pub(crate) fn hang() {
    #[cfg(feature = "bugs")]
    HUNG.store(true, Ordering::Relaxed);
}

/// Runs the firmware, until it hangs.
pub(crate) async fn until_hung<T>(firmware: impl Future<Output = T>) -> T {
    #[cfg(feature = "bugs")]
    {
        let mut firmware = core::pin::pin!(firmware);
        core::future::poll_fn(|context| match HUNG.load(Ordering::Relaxed) {
            true => core::task::Poll::Pending,
            false => firmware.as_mut().poll(context),
        })
        .await
    }
    #[cfg(not(feature = "bugs"))]
    firmware.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_a_name_of_its_own() {
        for bug in Bug::ALL {
            assert_eq!(Bug::from_name(bug.name()), Some(*bug));
        }
    }

    #[test]
    fn an_unknown_name_is_no_bug() {
        assert_eq!(Bug::from_name("works-as-designed"), None);
    }

    #[cfg(not(feature = "bugs"))]
    #[test]
    fn without_the_feature_no_bug_is_in() {
        assert!(Bug::ALL.iter().all(|bug| !is(*bug)));
    }
}
