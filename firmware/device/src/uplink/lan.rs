//! The LAN side of binding: the CoAP socket, and the actions of [`TokenBinding`].

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::future::pending;
use core::net::{Ipv4Addr, SocketAddrV4};

use embassy_futures::select::{Either3, select3};
use embassy_net::udp::{PacketMetadata, UdpMetadata, UdpSocket};
use embassy_net::{IpAddress, Stack};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Instant, Timer};
use proto::linkkit::{MULTICAST, PORT};
use rand_core::RngCore;

use super::{forever, online};
use crate::coap::MAX_LEN;
use crate::handover::Handover;
use crate::linkkit::{Action, Datagram, TokenBinding};
use crate::network;

/// Datagrams that wait to be read or sent.
const DATAGRAMS: usize = 4;

/// Queues between the LAN side of binding and the MQTT session.
pub(super) struct BindingQueues {
    /// Reports to publish.
    pub(super) to_cloud: Channel<NoopRawMutex, String, 4>,
    /// Events of the session.
    pub(super) from_cloud: Channel<NoopRawMutex, FromCloud, 8>,
}

/// An event of the MQTT session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FromCloud {
    /// It is up, and the subscription is decided.
    Up,
    /// It is lost.
    Down,
    /// A report was sent with this packet identifier, or not, with a negative number.
    Reported(i32),
    /// A reply to a report.
    Reply(Vec<u8>),
}

impl BindingQueues {
    /// Nothing under way.
    pub(super) fn new() -> Self {
        Self {
            to_cloud: Channel::new(),
            from_cloud: Channel::new(),
        }
    }

    /// Tells the LAN side; it always keeps up, because it waits for nothing else for long.
    pub(super) fn tell(&self, what: FromCloud) {
        if let Err(error) = self.from_cloud.try_send(what) {
            log::error!(target: "awss", "event lost: {error:?}");
        }
    }
}

/// Serves phones and runs `binding` for ever.
pub(super) async fn serve<R: RngCore>(
    stack: Stack<'_>,
    mut binding: TokenBinding<R>,
    queues: &BindingQueues,
    handover: &Handover,
) -> ! {
    online(stack).await;
    let (mut rx_meta, mut rx) = (
        [PacketMetadata::EMPTY; DATAGRAMS],
        vec![0; DATAGRAMS * MAX_LEN],
    );
    let (mut tx_meta, mut tx) = (
        [PacketMetadata::EMPTY; DATAGRAMS],
        vec![0; DATAGRAMS * MAX_LEN],
    );
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    if let Err(error) = socket.bind(PORT) {
        log::error!(target: "CoAP", "cannot listen on UDP port {PORT}: {error:?}");
        forever().await;
    }
    if let Err(error) = stack.join_multicast_group(MULTICAST) {
        log::warn!(target: "CoAP", "cannot join {MULTICAST}: {error:?}");
    }
    log::debug!(target: "CoAP", "Enter to CoAP daemon task");
    for (index, path) in binding.resources().into_iter().enumerate() {
        let count = index + 1;
        log::debug!(target: "CoAP", "Register new resource {path} success, count: {count}");
    }

    let mut buffer = vec![0; MAX_LEN];
    loop {
        let own = own_address(stack);
        binding.poll(own, Instant::now());
        while let Some(action) = binding.take() {
            perform(&mut socket, queues, action).await;
        }
        let timer = async {
            match binding.deadline() {
                Some(deadline) => Timer::at(deadline).await,
                None => pending().await,
            }
        };
        let received = socket.recv_from(&mut buffer);
        match select3(received, timer, queues.from_cloud.receive()).await {
            Either3::First(Ok((len, meta))) => {
                // The network may have come back while nothing else was to be done.
                let own = own_address(stack);
                if let (Some(own), Some(datagram)) = (own, datagram(&buffer[..len], &meta)) {
                    binding.datagram(datagram, own, Instant::now());
                }
            }
            Either3::First(Err(error)) => {
                log::debug!(target: "CoAP", "datagram dropped: {error:?}");
            }
            Either3::Second(()) => {}
            Either3::Third(FromCloud::Up) => binding.session_up(handover.take(), Instant::now()),
            Either3::Third(FromCloud::Down) => binding.session_down(),
            Either3::Third(FromCloud::Reply(payload)) => binding.reply(&payload, Instant::now()),
            Either3::Third(FromCloud::Reported(result)) => {
                log::info!(target: "awss", "report token res:{result}");
            }
        }
    }
}

fn own_address(stack: Stack<'_>) -> Option<Ipv4Addr> {
    let config = stack.config_v4().filter(|_| stack.is_link_up())?;
    Some(config.address.address())
}

fn datagram<'b>(bytes: &'b [u8], meta: &UdpMetadata) -> Option<Datagram<'b>> {
    let IpAddress::Ipv4(from) = meta.endpoint.addr;
    let IpAddress::Ipv4(to) = meta.local_address?;
    Some(Datagram {
        from: SocketAddrV4::new(from, meta.endpoint.port),
        to,
        bytes,
    })
}

async fn perform(socket: &mut UdpSocket<'_>, queues: &BindingQueues, action: Action) {
    match action {
        Action::Report(report) => {
            if queues.to_cloud.try_send(report).is_err() {
                log::info!(target: "awss", "report token res:-1");
            }
        }
        Action::Send {
            to,
            bytes,
            notification,
        } => {
            let sent = network::send(socket, PORT, &bytes, (*to.ip(), to.port())).await;
            match (notification, sent) {
                (true, true) => log::info!(target: "awss", "send notify success"),
                (true, false) => log::error!(target: "awss", "send notify fail"),
                (false, true) => {}
                (false, false) => log::warn!(target: "CoAP", "cannot send to {to}"),
            }
        }
    }
}
