//! What the keys of a session cost this host, as a phone and as a device.

use std::time::{Duration, Instant};

use device::security::Security;
use embassy_futures::block_on;
use phone::security::{Handshake, Step};
use rand_core::OsRng;
use serde_json::Value;

use crate::figures::Figure;
use crate::setup::{Outcome, Setup};
use crate::table::{Measured, Row};

const SAMPLES: usize = 20;
const SCRIPT: &str = include_str!("../../peers/rainmaker_handshake.py");
const PEER: &str = "Espressif's modules";
const USERNAME: &str = "wifiprov";
const PASSWORD: &str = "abcd1234";

/// What each side has computed.
struct Cost {
    phone: Duration,
    device: Duration,
}

pub(super) fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let theirs = setup
        .peer("rainmaker_handshake.py", SCRIPT, &[&SAMPLES.to_string()])
        .map_err(|error| error.to_string());
    let (salt, verifier) = phone::gen_sec2(USERNAME, PASSWORD);
    let v1 = factory::Security::V1 {
        pop: PASSWORD.into(),
    };
    let v2 = factory::Security::V2 {
        username: USERNAME.into(),
        salt,
        verifier,
    };
    let mut rows = Vec::new();
    for (name, what, settings) in [
        ("v1", "security 1 (X25519)", v1),
        ("v2", "security 2 (SRP6a, 3072 bits)", v2),
    ] {
        let costs: Outcome<Vec<Cost>> = (0..SAMPLES).map(|_| handshake(&settings)).collect();
        let costs = costs.map_err(|error| error.to_string());
        let figure = |which: fn(&Cost) -> Duration| -> Measured {
            Figure::of_times(costs.as_ref().map_err(Clone::clone)?.iter().map(which))
        };
        rows.push(
            Row::new(format!("keys of {what}, phone"), figure(|cost| cost.phone))
                .peer(PEER, peer(&theirs, name))
                .note("arithmetic alone, without a network; the peer calculates with OpenSSL and Python's integers"),
        );
        rows.push(Row::new(
            format!("keys of {what}, device as a process of this host"),
            figure(|cost| cost.device),
        ));
    }
    Ok(rows)
}

/// A whole handshake, each half with its own watch.
fn handshake(settings: &factory::Security) -> Outcome<Cost> {
    let mut device = Security::new(settings);
    let mut cost = Cost {
        phone: Duration::ZERO,
        device: Duration::ZERO,
    };
    let (mut phone, mut request) = timed(&mut cost.phone, || {
        let phone = match settings {
            factory::Security::V2 { .. } => Handshake::v2(USERNAME, PASSWORD, Some(1)),
            _ => Handshake::v1(PASSWORD),
        };
        let request = phone.start();
        (phone, request)
    });
    loop {
        let answer = timed(&mut cost.device, || {
            block_on(device.handshake(&request, &mut OsRng))
        });
        let answer = answer.map_err(|error| error.to_string())?;
        match timed(&mut cost.phone, || phone.next(&answer))? {
            Step::Send(next) => request = next,
            Step::Done(_) => return Ok(cost),
        }
    }
}

fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    *spent += began.elapsed();
    done
}

fn peer(theirs: &Result<Value, String>, security: &str) -> Measured {
    let times = theirs.as_ref().map_err(Clone::clone)?;
    let times: Option<Vec<f64>> = times[security]
        .as_array()
        .and_then(|times| times.iter().map(Value::as_f64).collect());
    let times = times.ok_or("the peer told no times")?;
    Figure::of_times(
        times
            .into_iter()
            .map(|ms| Duration::from_secs_f64(ms / 1e3)),
    )
}
