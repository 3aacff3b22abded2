//! What a customer of ThingsBoard does.

use phone::ClaimReply;

use super::Attempt;
use super::problem::{Missed, Problem};
use super::world::World;
use crate::language::{Claim, ClaimOutcome, Unclaim};

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
