//! A stand-in for BlueZ: `org.bluez` on a private D-Bus, with virtual controllers below it.
//!
//! Programs that use Bluetooth through BlueZ (btleplug, bleak, `bluetoothctl`) find adapters here
//! and devices that are on the lab's medium. Attributes are found, read and written by trouble-host;
//! only the objects on the bus are ours: `Adapter1`, `Device1` and the GATT ones, as far as a
//! central without pairing and notifications needs them.

mod adapter;
mod advertised;
mod bearer;
mod device;
mod devices;
mod error;
mod gatt;
mod host;
mod request;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::Clock;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use zbus::Connection;
use zbus::fdo::ObjectManager;

pub use error::StandInError;

use super::Ether;
use super::host::on_lab_time;
use crate::private_bus::linger::Linger;
use adapter::Adapter;
use devices::Devices;
use request::{HostHandle, Request};

const NAME: &str = "org.bluez";
/// Bytes between a host and its controller.
const PIPE: usize = 64 * 1024;
/// In host time: the thread ends as soon as it is told.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A phone, as the stand-in's adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BluezPhone {
    /// Its name in the scenario, and its radio's.
    pub name: String,
    /// Its public address, most significant byte first.
    pub address: [u8; 6],
}

/// The stand-in; see the module. Gone from the bus when dropped.
pub struct BluezStandIn {
    stop: Option<oneshot::Sender<()>>,
    /// To the hosts, in the order of their phones.
    hosts: Vec<mpsc::UnboundedSender<Request>>,
    /// Whether the kernel keeps the radio of a phone off, in the order of the phones.
    blocked: Vec<Arc<AtomicBool>>,
    controllers: JoinSet<()>,
}

/// The way of a phone past its host, for bytes of the Attribute Protocol as they are; cheap to clone. BlueZ has
/// none: it keeps that protocol's channel to itself.
#[derive(Clone)]
pub struct RawAttributes {
    requests: mpsc::UnboundedSender<Request>,
}

impl RawAttributes {
    /// Sends one PDU on the link to the device with this address, most significant byte first, and waits for what
    /// is answered; dropping the future ends the wait. None if the link ends before, or there is none.
    ///
    /// It is a call of the adapter (`hci0` and so on), for which the caller holds a [`Clock::call`].
    pub async fn ask(&self, device: [u8; 6], pdu: Vec<u8>) -> Option<Vec<u8>> {
        let mut device = device;
        device.reverse();
        let (reply, answer) = oneshot::channel();
        // Without a host no reply comes.
        let _ = self.requests.send(Request::Raw { device, pdu, reply });
        answer.await.ok()
    }
}

/// What the thread is given for one phone.
struct Seat {
    phone: BluezPhone,
    hci: DuplexStream,
    blocked: Arc<AtomicBool>,
}

impl BluezStandIn {
    /// Offers one adapter (`hci0` and so on) for each phone on the bus with this address. An older
    /// stand-in on that bus is replaced.
    pub async fn start(
        ether: &Ether,
        clock: &Clock,
        bus: &str,
        phones: &[BluezPhone],
    ) -> Result<Self, StandInError> {
        let _busy = clock.busy();
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = oneshot::channel();
        let mut seats = Vec::new();
        let mut streams = Vec::new();
        let blocked: Vec<Arc<AtomicBool>> = phones.iter().map(|_| Arc::default()).collect();
        for (phone, blocked) in phones.iter().zip(&blocked) {
            let (hci, stream) = tokio::io::duplex(PIPE);
            streams.push(stream);
            seats.push(Seat {
                phone: phone.clone(),
                hci,
                blocked: Arc::clone(blocked),
            });
        }
        let (clock, address) = (clock.clone(), bus.to_owned());
        std::thread::Builder::new()
            .name("bluez".to_owned())
            .spawn(move || {
                let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                else {
                    // No task will report that it is ready.
                    return;
                };
                let linger = Linger::new(clock.clone(), runtime.handle().clone());
                runtime.block_on(on_lab_time(&clock, async {
                    tokio::select! {
                        () = serve(&address, &clock, &linger, seats, ready) => {}
                        // Told, or left alone.
                        _ = stopped => {}
                    }
                }));
                runtime.shutdown_timeout(STOP_LIMIT);
            })
            .map_err(StandInError::Thread)?;
        let mut controllers = JoinSet::new();
        for (phone, stream) in phones.iter().zip(streams) {
            controllers.spawn(ether.controller(&phone.name, phone.address).run(stream));
        }
        let hosts = started
            .await
            .map_err(|_| StandInError::Gone)?
            .map_err(|source| StandInError::Service {
                name: NAME,
                bus: bus.to_owned(),
                source,
            })?;
        Ok(Self {
            stop: Some(stop),
            hosts,
            blocked,
            controllers,
        })
    }

    /// Pulls the adapter of the phone at `index` out of the host.
    pub fn unplug(&self, index: usize) {
        if let Some(host) = self.hosts.get(index) {
            // One that is gone already is out.
            let _ = host.send(Request::Unplug);
        }
    }

    /// The way of the phone at `index` past its host.
    pub fn raw_attributes(&self, index: usize) -> Option<RawAttributes> {
        let requests = self.hosts.get(index)?.clone();
        Some(RawAttributes { requests })
    }
}

impl BluezStandIn {
    /// Has the kernel keep the radio of the phone at `index` off, as `rfkill block bluetooth` does, or no
    /// longer.
    pub fn set_blocked(&self, index: usize, blocked: bool) {
        if let Some(switch) = self.blocked.get(index) {
            switch.store(blocked, Ordering::Release);
        }
    }
}

impl Drop for BluezStandIn {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        self.controllers.abort_all();
    }
}

async fn serve(
    address: &str,
    clock: &Clock,
    linger: &Linger,
    seats: Vec<Seat>,
    ready: oneshot::Sender<zbus::Result<Vec<mpsc::UnboundedSender<Request>>>>,
) {
    let (connection, hosts) = match offer(address, linger, seats).await {
        Ok(offered) => offered,
        Err(error) => {
            // The starter waits for it.
            let _ = ready.send(Err(error));
            return;
        }
    };
    // The starter waits for it.
    let ways = hosts.iter().map(|(_, _, host, _)| host.requests.clone());
    let _ = ready.send(Ok(ways.collect()));
    let hosts = hosts.into_iter().map(|(path, hci, host, requests)| {
        let devices = Devices::new(connection.clone(), path, host, clock.clone());
        async move {
            let ended = host::run(hci, requests, &devices).await;
            if ended == host::UNPLUGGED {
                // A bus that is gone has nothing on it.
                let _ = devices.vanish().await;
            }
        }
    });
    futures_util::future::join_all(hosts).await;
    // Adapters without a radio stay, as those that were unplugged do for a moment.
    std::future::pending().await
}

type Host = (
    String,
    DuplexStream,
    HostHandle,
    mpsc::UnboundedReceiver<Request>,
);

async fn offer(
    address: &str,
    linger: &Linger,
    seats: Vec<Seat>,
) -> zbus::Result<(Connection, Vec<Host>)> {
    let mut builder = zbus::connection::Builder::address(address)
        .allow_name_replacements(true)
        .replace_existing_names(true)
        .serve_at("/", ObjectManager);
    let mut hosts = Vec::new();
    for (index, seat) in seats.into_iter().enumerate() {
        let path = format!("/org/bluez/hci{index}");
        let (requests, taken) = mpsc::unbounded_channel();
        let host = HostHandle {
            requests,
            linger: linger.clone(),
        };
        let adapter = Adapter {
            address: seat
                .phone
                .address
                .map(|byte| format!("{byte:02X}"))
                .join(":"),
            name: seat.phone.name,
            powered: true,
            blocked: seat.blocked,
            discovering: false,
            host: host.clone(),
        };
        builder = builder.serve_at(path.clone(), adapter);
        hosts.push((path, seat.hci, host, taken));
    }
    Ok((builder.name(NAME).build().await?, hosts))
}
