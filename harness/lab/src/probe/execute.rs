//! What the probe does with a command.

use super::Backend;
use super::bmp::{Answer, Command, Refusal};
use super::dap::{Dap, DapError};
use super::swd::Slave;

/// Who the probe says it is.
const NAME: &str = "Black Magic Probe (Proving)";
/// Version of the remote protocol.
const VERSION: u64 = 4;
/// Accelerated commands: those for ADIv5.
const ACCELERATORS: u64 = 1;
/// What the target's supply measures.
const VOLTAGE: &str = "3.3V";
/// SWD frequency in kHz; nothing depends on it.
const FREQUENCY_KHZ: u64 = 4000;

/// Executes one command.
pub(super) fn execute<B: Backend>(command: Command, slave: &mut Slave, dap: &mut Dap<B>) -> Answer {
    match command {
        Command::Handshake => Answer::Text(NAME),
        Command::Version => Answer::Number(VERSION),
        Command::Accelerators => Answer::Number(ACCELERATORS),
        Command::Voltage => Answer::Text(VOLTAGE),
        Command::Frequency => Answer::Number(FREQUENCY_KHZ),
        Command::SetFrequency(_) | Command::ClockOutput(_) => Answer::DONE,
        Command::Reset(hold) => done(dap.hold_in_reset(hold)),
        Command::SwdInit => {
            *slave = Slave::default();
            Answer::DONE
        }
        Command::SwdOut { bits, count } => {
            slave.output(dap, bits, count);
            Answer::DONE
        }
        Command::SwdIn { count } => Answer::Number(u64::from(slave.input(count))),
        Command::DpRead { address } => register(dap.dp_read(address)),
        Command::DpAccess {
            read: true,
            address,
            ..
        } => register(dap.dp_read(address)),
        Command::DpAccess { address, value, .. } => done(dap.dp_write(address, value)),
        Command::ApRead { port, address } => register(dap.ap_read(port, address)),
        Command::ApWrite {
            port,
            address,
            value,
        } => done(dap.ap_write(port, address, value)),
        Command::MemoryRead { address, length } => match dap.memory_read(address, length) {
            Ok(bytes) => Answer::Bytes(bytes),
            Err(error) => failed(&error),
        },
        Command::MemoryWrite {
            width,
            address,
            bytes,
        } if address % u32::from(width.min(4)) == 0 => {
            done(dap.memory_write(address, width, &bytes))
        }
        Command::MemoryWrite { .. } => Answer::Refused(Refusal::Parameter),
    }
}

fn register(value: Result<u32, DapError>) -> Answer {
    value.map_or_else(|error| failed(&error), Answer::Register)
}

fn done(outcome: Result<(), DapError>) -> Answer {
    outcome.map_or_else(|error| failed(&error), |()| Answer::DONE)
}

fn failed(error: &DapError) -> Answer {
    match error {
        DapError::Acknowledged(acknowledgement) => Answer::Fault(*acknowledgement as u8),
        DapError::Timeout => Answer::Exception,
    }
}
