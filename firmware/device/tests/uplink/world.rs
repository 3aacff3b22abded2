//! The device's way to the cloud, and all that stands on its LAN.

use std::cell::Cell;
use std::net::Ipv4Addr;

use device::apart::apart;
use device::board::WallClock;
use device::handover::Handover;
use device::uplink::{self, Uplink};
use embassy_futures::join::join5;
use embassy_futures::select::{Either, select};
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Config, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use factory::{Cloud, Credentials, Factory, Linkkit, LinkkitProfile, Sntp, Telemetry};
use rand_core::RngCore;

use crate::broker::Broker;
use crate::hub::{Hub, Plug};
use crate::log;
use crate::phone::Phone;
use crate::tls::FakeTls;

pub const DEVICE: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 20);
pub const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 1);
const PHONE: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 30);
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 9);
/// What the time server says.
pub const UNIX_S: u64 = 1_795_323_720;

#[derive(Default)]
pub struct Calendar(Cell<Option<u64>>);

impl WallClock for Calendar {
    fn now(&self) -> Option<u64> {
        self.0.get().map(|us| us / 1_000_000)
    }

    fn set(&self, unix_us: u64) {
        self.0.set(Some(unix_us));
    }
}

/// Numbers that look random and are the same in each run.
#[derive(Clone)]
struct Xorshift(u64);

impl RngCore for Xorshift {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next_u64() as u8);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

pub struct World {
    pub factory: Factory,
    /// Where provisioning would leave a phone's binding token.
    pub handover: Handover,
    pub tls: FakeTls,
    pub calendar: Calendar,
    pub broker: Broker,
    /// Requests that the time server leaves unanswered.
    pub lost_requests: Cell<u32>,
    lan: Hub,
    device: Plug,
    #[cfg(feature = "bugs")]
    _alone: std::sync::MutexGuard<'static, ()>,
}

/// Bugs are put into the whole process, so no other test may run a device meanwhile.
#[cfg(feature = "bugs")]
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

impl World {
    /// A device with everything but binding.
    pub fn new() -> Self {
        log::capture();
        let factory = Factory {
            sntp: Some(Sntp {
                host: SERVER.to_string(),
                port: 123,
                timeout_ms: 1_000,
                retry_ms: 2_000,
            }),
            cloud: Some(Cloud {
                host: SERVER.to_string(),
                port: 1883,
                tls: true,
                authority: vec![1, 2, 3],
                credentials: Some(Credentials {
                    chain: vec![vec![4, 5, 6]],
                    key: vec![7, 8, 9],
                }),
                check_dates: true,
                check_name: true,
                client_id: "device-1".into(),
                username: "user".into(),
                password: "secret".into(),
                keep_alive_s: 120,
                network_timeout_ms: 10_000,
                reconnect_ms: 1_000,
                reconnect_max_ms: 5_000,
            }),
            telemetry: Some(Telemetry {
                topic: "v1/devices/me/telemetry".into(),
                payload: r#"{"temperature":25}"#.into(),
                qos: 1,
                every_ms: 0,
            }),
            ..Factory::default()
        };
        let lan = Hub::default();
        let device = lan.plug([0x24, 0x0A, 0xC4, 0x0A, 0xBC, 0x01]);
        device.set_link(true);
        Self {
            factory,
            handover: Handover::default(),
            tls: FakeTls::default(),
            calendar: Calendar::default(),
            broker: Broker::default(),
            lost_requests: Cell::new(0),
            lan,
            device,
            #[cfg(feature = "bugs")]
            _alone: {
                // A test that has failed leaves nothing behind that matters.
                let alone = ALONE.lock().unwrap_or_else(|failed| failed.into_inner());
                device::bugs::put_in([]).expect("no names");
                alone
            },
        }
    }

    /// A device that can be bound.
    pub fn with_binding() -> Self {
        let mut world = Self::new();
        world.factory.linkkit = Some(Linkkit {
            product_key: "a1GQc8iJOWI".into(),
            device_name: "test01".into(),
            device_secret: "AbCdEf0123456789AbCdEf0123456789".into(),
            profile: LinkkitProfile::seed_2019(),
        });
        world
    }

    /// Puts a defect into the device.
    #[cfg(feature = "bugs")]
    pub fn put_in(&self, bug: device::bugs::Bug) {
        device::bugs::put_in([bug.name()]).expect("it has this name");
    }

    pub fn cloud(&mut self) -> &mut Cloud {
        self.factory.cloud.as_mut().expect("new makes one")
    }

    /// Takes the network away, or gives it back.
    pub fn set_link(&self, up: bool) {
        self.device.set_link(up);
    }

    /// Plays a scenario while the device is on.
    pub async fn powered<T>(&self, scenario: impl AsyncFnOnce(&Phone) -> T) -> T {
        let (device, mut device_runner) = stack(self.device.clone(), DEVICE);
        let (server, mut server_runner) = self.neighbour(1, SERVER);
        let (phone, mut phone_runner) = self.neighbour(2, PHONE);
        let uplink = uplink::run(Uplink {
            stack: device,
            tls: &self.tls,
            random: Xorshift(4711),
            wall_clock: &self.calendar,
            factory: &self.factory,
            handover: &self.handover,
        });
        let others = join5(
            apart(device_runner.run()),
            apart(server_runner.run()),
            apart(phone_runner.run()),
            apart(self.broker.serve(server)),
            apart(self.tell_time(server)),
        );
        let phone = Phone::new(phone);
        let background = select(others, apart(uplink));
        match select(background, apart(scenario(&phone))).await {
            Either::First(_) => panic!("the background ended"),
            Either::Second(result) => result,
        }
    }

    /// A phone asks all devices for a token, and is gone before ARP finds it.
    pub async fn ask_and_vanish(&self) {
        let (stack, mut runner) = self.neighbour(3, STRANGER);
        let mut phone = Phone::new(stack);
        let ask = async {
            phone.query(Ipv4Addr::BROADCAST, 0x54).await;
            phone.flush().await;
        };
        select(runner.run(), ask).await;
    }

    fn neighbour(&self, number: u8, address: Ipv4Addr) -> (Stack<'static>, Runner<'static, Plug>) {
        let plug = self.lan.plug([2, 0, 0, 0, 0, number]);
        plug.set_link(true);
        stack(plug, address)
    }

    async fn tell_time(&self, stack: Stack<'static>) {
        let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
        let (mut rx, mut tx) = ([0; 512], [0; 512]);
        let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
        socket.bind(123).unwrap();
        loop {
            let mut packet = [0; 48];
            let (len, from) = socket.recv_from(&mut packet).await.unwrap();
            assert_eq!((len, packet[0]), (48, 0x23));
            if self.lost_requests.get() > 0 {
                self.lost_requests.set(self.lost_requests.get() - 1);
                continue;
            }
            let time = (UNIX_S + 2_208_988_800) << 32;
            packet.copy_within(40..48, 24);
            packet[..2].copy_from_slice(&[0x24, 2]);
            packet[32..40].copy_from_slice(&time.to_be_bytes());
            packet[40..48].copy_from_slice(&time.to_be_bytes());
            socket.send_to(&packet, from.endpoint).await.unwrap();
        }
    }
}

fn stack(plug: Plug, address: Ipv4Addr) -> (Stack<'static>, Runner<'static, Plug>) {
    let resources = Box::leak(Box::new(StackResources::<12>::new()));
    let config = Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(address, 24),
        gateway: Some(SERVER),
        dns_servers: Default::default(),
    });
    embassy_net::new(plug, config, resources, 4711)
}
