//! The target's end of Serial Wire Debug, bit by bit (ADIv5.2, chapter B4).
//!
//! What is peculiar to this probe's link: reading starts at the first bit of the acknowledgement,
//! without the turnaround bit, and the debugger always sends a data phase, whatever was acknowledged.

use std::collections::VecDeque;

/// How a transfer is acknowledged (ADIv5.2 B4.2.4); the number is the three bits, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Acknowledgement {
    /// Done.
    Ok = 0b001,
    /// Come again.
    Wait = 0b010,
    /// An error flag is set.
    Fault = 0b100,
    /// Neither side drives the line.
    Silence = 0b111,
}

/// The register that a transfer goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Of the selected access port, not of the debug port.
    pub access_port: bool,
    /// 0, 4, 8 or 12.
    pub address: u8,
}

/// What is behind the two wires.
pub trait Port {
    /// Reads a register.
    fn read(&mut self, request: Request) -> Result<u32, Acknowledgement>;

    /// Whether a write would be taken.
    fn accepts(&mut self, request: Request) -> Result<(), Acknowledgement>;

    /// Writes a register, after it was accepted.
    fn write(&mut self, request: Request, value: u32);

    /// What was to be written arrived damaged.
    fn parity_error(&mut self);
}

/// Ones in a row that reset the line (ADIv5.2 B4.3.3).
const LINE_RESET: u32 = 50;
/// Bits of a request: start, APnDP, RnW, two of the address, parity, stop, park.
const REQUEST: u32 = 8;

/// The state of the target's end of the wires.
#[derive(Debug, Default)]
pub struct Slave {
    state: State,
    ones: u32,
    reply: VecDeque<bool>,
}

#[derive(Debug, Default)]
enum State {
    /// Lost until the line is reset, as after power-on.
    #[default]
    Lost,
    /// Waits for a start bit.
    Idle,
    /// Collects a request.
    Request { bits: u8, count: u32 },
    /// Collects data and parity; without a request they are dropped.
    Data {
        request: Option<Request>,
        bits: u64,
        count: u32,
    },
}

impl Slave {
    /// The debugger drives `count` bits, lowest first; at most 32.
    pub fn output(&mut self, port: &mut dyn Port, bits: u32, count: u8) {
        // What the debugger did not read is gone when it drives the line.
        self.reply.clear();
        for index in 0..u32::from(count.min(32)) {
            self.output_bit(port, bits >> index & 1 != 0);
        }
    }

    /// The debugger reads `count` bits, lowest first; at most 32. An undriven line is high.
    pub fn input(&mut self, count: u8) -> u32 {
        (0..u32::from(count.min(32)))
            .map(|index| u32::from(self.reply.pop_front().unwrap_or(true)) << index)
            .fold(0, |bits, bit| bits | bit)
    }

    fn output_bit(&mut self, port: &mut dyn Port, bit: bool) {
        self.ones = if bit { self.ones + 1 } else { 0 };
        if self.ones >= LINE_RESET {
            self.ones = LINE_RESET;
            self.state = State::Idle;
            return;
        }
        match &mut self.state {
            State::Lost => {}
            State::Idle if bit => self.state = State::Request { bits: 1, count: 1 },
            State::Idle => {}
            State::Request { bits, count } => {
                *bits |= u8::from(bit) << *count;
                *count += 1;
                if *count == REQUEST {
                    let bits = *bits;
                    self.request(port, bits);
                }
            }
            State::Data {
                request,
                bits,
                count,
            } => {
                *bits |= u64::from(bit) << *count;
                *count += 1;
                if *count == 33 {
                    if let Some(request) = *request {
                        finish(port, request, *bits);
                    }
                    self.state = State::Idle;
                }
            }
        }
    }

    fn request(&mut self, port: &mut dyn Port, bits: u8) {
        let parity = (bits >> 1 & 0xF).count_ones() & 1 == u32::from(bits >> 5 & 1);
        let (stop, park) = (bits & 0x40 == 0, bits & 0x80 != 0);
        if !(parity && stop && park) {
            self.state = State::Lost;
            return;
        }
        let request = Request {
            access_port: bits & 2 != 0,
            address: (bits >> 3 & 3) << 2,
        };
        if bits & 4 != 0 {
            self.state = State::Idle;
            match port.read(request) {
                Ok(value) => {
                    self.acknowledge(Acknowledgement::Ok);
                    self.reply
                        .extend((0..32).map(|index| value >> index & 1 != 0));
                    self.reply.push_back(value.count_ones() & 1 != 0);
                }
                Err(acknowledgement) => self.acknowledge(acknowledgement),
            }
        } else {
            let accepted = port.accepts(request);
            self.acknowledge(accepted.err().unwrap_or(Acknowledgement::Ok));
            self.state = State::Data {
                request: accepted.is_ok().then_some(request),
                bits: 0,
                count: 0,
            };
        }
    }

    fn acknowledge(&mut self, acknowledgement: Acknowledgement) {
        self.reply.clear();
        self.reply
            .extend((0..3).map(|index| acknowledgement as u8 >> index & 1 != 0));
    }
}

fn finish(port: &mut dyn Port, request: Request, bits: u64) {
    let value = bits as u32;
    if value.count_ones() & 1 == (bits >> 32) as u32 & 1 {
        port.write(request, value);
    } else {
        port.parity_error();
    }
}
