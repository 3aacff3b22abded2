//! The time driver: a counter of the board's FPGA says what time it is, SysTick wakes.
//!
//! Device time runs `factor` times faster than the oscillator, so that waiting costs a lab little.
//! Computing takes as long as it takes.

use core::cell::{Cell, RefCell};
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use cortex_m::Peripherals;
use cortex_m::peripheral::SCB;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::{Driver, TICK_HZ, time_driver_impl};
use embassy_time_queue_utils::Queue;

const _: () = assert!(TICK_HZ == 1_000_000, "a tick is a microsecond");

/// FPGA system control (application note AN386, table 4-6): a counter of 32 bits, and what its
/// clock of 25 MHz is divided by.
const FPGA_COUNTER: usize = 0x4002_8018;
const FPGA_PRESCALE: usize = 0x4002_801C;
/// To 1 MHz.
const PRESCALE: u32 = 25 - 1;

/// SysTick's other clock is 1 MHz (application note AN386, §3.6), and it has 24 bits. It fires this
/// often even if no task waits, in µs, for the watchdog's sake and so that no turn of the counter
/// goes unseen.
const LONGEST_SLEEP_US: u64 = 4_000_000;

struct Clock {
    factor: AtomicU32,
    seen: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

time_driver_impl!(static CLOCK: Clock = Clock {
    factor: AtomicU32::new(1),
    seen: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

/// Starts time, which runs `factor` times faster than the oscillator.
pub(crate) fn start(factor: u16) {
    CLOCK.factor.store(factor.max(1).into(), Ordering::Relaxed);
    // SAFETY: the machine has the registers there.
    unsafe {
        ptr::with_exposed_provenance_mut::<u32>(FPGA_PRESCALE).write_volatile(PRESCALE);
        ptr::with_exposed_provenance_mut::<u32>(FPGA_COUNTER).write_volatile(0);
    }
    critical_section::with(|section| CLOCK.arm(section));
}

/// Stops the timer: no task is woken any more.
pub(crate) fn stop() {
    // SAFETY: nothing else uses SysTick any more.
    let mut timer = unsafe { Peripherals::steal() }.SYST;
    timer.disable_interrupt();
    timer.disable_counter();
    SCB::clear_pendst();
}

/// µs of the oscillator, from 0 again after 71 minutes.
pub fn raw() -> u32 {
    // SAFETY: the machine has the register there.
    unsafe { ptr::with_exposed_provenance::<u32>(FPGA_COUNTER).read_volatile() }
}

/// How many times faster than the oscillator time runs.
pub fn factor() -> u32 {
    CLOCK.factor.load(Ordering::Relaxed)
}

/// µs since power-on.
pub fn now_us() -> u64 {
    critical_section::with(|section| CLOCK.oscillator(section)) * u64::from(factor())
}

#[cfg(target_os = "none")]
defmt::timestamp!("{=u64:us}", now_us());

impl Clock {
    /// µs of the oscillator since power-on. Each turn of the counter must be seen once.
    fn oscillator(&self, section: CriticalSection<'_>) -> u64 {
        let seen = self.seen.borrow(section);
        let passed = raw().wrapping_sub(seen.get() as u32);
        seen.set(seen.get() + u64::from(passed));
        seen.get()
    }

    /// Wakes the tasks whose moment has come, and has SysTick fire at the next.
    fn arm(&self, section: CriticalSection<'_>) {
        let factor = u64::from(factor());
        let now = self.oscillator(section) * factor;
        let next = self.queue.borrow_ref_mut(section).next_expiration(now);
        let sleep = next.saturating_sub(now).div_ceil(factor);
        fire_in(sleep.clamp(1, LONGEST_SLEEP_US) as u32);
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        now_us()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let is_first = self.queue.borrow_ref_mut(section).schedule_wake(at, waker);
            if is_first {
                self.arm(section);
            }
        });
    }
}

#[exception]
fn SysTick() {
    critical_section::with(|section| CLOCK.arm(section));
}

fn fire_in(us: u32) {
    // SAFETY: only this function uses SysTick, always in a critical section.
    let mut timer = unsafe { Peripherals::steal() }.SYST;
    timer.disable_counter();
    timer.set_clock_source(SystClkSource::External);
    timer.set_reload(us);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
}
