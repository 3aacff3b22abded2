//! Devices that say what no device should. Which way is their name.

use std::ffi::OsString;
use std::future::Future;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use airlink::tether::{FromDevice, encode};
use airlink::{Packet, Port};
use device::board::{Board, Ending, Parts, TlsClient, TlsFailure, TlsServer};
use embassy_time::Timer;
use embedded_io_async::{ErrorType, Read, Write as AsyncWrite};
use native::{Interface, NativeBoard, main_with_firmware};

use crate::frame::{Change, Changing, Payload};

const DHCP_SERVER: u16 = 67;
const DNS: u16 = 53;
const HTTP: u16 = 80;
const MQTTS: u16 = 8883;
const COAP: u16 = 5683;

/// Runs the device that the factory data file is named for.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ! {
    let arguments: Vec<OsString> = arguments.collect();
    let name = Path::new(&arguments[0]).file_stem().unwrap();
    let name = name.to_str().unwrap().to_owned();
    match name.as_str() {
        "spins" => main_with_firmware(arguments, |_| async {
            log::info!(target: "app", "spinning");
            loop {
                std::hint::spin_loop();
            }
        }),
        "floods" => main_with_firmware(arguments, floods),
        "restarts" => main_with_firmware(arguments, |_| async { Ending::Restart }),
        "tether-garbage" => tether_garbage(),
        "air-garbage" => {
            write_to_tether(&air_garbage());
            native::main_from_arguments(arguments)
        }
        _ => main_with_firmware(arguments, move |board| hostile(board, name)),
    }
}

async fn floods(_: NativeBoard) -> Ending {
    loop {
        for _ in 0..100 {
            log::error!(target: "app", "{}", "out of order ".repeat(20));
        }
        Timer::after_millis(1).await;
    }
}

fn tether_garbage() -> ! {
    write_to_tether(&[0xFF; 100]);
    loop {
        std::thread::park();
    }
}

/// Sound messages with packets that are none.
fn air_garbage() -> Vec<u8> {
    let mut frame = vec![0xFF; 60];
    // A control frame, of a version that nobody speaks.
    frame[12..15].copy_from_slice(&[0x88, 0xB5, 0xEE]);
    let port = Port::Station;
    let packets = [
        Vec::new(),
        vec![0xEE; 3],
        Packet { port, frame }.encode(),
        vec![0; 4000],
    ];
    let messages = packets.map(|packet| encode(&FromDevice::Packet(packet)));
    messages.concat()
}

/// Standard input is the tether.
fn write_to_tether(bytes: &[u8]) {
    let tether = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    UnixStream::from(tether).write_all(bytes).unwrap();
}

/// The reference firmware on a board that changes what it sends.
fn hostile(board: NativeBoard, name: String) -> impl Future<Output = Ending> {
    device::run(Hostile { board, name })
}

struct Hostile {
    board: NativeBoard,
    name: String,
}

impl Board for Hostile {
    type Station = Changing<Interface>;
    type SoftAp = Changing<Interface>;
    type Radio = <NativeBoard as Board>::Radio;
    type Tls = HostileTls;
    type Flash = <NativeBoard as Board>::Flash;
    type Random = <NativeBoard as Board>::Random;
    type WallClock = <NativeBoard as Board>::WallClock;
    type Console = <NativeBoard as Board>::Console;
    type Hci = <NativeBoard as Board>::Hci;

    fn into_parts(self) -> Parts<Self> {
        let parts = self.board.into_parts();
        Parts {
            factory: parts.factory,
            station: Changing::new(parts.station, change(&self.name)),
            soft_ap: Changing::new(parts.soft_ap, change(&self.name)),
            radio: parts.radio,
            tls: HostileTls {
                inner: parts.tls,
                instead: mqtt(&self.name),
            },
            flash: parts.flash,
            random: parts.random,
            wall_clock: parts.wall_clock,
            console: parts.console,
            hci: parts.hci,
        }
    }
}

/// What a device of this name does to its payloads.
fn change(name: &str) -> Change {
    match name {
        "no-http" => overwrite(HTTP, b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        "endless-head" => overwrite(HTTP, b"HTTP/1.1 200 OK\r\nX-Filler: "),
        "huge-length" => overwrite(
            HTTP,
            b"HTTP/1.1 200 OK\r\nContent-Length: 4294967295\r\n\r\n",
        ),
        "absurd-length" => overwrite(
            HTTP,
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        ),
        "chunked" => overwrite(
            HTTP,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
        ),
        // After `proto-ver`.
        "no-protobuf" => bodies_from(2, |body| body.fill(0xFF)),
        // After the session's two exchanges.
        "wrong-cipher" => bodies_from(4, |body| {
            if let Some(last) = body.last_mut() {
                *last ^= 1;
            }
        }),
        "no-dhcp" => noise(|payload| !payload.is_tcp && payload.from == DHCP_SERVER),
        "no-dns" => noise(|payload| !payload.is_tcp && payload.to == DNS),
        "no-tls" => noise(|payload| payload.is_tcp && payload.to == MQTTS),
        "no-coap" => noise(|payload| !payload.is_tcp && payload.from == COAP),
        _ => Box::new(|_| ()),
    }
}

/// TCP payloads from `port` begin with `text`, and go on without an end of line.
fn overwrite(port: u16, text: &'static [u8]) -> Change {
    Box::new(move |payload| {
        if payload.is_tcp && payload.from == port {
            payload.bytes.fill(b'x');
            let length = text.len().min(payload.bytes.len());
            payload.bytes[..length].copy_from_slice(&text[..length]);
        }
    })
}

/// Changes the bodies of the HTTP responses from number `first` on.
fn bodies_from(first: usize, change: fn(&mut [u8])) -> Change {
    let mut responses = 0;
    Box::new(move |payload| {
        if !payload.is_tcp || payload.from != HTTP {
            return;
        }
        let mut body = 0;
        if payload.bytes.starts_with(b"HTTP/1.1 ") {
            responses += 1;
            let end = payload.bytes.windows(4).position(|it| it == b"\r\n\r\n");
            body = end.map_or(payload.bytes.len(), |end| end + 4);
        }
        if responses >= first {
            change(&mut payload.bytes[body..]);
        }
    })
}

/// Payloads that are `meant` become noise, the same at each run.
fn noise(meant: fn(&Payload<'_>) -> bool) -> Change {
    let mut state = 1_u32;
    Box::new(move |payload| {
        if meant(&payload) {
            make_noise(&mut state, payload.bytes);
        }
    })
}

fn make_noise(state: &mut u32, bytes: &mut [u8]) {
    for byte in bytes {
        // Xorshift, G. Marsaglia 2003.
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        *byte = state.to_le_bytes()[0];
    }
}

/// What a device of this name sends in an MQTT session once CONNECT is through.
fn mqtt(name: &str) -> Option<fn(&mut [u8])> {
    match name {
        "mqtt-length" => Some(|bytes| bytes.fill(0xFF)),
        "mqtt-noise" => Some(|bytes| make_noise(&mut 7, bytes)),
        // CONNACK is no packet of a client's.
        "mqtt-connack" => Some(|bytes| {
            bytes.fill(0);
            bytes[..2].copy_from_slice(&[0x20, 2]);
        }),
        // PUBLISH of 268435455 bytes, of which hardly any come.
        "mqtt-endless" => Some(|bytes| {
            bytes.fill(b'x');
            bytes[..5].copy_from_slice(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]);
        }),
        _ => None,
    }
}

struct HostileTls {
    inner: native::Tls,
    instead: Option<fn(&mut [u8])>,
}

impl device::board::Tls for HostileTls {
    type Session<S: Read + AsyncWrite> =
        HostileSession<<native::Tls as device::board::Tls>::Session<S>>;

    async fn connect<S: Read + AsyncWrite>(
        &self,
        socket: S,
        options: &TlsClient<'_>,
        now: Option<u64>,
    ) -> Result<Self::Session<S>, TlsFailure> {
        Ok(HostileSession {
            inner: self.inner.connect(socket, options, now).await?,
            instead: self.instead,
        })
    }

    async fn accept<S: Read + AsyncWrite>(
        &self,
        socket: S,
        options: &TlsServer<'_>,
        now: Option<u64>,
    ) -> Result<Self::Session<S>, TlsFailure> {
        Ok(HostileSession {
            inner: self.inner.accept(socket, options, now).await?,
            instead: self.instead,
        })
    }

    fn failure_of<S: Read + AsyncWrite>(
        error: &<Self::Session<S> as ErrorType>::Error,
    ) -> Option<TlsFailure> {
        <native::Tls as device::board::Tls>::failure_of::<S>(error)
    }
}

struct HostileSession<T> {
    inner: T,
    instead: Option<fn(&mut [u8])>,
}

impl<T: ErrorType> ErrorType for HostileSession<T> {
    type Error = T::Error;
}

impl<T: Read> Read for HostileSession<T> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, T::Error> {
        self.inner.read(buffer).await
    }
}

impl<T: AsyncWrite> AsyncWrite for HostileSession<T> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, T::Error> {
        const CONNECT: u8 = 0x10;
        match self.instead {
            Some(instead) if bytes.len() > 4 && bytes[0] != CONNECT => {
                let mut bytes = bytes.to_vec();
                instead(&mut bytes);
                self.inner.write(&bytes).await
            }
            _ => self.inner.write(bytes).await,
        }
    }

    async fn flush(&mut self) -> Result<(), T::Error> {
        self.inner.flush().await
    }
}
