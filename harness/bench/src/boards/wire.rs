//! What goes over the wire: attaching, and bytes of RTT both ways.

use std::time::{Duration, Instant};

use board::probe;
use probe_rs::flashing::DownloadOptions;
use probe_rs::rtt::{Rtt, ScanRegion};
use probe_rs::{Core, MemoryInterface, Session};

use super::NOTE;
use super::emulated::{Emulated, on_runtime};
use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup};
use crate::table::{Row, Target};

/// Counts, echoes what comes down RTT, or sends as fast as it can.
const GUEST: &[u8] = include_bytes!("../../../lab/tests/qemu/guest.bin");
const CONTROL_BLOCK: u64 = 0x2000_0000;
const ORDER: u64 = 0x2000_1004;
const FLOOD: u32 = 1;
const ATTACHES: usize = 20;
const ECHOES: usize = 200;
/// The most that an echo may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Bytes that are taken in one sample of the throughput, and how many samples there are.
const FLOODED: usize = 4 << 20;
const FLOODS: usize = 10;
const MIB: f64 = 1_048_576.0;

pub(super) fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    on_runtime(async {
        let emulated = Emulated::start(setup).await?;
        let image = std::path::PathBuf::from(super::MINIATURE);
        let settings = emulated.settings(&image);
        let attached = tokio::task::spawn_blocking(move || -> Outcome<Vec<Duration>> {
            (0..ATTACHES)
                .map(|_| Ok(probe::ask(settings.clone())?.took))
                .collect()
        })
        .await??;
        let (rates, echoes) = emulated.session(rtt).await?;
        Ok(vec![
            Row::new("board: attach", Figure::of_times(attached))
                .target(Target::Below(50.0))
                .note(NOTE),
            Row::new(
                "board: RTT up, raw",
                Figure::of(rates, Unit::PerSecond("bytes")),
            )
            .target(Target::AtLeast(5.0 * MIB))
            .note(
                "probe-rs reads a channel of 16 KiB that the firmware fills as fast as it can; \
                   bytes of 5 MiB are 5.24 M",
            ),
            Row::new("board: RTT echo, raw", Figure::of_times(echoes))
                .note("a byte down, and the same byte up, with probe-rs polling without a pause"),
        ])
    })
}

fn rtt(mut session: Session) -> Outcome<(Vec<f64>, Vec<Duration>)> {
    let mut loader = session.target().flash_loader();
    loader.add_data(0, GUEST)?;
    loader.commit(&mut session, DownloadOptions::default())?;
    let mut core = session.core(0)?;
    core.reset()?;
    let began = Instant::now();
    // RAM is zero until the firmware has put its control block there.
    let mut rtt = loop {
        match Rtt::attach_region(&mut core, &ScanRegion::Exact(CONTROL_BLOCK)) {
            Ok(rtt) => break rtt,
            Err(error) if began.elapsed() > LIMIT => return Err(error.into()),
            Err(_) => {}
        }
    };
    let echoes = (0..ECHOES)
        .map(|number| echo(&mut core, &mut rtt, (number % 251) as u8))
        .collect::<Outcome<Vec<_>>>()?;
    core.write_word_32(ORDER, FLOOD)?;
    let rates = (0..FLOODS)
        .map(|_| flood(&mut core, &mut rtt))
        .collect::<Outcome<Vec<_>>>()?;
    Ok((rates, echoes))
}

fn echo(core: &mut Core<'_>, rtt: &mut Rtt, byte: u8) -> Outcome<Duration> {
    let began = Instant::now();
    let down = rtt.down_channel(0).ok_or("there is no channel down")?;
    if down.write(core, &[byte])? != 1 {
        return Err("the channel down is full".into());
    }
    let up = rtt.up_channel(0).ok_or("there is no channel up")?;
    let mut answer = [0];
    while up.read(core, &mut answer)? == 0 {
        if began.elapsed() > LIMIT {
            return Err("no echo comes".into());
        }
    }
    if answer != [byte] {
        return Err("the echo is another byte".into());
    }
    Ok(began.elapsed())
}

fn flood(core: &mut Core<'_>, rtt: &mut Rtt) -> Outcome<f64> {
    let up = rtt.up_channel(0).ok_or("there is no channel up")?;
    let mut chunk = vec![0; 16 * 1024];
    let mut heard = 0;
    let began = Instant::now();
    while heard < FLOODED {
        heard += up.read(core, &mut chunk)?;
    }
    Ok(heard as f64 / began.elapsed().as_secs_f64())
}
