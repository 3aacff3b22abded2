//! Espressif's ESP8266 NONOS SDK with the MQTT demo of ustccw/MQTTESP8266: what that firmware does between
//! its network and its broker, and the lines that it prints.
//!
//! The demo asks each second whether the time is known, connects then, and connects again six seconds
//! after a connection has failed or ended. The lines of the station and of SNTP are ESP-IDF's here, and TLS
//! is the board's own ([`espconn`]).

mod espconn;
mod flash;
mod records;
mod session;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use core::cell::Cell;

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use factory::{Cloud, Esp8266};
use rand_core::RngCore;

use self::session::Session;
use super::{Uplink, forever, offline, online, sntp};
use crate::board::{Tls, WallClock};
use crate::bugs::{self, Bug};
use crate::transport;

/// The demo prints without a tag; this one tells where the lines come from.
const TAG: &str = "esp8266";
/// Bytes of TCP in each direction.
const TCP_LEN: usize = 4_096;
/// Bytes read at once.
const READ_LEN: usize = 1_024;
/// How long a closed connection may take to say so.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// From one question for the time to the next.
const TIME_POLL: Duration = Duration::from_secs(1);
/// The SDK tells that a packet was sent once it was acknowledged, so that what the broker answers at once is
/// there before the next packet leaves.
const ANSWER: Duration = Duration::from_millis(20);
/// The time zone that the SDK's clock is in, unless a firmware sets another: UTC+8.
const TIME_ZONE: u64 = 8 * 3600;

/// Does what the demo does, for ever.
pub(super) async fn run<T: Tls, R: RngCore, W: WallClock>(
    uplink: Uplink<'_, T, R, W>,
    chip: &Esp8266,
) -> ! {
    let (stack, factory) = (uplink.stack, uplink.factory);
    let clock_set = sntp::ClockSet::new();
    let time = sntp::keep_time(
        stack,
        factory.sntp.as_ref(),
        false,
        uplink.random,
        uplink.wall_clock,
        &clock_set,
    );
    let demo = async {
        log::info!(target: TAG, "System started ...");
        let Some(cloud) = &factory.cloud else {
            forever().await
        };
        let demo = Demo {
            stack,
            tls: uplink.tls,
            wall_clock: uplink.wall_clock,
            cloud,
            chip,
        };
        demo.run().await
    };
    let (never, _) = join(time, demo).await;
    never
}

struct Demo<'d, T, W> {
    stack: Stack<'d>,
    tls: &'d T,
    wall_clock: &'d W,
    cloud: &'d Cloud,
    chip: &'d Esp8266,
}

impl<T: Tls, W: WallClock> Demo<'_, T, W> {
    async fn run(&self) -> ! {
        loop {
            online(self.stack).await;
            self.await_time().await;
            // As long as the station has its network.
            select(self.keep_connecting(), offline(self.stack)).await;
            log::info!(target: TAG, "TCP: Disconnected callback");
            log::info!(target: TAG, "MQTT: Disconnected");
        }
    }

    /// `sntpfn`, each second until the time is known.
    async fn await_time(&self) {
        loop {
            Timer::after(TIME_POLL).await;
            let now = self.wall_clock.now();
            log::info!(target: TAG, "CW:{}", calendar_text(now.unwrap_or(0)));
            if now.is_some() || bugs::is(Bug::ClockNotAwaited) {
                return;
            }
        }
    }

    async fn keep_connecting(&self) -> ! {
        let Cloud { host, port, .. } = self.cloud;
        let mut is_first = true;
        loop {
            let mut rx = vec![0; TCP_LEN];
            let mut tx = vec![0; TCP_LEN];
            let mut socket = TcpSocket::new(self.stack, &mut rx, &mut tx);
            let was_connected = self.attempt(&mut socket, is_first).await;
            is_first = false;
            if was_connected {
                log::info!(target: TAG, "TCP: Disconnected callback");
                log::info!(target: TAG, "MQTT: Disconnected");
            } else {
                log::info!(target: TAG, "TCP: Reconnect to {host}:{port}");
            }
            socket.close();
            if with_timeout(CLOSE_LIMIT, socket.flush()).await.is_err() {
                socket.abort();
            }
            drop(socket);
            let pause = match bugs::is(Bug::RetryStorm) {
                true => 50,
                false => self.cloud.reconnect_ms,
            };
            Timer::after_millis(pause.into()).await;
            log::info!(target: TAG, "Free memory");
        }
    }

    /// One connection to its end. Whether TLS stood.
    async fn attempt(&self, socket: &mut TcpSocket<'_>, is_first: bool) -> bool {
        let Cloud { host, port, .. } = self.cloud;
        let is_address = host.parse::<core::net::Ipv4Addr>().is_ok();
        if is_address {
            log::info!(target: TAG, "TCP: Connect to ip  {host}:{port}");
        } else {
            log::info!(target: TAG, "TCP: Connect to domain {host}:{port}");
        }
        if !is_first {
            log::info!(target: TAG, "TCP: Reconnect to: {host}:{port}");
        }
        let Ok(address) = transport::find(self.stack, self.cloud).await else {
            log::info!(target: TAG, "DNS: Found, but got no ip, try to reconnect");
            return false;
        };
        if !is_address {
            log::info!(target: TAG, "DNS: found ip {address}");
            log::info!(target: TAG, "TCP: connecting...");
        }
        let connected = transport::connect(socket, address, self.cloud).await;
        if connected.is_err() {
            return false;
        }
        let too_long = Cell::new(None);
        let now = self.wall_clock.now();
        let (tls, chip, cloud) = (self.tls, self.chip, self.cloud);
        let secured = espconn::secure_connect(tls, socket, chip, cloud, now, &too_long).await;
        let Ok(mut connection) = secured else {
            return false;
        };
        log::info!(target: TAG, "MQTT: Connected to broker {host}:{port}");
        self.talk(&mut connection).await;
        true
    }

    async fn talk<C: Read + Write>(&self, connection: &mut C) {
        let mut session = Session::new(self.cloud, &self.chip.topics, Instant::now());
        let limit = transport::limit(self.cloud);
        let mut buffer = vec![0; READ_LEN];
        loop {
            let mut due = session.deadline();
            if let Some(packet) = session.next() {
                let write = async {
                    connection.write_all(&packet).await?;
                    connection.flush().await
                };
                let Ok(Ok(())) = with_timeout(limit, write).await else {
                    return;
                };
                session.sent(Instant::now());
                due = Instant::now() + ANSWER;
            }
            match select(connection.read(&mut buffer), Timer::at(due)).await {
                Either::First(Ok(length @ 1..)) => {
                    let taken = session.received(&buffer[..length], Instant::now());
                    if let Err(error) = taken {
                        log::info!(target: TAG, "MQTT: Invalid packet");
                        log::debug!(target: TAG, "{error}");
                        return;
                    }
                }
                Either::First(_) => return,
                Either::Second(()) => session.tick(Instant::now()),
            }
        }
    }
}

/// What `sntp_get_real_time` makes of Unix time: `Thu Jan  1 08:00:00 1970`.
fn calendar_text(unix_s: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [(&str, u64); 12] = [
        ("Jan", 31),
        ("Feb", 28),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    let here = unix_s.min(u32::MAX.into()) + TIME_ZONE;
    let (mut days, second) = (here / 86_400, here % 86_400);
    let weekday = DAYS[(days % 7) as usize];
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let mut month = "Dec";
    for (name, length) in MONTHS {
        let length = length + u64::from(name == "Feb" && is_leap(year));
        if days < length {
            month = name;
            break;
        }
        days -= length;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{weekday} {month} {:>2} {hour:02}:{minute:02}:{second:02} {year}",
        days + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_shown_as_the_sdk_shows_it() {
        for (unix_s, text) in [
            (0, "Thu Jan  1 08:00:00 1970"),
            (951_782_399, "Tue Feb 29 07:59:59 2000"),
            (1_504_000_000, "Tue Aug 29 17:46:40 2017"),
            (1_795_910_399, "Sun Nov 29 07:59:59 2026"),
            (u64::MAX, "Sun Feb  7 14:28:15 2106"),
        ] {
            assert_eq!(calendar_text(unix_s), text);
        }
    }
}
