//! A phone's place on a network.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use phone::{Datagrams, Dial, Stream};

use super::frame::Mac;
use super::relay::OPENING;
use super::stack::Stack;
use super::udp_ports::{BoundPort, Ports};
use super::world::AirInner;
use trace::air::PhoneLeft;

/// A phone on a network. Dropping it leaves the network.
pub struct PhoneSeat {
    stack: Stack,
    ports: Arc<Ports>,
    address: Ipv4Addr,
    broadcast: Ipv4Addr,
    /// Leaves the network; dropped after the stack's connections have ended.
    _membership: Membership,
}

impl PhoneSeat {
    pub(super) fn new(
        stack: Stack,
        ports: Arc<Ports>,
        address: Ipv4Addr,
        broadcast: Ipv4Addr,
        membership: Membership,
    ) -> Self {
        Self {
            stack,
            ports,
            address,
            broadcast,
            _membership: membership,
        }
    }

    /// Whether the network is still there. A SoftAP that stops, or an access point that loses its
    /// power, takes its phones off.
    pub fn is_joined(&self) -> bool {
        !self.stack.core().is_closed()
    }

    /// Ends when the network is gone.
    pub async fn lost(&self) {
        self.stack.core().closed().await;
    }
}

impl Dial for PhoneSeat {
    fn address(&self) -> Ipv4Addr {
        self.address
    }

    fn broadcast(&self) -> Ipv4Addr {
        self.broadcast
    }

    fn tcp(&self, to: SocketAddrV4) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let connection = self.stack.core().connect(to)?;
            connection.established(OPENING).await?;
            Ok(Box::new(connection) as Box<dyn Stream>)
        })
    }

    fn udp(&self, port: u16) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>> {
        Box::pin(async move {
            let bound = BoundPort::new(self.stack.core(), &self.ports, self.address, port)?;
            Ok(Box::new(bound) as Box<dyn Datagrams>)
        })
    }
}

/// A phone's being on a network, as others see it.
pub(super) struct Membership {
    pub(super) air: Weak<AirInner>,
    pub(super) phone: String,
    pub(super) network: String,
    /// The device whose SoftAP it is, if it is one.
    pub(super) soft_ap: Option<String>,
    pub(super) mac: Mac,
    /// Whether the trace knows of it.
    pub(super) announced: bool,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let Some(air) = self.air.upgrade() else {
            return;
        };
        if let Some(device) = &self.soft_ap {
            air.dissociate(device, self.mac);
        }
        if self.announced {
            air.trace().emit(
                self.soft_ap.as_deref(),
                &PhoneLeft {
                    phone: self.phone.clone(),
                    network: self.network.clone(),
                },
            );
        }
    }
}
