//! The executor: embassy's own, asleep in WFI while there is nothing to do.

use alloc::boxed::Box;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{Spawner, raw};
use embedded::marks::Mark;

use crate::{clock, heap, memory, watchdog};

/// From one look at the high-water marks to the next at least, in µs of the oscillator.
const LOOK_US: u32 = 250_000;

/// A task was woken.
static PENDING: AtomicBool = AtomicBool::new(false);

/// Called by the executor when a task is woken, from wherever that happens.
#[unsafe(export_name = "__pender")]
fn pender(_: *mut ()) {
    PENDING.store(true, Ordering::Release);
}

/// Spawns the first tasks, and runs all there are, for ever.
pub fn run(spawn: impl FnOnce(Spawner)) -> ! {
    // It lives as long as the firmware.
    let executor = Box::leak(Box::new(raw::Executor::new(ptr::null_mut())));
    spawn(executor.spawner());
    let mut marks = Marks::new();
    loop {
        // SAFETY: `run` does not return, so only one call is ever on the stack.
        unsafe { executor.poll() };
        watchdog::feed();
        marks.look();
        // With interrupts disabled one can still end the sleep, and none comes between the look
        // at the flag and the sleep.
        cortex_m::interrupt::disable();
        if !PENDING.swap(false, Ordering::Acquire) {
            cortex_m::asm::dsb();
            cortex_m::asm::wfi();
        }
        // SAFETY: no critical section is open here.
        unsafe { cortex_m::interrupt::enable() };
    }
}

struct Marks {
    heap: Mark,
    stack: Mark,
    looked: u32,
}

impl Marks {
    fn new() -> Self {
        Self {
            heap: Mark::new("heap"),
            stack: Mark::new("stack"),
            looked: clock::raw(),
        }
    }

    fn look(&mut self) {
        let now = clock::raw();
        if now.wrapping_sub(self.looked) < LOOK_US {
            return;
        }
        self.looked = now;
        let heap = heap::heap();
        self.heap.tell(heap.peak(), heap.size());
        let stack = memory::thread_stack();
        self.stack.tell(stack.peak(), stack.size());
    }
}
