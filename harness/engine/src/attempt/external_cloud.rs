//! A cloud that runs without us, as the rig file leaves it to others: what devices are told of it, and the
//! time server of ours beside it.

use board::rig::{AuthorityPlace, ExternalBroker, Rig};
use cloud::{Sntp, SntpFaults};
use factory::Factory;
use language::Fault;
use trace::{Trace, Witness, WitnessReport, in_full};

use super::problem::LabError;
use crate::external_broker;

/// The broker that runs without us. Nothing of what it does is seen.
pub struct ExternalCloud {
    broker: ExternalBroker,
    /// The authority that has signed its certificate, in DER; none if nothing is said of it.
    trusted: Option<Vec<u8>>,
    /// Whether devices get certificates of that authority.
    signs: bool,
    /// Once it listens.
    time: Option<Sntp>,
}

impl ExternalCloud {
    /// That of `rig`, if its broker is an external one. No time server listens yet.
    pub fn of(rig: &Rig) -> Result<Option<Self>, LabError> {
        let Some(broker) = rig.broker.as_ref().and_then(|broker| broker.external()) else {
            return Ok(None);
        };
        let place = rig.authority.as_ref().map(|authority| &authority.place);
        let trusted = place.map(external_broker::trusted).transpose();
        Ok(Some(Self {
            broker: broker.clone(),
            trusted: trusted.map_err(|mistake| LabError::Scenario(mistake.to_string()))?,
            signs: place.is_some_and(|place| !matches!(place, AuthorityPlace::Trusted(_))),
            time: None,
        }))
    }

    /// Starts the time server, if the rig file gives it a place.
    pub async fn start(&mut self, trace: &Trace) -> Result<(), LabError> {
        if let Some(place) = self.broker.time {
            let time = Sntp::start_at(place, trace.clone(), SntpFaults::default());
            self.time = Some(time.await?);
        }
        Ok(())
    }

    /// Tells a device of it in the place of a cloud of ours.
    pub fn tell(&self, factory: &mut Factory) {
        let time = self.time.as_ref().map(Sntp::address).or(self.broker.time);
        factory.sntp = factory.sntp.take().zip(time).map(|(mut sntp, time)| {
            sntp.host = time.ip().to_string();
            sntp.port = time.port();
            sntp
        });
        let Some(cloud) = &mut factory.cloud else {
            return;
        };
        cloud.host.clone_from(&self.broker.host);
        cloud.port = self.broker.port;
        cloud.tls = self.broker.tls;
        if let Some(trusted) = &self.trusted {
            cloud.authority.clone_from(trusted);
        }
        if !self.signs {
            cloud.credentials = None;
        }
    }

    /// Breaks or mends what is ours of it.
    pub fn set_fault(&self, fault: &Fault, on: bool) -> Result<(), LabError> {
        let time = self.time.as_ref();
        let of_time = time.and_then(|time| {
            let faults = super::cloud_faults::of_time(fault, on, time.faults())?;
            Some((time, faults))
        });
        match of_time {
            Some((time, faults)) => {
                time.set_faults(faults);
                Ok(())
            }
            None => Err(LabError::Scenario(format!(
                "{} is not ours, so it cannot be broken: {}",
                self.broker,
                fault.name()
            ))),
        }
    }

    /// Says whether the broker answers, and the time server.
    pub async fn testify(&self, trace: &Trace) {
        let answered =
            external_broker::ask(&self.broker, self.trusted.as_deref(), trace.clock()).await;
        let (sound, detail) = match answered {
            Ok(said) => (true, said),
            Err(error) => (error.is_answer(), in_full(&error)),
        };
        let report = |witness, sound, detail| WitnessReport {
            witness,
            sound,
            detail,
        };
        trace.emit(None, &report(Witness::Broker, sound, detail));
        if let Some(time) = &self.time {
            let (sound, detail) = match time.probe().await {
                Ok(()) => (true, "it answers".to_owned()),
                Err(error) => (false, in_full(&error)),
            };
            trace.emit(None, &report(Witness::TimeServer, sound, detail));
        }
    }
}

#[cfg(test)]
mod tests {

    use clock::Clock;

    use super::*;
    use crate::attempt::factory_data::{Meeting, factory_data};
    use crate::attempt::surroundings::{HostRig, Surroundings};
    use crate::attempt::values::Maker;
    use language::{Known, parse};

    const WORLD: &str =
        "name: A world\nworld: { cloud: {}, devices: { device: {} } }\nsteps: [{ power: on }]\n";
    const BOARD: &str = "[boards.dut]\nkind = \"process\"\ncommand = [\"true\"]\n";

    /// What a device of the rig with this `[broker]` is told, and its cloud.
    async fn told(broker: &str) -> (Factory, ExternalCloud) {
        let rig = Rig::parse("rig.toml".as_ref(), &format!("{broker}{BOARD}")).expect("a rig");
        let trace = Trace::in_memory(Clock::start(1.0));
        let board = rig.boards["dut"].clone();
        let surroundings = HostRig::new(rig, board, Default::default(), &trace);
        let cloud = surroundings.external_cloud().expect("no error");
        let mut cloud = cloud.expect("it is external");
        cloud.start(&trace).await.expect("it starts");
        let cases = parse("world.yaml", WORLD, &Known::default()).expect("a scenario");
        let world = &cases[0].scenario.world;
        let values = Maker::new(1).device("device", world, trace.secrets());
        let device = world.devices.named("device").expect("it is there");
        let pki = pki::Pki::new(1_790_000_000).expect("authorities");
        let nowhere = Meeting::default();
        let factory = factory_data(device, &values, world, &pki, None, None, &nowhere);
        let mut factory = factory.expect("factory data");
        cloud.tell(&mut factory);
        (factory, cloud)
    }

    #[tokio::test]
    async fn a_device_is_told_of_the_broker_and_of_a_time_server_if_there_is_one() {
        let (factory, cloud) = told("[broker]\nexternal = \"mqtt://[::1]:9\"\n").await;
        let of_cloud = factory.cloud.expect("there is a cloud");
        assert_eq!(
            (&*of_cloud.host, of_cloud.port, of_cloud.tls),
            ("::1", 9, false)
        );
        // Nothing signs one that this broker would take.
        assert_eq!((of_cloud.credentials, factory.sntp), (None, None));
        let refused = cloud.set_fault(&Fault::TimeSilent, true);
        assert!(matches!(refused, Err(LabError::Scenario(_))), "{refused:?}");

        let broker = "[broker]\nexternal = \"mqtt://broker.example\"\nbind = \"127.0.0.1\"\n";
        let (factory, cloud) = told(broker).await;
        let sntp = factory.sntp.expect("there is a time server");
        assert_eq!(sntp.host, "127.0.0.1");
        assert!(sntp.port > 0, "it listens already");
        cloud
            .set_fault(&Fault::TimeSilent, true)
            .expect("it is ours");
    }
}
