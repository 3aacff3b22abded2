//! The rig for a machine of its own: everything that leads out of the lab is a Unix socket, at which a
//! virtual machine has a real BlueZ, NetworkManager, hostapd and serial port.
//!
//! | in the folder | what it carries |
//! |---|---|
//! | `uart.sock` | the bytes of the device's UART, log and console |
//! | `hci.sock` | H4 packets of a Bluetooth controller, one for each connection |
//! | `lan.sock` | frames of the Ethernet that every access point is bridged with |
//! | `softap.sock` | frames of the device's own network |
//! | `radio.json` | what the device's own network is called at this moment: `{"soft_ap": null}`, or its `ssid`, `key` and `channel` |
//!
//! Each frame has its length before it, in four bytes, most significant first. On the LAN the machine
//! has DHCP and names; [`BROKER`] is its address there.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lab::air::Ethernet;
use serde_json::json;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::described::Described;
use super::ends::{Opened, Radios};
use super::folder::Folder;
use super::soft_ap::SoftAp;
use super::uart::{self, LogForm};
use super::{DEVICE, Stage, UpError};

/// Where broker and time server listen on the machine: its address on the LAN, and their usual ports.
const BROKER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2)), 8883);
const TIME_PORT: u16 = 123;
/// The machine's serial port, adapter, Wi-Fi interface and interface on the LAN.
const PORT: &str = "/dev/ttyS1";
const ADAPTER: &str = "hci0";
const WIFI: &str = "wlan1";
const LAN: &str = "lan0";

/// The sockets of the LAN and of the device's own network, before the rig stands.
pub struct Sockets {
    lan: Ethernet,
    soft_ap: Ethernet,
}

/// Tells the machine of the device's own network.
struct Told {
    file: PathBuf,
    _tasks: JoinSet<()>,
}

impl Sockets {
    /// Makes the sockets that carry frames.
    pub fn bind(stage: &Stage, folder: &Folder) -> Result<Self, UpError> {
        let ethernet = |path: &Path| {
            let listener = UnixListener::bind(path).map_err(failed("listen at", path))?;
            Ok::<_, UpError>(stage.air.open_ethernet(listener))
        };
        Ok(Self {
            lan: ethernet(&folder.lan())?,
            soft_ap: ethernet(&folder.soft_ap())?,
        })
    }

    /// The Ethernet behind the access points.
    pub fn lan(&self) -> &Ethernet {
        &self.lan
    }

    /// Opens the ends of the rig.
    pub fn open(
        &self,
        stage: &Stage,
        without: &[String],
        folder: &Folder,
    ) -> Result<Opened, UpError> {
        let mut tasks = JoinSet::new();
        let path = folder.uart_socket();
        let line = uart::socket(&path, &mut tasks).map_err(failed("listen at", &path))?;
        let path = folder.hci();
        let hci = UnixListener::bind(&path).map_err(failed("listen at", &path))?;
        stage.ether.open_socket(hci);
        stage.air.bridge_soft_ap(DEVICE, &self.soft_ap);
        let told = Told {
            file: folder.radio(),
            _tasks: tasks,
        };
        told.tell(None)?;
        let described = Described {
            port: PORT.to_owned(),
            console: "log".to_owned(),
            url: None,
            phone: vec![
                ("bluetooth", ADAPTER.to_owned()),
                ("wifi", WIFI.to_owned()),
                ("lan", LAN.to_owned()),
            ],
            broker: BROKER,
            time_port: TIME_PORT,
            dbus: None,
            log: LogForm {
                lan: None,
                without: without.to_vec(),
            },
            is_bridged: true,
        };
        Ok(Opened {
            uart: line,
            console: None,
            described,
            radios: Box::new(told),
        })
    }
}

impl Told {
    fn tell(&self, network: Option<&SoftAp>) -> Result<(), UpError> {
        let soft_ap = network.map(|network| {
            json!({ "ssid": network.ssid, "key": network.key, "channel": network.channel })
        });
        let unfinished = self.file.with_extension("json.new");
        fs::write(&unfinished, format!("{}\n", json!({ "soft_ap": soft_ap })))
            .and_then(|()| fs::rename(&unfinished, &self.file))
            .map_err(failed("write", &self.file))
    }
}

impl Radios for Told {
    fn soft_ap(&mut self, network: Option<SoftAp>) -> BoxFuture<'_, Result<(), UpError>> {
        async move { self.tell(network.as_ref()) }.boxed()
    }
}

fn failed<'p>(what: &'p str, path: &'p Path) -> impl Fn(std::io::Error) -> UpError + 'p {
    move |source| UpError::Io {
        what: format!("{what} {}", path.display()),
        source,
    }
}
