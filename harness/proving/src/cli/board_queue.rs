//! Taking the leases of real boards, and queueing for those that another process holds.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use board::lease::{Holder, Lease, LeaseError, Leases};
use engine::run::BoardModel;

use super::CommandError;
use super::hardware::{HardwareError, LEASE};
use super::stop_flag::StopFlag;

/// How often a board that is held is asked for again. A signal is seen as fast.
const INTERVAL: Duration = Duration::from_millis(100);

/// Keeps other runs and commands away from the real ones among `boards`, after waiting at most
/// `longest` for those that other processes hold.
///
/// All runs take boards in the same order, so that no two wait for each other.
pub(super) fn lease(
    boards: &[BoardModel],
    longest: Duration,
    stop: &StopFlag,
) -> Result<Vec<Lease>, CommandError> {
    let real: BTreeMap<&str, &str> = boards
        .iter()
        .filter_map(|board| Some((board.rig.as_ref()?.identity.as_str(), board.name.as_str())))
        .collect();
    if real.is_empty() {
        return Ok(Vec::new());
    }
    let leases = Leases::open().map_err(HardwareError::from)?;
    let deadline = Instant::now() + longest;
    let take = |(identity, name)| take(&leases, identity, name, deadline, stop);
    real.into_iter().map(take).collect()
}

/// Where runs on these boards take what their phones use of this host, if they use anything.
pub(super) fn of_phones(boards: &[BoardModel]) -> Result<Option<Leases>, CommandError> {
    let in_rigs = boards.iter().filter_map(|board| board.rig.as_ref());
    let with_phones = in_rigs.filter(|rig| rig.has_phones()).count() > 0;
    Ok(with_phones
        .then(Leases::open)
        .transpose()
        .map_err(HardwareError::from)?)
}

fn take(
    leases: &Leases,
    identity: &str,
    name: &str,
    deadline: Instant,
    stop: &StopFlag,
) -> Result<Lease, CommandError> {
    let command = command();
    let mut told: Option<Holder> = None;
    loop {
        let taken = leases.take(identity, &command, SystemTime::now() + LEASE);
        if stop.came() {
            return Err(CommandError::Interrupted);
        }
        let holder = match taken {
            Err(LeaseError::Held { holder, .. }) if Instant::now() < deadline => holder,
            taken => {
                if taken.is_ok() && told.is_some() {
                    eprintln!("{name} is free");
                }
                return Ok(taken.map_err(HardwareError::from)?);
            }
        };
        if told.as_ref() != Some(&holder) {
            eprintln!("waiting for {name}: {}", described(&holder));
            told = Some(holder);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        thread::sleep(INTERVAL.min(left));
    }
}

fn described(holder: &Holder) -> String {
    let since = holder.seconds_held().map_or(String::new(), |seconds| {
        format!(", for {} already", time(seconds))
    });
    format!("held by process {} ({}){since}", holder.pid, holder.purpose)
}

fn time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// What this process is, to those who find its lease.
fn command() -> String {
    let words = std::env::args_os().skip(1);
    let words: Vec<String> = std::iter::once("proving".to_owned())
        .chain(words.map(|word| word.to_string_lossy().into_owned()))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_told_with_its_command_and_its_age() {
        let now = SystemTime::now();
        let holder = Holder {
            pid: 4711,
            purpose: "proving run scenarios/tls".to_owned(),
            since: now.checked_sub(Duration::from_secs(130)),
            until: now,
        };
        assert_eq!(
            described(&holder),
            "held by process 4711 (proving run scenarios/tls), for 2 min already"
        );
        let older = Holder {
            since: None,
            ..holder
        };
        assert_eq!(
            described(&older),
            "held by process 4711 (proving run scenarios/tls)"
        );
        assert_eq!([time(59), time(3600 * 3 + 61)], ["59 s", "3 h 1 min"]);
    }
}
