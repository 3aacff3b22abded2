//! Steps that provision a device.

use super::Checker;
use crate::span::Span;
use crate::step::{Outcome, Provision, Stage};
use crate::world::Security;

impl<'s> Checker<'s> {
    pub(super) fn provision(&mut self, provision: &'s Provision, span: Span) {
        self.phone(&provision.phone);
        let phone = provision.phone.value.as_str();
        if let Some(role) = &provision.join {
            self.known(
                role,
                "access point",
                self.scenario.world.access_points.names(),
            );
        }
        let ends_before_credentials = provision.stop_after == Some(Stage::Session)
            || provision.outcome.as_ref().is_some_and(|outcome| {
                matches!(
                    outcome.value,
                    Outcome::SessionRefused | Outcome::SessionLost
                )
            });
        if provision.join.is_none() && !ends_before_credentials {
            self.wrong(
                span,
                "whose credentials? Say `join: …` with an access point",
            );
        }
        if provision.outcome.is_some() == provision.stop_after.is_some() {
            self.wrong(
                span,
                "`provision` has either an `outcome` or a `stop_after`",
            );
        }
        if provision.resume && !self.open_sessions.contains(phone) {
            let message = format!("`{phone}` has no open session: `stop_after` leaves one");
            self.wrong(provision.phone.span, message);
        }
        self.open_sessions.remove(phone);
        if provision.stop_after.is_some() || provision.stay {
            self.open_sessions.insert(phone);
        }
        if let Some(ssid) = &provision.ssid {
            self.ssid(ssid);
        }
        if let Some(token) = &provision.token {
            self.captured.insert(token.value.as_str());
        }
        self.proof(provision);
    }

    fn proof(&mut self, provision: &Provision) {
        let Some(device) = self.meant(provision.device.as_ref()) else {
            return;
        };
        let security = device.provisioning.security();
        if let Some(token) = &provision.token
            && device.provisioning.phone_token.is_none()
        {
            self.wrong(
                token.span,
                "the device takes no token: say `phone_token: endpoint`",
            );
        }
        if let Some(pop) = &provision.pop
            && security != Security::V1
        {
            self.wrong(pop.span, "only security `v1` has a proof of possession");
        }
        if let Some(password) = &provision.password
            && !matches!(security, Security::V2 | Security::V2Patch0)
        {
            self.wrong(password.span, "only security `v2` has a password");
        }
        if let Some(damaged) = &provision.damaged_proof {
            let length = match device.provisioning.security {
                None | Some(Security::None) => 0,
                Some(Security::V1 | Security::V1NoPop) => 32,
                Some(Security::V2 | Security::V2Patch0) => 64,
            };
            if length == 0 {
                self.wrong(
                    damaged.span,
                    "a proof needs a device with `security: v1` or `v2`",
                );
            } else if damaged.value >= length {
                let message = format!("the proof has {length} bytes, numbered from 0");
                self.wrong(damaged.span, message);
            }
        }
    }
}
