//! What an emulated board costs, and how fast it is. `cargo test ... cost -- --nocapture` prints it.

use std::fs;
use std::time::{Duration, Instant};

use lab::qemu::CHIP;
use probe_rs::MemoryInterface;
use probe_rs::rtt::{Rtt, ScanRegion};

use crate::guest::{Order, RTT, counter, order};
use crate::world::{attach, blocking, flash, until, with_machine};

/// CPU time of a process so far; none if it is gone.
fn cpu_time(process: &str) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields = stat.rsplit_once(") ").expect("a name").1;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || -> u64 { fields.next().expect("a field").parse().expect("a number") };
    Some(Duration::from_millis((ticks() + ticks()) * 10))
}

fn emulators() -> Vec<String> {
    let ours = std::process::id().to_string();
    let is_ours = |process: &String| {
        let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else {
            return false;
        };
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
        stat.contains("(qemu-system-arm)")
            && fields.is_some_and(|rest| rest.split(' ').nth(1) == Some(&ours))
    };
    let processes = fs::read_dir("/proc").expect("processes");
    processes
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(is_ours)
        .collect()
}

#[test]
#[ignore = "measures, and wants the host for itself"]
fn figures() {
    with_machine(async |mut world| {
        world.with_guest().await;
        let selector = world.machine.selector().to_owned();
        blocking(move || {
            let begun = Instant::now();
            let mut session = attach(&selector).expect("a target");
            println!("attach to {CHIP}: {:?}", begun.elapsed());

            let mut core = session.core(0).expect("a core");
            until("it runs", || counter(&mut core) > 100);
            let mut bytes = vec![0; 1 << 20];
            let begun = Instant::now();
            core.read(0x2000_0000, &mut bytes).expect("read");
            println!("read 1 MiB of RAM: {:?}", begun.elapsed());
            let begun = Instant::now();
            core.write(0x2010_0000, &bytes).expect("written");
            println!("write 1 MiB of RAM: {:?}", begun.elapsed());
            let begun = Instant::now();
            for _ in 0..1000 {
                core.read_word_32(0x2000_0000).expect("read");
            }
            println!("read a word: {:?}", begun.elapsed() / 1000);

            let mut rtt = Rtt::attach_region(&mut core, &ScanRegion::Exact(RTT)).expect("RTT");
            order(&mut core, Order::Flood);
            let mut chunk = vec![0; 16 * 1024];
            let mut heard = 0;
            let begun = Instant::now();
            while heard < 16 << 20 {
                let up = rtt.up_channel(0).expect("up");
                heard += up.read(&mut core, &mut chunk).expect("read");
            }
            let rate = heard as f64 / begun.elapsed().as_secs_f64() / f64::from(1 << 20);
            println!("RTT up, 16 KiB buffer: {rate:.1} MiB/s");

            let begun = Instant::now();
            core.reset_and_halt(Duration::from_secs(1)).expect("halted");
            println!("reset and halt: {:?}", begun.elapsed());
            let begun = Instant::now();
            for _ in 0..100 {
                core.run().expect("run");
                core.halt(Duration::from_secs(1)).expect("halted");
            }
            println!("run and halt: {:?}", begun.elapsed() / 100);
            drop(core);

            let image: Vec<u8> = (0..1_u32 << 20).map(|index| (index / 3) as u8).collect();
            let begun = Instant::now();
            flash(&mut session, 0, &image).expect("flashed");
            println!("erase, program and verify 1 MiB: {:?}", begun.elapsed());
        })
        .await;
        let begun = Instant::now();
        world.machine.power(false).await.expect("no power");
        println!("power off: {:?}", begun.elapsed());
        let begun = Instant::now();
        world.machine.power(true).await.expect("power");
        println!("power on: {:?}", begun.elapsed());
    });
}

#[test]
fn a_waiting_machine_costs_next_to_nothing() {
    with_machine(async |mut world| {
        world.with_guest().await;
        world.core(|core| order(core, Order::Sleep)).await;
        let selector = world.machine.selector().to_owned();
        blocking(move || {
            let _session = attach(&selector).expect("a target");
            let emulators = emulators();
            assert!(!emulators.is_empty());
            let times = || -> Vec<_> { emulators.iter().map(|id| cpu_time(id)).collect() };
            let before = times();
            std::thread::sleep(Duration::from_secs(1));
            // Other tests' emulators come and go, and have more to do.
            let used = times()
                .into_iter()
                .zip(before)
                .filter_map(|(after, before)| Some(after? - before?));
            let least = used.min().expect("an emulator");
            println!("a waiting machine: {least:?} per second");
            assert!(least < Duration::from_millis(100), "{least:?}");
        })
        .await;
    });
}
