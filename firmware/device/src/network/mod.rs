//! The two network stacks, station and SoftAP.

mod guard;

use alloc::boxed::Box;
use core::net::Ipv4Addr;

use embassy_net::udp::UdpSocket;
use embassy_net::{Config, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_net_driver::Driver;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, with_timeout};
use rand_core::RngCore;

pub(crate) use self::guard::AddressGuard;
use self::guard::Guarded;

/// Address of the SoftAP (ESP-IDF's default).
pub(crate) const SOFT_AP_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);
/// Prefix length of the SoftAP's network.
pub(crate) const SOFT_AP_PREFIX: u8 = 24;

/// Sockets of the station: clock, MQTT, CoAP, DHCP, DNS, ten of the web server's, and room.
const STATION_SOCKETS: usize = 22;
/// Sockets of the SoftAP: HTTP, DHCP, DNS, and room.
const SOFT_AP_SOCKETS: usize = 8;

/// How long a datagram may wait for the network, for instance for an ARP reply.
const SEND_LIMIT: Duration = Duration::from_secs(3);

/// The station's stack, without an address until [`crate::station`] lets it ask for one.
pub(crate) fn station<D: Driver>(
    driver: D,
    random: &mut impl RngCore,
) -> (
    Stack<'static>,
    Runner<'static, Guarded<D>>,
    &'static AddressGuard,
) {
    // The stack lives as long as the firmware, so its memory is never given back.
    let resources = Box::leak(Box::new(StackResources::<STATION_SOCKETS>::new()));
    let guard = Box::leak(Box::new(AddressGuard::new(&driver)));
    let driver = Guarded::new(driver, guard);
    let (stack, runner) = embassy_net::new(driver, Config::default(), resources, random.next_u64());
    (stack, runner, guard)
}

/// The SoftAP's stack, at [`SOFT_AP_ADDRESS`].
pub(crate) fn soft_ap<D: Driver>(
    driver: D,
    random: &mut impl RngCore,
) -> (Stack<'static>, Runner<'static, D>) {
    let resources = Box::leak(Box::new(StackResources::<SOFT_AP_SOCKETS>::new()));
    let config = Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(SOFT_AP_ADDRESS, SOFT_AP_PREFIX),
        gateway: None,
        dns_servers: Default::default(),
    });
    embassy_net::new(driver, config, resources, random.next_u64())
}

/// Sends a datagram from a socket that is bound to `port`, and says whether it went out.
///
/// To a host that does not answer ARP it never does, and the stack would keep it, and all others
/// behind it, for ever; so the socket is emptied after [`SEND_LIMIT`].
pub(crate) async fn send(
    socket: &mut UdpSocket<'_>,
    port: u16,
    bytes: &[u8],
    to: (Ipv4Addr, u16),
) -> bool {
    let sent = with_timeout(SEND_LIMIT, async {
        socket.send_to(bytes, to).await?;
        socket.flush().await;
        Ok::<_, embassy_net::udp::SendError>(())
    });
    match sent.await {
        Ok(sent) => sent.is_ok(),
        Err(_) => {
            socket.close();
            // It was bound to this port a moment ago.
            let _ = socket.bind(port);
            false
        }
    }
}

/// Wakes the stacks' runners.
///
/// A stack does not do so by itself when it is configured anew, and would go on only with the next
/// frame or timer.
#[derive(Default)]
pub(crate) struct Nudge(Signal<NoopRawMutex, ()>);

impl Nudge {
    pub(crate) fn nudge(&self) {
        self.0.signal(());
    }

    /// Joined with the runners, it has them polled after each nudge.
    pub(crate) async fn listen(&self) -> ! {
        loop {
            self.0.wait().await;
        }
    }
}
