//! Frames of defmt, decoded by ours and by the library that defmt-print is made of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use board::defmt::{Decoded, Decoder, Image};
use defmt_decoder::Table;
use factory::Scheme;
use probe_rs::MemoryInterface;
use probe_rs::rtt::{Rtt, ScanRegion};

use super::emulated::{Emulated, firmware, on_runtime};
use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup};
use crate::table::{Row, Target};

/// How often the recorded log is decoded in one sample.
const ROUNDS: usize = 10_000;
const SAMPLES: usize = 5;
const RECORDED: Duration = Duration::from_secs(3);

pub(super) fn measure(setup: &Setup) -> Outcome<Row> {
    let path = firmware(setup)?;
    let log = on_runtime(record(setup))?;
    let image = Image::read(&path)?;
    let ours = Arc::new(image.defmt_table()?);
    let peers = Table::parse(image.elf())
        .map_err(|error| error.to_string())?
        .ok_or("the image has no table")?;
    let mut rates = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        let (lines, rate) = decode(&ours, &log);
        let (frames, peers_rate) = decode_as_peer(&peers, &log);
        if lines != frames {
            return Err(format!("{lines} lines, but {frames} frames").into());
        }
        rates.0.push(rate);
        rates.1.push(peers_rate);
    }
    let frames = Unit::PerSecond("frames");
    Ok(
        Row::new("board: defmt frames to lines", Figure::of(rates.0, frames))
            .target(Target::LikePeer)
            .peer("defmt-decoder, as defmt-print uses it", Figure::of(rates.1, frames))
            .note(
                "the log of the firmware's start, recorded over RTT and repeated; ours makes a line of \
                 the log with level, time, tag and place, the peer its message and time as text",
            ),
    )
}

/// The bytes that the firmware logs at its start.
async fn record(setup: &Setup) -> Outcome<Vec<u8>> {
    let image = Image::read(&firmware(setup)?)?;
    let block = image.symbol("_SEGGER_RTT").ok_or("the image has no RTT")?;
    let emulated = Emulated::start(setup).await?;
    drop(emulated.firmware(setup, Scheme::SoftAp).await?);
    emulated
        .session(move |mut session| {
            let mut core = session.core(0)?;
            core.reset_and_halt(RECORDED)?;
            // What an earlier start has left there.
            core.write_8(block, &[0; 16])?;
            core.run()?;
            let began = Instant::now();
            let mut log = Vec::new();
            let mut chunk = [0; 4096];
            let mut rtt = None;
            while began.elapsed() < RECORDED {
                let Some(rtt) = &mut rtt else {
                    rtt = Rtt::attach_region(&mut core, &ScanRegion::Exact(block)).ok();
                    continue;
                };
                let rtt: &mut Rtt = rtt;
                let up = rtt.up_channel(0).ok_or("there is no channel up")?;
                let length = up.read(&mut core, &mut chunk)?;
                log.extend_from_slice(&chunk[..length]);
            }
            // Whole frames only.
            let end = log
                .iter()
                .rposition(|byte| *byte == 0)
                .ok_or("nothing was logged")?;
            log.truncate(end + 1);
            Ok(log)
        })
        .await
}

fn decode(table: &Arc<board::defmt::Table>, log: &[u8]) -> (usize, f64) {
    let mut decoder = Decoder::new(table.clone());
    let mut lines = 0;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        decoder.push(log, |decoded| {
            if let Decoded::Line(line) = decoded {
                std::hint::black_box(&line);
                lines += 1;
            }
        });
    }
    (lines, lines as f64 / began.elapsed().as_secs_f64())
}

fn decode_as_peer(table: &Table, log: &[u8]) -> (usize, f64) {
    let mut decoder = table.new_stream_decoder();
    let mut frames = 0;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        decoder.received(log);
        while let Ok(frame) = decoder.decode() {
            let time = frame.display_timestamp().map(|time| time.to_string());
            std::hint::black_box((frame.display_message().to_string(), time));
            frames += 1;
        }
    }
    (frames, frames as f64 / began.elapsed().as_secs_f64())
}
