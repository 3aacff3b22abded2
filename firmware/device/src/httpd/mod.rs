//! The device's own web server on the station's network (ESP-IDF 5.5, `esp_http_server`,
//! `esp_https_server` and their examples).
//!
//! It starts when the station gets an address and stops when the station loses it. ESP-IDF's server is
//! one task: a handshake, a request that has begun and a handler each keep all other clients waiting.
//! Here every client has a future of its own, and a lock stands for that task ([`server`]).

mod application;
mod events;
mod keep_alive;
mod request;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod websocket;

use core::future::pending;

use embassy_futures::select::{select, select3};
use embassy_net::Stack;
use factory::WebServer;

use crate::board::{Tls, WallClock};
use crate::bugs::{self, Bug};
use crate::mdns;
use application::Application;
use events::Event;
use server::Server;

const TAG: &str = "esp_https_server";
/// Sockets of lwIP (`CONFIG_LWIP_MAX_SOCKETS`), of which the server takes three for itself.
const LWIP_SOCKETS: u8 = 10;
const OWN_SOCKETS: u8 = 3;

/// Serves whenever the station has an IPv4 address, for ever.
pub(crate) async fn keep_serving<T: Tls, W: WallClock>(
    stack: Stack<'static>,
    tls: &T,
    wall_clock: &W,
    settings: &WebServer,
) -> ! {
    let application = Application(settings.application, settings.error_handler);
    let tag = application.tag();
    loop {
        stack.wait_link_up().await;
        stack.wait_config_up().await;
        log::info!(target: tag, "Starting server");
        let is_started = start(settings).is_ok();
        if is_started {
            log::info!(target: tag, "Registering URI handlers");
            let server = Server::new(stack, tls, wall_clock, settings);
            let stop = async {
                offline(stack).await;
                if !bugs::is(Bug::ServerOutlivesStation) {
                    server.stop();
                }
                pending::<()>().await;
            };
            select3(server.run(), stop, announce(stack, settings)).await;
            stopped(settings);
        } else {
            log::info!(target: tag, "Error starting server!");
            offline(stack).await;
        }
    }
}

/// Announces the server, if it is to be, for ever.
async fn announce(stack: Stack<'static>, settings: &WebServer) {
    if let (Some(mdns), Some(config)) = (&settings.mdns, stack.config_v4()) {
        let service = mdns::web_server(settings.secure, settings.port);
        mdns::serve(stack, mdns, config.address.address(), &service).await;
    }
    pending().await
}

async fn offline(stack: Stack<'_>) {
    select(stack.wait_link_down(), stack.wait_config_down()).await;
}

/// A server that ESP-IDF would not start (`ESP_ERR_INVALID_ARG`).
struct NotStarted;

/// What `httpd_ssl_start` checks and says.
fn start(settings: &WebServer) -> Result<(), NotStarted> {
    log::info!(target: TAG, "Starting server");
    if settings.secure {
        if settings.certificates.is_empty() {
            log::error!(target: TAG, "No Server certificate supplied");
            return Err(NotStarted);
        }
        let mut certificates = settings.certificates.iter();
        if certificates.any(|certificate| certificate.credentials.key.is_empty()) {
            log::error!(target: TAG, "No Server key supplied");
            return Err(NotStarted);
        }
        log::debug!(target: TAG, "SSL context ready");
    } else {
        log::debug!(target: TAG, "SSL disabled, using plain HTTP");
    }
    let most = LWIP_SOCKETS - OWN_SOCKETS;
    if settings.max_open_sockets > most {
        log::error!(
            target: "httpd",
            "Config option max_open_sockets is too large (max allowed {most}, {OWN_SOCKETS} sockets used by HTTP server internally)"
        );
        return Err(NotStarted);
    }
    Event::Start.tell();
    log::info!(target: TAG, "Server listening on port {}", settings.port);
    events::https("START", None);
    Ok(())
}

/// What `httpd_ssl_stop` says once every connection is closed.
fn stopped(settings: &WebServer) {
    if settings.secure {
        log::info!(target: TAG, "Server shuts down, releasing SSL context");
    }
    log::debug!(target: "httpd", "httpd_stop: server stopped");
    Event::Stop.tell();
    events::https("STOP", None);
}
