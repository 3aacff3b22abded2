//! What stands on the LAN of the access point: a router with a DHCP server.

use std::net::Ipv4Addr;

use device::apart::apart;
use edge_dhcp::server::{Server, ServerOptions};
use edge_dhcp::{Options, Packet};
use embassy_futures::join::join;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Config, Ipv4Cidr, Stack, StackResources, StaticConfigV4};
use embassy_time::Instant;

use crate::hub::{Hub, Plug};

pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 1);

/// A network stack on this plug.
pub fn stack(plug: Plug, config: Config) -> (Stack<'static>, embassy_net::Runner<'static, Plug>) {
    let resources = Box::leak(Box::new(StackResources::<8>::new()));
    embassy_net::new(plug, config, resources, 4711)
}

/// Serves the LAN for ever.
pub async fn route(lan: &Hub) {
    let plug = lan.plug([2, 0, 0, 0, 0x43, 1]);
    plug.set_link(true);
    let (stack, mut runner) = stack(
        plug,
        Config::ipv4_static(StaticConfigV4 {
            address: Ipv4Cidr::new(ROUTER, 24),
            gateway: None,
            dns_servers: Default::default(),
        }),
    );
    join(apart(runner.run()), apart(give_addresses(stack))).await;
}

async fn give_addresses(stack: Stack<'static>) {
    let (mut receive_meta, mut send_meta) =
        ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
    let (mut receive, mut send) = ([0; 2048], [0; 2048]);
    let mut socket = UdpSocket::new(
        stack,
        &mut receive_meta,
        &mut receive,
        &mut send_meta,
        &mut send,
    );
    socket.bind(67).unwrap();
    let mut server = Server::<_, 8>::new(|| Instant::now().as_secs(), ROUTER);
    let mut gateway = [ROUTER];
    let options = ServerOptions::new(ROUTER, Some(&mut gateway));
    let (mut message, mut reply) = ([0; 600], [0; 600]);
    loop {
        let (length, _) = socket.recv_from(&mut message).await.unwrap();
        let Ok(request) = Packet::decode(&message[..length]) else {
            continue;
        };
        let mut buffer = Options::buf();
        let Some(answer) = server.handle_request(&mut buffer, &options, &request) else {
            continue;
        };
        let bytes = answer.encode(&mut reply).unwrap();
        let to = (Ipv4Addr::BROADCAST, 68);
        socket.send_to(bytes, to).await.unwrap();
    }
}
