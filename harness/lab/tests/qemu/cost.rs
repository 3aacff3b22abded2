//! What an emulated board costs that waits. How fast it is, `cargo xtask bench` measures.

use std::fs;
use std::time::Duration;

use crate::guest::{Order, order};
use crate::world::{attach, blocking, with_machine};

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
