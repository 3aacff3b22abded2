//! A device's own web server, and what clients do with it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::certificate::Certificate;
use super::duration;
use super::roles::Roles;
use super::span::Placed;

/// A device's own web server, as ESP-IDF's examples have it; it is there while the device is on its
/// network. What is left out is as `HTTPD_SSL_CONFIG_DEFAULT` and `HTTPD_DEFAULT_CONFIG` have it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebServer {
    /// What it serves.
    #[serde(default)]
    pub application: WebApplication,
    /// Whether it speaks TLS, on port 443; HTTP on port 80 if not.
    #[serde(default = "yes")]
    pub secure: bool,
    /// Clients at once; 4 with TLS, 7 without.
    #[schemars(range(min = 1, max = 7))]
    pub max_open_sockets: Option<u8>,
    /// Whether the client that was served least recently makes room for a new one; only with TLS, if
    /// left out.
    pub lru_purge: Option<bool>,
    /// Certificates that it can show: the first that fits a client is taken. A good one if left out.
    #[serde(default)]
    pub certificates: Vec<ServerCertificate>,
    /// Whether clients show a certificate.
    #[serde(default)]
    pub client_certificate: AskedOfClients,
    /// Protocols of ALPN, the preferred first.
    #[serde(default)]
    pub alpn: Vec<String>,
    /// Announces it by mDNS as `_https._tcp`, or `_http._tcp`, of the host of this name in the domain
    /// `local`; not announced if left out.
    pub mdns: Option<String>,
    /// Whether clients can resume their TLS sessions by tickets; a board whose TLS gives none gives none.
    #[serde(default)]
    pub session_tickets: bool,
    /// TLS sessions that there is memory for: the next one fails as where a device's heap is used up. As many as
    /// there are sockets, if left out.
    pub memory_for_sessions: Option<u8>,
    /// Whether the application has an error handler of its own for what is not found: below `/gone/` it leaves
    /// the connection open, elsewhere it closes it, as all of ESP-IDF's do.
    #[serde(default)]
    pub error_handler: bool,
}

fn yes() -> bool {
    true
}

/// Whether a web server asks its clients for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AskedOfClients {
    /// It asks for none.
    #[default]
    None,
    /// One that is shown must be good; none is needed.
    Optional,
    /// Only clients with a good one are let in.
    Required,
}

/// What a web server serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WebApplication {
    /// ESP-IDF's example `simple`: a page on `/`.
    #[default]
    Simple,
    /// ESP-IDF's example `wss_server`: an echo on `/ws`, which is kept alive.
    WssServer,
    /// A handler for each thing that the server can do.
    Catalogue,
}

/// A certificate of a web server, and to which clients it is shown.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerCertificate {
    /// As a broker's; a good one if left out. Its common name is the server name or the protocol for
    /// which it is shown, if there is one.
    pub certificate: Option<Placed<Certificate>>,
    /// Only to clients that ask for this name (SNI).
    pub server_name: Option<String>,
    /// Only where this protocol is agreed on (ALPN).
    pub alpn: Option<String>,
}

/// How a client opens its TLS session.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// Its own certificate, as a device's; none if left out.
    pub certificate: Option<Placed<Certificate>>,
    /// The name that it asks for, and that the server's certificate has to have.
    pub server_name: Option<String>,
    /// Protocols that it offers.
    #[serde(default)]
    pub alpn: Vec<String>,
    /// The authority that it trusts; `ca` if left out.
    pub trusts: Option<Placed<String>>,
    /// Whether it speaks no more than TLS 1.2.
    #[serde(default)]
    pub is_old: bool,
    /// Whether it keeps the session, and resumes one that it has kept; how it was opened first is how it always is.
    #[serde(default)]
    pub resumes: bool,
}

/// A phone on the LAN asks a device's web server for something.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Browse {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// What is asked for.
    #[serde(default = "root")]
    pub path: String,
    /// Fills the path up to so many characters.
    pub path_length: Option<u16>,
    /// With which method.
    #[serde(default = "get")]
    pub method: String,
    /// Header fields, besides `Host` and `Content-Length`.
    #[serde(default)]
    pub fields: Roles<String>,
    /// Fills the header fields up to so many bytes, their ends included.
    pub fields_length: Option<u16>,
    /// A body.
    pub body: Option<String>,
    /// Fills the body up to so many bytes.
    pub body_length: Option<u32>,
    /// How the TLS session is opened, where the server speaks TLS.
    #[serde(default)]
    pub tls: ClientTls,
    /// Goes no further than this, and leaves the connection as it is.
    pub stop_after: Option<BrowseStage>,
    /// Uses the connection that the phone has kept, instead of a new one.
    #[serde(default)]
    pub kept: bool,
    /// Keeps the connection open.
    #[serde(default)]
    pub keep: bool,
    /// How it must end.
    #[serde(default)]
    pub outcome: BrowseOutcome,
    /// HTTP status that must come; 200 if left out.
    pub status: Option<u16>,
    /// What the body must contain.
    pub shows: Option<String>,
    /// Device time that it must take.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    pub at_least: Option<Duration>,
    /// Limit in device time; five seconds if left out.
    #[serde(default = "five_seconds", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

fn root() -> String {
    "/".into()
}

fn get() -> String {
    "GET".into()
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BrowseStage {
    /// There is a TCP connection.
    Connect,
    /// There is a TLS session.
    Handshake,
    /// The request line was sent.
    RequestLine,
}

/// How a request ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BrowseOutcome {
    /// With an answer.
    #[default]
    Answered,
    /// With an answer, behind which the server closes.
    AnsweredAndClosed,
    /// The server closes without an answer.
    Closed,
    /// The server refuses the TLS session with an alert.
    Refused,
    /// The server ends the TLS session, whether the phone can read why or not: MbedTLS sends no alert
    /// in TLS 1.2 where there is no certificate, and an unreadable one in TLS 1.3.
    TurnedAway,
    /// The phone refuses the server's certificate.
    Distrusted,
    /// There is no server.
    Unreachable,
    /// With nothing, until the time is over.
    Silent,
}

/// A phone on the LAN does something over a WebSocket, which stays open: `open`, `send`, `receive`,
/// `ping`, `close`, `misbehave`, or `ends`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebSocketStep {
    /// Name of the phone.
    pub phone: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// Opens a WebSocket at this path.
    pub open: Option<String>,
    /// Version that is asked for, when it is opened; 13 if left out.
    pub version: Option<String>,
    /// Key that is sent, when it is opened; a good one if left out.
    pub key: Option<String>,
    /// Subprotocols that are offered, when it is opened.
    pub protocols: Option<String>,
    /// The subprotocol that the server has to choose.
    pub chosen: Option<String>,
    /// Whether the phone answers PINGs from then on.
    #[serde(default = "yes")]
    pub answers_pings: bool,
    /// How the TLS session is opened.
    #[serde(default)]
    pub tls: ClientTls,
    /// Sends this message.
    pub send: Option<String>,
    /// Repeats what is sent up to so many bytes.
    pub length: Option<u32>,
    /// Sends it as bytes, not as text.
    #[serde(default)]
    pub binary: bool,
    /// Sends it in so many frames.
    #[schemars(range(min = 1))]
    pub fragments: Option<u8>,
    /// What was sent must come back.
    #[serde(default)]
    pub echoed: bool,
    /// A message with this in it must come.
    pub receive: Option<String>,
    /// Sends a PING with this in it, which a PONG must answer.
    pub ping: Option<String>,
    /// Sends CLOSE with this status; the server must send CLOSE, too, and close.
    pub close: Option<u16>,
    /// Does something that no client should do.
    pub misbehave: Option<Misbehaviour>,
    /// The server must close by itself.
    #[serde(default)]
    pub ends: bool,
    /// How it must end.
    #[serde(default)]
    pub outcome: WebSocketOutcome,
    /// Limit in device time; five seconds if left out.
    #[serde(default = "five_seconds", deserialize_with = "duration::required")]
    #[schemars(with = "duration::Text")]
    pub within: Duration,
    /// Bugs with which this step must fail.
    #[serde(default)]
    pub catches: Vec<Placed<String>>,
}

impl WebSocketStep {
    /// How many things it does; one is right.
    pub(super) fn actions(&self) -> usize {
        [
            self.open.is_some(),
            self.send.is_some(),
            self.receive.is_some(),
            self.ping.is_some(),
            self.close.is_some(),
            self.misbehave.is_some(),
            self.ends,
        ]
        .into_iter()
        .filter(|is_there| *is_there)
        .count()
    }
}

/// What a client should not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Misbehaviour {
    /// It does not mask a frame.
    Unmasked,
    /// It sends a PING of 127 bytes, where 125 are allowed and ESP-IDF takes 126.
    LongPing,
    /// It says that a frame has more bytes than a device has memory.
    Endless,
    /// It sends the half of a header and nothing more.
    HalfHeader,
}

/// How a step over a WebSocket ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WebSocketOutcome {
    /// It is done.
    #[default]
    Done,
    /// The server closes instead.
    Closed,
}

#[cfg(test)]
mod tests {
    use crate::parse;

    /// The messages of all mistakes in a scenario with this device and this step.
    fn mistakes(device: &str, step: &str) -> Vec<String> {
        let text = format!(
            "name: Web\nworld: {{ access_points: {{ home: {{}} }}, devices: {{ device: {device} }}, phones: [alice] }}\n\
             steps:\n  - {step}\n"
        );
        let known = crate::known().expect("our own");
        match parse("web.yaml", &text, &known) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_step_needs_a_server_and_says_one_thing() {
        let server = "{ server: {} }";
        for (device, step, wrong) in [
            (server, "browse: { phone: alice }", None),
            (server, "websocket: { phone: alice, open: /ws }", None),
            ("{}", "browse: { phone: alice }", Some("has no web server")),
            (
                server,
                "browse: { phone: bob }",
                Some("unknown phone `bob`"),
            ),
            (
                server,
                "browse: { phone: alice, tls: { trusts: cb } }",
                Some("unknown authority `cb`"),
            ),
            (
                server,
                "browse: { phone: alice, tls: { certificate: clients } }",
                Some("unknown certificate profile `clients`"),
            ),
            (
                server,
                "browse: { phone: alice, kept: true, stop_after: handshake }",
                Some("past every stage"),
            ),
            (
                server,
                "websocket: { phone: alice }",
                Some("one thing at a time"),
            ),
            (
                server,
                "websocket: { phone: alice, open: /ws, send: x }",
                Some("one thing at a time"),
            ),
            (
                "{ server: { certificates: [{ certificate: serfer }] } }",
                "browse: { phone: alice }",
                Some("unknown certificate profile `serfer`"),
            ),
        ] {
            let told = mistakes(device, step);
            match wrong {
                None => assert_eq!(told, Vec::<String>::new(), "{step}"),
                Some(wrong) => {
                    assert_eq!(told.len(), 1, "{step}: {told:?}");
                    assert!(told[0].contains(wrong), "{step}: {told:?}");
                }
            }
        }
    }
}
