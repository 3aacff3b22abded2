//! A device made of smoltcp and a link, driven by the test itself.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use airlink::{Mode, Notice, Packet, Port, Request};
use clock::Clock;
use lab::air::RadioLink;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::socket::{dhcpv4, tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{
    DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress, HardwareAddress, IpCidr, Ipv4Cidr,
};

use crate::world::World;

pub const SOFT_AP: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);
const LONGEST: Duration = Duration::from_secs(120);

/// One interface of the device and its stack.
pub struct Side {
    port: Port,
    pub interface: Interface,
    pub sockets: SocketSet<'static>,
    wire: Wire,
    dhcp_client: Option<SocketHandle>,
    dhcp_server: Option<SocketHandle>,
}

pub struct FakeDevice {
    clock: Clock,
    pub link: RadioLink,
    pub station: Side,
    pub soft_ap: Side,
    pub notices: VecDeque<Notice>,
}

impl FakeDevice {
    /// A device with power, whose radio is off.
    pub fn new(world: &World, name: &str, number: u8) -> Self {
        let link = world.air.attach(name);
        link.power_on();
        Self {
            clock: world.clock.clone(),
            link,
            station: Side::new(Port::Station, [2, 0xDE, 0, 0, 0, number]),
            soft_ap: Side::new(Port::SoftAp, [2, 0xDE, 0, 0, 1, number]),
            notices: VecDeque::new(),
        }
    }

    pub fn ask(&self, request: Request) {
        self.link
            .from_device(&airlink::encode_request(&request).encode());
    }

    /// Starts as station and asks to join; the notice that answers.
    pub async fn join(&mut self, ssid: &str, passphrase: &str) -> Notice {
        self.ask(Request::SetMode(Mode::Both));
        self.ask(Request::Join {
            ssid: ssid.into(),
            passphrase: passphrase.into(),
        });
        self.notice().await
    }

    /// Starts an open SoftAP with a DHCP server.
    pub fn start_soft_ap(&mut self, ssid: &str, passphrase: &str) {
        self.ask(Request::SetMode(Mode::Both));
        self.ask(Request::StartSoftAp {
            ssid: ssid.into(),
            passphrase: passphrase.into(),
            channel: 1,
            max_stations: 2,
        });
        self.soft_ap.set_address(SOFT_AP, None);
        if self.soft_ap.dhcp_server.is_none() {
            self.soft_ap.dhcp_server = Some(self.soft_ap.bind_udp(67));
        }
    }

    /// The next notice.
    pub async fn notice(&mut self) -> Notice {
        self.until("a notice", |device| device.notices.pop_front())
            .await
    }

    /// Gets an address on the access point's network.
    pub async fn lease(&mut self) -> Ipv4Addr {
        if self.station.dhcp_client.is_none() {
            let client = self.station.sockets.add(dhcpv4::Socket::new());
            self.station.dhcp_client = Some(client);
        }
        self.until("a lease", |device| device.station.interface.ipv4_addr())
            .await
    }

    /// The answer to a datagram that the station sends.
    pub async fn ask_udp(&mut self, bytes: &[u8], to: SocketAddrV4) -> Vec<u8> {
        let handle = self.station.bind_udp(5353);
        let socket = self.station.sockets.get_mut::<udp::Socket<'_>>(handle);
        socket.send_slice(bytes, to).expect("room");
        let answer = self
            .until("an answer", |device| device.station.udp_received(handle))
            .await;
        self.station.sockets.remove(handle);
        answer
    }

    /// Runs the device until `done` finds what it looks for.
    pub async fn until<R>(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> Option<R>,
    ) -> R {
        let deadline = self.clock.now() + LONGEST;
        loop {
            let wait = self.turn();
            if let Some(result) = done(self) {
                self.turn();
                return result;
            }
            assert!(self.clock.now() < deadline, "never came: {what}");
            self.wait(wait).await;
        }
    }

    /// Runs the device while `future` lasts.
    pub async fn during<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        loop {
            let wait = self.turn();
            tokio::select! {
                output = &mut future => return output,
                () = self.wait(wait) => {}
            }
        }
    }

    /// Runs the device for a while.
    pub async fn idle(&mut self, duration: Duration) {
        let sleep = self.clock.sleep(duration);
        self.during(sleep).await;
    }

    async fn wait(&mut self, wait: Duration) {
        tokio::select! {
            bytes = self.link.to_device() => self.take(&bytes),
            () = self.clock.sleep(wait) => {}
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let packet = Packet::decode(bytes).expect("a packet from the air");
        if packet.is_control() {
            let notice = airlink::decode_notice(&packet).expect("a notice from the air");
            self.notices.push_back(notice);
        } else if packet.port == Port::Station {
            self.station.wire.received.push_back(packet.frame);
        } else {
            self.soft_ap.wire.received.push_back(packet.frame);
        }
    }

    fn turn(&mut self) -> Duration {
        let now = self.clock.now().as_micros();
        let now = Instant::from_micros(i64::try_from(now).expect("a short run"));
        let waits = [&mut self.station, &mut self.soft_ap].map(|side| side.turn(now, &self.link));
        waits
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(Duration::from_secs(1))
            .clamp(Duration::from_millis(1), Duration::from_secs(1))
    }
}

impl Side {
    fn new(port: Port, mac: [u8; 6]) -> Self {
        let mut wire = Wire::default();
        let config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac)));
        Self {
            port,
            interface: Interface::new(config, &mut wire, Instant::ZERO),
            sockets: SocketSet::new(Vec::new()),
            wire,
            dhcp_client: None,
            dhcp_server: None,
        }
    }

    pub fn set_address(&mut self, address: Ipv4Addr, router: Option<Ipv4Addr>) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            addresses
                .push(IpCidr::Ipv4(Ipv4Cidr::new(address, 24)))
                .expect("room for one");
        });
        if let Some(router) = router {
            self.interface
                .routes_mut()
                .add_default_ipv4_route(router)
                .expect("room for one");
        }
    }

    pub fn bind_udp(&mut self, port: u16) -> SocketHandle {
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 8192]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).expect("a free port");
        self.sockets.add(socket)
    }

    pub fn udp_received(&mut self, handle: SocketHandle) -> Option<Vec<u8>> {
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(handle);
        socket.recv().ok().map(|(bytes, _)| bytes.to_vec())
    }

    pub fn listen(&mut self, port: u16) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 8192]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.listen(port).expect("a closed socket");
        self.sockets.add(socket)
    }

    pub fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    fn turn(&mut self, now: Instant, link: &RadioLink) -> Option<Duration> {
        self.interface.poll(now, &mut self.wire, &mut self.sockets);
        self.follow_dhcp();
        self.serve_dhcp();
        self.interface.poll(now, &mut self.wire, &mut self.sockets);
        for frame in std::mem::take(&mut self.wire.sent) {
            let packet = Packet {
                port: self.port,
                frame,
            };
            link.from_device(&packet.encode());
        }
        self.interface
            .poll_delay(now, &self.sockets)
            .map(Into::into)
    }

    fn follow_dhcp(&mut self) {
        let Some(client) = self.dhcp_client else {
            return;
        };
        let event = self.sockets.get_mut::<dhcpv4::Socket<'_>>(client).poll();
        if let Some(dhcpv4::Event::Configured(config)) = event {
            let (address, router) = (config.address.address(), config.router);
            self.set_address(address, router);
        }
    }

    fn serve_dhcp(&mut self) {
        let Some(server) = self.dhcp_server else {
            return;
        };
        while let Some(message) = self.udp_received(server) {
            let packet = DhcpPacket::new_checked(&message[..]).expect("a DHCP message");
            let mut reply = DhcpRepr::parse(&packet).expect("a DHCP message");
            reply.message_type = match reply.message_type {
                DhcpMessageType::Discover => DhcpMessageType::Offer,
                DhcpMessageType::Request => DhcpMessageType::Ack,
                _ => continue,
            };
            // The last byte of the station's hardware address is its number.
            let host = reply.client_hardware_address.0[5];
            reply.your_ip = Ipv4Addr::new(192, 168, 4, host + 1);
            reply.server_identifier = Some(SOFT_AP);
            reply.subnet_mask = Some(Ipv4Addr::new(255, 255, 255, 0));
            reply.lease_duration = Some(3600);
            reply.requested_ip = None;
            reply.client_identifier = None;
            reply.parameter_request_list = None;
            reply.max_size = None;
            let mut bytes = vec![0; reply.buffer_len()];
            reply
                .emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]))
                .expect("it fits");
            let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, 68);
            let socket = self.sockets.get_mut::<udp::Socket<'_>>(server);
            socket.send_slice(&bytes, to).expect("room");
        }
    }
}

#[derive(Default)]
struct Wire {
    received: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Received(Vec<u8>);

struct Sending<'w>(&'w mut Vec<Vec<u8>>);

impl phy::Device for Wire {
    type RxToken<'w> = Received;
    type TxToken<'w> = Sending<'w>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Received(frame), Sending(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = airlink::MAX_FRAME;
        capabilities
    }
}

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl phy::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let result = write(&mut frame);
        self.0.push(frame);
        result
    }
}
