//! What the contracts cost: the events of a whole case, judged again and again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ::contracts::{CloudFacts, Contracts, Facts, LinkkitFacts, ServiceFacts, Sight, SntpFacts};

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Row, Target};
use crate::walls;

const SCENARIO: &str = "softap/bound_by_notify.yaml";
const SAMPLES: usize = 200;
/// Part of an attempt that all contracts together should stay below, in hundredths.
const SHARE: f64 = 5.0;

/// Events per second, and what they are of an attempt.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let cases = walls::cases(setup, SCENARIO)?;
    let case = cases.first().ok_or("the scenario has no case")?;
    let out = setup.folder()?;
    let mut command = Command::new(&setup.proving);
    command
        .arg("run")
        .arg(&case.file)
        .args(["-E", &walls::only(case)])
        .arg("--out")
        .arg(&out);
    let (wall, _) = timed(&mut command)?;
    let trace = trace_in(&out)?.ok_or("the run left no trace")?;
    let events = trace::read(&trace)?;
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        let began = Instant::now();
        let mut contracts = Contracts::new(&facts());
        for event in &events {
            contracts.event(event);
        }
        times.push(began.elapsed());
    }
    let count = events.len() as f64;
    let rates = times.iter().map(|time| count / time.as_secs_f64());
    let shares = times
        .iter()
        .map(|time| 100.0 * time.as_secs_f64() / wall.as_secs_f64());
    Ok(vec![
        Row::new(
            "contracts: all of them, of a whole attempt",
            Ok(Figure::of(shares.collect(), Unit::Percent)?),
        )
        .target(Target::Below(SHARE))
        .note(format!(
            "the {} events of an attempt from factory-fresh to bound, judged by every contract, over the wall \
             time of `proving run` for it",
            events.len()
        )),
        Row::new(
            "contracts: all of them",
            Ok(Figure::of(rates.collect(), Unit::PerSecond("events"))?),
        ),
    ])
}

/// The first trace below `folder`.
fn trace_in(folder: &Path) -> Outcome<Option<PathBuf>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let found = match path.is_dir() {
            true => trace_in(&path)?,
            false => Some(path).filter(|path| path.ends_with("trace.jsonl")),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// All that can be known of a device, so that every contract watches.
fn facts() -> Facts {
    let seconds = Duration::from_secs;
    Facts {
        sees: BTreeSet::from([Sight::Air, Sight::Broker, Sight::Phones, Sight::Clock]),
        sntp: Some(SntpFacts { retry: seconds(1) }),
        cloud: Some(CloudFacts {
            server_name: Some("broker".to_owned()),
            tls: true,
            shows_certificate: true,
            trusts_broker_itself: false,
            checks_dates: true,
            checks_name: true,
            keep_alive: seconds(60),
            clean_session: true,
            reconnect: seconds(1),
            reconnect_max: seconds(30),
            backs_off: true,
            client_id: None,
            will: None,
            patience: None,
            signs_in: None,
        }),
        linkkit: Some(LinkkitFacts {
            token_life: seconds(45),
            reports: 3,
            report_interval: seconds(30),
            notifications: 3,
            notify_step: seconds(1),
            cipher: 3,
        }),
        service: Some(ServiceFacts {
            stops_by_itself: true,
            told: seconds(1),
            untold: seconds(30),
        }),
        attempts: Some(0),
        ..Facts::default()
    }
}
