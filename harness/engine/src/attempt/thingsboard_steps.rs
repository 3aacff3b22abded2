//! What ThingsBoard and its customers do with a device.

use language::{Call, CallOutcome, Claim, ClaimOutcome, Unclaim, duration};
use phone::ClaimReply;
use trace::{Source, Trace};

use super::Attempt;
use super::problem::{Missed, Problem};
use super::world::World;

impl Attempt<'_> {
    pub(super) async fn claim(&mut self, claim: &Claim, world: &mut World) -> Result<(), Problem> {
        let device = self.case.device(claim.device.as_ref());
        let name = world.device(device)?.values.device_name.clone();
        let secret = self.fill(&claim.secret_key)?;
        let secret = self.trace.secrets().reveal(&secret);
        let cloud = world.account_api()?;
        let reply = phone::claim(cloud, &claim.phone, &name, &secret, self.trace).await?;
        let outcome = match reply {
            ClaimReply::Success => Some(ClaimOutcome::Claimed),
            ClaimReply::Failure => Some(ClaimOutcome::Refused),
            ClaimReply::Claimed => Some(ClaimOutcome::Owned),
            ClaimReply::Other { .. } => None,
        };
        if outcome == Some(claim.outcome.value) {
            return Ok(());
        }
        Err(Missed::saying(format!(
            "{} asked the cloud to claim {device}; expected was {:?}, and the cloud answered {reply}",
            claim.phone, claim.outcome.value
        )))
    }

    pub(super) async fn call(&mut self, step: &Call, world: &mut World) -> Result<(), Problem> {
        let device = self.case.device(step.device.as_ref());
        let name = world.device(device)?.values.device_name.clone();
        let before = self.trace.len();
        let request = world.call(&name, &step.method, step.params.clone())?;
        let method = &step.method;
        let Some(request) = request else {
            return match step.outcome.value {
                CallOutcome::NotListening => Ok(()),
                _ => Err(Missed::saying(format!(
                    "the cloud cannot call {method} of {device}, which has no session, has not subscribed to \
                     v1/devices/me/rpc/request/+, or cannot be told these parameters, as `rpc_not_sent` says then"
                ))),
            };
        };
        let clock = self.trace.clock();
        let answered = tokio::select! {
            () = answered(self.trace, before, request) => true,
            () = clock.sleep(step.within) => false,
        };
        let within = duration::display(step.within);
        match (step.outcome.value, answered) {
            (CallOutcome::Answered, true) | (CallOutcome::Unanswered, false) => Ok(()),
            (CallOutcome::Answered, false) => Err(Missed::saying(format!(
                "the cloud called {method} of {device}, and had no answer within {within}"
            ))),
            (CallOutcome::Unanswered, true) => Err(Missed::saying(format!(
                "{device} answered the call of {method}; the scenario demands that it does not"
            ))),
            (CallOutcome::NotListening, _) => Err(Missed::saying(format!(
                "{device} listens for calls, and was called; the scenario demands that it does not listen"
            ))),
        }
    }

    pub(super) async fn unclaim(&self, step: &Unclaim, world: &mut World) -> Result<(), Problem> {
        let device = self.case.device(step.device.as_ref());
        let name = world.device(device)?.values.device_name.clone();
        let cloud = world.account_api()?;
        match phone::unclaim(cloud, &step.phone, &name, self.trace).await? {
            200 => Ok(()),
            status => Err(Missed::saying(format!(
                "{} asked the cloud to take {device} back, and the cloud answered with HTTP status {status}",
                step.phone
            ))),
        }
    }
}

/// Ends once the answer to the call of this number is in the trace, from `position` on.
async fn answered(trace: &Trace, mut position: usize, request: i64) {
    loop {
        let events = trace.since(position);
        position += events.len();
        let is_answer = |event: &trace::Event| {
            event.source == Source::Cloud
                && event.kind == "rpc_answered"
                && event
                    .data
                    .get("request")
                    .and_then(serde_json::Value::as_i64)
                    == Some(request)
        };
        if events.iter().any(|event| is_answer(event)) {
            return;
        }
        trace.longer_than(position).await;
    }
}
