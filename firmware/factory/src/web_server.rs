//! The device's own web server (ESP-IDF 5.5, `esp_https_server`).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Credentials, Mdns};

/// A server that is there while the station has an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebServer {
    /// Whether it speaks TLS (`transport_mode`).
    pub secure: bool,
    /// TCP port.
    pub port: u16,
    /// Clients at once (`max_open_sockets`).
    pub max_open_sockets: u8,
    /// Whether the client that was served least recently makes room for a new one
    /// (`lru_purge_enable`); else the new one waits.
    pub lru_purge: bool,
    /// Limit for a TLS handshake, in ms.
    pub handshake_timeout_ms: u32,
    /// Certificates that it can show. The first that fits a client's server name and protocols is
    /// taken.
    pub certificates: Vec<ServerCertificate>,
    /// Whether clients show a certificate.
    pub client: ClientAuth,
    /// Protocols of ALPN; none is negotiated if there are none.
    pub alpn: Vec<String>,
    /// What it serves.
    pub application: WebApplication,
    /// How it is announced in the network, if it is.
    pub mdns: Option<Mdns>,
    /// Whether clients get tickets by which they can resume their TLS sessions (`session_tickets`).
    pub session_tickets: bool,
    /// TLS sessions that there is memory for; without a number, for as many as there are sockets.
    pub memory_for_sessions: Option<u8>,
    /// Whether the application has an error handler of its own for what is not found
    /// (`httpd_register_err_handler`).
    pub error_handler: bool,
}

impl WebServer {
    /// ESP-IDF's defaults with TLS, still without a certificate.
    pub fn secure(application: WebApplication) -> Self {
        Self {
            secure: true,
            port: 443,
            max_open_sockets: 4,
            lru_purge: true,
            handshake_timeout_ms: 10_000,
            certificates: Vec::new(),
            client: ClientAuth::None,
            alpn: Vec::new(),
            application,
            mdns: None,
            session_tickets: false,
            memory_for_sessions: None,
            error_handler: false,
        }
    }

    /// ESP-IDF's defaults without TLS, those of `esp_http_server`.
    pub fn plain(application: WebApplication) -> Self {
        Self {
            secure: false,
            port: 80,
            max_open_sockets: 7,
            lru_purge: false,
            ..Self::secure(application)
        }
    }
}

/// A certificate that a server can show, and to which clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerCertificate {
    /// Certificate and key.
    pub credentials: Credentials,
    /// Only to clients that ask for this name (SNI).
    pub server_name: Option<String>,
    /// Only to clients that offer this protocol (ALPN).
    pub alpn: Option<String>,
}

/// Whether clients show a certificate; the DER is that of the authority which signs them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAuth {
    /// They are not asked.
    None,
    /// They are asked, and may do without; one that is no good does no harm either
    /// (`CONFIG_ESP_TLS_SERVER_MIN_AUTH_MODE_OPTIONAL`).
    Optional(Vec<u8>),
    /// None gets in without a good one (`cacert_pem`).
    Required(Vec<u8>),
}

/// What a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebApplication {
    /// ESP-IDF's example `https_server/simple`: one page on `/`.
    Simple,
    /// ESP-IDF's example `https_server/wss_server`: an echo over WebSocket on `/ws`, which is kept
    /// alive.
    WssServer,
    /// A handler for each thing that the server can do.
    Catalogue,
}
