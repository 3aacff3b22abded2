//! Whatever ends the firmware against its will is reported in the log first.
//!
//! Then an undefined instruction gives a debugger that catches faults its chance to look around;
//! without one the board starts anew.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};
use embedded::here;
use embedded::logging::{Place, last_words};

use crate::{memory, reset};

const TAG: &str = "panic";

/// What happened is in the log already.
static REPORTED: AtomicBool = AtomicBool::new(false);

/// Reports a panic, as the message that a host's panic would have.
pub fn report_panic(info: &core::panic::PanicInfo<'_>) {
    if REPORTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let message = info.message();
    match info.location() {
        Some(location) => {
            let (file, line) = (location.file(), location.line());
            let place = Place {
                module: "",
                file,
                line,
            };
            let words = format_args!("panicked at {file}:{line}: {message}");
            last_words(TAG, place, words);
        }
        None => last_words(TAG, here!(), format_args!("panicked: {message}")),
    }
    reset::flush();
}

/// What a panic handler does: reports, then ends in a fault, which is not reported again.
pub fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    report_panic(info);
    cortex_m::asm::udf()
}

#[cfg(feature = "panic-handler")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    panicked(info)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    if !REPORTED.swap(true, Ordering::Relaxed) {
        report_fault(frame);
        reset::flush();
    }
    SCB::sys_reset()
}

/// The watchdog's first expiry.
#[exception]
unsafe fn NonMaskableInt() -> ! {
    if !REPORTED.swap(true, Ordering::Relaxed) {
        let frame = core::ptr::with_exposed_provenance::<ExceptionFrame>(
            cortex_m::register::psp::read() as usize,
        );
        match readable(frame) {
            Some(frame) => last_words(
                TAG,
                here!(),
                format_args!("the watchdog barks at {}", Frame(frame)),
            ),
            None => last_words(TAG, here!(), format_args!("the watchdog barks")),
        }
        reset::flush();
    }
    SCB::sys_reset()
}

#[exception]
unsafe fn DefaultHandler(number: i16) -> ! {
    if !REPORTED.swap(true, Ordering::Relaxed) {
        last_words(TAG, here!(), format_args!("unexpected interrupt {number}"));
        reset::flush();
    }
    SCB::sys_reset()
}

fn report_fault(frame: *const ExceptionFrame) {
    // SAFETY: only reads, and nothing else is running any more.
    let scb = unsafe { &*SCB::PTR };
    let status = Status {
        configurable: scb.cfsr.read(),
        hard: scb.hfsr.read(),
        memory_address: scb.mmfar.read(),
        bus_address: scb.bfar.read(),
    };
    match readable(frame) {
        _ if status.is_stack_overflow() => last_words(
            TAG,
            here!(),
            format_args!("the stack has overflown: {status}"),
        ),
        Some(frame) => last_words(
            TAG,
            here!(),
            format_args!("hard fault at {}, {status}", Frame(frame)),
        ),
        None => last_words(
            TAG,
            here!(),
            format_args!("hard fault without a frame: {status}"),
        ),
    }
}

/// The frame, if it lies where a stack is: after an overflow it does not.
fn readable<'f>(frame: *const ExceptionFrame) -> Option<&'f ExceptionFrame> {
    let stack = memory::thread_stack_addresses();
    let is_inside = stack.contains(&frame.addr())
        && stack.end - frame.addr() >= size_of::<ExceptionFrame>()
        && frame.is_aligned();
    // SAFETY: the processor has put a frame there, and whom it interrupted does not go on.
    is_inside.then(|| unsafe { &*frame })
}

/// The fault status registers (ARMv7-M architecture reference manual, B3.2).
struct Status {
    configurable: u32,
    hard: u32,
    memory_address: u32,
    bus_address: u32,
}

impl Status {
    /// CFSR.MMARVALID and CFSR.BFARVALID: the address is that of the fault.
    const MEMORY_ADDRESS_VALID: u32 = 1 << 7;
    const BUS_ADDRESS_VALID: u32 = 1 << 15;
    /// CFSR.MSTKERR: an exception's frame could not be pushed.
    const NOT_PUSHED: u32 = 1 << 4;

    fn is_stack_overflow(&self) -> bool {
        let in_guard = self.configurable & Self::MEMORY_ADDRESS_VALID != 0
            && memory::guard().contains(&(self.memory_address as usize));
        in_guard || self.configurable & Self::NOT_PUSHED != 0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cfsr {:#010x}, hfsr {:#010x}",
            self.configurable, self.hard
        )?;
        if self.configurable & Self::MEMORY_ADDRESS_VALID != 0 {
            write!(f, ", mmfar {:#010x}", self.memory_address)?;
        }
        if self.configurable & Self::BUS_ADDRESS_VALID != 0 {
            write!(f, ", bfar {:#010x}", self.bus_address)?;
        }
        Ok(())
    }
}

struct Frame<'f>(&'f ExceptionFrame);

impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = self.0;
        write!(f, "pc {:#010x}, lr {:#010x}", frame.pc(), frame.lr())?;
        write!(f, ", xpsr {:#010x}", frame.xpsr())?;
        let low = [frame.r0(), frame.r1(), frame.r2(), frame.r3()];
        for (number, register) in low.iter().enumerate() {
            write!(f, ", r{number} {register:#010x}")?;
        }
        write!(f, ", r12 {:#010x}", frame.r12())
    }
}
