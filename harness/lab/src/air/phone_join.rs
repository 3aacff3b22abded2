//! How phones come onto networks.

use std::sync::Arc;
use std::time::Duration;

use airlink::Notice;
use smoltcp::wire::Ipv4Cidr;

use super::error::AirError;
use super::frame::Mac;
use super::phone_seat::{Membership, PhoneSeat};
use super::segment::{Owner, Segment};
use super::stack::{Addressing, Seat, Stack};
use super::udp_ports::Ports;
use super::world::{AirInner, text};
use trace::air::PhoneJoined;

/// How long a phone looks for a SoftAP, in lab time.
const LOOKING: Duration = Duration::from_secs(30);
/// How long a phone takes to associate, in lab time.
const ASSOCIATION: Duration = Duration::from_millis(200);
/// How long a phone waits for an address, in lab time.
const LEASING: Duration = Duration::from_secs(20);

impl AirInner {
    /// Has a phone join the SoftAP `ssid` as soon as a device offers it.
    pub(super) async fn join_soft_ap(
        self: &Arc<Self>,
        phone: &str,
        ssid: &[u8],
        passphrase: &str,
    ) -> Result<PhoneSeat, AirError> {
        let appears = self.soft_ap_appears(ssid);
        let appeared = self.clock().timeout(LOOKING, appears).await;
        let device = appeared.map_err(|_| AirError::NoSoftAp {
            ssid: text(ssid),
            waited: LOOKING,
        })?;
        self.clock().sleep(ASSOCIATION).await;
        let (segment, mac) = self.associate(&device, ssid, phone, passphrase)?;
        let membership = Membership {
            air: Arc::downgrade(self),
            phone: phone.to_owned(),
            network: text(ssid),
            soft_ap: Some(device),
            mac,
            announced: false,
        };
        self.settle(&segment, membership).await
    }

    /// Has a phone join the network of an access point.
    pub(super) async fn join_access_point(
        self: &Arc<Self>,
        phone: &str,
        role: &str,
    ) -> Result<PhoneSeat, AirError> {
        self.clock().sleep(ASSOCIATION).await;
        let (segment, mac) = {
            let mut world = self.world();
            let segment = match world.access_points.get(role) {
                Some(access_point) if access_point.on => access_point.segment.clone(),
                Some(_) => return Err(AirError::Off { role: role.into() }),
                None => return Err(AirError::NoAccessPoint { role: role.into() }),
            };
            let mac = world.phone_mac(phone, role, &segment);
            (segment, mac)
        };
        let membership = Membership {
            air: Arc::downgrade(self),
            phone: phone.to_owned(),
            network: role.to_owned(),
            soft_ap: None,
            mac,
            announced: false,
        };
        self.settle(&segment, membership).await
    }

    /// The device that offers a SoftAP of that name, as soon as there is one.
    async fn soft_ap_appears(&self, ssid: &[u8]) -> String {
        let mut changes = self.changes();
        loop {
            let device = self.world().radios.iter().find_map(|(device, radio)| {
                let soft_ap = radio.soft_ap.as_ref()?;
                (soft_ap.settings.ssid == ssid).then(|| device.clone())
            });
            if let Some(device) = device {
                return device;
            }
            // The sender lives in `self`, so waiting cannot fail.
            let _ = changes.changed().await;
        }
    }

    fn associate(
        &self,
        device: &str,
        ssid: &[u8],
        phone: &str,
        passphrase: &str,
    ) -> Result<(Segment, Mac), AirError> {
        let mut world = self.world();
        let soft_ap = world.radio(device).soft_ap.as_ref();
        let soft_ap = soft_ap
            .filter(|soft_ap| soft_ap.settings.ssid == ssid)
            .ok_or_else(|| AirError::Gone {
                network: text(ssid),
            })?;
        if soft_ap.settings.passphrase != passphrase {
            return Err(AirError::Passphrase {
                network: text(ssid),
            });
        }
        if soft_ap.is_full() {
            return Err(AirError::Full { ssid: text(ssid) });
        }
        let segment = soft_ap.segment.clone();
        let mac = world.phone_mac(phone, &text(ssid), &segment);
        let radio = world.radio(device);
        if let Some(soft_ap) = &mut radio.soft_ap {
            soft_ap.stations.insert(mac, phone.to_owned());
        }
        radio.notify(&Notice::StationJoined(mac));
        Ok((segment, mac))
    }

    /// Ends a station's being on a SoftAP.
    pub(super) fn dissociate(&self, device: &str, mac: Mac) {
        let mut world = self.world();
        let radio = world.radio(device);
        let soft_ap = radio.soft_ap.as_mut();
        let known = soft_ap.and_then(|soft_ap| soft_ap.stations.remove(&mac));
        if known.is_some() {
            radio.notify(&Notice::StationLeft(mac));
        }
    }

    /// Gets an address for a phone that is associated.
    async fn settle(
        &self,
        segment: &Segment,
        mut membership: Membership,
    ) -> Result<PhoneSeat, AirError> {
        let ports = Arc::new(Ports::default());
        let seat = Seat {
            segment,
            owner: Owner::Phone(membership.phone.clone()),
            mac: membership.mac,
            addressing: Addressing::Dhcp,
        };
        let stack = Stack::start(self.clock(), seat, ports.clone());
        let network = membership.network.clone();
        let lease = {
            let leased = self.clock().timeout(LEASING, stack.core().leased());
            tokio::select! {
                lease = leased => lease.map_err(|_| AirError::NoLease { network, waited: LEASING })?,
                () = stack.core().closed() => return Err(AirError::Gone { network }),
            }
        };
        let terms = stack.core().terms();
        self.trace().emit(
            membership.soft_ap.as_deref(),
            &PhoneJoined {
                phone: membership.phone.clone(),
                network: membership.network.clone(),
                address: lease.address().to_string(),
                prefix: Some(lease.prefix_len()),
                router: terms.router.map(|router| router.to_string()),
                lease_s: terms.lease_s,
            },
        );
        membership.announced = true;
        Ok(PhoneSeat::new(
            stack,
            ports,
            lease.address(),
            broadcast(lease),
            membership,
        ))
    }
}

fn broadcast(network: Ipv4Cidr) -> std::net::Ipv4Addr {
    network.broadcast().unwrap_or(std::net::Ipv4Addr::BROADCAST)
}
