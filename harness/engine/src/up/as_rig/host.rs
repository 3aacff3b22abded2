//! The rig on this host: a pseudo-terminal, stand-ins on a private D-Bus, and the loopback as its LAN.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lab::air::{ForwardTarget, Protocol};
use lab::bluetooth::{BluezPhone, BluezStandIn};
use lab::network_manager::{HostNetwork, NetworkManagerStandIn};
use lab::private_bus;
use tokio::task::JoinSet;

use super::described::{BROKER, Described};
use super::ends::{Opened, Radios};
use super::folder::Folder;
use super::lan::{self, Web};
use super::pty;
use super::soft_ap::SoftAp;
use super::uart::{self, LogForm};
use super::{AsRig, ConsoleOn, DEVICE, Stage, UpError};
use crate::attempt::LabError;
use crate::run;

/// Where the service is in the device's own network.
const HTTP: u16 = 80;
/// The adapter and the interface that phones use.
const ADAPTER: &str = "hci0";
const WIFI: &str = "wlan1";
const LAN: &str = "lo";
/// The network that the interface is connected to at first.
const OFFICE: &str = "office of the host";

/// The stand-ins, and the tasks that carry bytes.
struct Host {
    network_manager: NetworkManagerStandIn,
    web: Web,
    _bluez: BluezStandIn,
    _tasks: JoinSet<()>,
}

/// Opens the ends of the rig on this host.
pub async fn open(stage: &Stage, options: &AsRig, folder: &Folder) -> Result<Opened, UpError> {
    let failed = |what: &str| {
        let what = what.to_owned();
        |source| UpError::Io { what, source }
    };
    let clock = stage.trace.clock();
    let mut tasks = JoinSet::new();
    let line = pty::open(
        &folder.uart(),
        &folder.control().join("uart"),
        clock,
        &mut tasks,
    );
    let line = line.map_err(failed("open a pty"))?;
    let console = match options.console {
        ConsoleOn::Log => None,
        ConsoleOn::Uart => {
            let opened = uart::socket(&folder.console(), &mut tasks);
            Some(opened.map_err(failed("open the console's socket"))?)
        }
    };
    let (broker, time_port) = free_ports().map_err(failed("find free ports"))?;
    for (port, protocol) in [(broker.port(), Protocol::Tcp), (time_port, Protocol::Udp)] {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        stage.air.publish(BROKER, port, protocol, at);
    }
    let lan = own_loopback();
    let opened = lan::open(&stage.air, clock, lan, &mut tasks).await;
    opened.map_err(failed("listen for phones on the LAN"))?;
    let soft_ap = ForwardTarget::SoftAp {
        device: DEVICE.to_owned(),
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let forwarded = stage.air.forward(any, soft_ap, HTTP).await;
    let service = forwarded.map_err(failed("listen for the device's own network"))?;
    let bus = run::private_bus();
    private_bus::start(&bus).map_err(LabError::from)?;
    let phones = [BluezPhone {
        name: "host".to_owned(),
        // Locally administered, and of no device's.
        address: [0x06, 0x50, 0, 0, 0, 1],
    }];
    let bluez = BluezStandIn::start(&stage.ether, clock, &bus, &phones).await;
    let networks = [HostNetwork {
        ssid: OFFICE.to_owned(),
        passphrase: Some("of no use here".to_owned()),
        address: Some(Ipv4Addr::LOCALHOST),
    }];
    let network_manager = NetworkManagerStandIn::start(&stage.trace, &bus, WIFI, &networks).await;
    let host = Host {
        network_manager: network_manager.map_err(LabError::from)?,
        web: Web::new(&stage.air, lan),
        _bluez: bluez.map_err(LabError::from)?,
        _tasks: tasks,
    };
    let described = Described {
        port: "uart".to_owned(),
        console: match options.console {
            ConsoleOn::Log => "log".to_owned(),
            ConsoleOn::Uart => "socket:console.sock".to_owned(),
        },
        url: Some(format!("http://{service}")),
        phone: vec![
            ("bluetooth", ADAPTER.to_owned()),
            ("wifi", WIFI.to_owned()),
            ("lan", LAN.to_owned()),
        ],
        broker,
        time_port,
        dbus: Some(bus),
        log: LogForm {
            lan: Some(lan),
            without: options.without_components.clone(),
        },
        is_bridged: false,
    };
    Ok(Opened {
        uart: line,
        console,
        described,
        radios: Box::new(host),
    })
}

impl Radios for Host {
    fn power(&mut self, on: bool) -> BoxFuture<'_, Result<(), UpError>> {
        async move {
            let done = self.web.power(on).await;
            done.map_err(|source| UpError::Io {
                what: "listen for clients of the device's web server".to_owned(),
                source,
            })
        }
        .boxed()
    }

    fn soft_ap(&mut self, network: Option<SoftAp>) -> BoxFuture<'_, Result<(), UpError>> {
        async move {
            self.network_manager
                .hear(network.map(|network| HostNetwork {
                    ssid: network.ssid,
                    passphrase: network.key,
                    // The device is behind a port of this host.
                    address: Some(Ipv4Addr::LOCALHOST),
                }));
            Ok(())
        }
        .boxed()
    }
}

/// An address of the loopback that is this rig's alone.
fn own_loopback() -> Ipv4Addr {
    let [a, b, c, _] = std::process::id().to_le_bytes();
    Ipv4Addr::new(127, 64 | c, b, a.clamp(2, 254))
}

/// Where a broker and a time server can listen that are started later: on ports that no system gives to whoever asks
/// for any (those of Linux begin at 32768).
fn free_ports() -> std::io::Result<(SocketAddr, u16)> {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 20_000;
    let mut result = Err(std::io::ErrorKind::AddrInUse.into());
    for port in
        (0..PORTS).map(|n| FIRST + (std::process::id().wrapping_mul(7).wrapping_add(n)) % PORTS)
    {
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap_or_default()));
        result = TcpListener::bind(own)
            .and_then(|_| UdpSocket::bind(own))
            .map(|_| (own, own.port()));
        if result.is_ok() {
            break;
        }
    }
    result
}
