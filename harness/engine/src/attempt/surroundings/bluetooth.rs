//! The Bluetooth of a lab: a medium of its own, and phones with adapters on it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use board::SYSTEM_BUS;
use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lab::bluetooth::{BluezPhone, BluezStandIn, Ether, RadioFaults, RawAttributes};
use lab::private_bus;
use lab::wire::{BoardEnd, Wire};
use language::Fault;
use phone::{AttributeBearer, Ble, BleSettings, Transport, Wanted};
use trace::Trace;

use super::Enrollee;
use crate::attempt::problem::LabError;
use crate::run;

/// Name in the trace of the program that uses the adapter for outsiders.
const OUTSIDER: &str = "outsider";

/// What a phone has of Bluetooth.
#[derive(Clone)]
struct Adapter {
    bluetooth: phone::Bluetooth,
    /// Its way past its host.
    bearer: Option<Arc<dyn AttributeBearer>>,
}

/// The medium, and who has a radio on it.
pub struct Bluetooth {
    ether: Ether,
    clock: Clock,
    phones: BTreeMap<String, Adapter>,
    /// What is wrong with every device's radio.
    faults: RadioFaults,
    /// Its adapters last as long as it.
    _stand_in: Option<BluezStandIn>,
}

impl Bluetooth {
    /// A medium on which `phones` have adapters; no other adapter is on it.
    pub async fn start(phones: &[String], trace: &Trace) -> Result<Self, LabError> {
        let ether = Ether::new(trace.clone());
        let clock = trace.clock().clone();
        let mut bluetooth = Self {
            ether,
            clock,
            phones: BTreeMap::new(),
            faults: RadioFaults::default(),
            _stand_in: None,
        };
        if !phones.is_empty() {
            bluetooth.add(phones).await?;
        }
        Ok(bluetooth)
    }

    /// Gives each of `phones` an adapter.
    async fn add(&mut self, phones: &[String]) -> Result<(), LabError> {
        let Ok(address) = std::env::var(SYSTEM_BUS) else {
            // libdbus would take the host's own.
            return Err(LabError::Scenario(format!(
                "{SYSTEM_BUS} is not set; `proving run` does it"
            )));
        };
        let stand_in = self.outsiders().bus_at(&address, phones).await?;
        for (index, name) in phones.iter().enumerate() {
            let adapter = format!("hci{index}");
            let bluetooth = phone::Bluetooth::open(self.clock.clone(), Some(&adapter)).await?;
            let way = stand_in.raw_attributes(index);
            let bearer = way.map(|way| Arc::new(PastBluez(way)) as Arc<dyn AttributeBearer>);
            self.phones
                .insert(name.clone(), Adapter { bluetooth, bearer });
        }
        self._stand_in = Some(stand_in);
        Ok(())
    }

    /// The way to this medium for programs that are no part of the world.
    pub fn outsiders(&self) -> Outsiders {
        Outsiders {
            ether: self.ether.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Gives `device`, whose base address is `mac`, a controller; the board's end of its HCI.
    pub fn attach(&self, device: &str, mac: [u8; 6]) -> BoardEnd {
        let (board, lab) = Wire::pair(&self.clock);
        let mut address = mac;
        // As ESP-IDF derives it from the base address.
        address[5] = address[5].wrapping_add(2);
        self.ether.attach(device, address, lab);
        board
    }

    /// The way of `phone` to a device.
    pub fn transport(&self, phone: &str, enrollee: &Enrollee) -> Option<Box<dyn Transport>> {
        let wanted = Wanted {
            name: Some(enrollee.service_name.clone()),
            service: enrollee.service,
        };
        let Adapter { bluetooth, bearer } = self.phones.get(phone)?.clone();
        let ble = Ble::new(bluetooth, wanted, BleSettings::default());
        Some(Box::new(match bearer {
            Some(bearer) => ble.with_bearer(bearer),
            None => ble,
        }))
    }

    /// Disturbs the radios of `devices`, or no longer.
    pub fn set_fault<'d>(
        &mut self,
        devices: impl Iterator<Item = &'d str>,
        fault: &Fault,
        on: bool,
    ) {
        match fault {
            Fault::BluetoothSilent => self.faults.unheard = on,
            Fault::BluetoothDropAfter(bytes) => {
                self.faults.drop_after = on.then(|| u64::from(*bytes));
            }
            Fault::BluetoothSlow(rate) => self.faults.bytes_per_second = on.then_some(*rate),
            _ => {}
        }
        for device in devices {
            self.ether.set_faults(device, self.faults);
        }
    }
}

/// The way of a phone past the stand-in for BlueZ.
struct PastBluez(RawAttributes);

impl AttributeBearer for PastBluez {
    fn ask(&self, device: [u8; 6], pdu: Vec<u8>) -> BoxFuture<'_, Option<Vec<u8>>> {
        self.0.ask(device, pdu).boxed()
    }
}

/// A medium as programs get at it that are no part of the world; cheap to clone.
#[derive(Clone)]
pub struct Outsiders {
    ether: Ether,
    clock: Clock,
}

impl Outsiders {
    /// A port of this host behind which every connection is a controller on the medium, speaking H4.
    pub async fn open_port(&self) -> std::io::Result<SocketAddr> {
        self.ether.open_port((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// The address of a bus where others find a BlueZ with one adapter on the medium, as long as it
    /// is kept. Only for worlds without phones of their own.
    pub async fn open_bus(&self) -> Result<(String, BluezStandIn), LabError> {
        let address = run::private_bus();
        let stand_in = self.bus_at(&address, &[OUTSIDER.to_owned()]).await?;
        Ok((address, stand_in))
    }

    /// A bus at `address` with a BlueZ that has an adapter for each of `phones`.
    async fn bus_at(&self, address: &str, phones: &[String]) -> Result<BluezStandIn, LabError> {
        private_bus::start(address)?;
        let adapters: Vec<BluezPhone> = (0..=u8::MAX)
            .zip(phones)
            .map(|(index, name)| BluezPhone {
                name: name.clone(),
                // Locally administered, and of no device's.
                address: [0x06, 0x50, 0, 0, 0, index],
            })
            .collect();
        Ok(BluezStandIn::start(&self.ether, &self.clock, address, &adapters).await?)
    }
}
