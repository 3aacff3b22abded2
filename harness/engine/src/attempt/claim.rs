//! What a device says of its station, as its claim, beside what the air saw.

use phone::Outcome;
use trace::Trace;
use trace::air::{Joined, Leased, Left};

/// How provisioning ended: what only the device says is told as its claim, and what the air saw of
/// `device` since the event `began` stands beside it.
pub fn beside_the_air(reached: &Outcome, trace: &Trace, began: usize, device: &str) -> String {
    let is_claim = matches!(
        reached,
        Outcome::Connected(_)
            | Outcome::AuthError
            | Outcome::NetworkNotFound
            | Outcome::Undecided { .. }
    );
    if !is_claim {
        // The phone has seen it itself.
        return reached.to_string();
    }
    match seen(trace, began, device) {
        Some(seen) => format!("the device says: {reached}; the air saw: {seen}"),
        None => format!("the device says: {reached}"),
    }
}

/// The last that the air saw of the station of `device`.
fn seen(trace: &Trace, began: usize, device: &str) -> Option<String> {
    let mut seen = None;
    for event in trace.events_from(began) {
        if event.device.as_deref() != Some(device) {
            continue;
        }
        if let Some(left) = event.payload::<Left>() {
            seen = Some(format!("{} (reason {})", left.why, left.reason));
        } else if let Some(joined) = event.payload::<Joined>() {
            seen = Some(format!("it joined `{}`", joined.ssid));
        } else if let Some(leased) = event.payload::<Leased>() {
            seen = Some(format!("it was given {}", leased.address));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use clock::Clock;

    use super::*;

    fn left(reason: u16, why: &str) -> Left {
        Left {
            ssid: "home".into(),
            reason,
            why: why.into(),
        }
    }

    #[tokio::test]
    async fn a_claim_stands_beside_what_the_air_saw() {
        let trace = Trace::in_memory(Clock::start(1.0));
        trace.emit(Some("lamp"), &left(15, "the passphrase is wrong"));
        let began = trace.len();
        trace.emit(Some("plug"), &left(8, "the device left"));
        assert_eq!(
            beside_the_air(&Outcome::AuthError, &trace, began, "lamp"),
            "the device says: the access point rejected the passphrase"
        );
        trace.emit(Some("lamp"), &left(201, "no such access point"));
        assert_eq!(
            beside_the_air(&Outcome::AuthError, &trace, began, "lamp"),
            "the device says: the access point rejected the passphrase; \
             the air saw: no such access point (reason 201)"
        );
        let refused = Outcome::SessionRefused;
        assert_eq!(
            beside_the_air(&refused, &trace, began, "lamp"),
            refused.to_string()
        );
    }
}
