//! What each step does.

use std::time::Duration;

use language::{
    Bind, BindOutcome, DamageStorage, Expect, Fault, FaultStep, Placed, Power, PowerAction, Query,
    QueryBy, QueryOutcome, ReadVersion, Step, duration,
};
use phone::{Query as CoapQuery, QueryError, QueryTarget};
use proto::bind::BindRequest;
use trace::{Fault as FaultEvent, Switching};

use super::problem::{LabError, Missed, Problem};
use super::surroundings::{Switched, VisitError};
use super::world::World;
use super::{
    Attempt, console, discover, provision, raw_steps, session_steps, storage_damage, transcript,
    web,
};
use crate::expect::Sets;

/// How often a phone asks the cloud for a report.
const CLOUD_POLL: Duration = Duration::from_secs(1);

/// What later expectations may read from.
fn sets(step: &Step) -> Sets {
    match step {
        Step::Power(power) if matches!(power.action, PowerAction::CutInWrite(_)) => Sets::Nothing,
        Step::Power(_) => Sets::Power,
        Step::Fault(_) => Sets::Fault,
        _ => Sets::Nothing,
    }
}

impl Attempt<'_> {
    pub(super) async fn step(&mut self, step: &Step, world: &mut World) -> Result<(), Problem> {
        let began = self.trace.clock().now();
        if !matches!(step, Step::Expect(_)) {
            self.expectations.step_begins(sets(step));
        }
        match step {
            Step::Power(power) => self.power(power, world).await,
            Step::Provision(step) => {
                provision::provision(self.case, step, world, &mut self.captures).await
            }
            Step::ReadVersion(step) => self.read_version(step, world).await,
            Step::Scan(step) => session_steps::scan(self.case, step, world).await,
            Step::Control(step) => session_steps::control(self.case, step, world).await,
            Step::Custom(step) => session_steps::custom(self.case, step, world).await,
            Step::Request(step) => raw_steps::request(self.case, step, world).await,
            Step::Wire(step) => {
                let sent = self.fill(&step.send)?;
                raw_steps::wire(self.case, step, &sent, world).await
            }
            Step::Datagram(step) => raw_steps::datagram(self.case, step, world).await,
            Step::Attribute(step) => raw_steps::attribute(self.case, step, world).await,
            Step::Console(step) => console::type_at(self.case, step, world).await,
            Step::Leave(step) => Ok(world.go_home(&step.phone).await?),
            Step::Reconnect(step) => Ok(world.phone(&step.phone)?.reconnect()?),
            Step::Query(query) => self.query(query, world).await,
            Step::Discover(step) => {
                discover::discover(self.case, step, world, &mut self.captures).await
            }
            Step::Bind(bind) => self.bind(bind, world).await,
            Step::Claim(claim) => self.claim(claim, world).await,
            Step::Unclaim(step) => self.unclaim(step, world).await,
            Step::Call(step) => self.call(step, world).await,
            Step::Browse(step) => web::browse(self.case, step, world).await,
            Step::WebSocket(step) => web::websocket(self.case, step, world).await,
            Step::Expect(Expect::Clause(clause)) => self
                .expectations
                .meet(clause, &mut self.captures, began)
                .await
                .map_err(Problem::from_miss),
            Step::Expect(Expect::Transcript(wanted)) => {
                let device = self.case.device(wanted.device.as_ref());
                transcript::compare(self.job, wanted, device, self.trace)
            }
            Step::Fault(fault) => self.fault(fault, world).await,
            Step::Wait(wait) => {
                self.trace.clock().sleep(wait.0).await;
                Ok(())
            }
            Step::EraseStorage(step) => {
                let device = self.case.device(step.device.as_ref());
                Ok(world.device(device)?.erase_storage().await?)
            }
            Step::DamageStorage(step) => self.damage_storage(step, world).await,
        }
    }

    async fn power(&mut self, power: &Power, world: &mut World) -> Result<(), Problem> {
        let board = &mut world.device(self.case.device(power.device.as_ref()))?.board;
        if let PowerAction::Off | PowerAction::Reset = power.action {
            let how = switched(power.action);
            self.trace.emit(Some(board.device()), &Switching { how });
        }
        match power.action {
            PowerAction::On => board.power_on().await?,
            PowerAction::Off => board.power_off().await?,
            PowerAction::Reset => board.reset().await?,
            PowerAction::CutInWrite(after) => board.cut_power_in_write(after).await?,
        }
        Ok(())
    }

    async fn read_version(&self, step: &ReadVersion, world: &mut World) -> Result<(), Problem> {
        let device = self.case.device(step.device.as_ref());
        let mut session = match world.visit(&step.phone, device).await {
            Ok(session) => session,
            Err(VisitError::Device(why)) => return Err(Missed::saying(why)),
            Err(VisitError::Surroundings(error)) => return Err(error.into()),
        };
        let info = session.client.info().await;
        session.end().await?;
        world.go_home(&step.phone).await?;
        let info = info.map_err(|error| match error.blame() {
            phone::Blame::Host => LabError::from(error).into(),
            _ => Missed::saying(trace::in_full(&error)),
        })?;
        session_steps::compare_info(&info, &step.wanted)
    }

    async fn query(&mut self, query: &Query, world: &mut World) -> Result<(), Problem> {
        let device = self.case.device(query.device.as_ref());
        let values = world.device(device)?.values.clone();
        let question = CoapQuery {
            target: match query.by {
                QueryBy::Broadcast => QueryTarget::Broadcast,
                QueryBy::Multicast => QueryTarget::Multicast,
                QueryBy::Unicast => QueryTarget::Unicast(world.station_address(device)?),
            },
            product_key: values.product_key,
            device_name: values.device_name,
        };
        world.come_back(&query.phone).await?;
        let listener = world.phone(&query.phone)?.listener()?;
        let answered = listener.query(&question, query.within).await;
        match (query.outcome, answered) {
            (_, Err(error @ QueryError::Gone)) => Err(error.into()),
            (QueryOutcome::Unanswered, Err(QueryError::Silence { .. })) => Ok(()),
            (_, Err(error)) => Err(Missed::saying(error.to_string())),
            (QueryOutcome::Unanswered, Ok(answer)) => Err(Missed::saying(format!(
                "{device} answered the query with code {}; the scenario demands that it does not answer",
                answer.code
            ))),
            (QueryOutcome::NoToken, Ok(answer)) => {
                let data = &answer.json["data"];
                let is_empty = data.as_object().is_some_and(|data| data.is_empty());
                (answer.code == 400 && is_empty).then_some(()).ok_or_else(|| {
                    let code = answer.code;
                    Missed::saying(format!(
                        "{device} answered the query with code {code}; code 400 and no data were expected"
                    ))
                })
            }
            (QueryOutcome::Answered, Ok(answer)) if answer.code != 200 => {
                Err(Missed::saying(format!(
                    "{device} answered the query with code {} and no token; code 200 and a token were expected",
                    answer.code
                )))
            }
            (QueryOutcome::Answered, Ok(answer)) => {
                let mut json = answer.json;
                self.trace.secrets().redact(&mut json);
                self.captures
                    .take(&query.capture, &json)
                    .map_err(|error| Missed::saying(error.to_string()))
            }
        }
    }

    async fn bind(&mut self, bind: &Bind, world: &mut World) -> Result<(), Problem> {
        let device = self.case.device(bind.device.as_ref());
        let values = &world.device(device)?.values;
        let token = self.fill(&bind.token)?;
        let request = BindRequest {
            account: bind.phone.value.clone(),
            product_key: values.product_key.clone(),
            device_name: values.device_name.clone(),
            token: self.trace.secrets().reveal(&token),
        };
        let cloud = world.account_api()?;
        if let Some(patience) = bind.within {
            phone::wait_for_report(cloud, &request, CLOUD_POLL, patience, self.trace).await?;
        }
        let reply = phone::bind(cloud, &request, self.trace).await?;
        let outcome = super::clouds::bind_outcome(reply.code);
        if outcome == Some(BindOutcome::Bound) {
            // The app now tells the device that its token was put to use.
            world.phone(&bind.phone)?.acknowledge_notifications();
        }
        if outcome == Some(bind.outcome.value) {
            return Ok(());
        }
        Err(Missed::saying(format!(
            "{} asked the cloud to bind {device} with {token}; expected was {:?}, and the cloud answered {} {}",
            bind.phone, bind.outcome.value, reply.code, reply.message
        )))
    }

    async fn fault(&self, fault: &FaultStep, world: &mut World) -> Result<(), Problem> {
        match fault {
            FaultStep::On(fault) => self.set_fault(fault, true, world).await,
            FaultStep::Off(fault) => self.set_fault(fault, false, world).await,
            FaultStep::Pulse(fault, pulse) => {
                let clock = self.trace.clock();
                let start = clock.now();
                for time in 0..u32::from(pulse.times) {
                    clock.sleep_until(start + pulse.every * time).await;
                    self.set_fault(fault, true, world).await?;
                    clock
                        .sleep_until(start + pulse.every * time + pulse.lasts)
                        .await;
                    self.set_fault(fault, false, world).await?;
                }
                Ok(())
            }
        }
    }

    async fn set_fault(&self, fault: &Fault, on: bool, world: &mut World) -> Result<(), Problem> {
        match fault {
            Fault::AccessPointOff(role) => {
                world.switch(role, Switched::Power, !on).await?;
            }
            Fault::Isolation(role) => {
                world.switch(role, Switched::Isolation, on).await?;
            }
            Fault::InternetOff(role) => {
                world.switch(role, Switched::Internet, !on).await?;
            }
            Fault::BluetoothSilent | Fault::BluetoothDropAfter(_) | Fault::BluetoothSlow(_) => {
                world.set_bluetooth_fault(fault, on)?;
            }
            fault if fault.is_of_air() => world.set_air_fault(fault, on)?,
            _ => world.set_cloud_fault(fault, on)?,
        }
        self.trace.emit(
            None,
            &FaultEvent {
                name: fault.name().into(),
                on,
                detail: format!("{fault:?}"),
            },
        );
        Ok(())
    }

    async fn damage_storage(&self, step: &DamageStorage, world: &mut World) -> Result<(), Problem> {
        let device = self.case.device(step.device.as_ref());
        let board = &mut world.device(device)?.board;
        let mut image = board.read_storage().await?;
        storage_damage::damage(&mut image, step)?;
        Ok(board.write_storage(&image).await?)
    }

    pub(super) fn fill(&self, text: &Placed<String>) -> Result<String, Problem> {
        self.captures
            .fill(text)
            .map_err(|error| Problem::Lab(LabError::Scenario(error.to_string())))
    }
}

/// What is done to a device's power, in a few words.
fn switched(action: PowerAction) -> String {
    match action {
        PowerAction::On => "power on".into(),
        PowerAction::Off => "power off".into(),
        PowerAction::Reset => "reset".into(),
        PowerAction::CutInWrite(after) => format!("cut the power {after} bytes into a write"),
    }
}

/// The step in a few words.
pub(super) fn label(step: &Step) -> String {
    match step {
        Step::Power(power) => switched(power.action),
        Step::Provision(step) => match &step.outcome {
            Some(outcome) => format!("{} provisions: {:?}", step.phone, outcome.value),
            None => format!("{} provisions in part", step.phone),
        },
        Step::ReadVersion(step) => format!("{} reads proto-ver", step.phone),
        Step::Scan(step) => format!("{} has it scan: {:?}", step.phone, step.outcome),
        Step::Control(step) => format!(
            "{} tells it to {:?}: {:?}",
            step.phone, step.command.value, step.outcome
        ),
        Step::Custom(step) => format!("{} asks {}: {:?}", step.phone, step.endpoint, step.outcome),
        Step::Request(step) => format!(
            "{} sends {} bytes to {}: {:?}",
            step.phone,
            step.hex.0.len(),
            step.endpoint,
            step.outcome
        ),
        Step::Wire(step) => format!(
            "{} sends {} bytes over TCP",
            step.phone,
            step.send.value.len()
        ),
        Step::Datagram(step) => format!("{} sends a datagram to port {}", step.phone, step.port),
        Step::Attribute(step) => format!(
            "{} sends {} bytes of ATT: {:?}",
            step.phone,
            step.hex.0.len(),
            step.outcome.value
        ),
        Step::Console(step) => format!("type {:?} at its console", step.typed),
        Step::Leave(step) => format!("{} leaves", step.phone),
        Step::Reconnect(step) => format!("{} connects again", step.phone),
        Step::Query(step) => format!("{} queries the token: {:?}", step.phone, step.outcome),
        Step::Discover(step) => format!("{} looks for it by mDNS: {:?}", step.phone, step.outcome),
        Step::Bind(step) => format!("{} binds: {:?}", step.phone, step.outcome.value),
        Step::Claim(step) => format!("{} claims: {:?}", step.phone, step.outcome.value),
        Step::Unclaim(step) => format!("{} gives it back", step.phone),
        Step::Call(step) => format!("the cloud calls {}: {:?}", step.method, step.outcome.value),
        Step::Browse(step) => {
            format!("{} browses {}: {:?}", step.phone, step.path, step.outcome)
        }
        Step::WebSocket(step) => format!("{} uses a WebSocket: {:?}", step.phone, step.outcome),
        Step::Expect(Expect::Clause(clause)) => format!("expect {}", clause),
        Step::Expect(Expect::Transcript(wanted)) => format!("expect transcript {}", wanted.name),
        Step::Fault(FaultStep::On(fault)) => format!("fault {} on", fault.name()),
        Step::Fault(FaultStep::Off(fault)) => format!("fault {} off", fault.name()),
        Step::Fault(FaultStep::Pulse(fault, pulse)) => {
            let lasts = duration::display(pulse.lasts);
            let times = match pulse.times {
                1 => String::new(),
                times => format!(", {times} times, every {}", duration::display(pulse.every)),
            };
            format!("fault {} for {lasts}{times}", fault.name())
        }
        Step::Wait(wait) => format!("wait {}", duration::display(wait.0)),
        Step::EraseStorage(_) => "erase storage".into(),
        Step::DamageStorage(step) => format!("damage storage: {:?}", step.with.value),
    }
}
