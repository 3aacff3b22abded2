//! Faults of a scenario as those of the lab's air: addresses, names and frames.

use std::time::Duration;

use lab::air::{AccessPointChange, Air, AirError, DhcpFaults, NameFault, SegmentFaults, Taken};
use language::{DhcpAnswerKind, Fault, Frames, NameAnswerKind, NamedHost, Placed};

use crate::attempt::factory_data::{BROKER_HOST, TIME_HOST};

/// The same frames are lost in each run.
const SEED: u64 = 0x5eed;

/// Breaks something of `air`, or mends it. `usual_rssi` is how strong an access point of a role is heard
/// otherwise.
pub fn set(
    air: &Air,
    usual_rssi: impl Fn(&str) -> Option<i8>,
    fault: &Fault,
    on: bool,
) -> Result<(), AirError> {
    match fault {
        Fault::DhcpAnswer(answer) => {
            let faults = if on {
                dhcp(answer.with)
            } else {
                DhcpFaults::default()
            };
            air.set_access_point(&answer.at, AccessPointChange::Dhcp(faults))
        }
        Fault::NameAnswer(answer) => {
            let host = match answer.of {
                NamedHost::Broker => BROKER_HOST,
                NamedHost::Time => TIME_HOST,
            };
            air.set_name_fault(host, on.then(|| name(answer.with)));
            Ok(())
        }
        Fault::BrokerMoved => {
            air.set_moved(BROKER_HOST, on);
            Ok(())
        }
        Fault::Frames(wanted) => {
            let faults = if on {
                frames(wanted)
            } else {
                SegmentFaults::default()
            };
            air.set_access_point(&wanted.at, AccessPointChange::Faults(faults))
        }
        Fault::Signal(signal) => {
            let usual = usual_rssi(&signal.at).filter(|_| !on);
            let rssi = usual.unwrap_or(signal.rssi.value);
            air.set_access_point(&signal.at, AccessPointChange::Rssi(rssi))
        }
        Fault::StationsLost(lost) if on => {
            air.set_access_point(&lost.at, AccessPointChange::Dismiss(lost.reason.value))
        }
        Fault::JoinUnanswered(role) => {
            air.set_access_point(role, AccessPointChange::AnswersJoins(!on))
        }
        _ => Ok(()),
    }
}

fn dhcp(answer: DhcpAnswerKind) -> DhcpFaults {
    let sound = DhcpFaults::default();
    match answer {
        DhcpAnswerKind::Never => DhcpFaults {
            silent: true,
            ..sound
        },
        DhcpAnswerKind::Nak => DhcpFaults {
            refuses: true,
            ..sound
        },
        DhcpAnswerKind::NoRouter => DhcpFaults {
            no_router: true,
            ..sound
        },
        DhcpAnswerKind::Taken => DhcpFaults {
            taken: Some(Taken::Answering),
            ..sound
        },
        DhcpAnswerKind::Announced => DhcpFaults {
            taken: Some(Taken::Announced),
            ..sound
        },
        DhcpAnswerKind::Lease(lease) => DhcpFaults {
            lease: Some(lease),
            ..sound
        },
        DhcpAnswerKind::After(delay) => DhcpFaults { delay, ..sound },
    }
}

fn name(answer: NameAnswerKind) -> NameFault {
    match answer {
        NameAnswerKind::Nxdomain => NameFault::NxDomain,
        NameAnswerKind::Servfail => NameFault::ServerFailure,
        NameAnswerKind::Never => NameFault::Silent,
        NameAnswerKind::After(delay) => NameFault::Slow(delay),
        NameAnswerKind::WrongAddress => NameFault::WrongAddress,
        NameAnswerKind::Stale => NameFault::Stale,
        NameAnswerKind::Several => NameFault::Several,
        NameAnswerKind::Alias => NameFault::Alias,
    }
}

fn frames(wanted: &Frames) -> SegmentFaults {
    let per_mille = |share: &Option<Placed<u8>>| {
        share
            .as_ref()
            .map_or(0, |share| 10 * u16::from(share.value))
    };
    SegmentFaults {
        drop_per_mille: per_mille(&wanted.lost),
        double_per_mille: per_mille(&wanted.doubled),
        reorder_per_mille: per_mille(&wanted.reordered),
        longest: wanted.longest.as_ref().map_or(0, |longest| longest.value),
        delay: wanted.late.unwrap_or(Duration::ZERO),
        seed: SEED,
        cut: false,
    }
}
