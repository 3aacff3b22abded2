//! A rig: real access points, which the commands of its file switch.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use board::Power;
use board::power::{CommandSwitch, PowerSwitch};
use board::rig::{Rig, RigBoard};
use contracts::Sight;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lab::wire::Wire;
use phone::Dial;
use trace::Trace;

use super::lab::console;
use super::{Enrollee, MeetingPlace, Surroundings, Switched, Visit, VisitError};
use crate::attempt::boards::Wires;
use crate::attempt::console::Port;
use crate::attempt::factory_data::Meeting;
use crate::attempt::problem::{LabError, with_sources};
use crate::attempt::values::AccessPointValues;
use crate::language::{AccessPoint, Fault, Over};

/// What a rig file describes around one of its boards.
pub struct HostRig {
    rig: Rig,
    board: RigBoard,
    trace: Trace,
    consoles: BTreeMap<String, Port>,
}

impl HostRig {
    /// The surroundings of `board`. Nothing of the host is touched yet.
    pub fn new(rig: Rig, board: RigBoard, trace: &Trace) -> Self {
        Self {
            rig,
            board,
            trace: trace.clone(),
            consoles: BTreeMap::new(),
        }
    }
}

impl Surroundings for HostRig {
    fn access_point(
        &mut self,
        role: &str,
        _settings: &AccessPoint,
        _made: AccessPointValues,
    ) -> Result<AccessPointValues, LabError> {
        let point = self.rig.access_points.get(role).ok_or_else(|| {
            LabError::Scenario(format!(
                "this world has no access point in its rig named {role}"
            ))
        })?;
        let passphrase = match &point.passphrase {
            Some(secret) => secret
                .resolve()
                .map_err(|error| LabError::Scenario(with_sources(&error)))?,
            None => String::new(),
        };
        self.trace
            .secrets()
            .add(&format!("passphrase {role}"), &passphrase);
        Ok(AccessPointValues {
            ssid: point.ssid.clone(),
            passphrase,
        })
    }

    fn switch<'s>(
        &'s self,
        role: &'s str,
        what: Switched,
        on: bool,
    ) -> BoxFuture<'s, Result<(), LabError>> {
        async move {
            let point = self.rig.access_points.get(role);
            let commands = point.and_then(|point| match what {
                Switched::Power => point.switch.clone(),
                Switched::Internet => point.internet.clone(),
                Switched::Isolation => point.isolation.clone(),
            });
            let commands = commands.ok_or_else(|| {
                LabError::Scenario(format!("nothing in the rig file switches {role} so"))
            })?;
            let power = if on { Power::On } else { Power::Off };
            let mut switch = CommandSwitch::new(commands, self.trace.clock().clone());
            Ok(switch.switch(power).await?)
        }
        .boxed()
    }

    fn meeting_place(&self) -> MeetingPlace {
        let Some(broker) = &self.rig.broker else {
            return MeetingPlace::on_loopback("localhost", &["localhost", "127.0.0.1"]);
        };
        MeetingPlace {
            host: broker.host(),
            names: broker.certificate_names(),
            broker: (broker.bind, broker.port).into(),
            time: (broker.bind, broker.time_port).into(),
        }
    }

    fn publish(&self, broker: SocketAddr, time: SocketAddr) -> Meeting {
        let host = self.meeting_place().host;
        Meeting {
            broker: (host.clone(), broker.port()),
            time: (host, time.port()),
        }
    }

    fn wires(&mut self, device: &str, _mac: [u8; 6], over: Over) -> Wires {
        let is_typed_at = over == Over::Console && self.board.console.is_some();
        let console = is_typed_at.then(|| {
            let (board, ours) = Wire::pair(self.trace.clock());
            self.consoles.insert(device.to_owned(), Port::new(ours));
            board
        });
        Wires {
            link: None,
            console,
            hci: None,
        }
    }

    fn console(&self, device: &str) -> Option<Port> {
        self.consoles.get(device).cloned()
    }

    fn visit<'s>(
        &'s mut self,
        _phone: &'s str,
        device: &'s str,
        enrollee: &'s Enrollee,
        limit: Duration,
    ) -> BoxFuture<'s, Result<Visit, VisitError>> {
        async move {
            let clock = self.trace.clock().clone();
            match self.consoles.get(device) {
                Some(port) => Ok(Visit {
                    transport: Box::new(console(port, device, enrollee, clock, limit)),
                    stay: None,
                }),
                None => {
                    Err(LabError::Scenario(format!("no phone of this rig reaches {device}")).into())
                }
            }
        }
        .boxed()
    }

    fn lan<'s>(
        &'s mut self,
        _phone: &'s str,
    ) -> BoxFuture<'s, Result<Option<Arc<dyn Dial>>, LabError>> {
        async { Ok(None) }.boxed()
    }

    fn station_address(&self, _device: &str) -> Option<Ipv4Addr> {
        None
    }

    fn set_bluetooth_fault(
        &mut self,
        _devices: &[&str],
        fault: &Fault,
        _on: bool,
    ) -> Result<(), LabError> {
        Err(LabError::Scenario(format!(
            "a rig does not disturb radios: {}",
            fault.name()
        )))
    }

    fn sights(&self) -> BTreeSet<Sight> {
        // There are access points and phones of others.
        BTreeSet::new()
    }

    fn testify(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    fn end(&mut self) -> BoxFuture<'_, Result<(), LabError>> {
        async { Ok(()) }.boxed()
    }
}
