//! What a client was told to say.

use trace::Event;

use super::is_from_client;
use crate::facts::{TelemetryFacts, WillFacts};
use crate::read::{flag, number, text};
use crate::{Found, Moment, Watch};

/// Client id and will of CONNECT.
pub struct NameAndWill {
    pub client_id: Option<String>,
    pub will: Option<WillFacts>,
}

impl Watch for NameAndWill {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if !is_from_client(event) || text(event, "/problem").is_some() {
            return;
        }
        if let Some(told) = &self.client_id {
            let said = text(event, "/client_id").unwrap_or_default();
            found.check(
                said == told,
                || format!("comes as `{said}`; it was told `{told}`"),
                [event.seq],
            );
        }
        let Some(will) = &self.will else { return };
        let said = text(event, "/will/topic").map(|topic| {
            let qos = number(event, "/will/qos").unwrap_or_default();
            (topic.to_owned(), qos, flag(event, "/will/retain"))
        });
        found.check(
            said == will.told,
            || format!("leaves the will {said:?}; it was told {:?}", will.told),
            [event.seq],
        );
    }
}

/// Telemetry as it is published.
pub struct Telemetry(pub TelemetryFacts);

impl Watch for Telemetry {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if !is_from_client(event) || text(event, "/topic") != Some(&self.0.topic) {
            return;
        }
        let qos = number(event, "/qos").unwrap_or_default();
        let retained = flag(event, "/retain");
        found.check(
            qos == self.0.qos && !retained,
            || {
                format!(
                    "published at QoS {qos}, retained: {retained}; QoS {} was told",
                    self.0.qos
                )
            },
            [event.seq],
        );
    }
}
