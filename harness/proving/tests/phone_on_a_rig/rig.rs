//! A rig whose parts are ours: the commands of its file, its radios and its UARTs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use board::Board;
use clock::Clock;
use factory::Factory;
use lab::air::{AccessPointSettings, Air, ForwardTarget, Protocol};
use lab::bluetooth::{BluezPhone, BluezStandIn, Ether};
use lab::native::{NativeBoard, NativeSettings};
use lab::network_manager::{HostNetwork, HostWifiSwitched, NetworkManagerStandIn};
use lab::private_bus;
use lab::wire::{LabEnd, Wire};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::mpsc as queue;
use tokio::sync::oneshot;
use tokio_serial::{SerialPort, SerialStream};
use trace::{Level, LogLine, Trace};

/// Of the access point `home`.
pub const PASSPHRASE: &str = "correct horse battery";
/// What the device is called here.
const DEVICE: &str = "imitated";
/// Where boards of this rig find the broker.
const BROKER: &str = "lab.example";
/// CoAP (RFC 7252 §6.1).
const COAP: u16 = 5683;
/// How often to look for what the rig's commands want.
const LOOK: Duration = Duration::from_millis(10);

/// Where the board has its console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uart {
    /// On a UART of its own.
    Console,
    /// Where its log is.
    Log,
}

/// The rig; gone when dropped.
pub struct ImitatedRig {
    folder: TempDir,
    bus: String,
    shown: Arc<Shown>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What tests see of it.
#[derive(Default)]
struct Shown {
    connected_to: Mutex<Option<String>>,
    wifi_switches: AtomicUsize,
}

impl ImitatedRig {
    /// A rig with a board `dut`; `more` stands at the end of its file.
    pub fn start(uart: Uart, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = folder.path().join("runtime");
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        script(folder.path(), "burn", "cp \"$1\" factory.bin");
        let power = "rm -f done\necho \"$1\" > wanted.new\nmv wanted.new wanted\n\
                     while [ ! -e done ]; do sleep 0.02; done";
        script(folder.path(), "power", power);
        static RIGS: AtomicUsize = AtomicUsize::new(0);
        let number = RIGS.fetch_add(1, Ordering::Relaxed);
        let bus = format!("unix:abstract=imitated-rig-{}-{number}", std::process::id());
        private_bus::start(&bus).unwrap();
        let shown = Arc::<Shown>::default();
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (broker, time) = free_ports();
        let [a, b, ..] = std::process::id().to_le_bytes();
        let parts = Parts {
            lan: Ipv4Addr::new(127, b | 1, a, 2 + u8::try_from(number).unwrap()),
            services: [(broker, Protocol::Tcp), (time, Protocol::Udp)],
            folder: folder.path().to_owned(),
            bus: bus.clone(),
            uart,
            shown: shown.clone(),
        };
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = parts.stand(ready) => {}
                    _ = stopped => {}
                }
            });
        });
        let (port, url) = started.recv().unwrap();
        let console = match uart {
            Uart::Console => "socket:console",
            Uart::Log => "log",
        };
        let rig = format!(
            "[boards.dut]\nkind = \"serial\"\nport = \"{port}\"\nlog = \"esp-idf\"\n\
             console = \"{console}\"\nfactory = {{ command = [\"./burn\", \"{{file}}\"] }}\n\
             label = {{ url = \"{url}\" }}\n\
             [power.dut]\non = [\"./power\", \"on\"]\noff = [\"./power\", \"off\"]\nsettle_ms = 0\n\
             [access_points.home]\nssid = \"lab\"\npassphrase = \"env:HOME_PASSPHRASE\"\n\
             [broker]\nbind = \"127.0.0.1\"\nport = {broker}\ntime_port = {time}\n\
             names = [\"{BROKER}\"]\n{more}"
        );
        fs::write(folder.path().join("rig.toml"), rig).unwrap();
        Self {
            folder,
            bus,
            shown,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address of its system bus.
    pub fn bus(&self) -> &str {
        &self.bus
    }

    /// The network that its Wi-Fi interface is in.
    pub fn connected_to(&self) -> Option<String> {
        self.shown.connected_to.lock().unwrap().clone()
    }

    /// How often that has changed.
    pub fn wifi_switches(&self) -> usize {
        self.shown.wifi_switches.load(Ordering::Relaxed)
    }

    /// Takes the board's power, as the rig's command does.
    pub fn power_off(&self) {
        let mut off = std::process::Command::new("./power");
        let off = off.arg("off").current_dir(self.folder());
        assert!(off.status().unwrap().success());
    }
}

impl Drop for ImitatedRig {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// What the rig's thread is made from.
struct Parts {
    /// Where the device is on the LAN, which is this host's loopback.
    lan: Ipv4Addr,
    /// Ports of broker and time server.
    services: [(u16, Protocol); 2],
    folder: PathBuf,
    bus: String,
    uart: Uart,
    shown: Arc<Shown>,
}

impl Parts {
    /// Stands there for ever.
    async fn stand(self, ready: mpsc::Sender<(String, String)>) {
        let clock = Clock::start(1.0);
        let trace = Trace::in_memory(clock.clone());
        let air = Air::new(trace.clone());
        air.add_access_point(
            "home",
            AccessPointSettings {
                ssid: b"lab".to_vec(),
                passphrase: PASSPHRASE.to_owned(),
                ..AccessPointSettings::default()
            },
        );
        for (port, protocol) in self.services {
            air.publish(BROKER, port, protocol, (Ipv4Addr::LOCALHOST, port).into());
        }
        let lan = self.lan;
        let station = ForwardTarget::Station {
            device: DEVICE.to_owned(),
        };
        let coap = SocketAddr::from((lan, COAP));
        air.forward_udp(coap, station, COAP).await.unwrap();
        let ether = Ether::new(trace.clone());
        let phones = [BluezPhone {
            name: "host".to_owned(),
            address: [0x06, 0x50, 0, 0, 0, 1],
        }];
        let bluez = BluezStandIn::start(&ether, &clock, &self.bus, &phones);
        let _bluez = bluez.await.unwrap();
        let soft_ap = ForwardTarget::SoftAp {
            device: DEVICE.to_owned(),
        };
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let forwarded = air.forward(any, soft_ap, 80).await.unwrap();
        let (mut uart, board_side) = SerialStream::pair().unwrap();
        let port = board_side.name().unwrap();
        let console = UnixListener::bind(self.folder.join("console")).unwrap();
        let (printed, mut prints) = queue::unbounded_channel::<Vec<u8>>();
        let (typed, mut types) = queue::unbounded_channel::<Vec<u8>>();
        ready.send((port, format!("http://{forwarded}"))).unwrap();
        let on_the_log = self.uart == Uart::Log;
        let (to_console, mut of_console) = queue::unbounded_channel::<Vec<u8>>();
        let log_prints = printed.clone();
        let printing = async {
            let mut next = 0;
            loop {
                trace.longer_than(next).await;
                for event in trace.events_from(next) {
                    next += 1;
                    self.see(event.payload::<HostWifiSwitched>());
                    if let Some(line) = event.payload::<LogLine>() {
                        log_prints.send(as_esp_idf(&line, lan)).unwrap();
                    }
                }
            }
        };
        // What the board prints goes to its UART, and what is typed there to the board.
        let wiring = async {
            let mut bytes = [0; 1024];
            loop {
                tokio::select! {
                    Some(line) = prints.recv() => uart.write_all(&line).await.unwrap(),
                    read = uart.read(&mut bytes) => {
                        if on_the_log && let Ok(length) = read {
                            typed.send(bytes[..length].to_vec()).unwrap();
                        }
                    }
                }
            }
        };
        let second = serve(console, &mut of_console, typed.clone());
        let power = async {
            let mut running: Option<Running> = None;
            let mut host: Option<(String, NetworkManagerStandIn)> = None;
            loop {
                self.show(host.as_ref().map(|(_, host)| host));
                if let Ok(wanted) = fs::read_to_string(self.folder.join("wanted")) {
                    fs::remove_file(self.folder.join("wanted")).unwrap();
                    if let Some(mut running) = running.take() {
                        running.board.power_off().await.unwrap();
                    }
                    // A board gets power first when its factory data are written.
                    let image = fs::read(self.folder.join("factory.bin")).ok();
                    if let (Some(image), "on") = (image, wanted.trim()) {
                        let mac = Factory::decode(&image).unwrap().identity.mac;
                        let name = format!("PROV_{:02X}{:02X}{:02X}", mac[3], mac[4], mac[5]);
                        if host.as_ref().is_none_or(|(known, _)| *known != name) {
                            let heard = self.host(&trace, &name).await;
                            host = Some((name, heard));
                        }
                        running = Some(self.run(&trace, &air, &ether, mac, &image).await);
                    }
                    fs::write(self.folder.join("done"), "").unwrap();
                }
                let Some(running) = &mut running else {
                    clock.sleep(LOOK).await;
                    continue;
                };
                let mut bytes = [0; 1024];
                tokio::select! {
                    () = clock.sleep(LOOK) => {}
                    read = running.console.read(&mut bytes) => {
                        let bytes = bytes[..read.unwrap()].to_vec();
                        let to = if on_the_log { &printed } else { &to_console };
                        to.send(bytes).unwrap();
                    }
                    Some(bytes) = types.recv() => running.console.write_all(&bytes).await.unwrap(),
                }
            }
        };
        tokio::join!(printing, wiring, second, power);
    }

    fn see(&self, switched: Option<HostWifiSwitched>) {
        if switched.is_some() {
            self.shown.wifi_switches.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn show(&self, host: Option<&NetworkManagerStandIn>) {
        let connected_to = host.and_then(NetworkManagerStandIn::connected_to);
        *self.shown.connected_to.lock().unwrap() = connected_to;
    }

    /// A host whose Wi-Fi hears the device.
    async fn host(&self, trace: &Trace, device: &str) -> NetworkManagerStandIn {
        let network = |ssid: &str, passphrase: Option<&str>| HostNetwork {
            ssid: ssid.to_owned(),
            passphrase: passphrase.map(str::to_owned),
            // The device is behind a port of this host.
            address: Some(Ipv4Addr::LOCALHOST),
        };
        let networks = [
            network("office", Some("another one")),
            network(device, None),
        ];
        let host = NetworkManagerStandIn::start(trace, &self.bus, "wlan1", &networks);
        host.await.unwrap()
    }

    async fn run(
        &self,
        trace: &Trace,
        air: &Air,
        ether: &Ether,
        mac: [u8; 6],
        image: &[u8],
    ) -> Running {
        let settings = NativeSettings {
            device: DEVICE.to_owned(),
            folder: self.folder.join("board"),
            executable: env!("CARGO_BIN_EXE_proving").into(),
            arguments: vec!["__device".into()],
        };
        fs::create_dir_all(&settings.folder).unwrap();
        let (hci, radio) = Wire::pair(trace.clock());
        let mut address = mac;
        address[5] = address[5].wrapping_add(2);
        ether.attach(DEVICE, address, radio);
        let (uart, console) = Wire::pair(trace.clock());
        let board = NativeBoard::new(settings, trace.clone(), air.attach(DEVICE));
        let mut board = board.with_hci(hci).with_console(uart);
        board.write_factory(image).await.unwrap();
        board.erase_storage().await.unwrap();
        board.power_on().await.unwrap();
        Running { board, console }
    }
}

/// A board that has power.
struct Running {
    board: NativeBoard,
    console: LabEnd,
}

/// Lets one client after the other use the second UART.
async fn serve(
    server: UnixListener,
    printed: &mut queue::UnboundedReceiver<Vec<u8>>,
    typed: queue::UnboundedSender<Vec<u8>>,
) {
    loop {
        let (mut client, _) = server.accept().await.unwrap();
        let mut bytes = [0; 1024];
        loop {
            tokio::select! {
                Some(printed) = printed.recv() => {
                    if client.write_all(&printed).await.is_err() {
                        break;
                    }
                }
                read = client.read(&mut bytes) => match read {
                    Ok(length @ 1..) => typed.send(bytes[..length].to_vec()).unwrap(),
                    _ => break,
                },
            }
        }
    }
}

/// A line as ESP-IDF writes it, with the device's address on the LAN of this rig.
fn as_esp_idf(line: &LogLine, lan: Ipv4Addr) -> Vec<u8> {
    let letter = match line.level {
        Level::Error => 'E',
        Level::Warn => 'W',
        Level::Info => 'I',
        Level::Debug => 'D',
        Level::Trace => 'V',
    };
    let ms = line.device_ms.unwrap_or_default();
    let text = match line.text.strip_prefix("sta ip: ") {
        Some(rest) => {
            let (_, rest) = rest.split_once(',').unwrap();
            format!("sta ip: {lan},{rest}")
        }
        None => line.text.clone(),
    };
    format!("{letter} ({ms}) {}: {text}\r\n", line.tag).into_bytes()
}

fn free_ports() -> (u16, u16) {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let tcp = TcpListener::bind(any).unwrap().local_addr().unwrap();
    let udp = UdpSocket::bind(any).unwrap().local_addr().unwrap();
    (tcp.port(), udp.port())
}

/// A script in `folder` that can be started.
fn script(folder: &Path, name: &str, body: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\nset -eu\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}
