//! A broker that runs without us.

use ::clock::Clock;
use board::rig::{ExternalBroker, Rig};
use trace::in_full;

use super::Finding;
use crate::external_broker;

const CHECK: &str = "broker";

pub(super) async fn check(rig: &Rig, broker: &ExternalBroker) -> Finding {
    let mut trusted = None;
    if let Some(authority) = &rig.authority {
        // One that is kept may not be made yet, and nothing is changed here.
        let certificate = authority.place.certificate();
        match crate::authority::trusted(&certificate) {
            Ok(certificate) => trusted = Some(certificate),
            Err(_) if !broker.tls => {}
            Err(mistake) => {
                let said = format!("{broker} cannot be judged: {}", mistake.message);
                return Finding::unknown(CHECK, said, mistake.help);
            }
        }
    }
    let clock = Clock::start(1.0);
    match external_broker::ask(broker, trusted.as_deref(), &clock).await {
        Ok(said) => Finding::ok(CHECK, said),
        Err(error) if error.is_answer() => Finding::unknown(CHECK, in_full(&error), error.mend()),
        Err(error) => Finding::not_ok(CHECK, in_full(&error), error.mend()),
    }
}
