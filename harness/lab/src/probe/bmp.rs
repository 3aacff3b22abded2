//! The remote protocol of the Black Magic Probe, version 4.
//!
//! A command is `!`, two or more characters, hexadecimal fields of fixed width, `#`; an answer is
//! `&`, one of `K` (done), `P` (parameter), `E` (error) and `N` (unknown), then a number, text or
//! bytes in hexadecimal, `#`. Source: `src/remote.h` and `src/remote.c` of Black Magic Debug 2.0.
//!
//! A trap: registers of the accelerated commands travel in the order of memory, lowest byte first,
//! except the value of `AR`.

/// Longest command that the probe takes, and longest answer that the debugger does.
pub const MAX_COMMAND: usize = 1024;
/// Most bytes of memory in one command.
pub const MAX_BLOCK: usize = (MAX_COMMAND - 4) / 2;

/// What a debugger asks of the probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `GA`: who are you?
    Handshake,
    /// `HC`: which version of the protocol?
    Version,
    /// `HA`: which accelerated commands?
    Accelerators,
    /// `GV`: which voltage has the target?
    Voltage,
    /// `GF`: use this frequency, in Hz.
    SetFrequency(u32),
    /// `Gf`: which frequency?
    Frequency,
    /// `GZ`: pull nRST low, or release it.
    Reset(bool),
    /// `GE`: drive the clock pin.
    ClockOutput(bool),
    /// `SS`: speak SWD.
    SwdInit,
    /// `So`: bits to the target, lowest first.
    SwdOut {
        /// The bits.
        bits: u32,
        /// How many; at most 32.
        count: u8,
    },
    /// `Si`: bits from the target, lowest first.
    SwdIn {
        /// How many; at most 32.
        count: u8,
    },
    /// `Ad`: read a register of the debug port.
    DpRead {
        /// Its address: 0, 4, 8 or 12.
        address: u8,
    },
    /// `AR`: access a register of the debug port.
    DpAccess {
        /// Read it instead of writing it.
        read: bool,
        /// Its address: 0, 4, 8 or 12.
        address: u8,
        /// What to write.
        value: u32,
    },
    /// `Aa`: read a register of an access port.
    ApRead {
        /// Number of the port.
        port: u8,
        /// Address of the register.
        address: u8,
    },
    /// `AA`: write a register of an access port.
    ApWrite {
        /// Number of the port.
        port: u8,
        /// Address of the register.
        address: u8,
        /// What to write.
        value: u32,
    },
    /// `Am`: read memory.
    MemoryRead {
        /// From here.
        address: u32,
        /// So many bytes; at most [`MAX_BLOCK`].
        length: usize,
    },
    /// `AM`: write memory.
    MemoryWrite {
        /// Bytes per access: 1, 2, 4 or 8.
        width: u8,
        /// To here.
        address: u32,
        /// At most [`MAX_BLOCK`].
        bytes: Vec<u8>,
    },
}

/// Why a command was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such command, or one that this probe does not support.
    Unknown,
    /// One of its fields is none.
    Parameter,
}

/// What the probe answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, with a number.
    Number(u64),
    /// Done, with the value of a register, in the order of memory.
    Register(u32),
    /// Done, with text.
    Text(&'static str),
    /// Done, with bytes.
    Bytes(Vec<u8>),
    /// The command was not understood.
    Refused(Refusal),
    /// The target answered with a fault, or not at all; the number is its SWD acknowledgement.
    Fault(u8),
    /// The target took too long.
    Exception,
}

/// `REMOTE_ERROR_*` of `remote.h`.
mod error_code {
    pub(super) const UNRECOGNISED: u64 = 1;
    pub(super) const FAULT: u64 = 3;
    pub(super) const EXCEPTION: u64 = 4;
}

impl Answer {
    /// Nothing but done.
    pub const DONE: Self = Self::Number(0);

    /// As it stands on the link.
    pub fn encode(&self) -> Vec<u8> {
        let text = match self {
            Self::Number(number) => format!("&K{number:x}#"),
            Self::Register(value) => format!("&K{:08x}#", value.swap_bytes()),
            Self::Text(text) => format!("&K{text}#"),
            Self::Bytes(bytes) => return encode_bytes(bytes),
            Self::Refused(Refusal::Unknown) => format!("&N{:x}#", error_code::UNRECOGNISED),
            Self::Refused(Refusal::Parameter) => format!("&P{:x}#", error_code::UNRECOGNISED),
            Self::Fault(acknowledgement) => {
                format!(
                    "&E{:x}#",
                    error_code::FAULT | u64::from(*acknowledgement) << 8
                )
            }
            Self::Exception => format!("&E{:x}#", error_code::EXCEPTION),
        };
        text.into_bytes()
    }
}

fn encode_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut answer = vec![0; 2 + 2 * bytes.len() + 1];
    answer[..2].copy_from_slice(b"&K");
    // Cannot fail: the slice has the length that it takes.
    let _ = hex::encode_to_slice(bytes, &mut answer[2..2 + 2 * bytes.len()]);
    if let Some(last) = answer.last_mut() {
        *last = b'#';
    }
    answer
}

/// Cuts a stream of bytes into commands.
#[derive(Debug, Default)]
pub struct Decoder {
    packet: Vec<u8>,
    inside: bool,
    too_long: bool,
}

impl Decoder {
    /// Takes the next byte; a command, or what is wrong with it, when it was the last one of a packet.
    pub fn push(&mut self, byte: u8) -> Option<Result<Command, Refusal>> {
        match byte {
            b'!' => {
                self.packet.clear();
                self.inside = true;
                self.too_long = false;
                None
            }
            b'#' if self.inside => {
                self.inside = false;
                Some(if self.too_long {
                    Err(Refusal::Parameter)
                } else {
                    Command::parse(&self.packet)
                })
            }
            _ if !self.inside => None,
            _ if self.packet.len() >= MAX_COMMAND => {
                self.too_long = true;
                None
            }
            other => {
                self.packet.push(other);
                None
            }
        }
    }
}

impl Command {
    /// The command in a packet, without `!` and `#`.
    pub fn parse(packet: &[u8]) -> Result<Self, Refusal> {
        let (name, rest) = packet.split_at_checked(2).ok_or(Refusal::Unknown)?;
        let mut fields = Fields { rest };
        let command = match name {
            b"GA" => Self::Handshake,
            b"GV" => Self::Voltage,
            b"GF" => Self::SetFrequency(fields.u32()?),
            b"Gf" => Self::Frequency,
            b"GZ" => Self::Reset(fields.flag()?),
            b"GE" => Self::ClockOutput(fields.flag()?),
            b"HC" => Self::Version,
            b"HA" => Self::Accelerators,
            b"SS" => Self::SwdInit,
            b"So" => Self::SwdOut {
                count: fields.bit_count()?,
                bits: fields.rest()?,
            },
            b"Si" => Self::SwdIn {
                count: fields.bit_count()?,
            },
            b"Ad" => {
                fields.device()?;
                fields.u8()?;
                Self::DpRead {
                    address: fields.register()?,
                }
            }
            b"AR" => {
                fields.device()?;
                Self::DpAccess {
                    read: fields.u8()? != 0,
                    address: fields.register()?,
                    value: fields.u32()?,
                }
            }
            b"Aa" => {
                fields.device()?;
                Self::ApRead {
                    port: fields.u8()?,
                    address: fields.register()?,
                }
            }
            b"AA" => {
                fields.device()?;
                Self::ApWrite {
                    port: fields.u8()?,
                    address: fields.register()?,
                    value: fields.u32()?.swap_bytes(),
                }
            }
            b"Am" => {
                fields.access()?;
                Self::MemoryRead {
                    address: fields.address()?,
                    length: fields.block_length()?,
                }
            }
            b"AM" => {
                fields.access()?;
                let width = fields.width()?;
                let address = fields.address()?;
                let length = fields.block_length()?;
                Self::MemoryWrite {
                    width,
                    address,
                    bytes: fields.bytes(length)?,
                }
            }
            _ => return Err(Refusal::Unknown),
        };
        if fields.rest.is_empty() {
            Ok(command)
        } else {
            Err(Refusal::Parameter)
        }
    }
}

/// The fields of a command that were not read yet.
struct Fields<'p> {
    rest: &'p [u8],
}

impl Fields<'_> {
    fn take(&mut self, digits: usize) -> Result<u64, Refusal> {
        let (field, rest) = self
            .rest
            .split_at_checked(digits)
            .ok_or(Refusal::Parameter)?;
        self.rest = rest;
        number(field)
    }

    fn u8(&mut self) -> Result<u8, Refusal> {
        Ok(self.take(2)? as u8)
    }

    fn u32(&mut self) -> Result<u32, Refusal> {
        Ok(self.take(8)? as u32)
    }

    fn flag(&mut self) -> Result<bool, Refusal> {
        Ok(self.take(1)? != 0)
    }

    /// Index of the device on the scan chain; SWD knows one.
    fn device(&mut self) -> Result<(), Refusal> {
        self.u8().map(drop)
    }

    /// Four digits, of which the upper half says port or bank and is known from the command.
    fn register(&mut self) -> Result<u8, Refusal> {
        Ok(self.take(4)? as u8)
    }

    /// Device, access port and CSW: the debugger always means access port 0.
    fn access(&mut self) -> Result<(), Refusal> {
        self.device()?;
        self.u8()?;
        self.u32().map(drop)
    }

    fn address(&mut self) -> Result<u32, Refusal> {
        u32::try_from(self.take(16)?).map_err(|_| Refusal::Parameter)
    }

    fn block_length(&mut self) -> Result<usize, Refusal> {
        match usize::try_from(self.take(8)?) {
            Ok(length) if length <= MAX_BLOCK => Ok(length),
            _ => Err(Refusal::Parameter),
        }
    }

    fn width(&mut self) -> Result<u8, Refusal> {
        match self.u8()? {
            exponent @ 0..=3 => Ok(1 << exponent),
            _ => Err(Refusal::Parameter),
        }
    }

    fn bit_count(&mut self) -> Result<u8, Refusal> {
        match self.u8()? {
            count @ 1..=32 => Ok(count),
            _ => Err(Refusal::Parameter),
        }
    }

    fn rest(&mut self) -> Result<u32, Refusal> {
        let field = std::mem::take(&mut self.rest);
        match number(field)? {
            value if !field.is_empty() => u32::try_from(value).map_err(|_| Refusal::Parameter),
            _ => Err(Refusal::Parameter),
        }
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Refusal> {
        let (field, rest) = self
            .rest
            .split_at_checked(2 * length)
            .ok_or(Refusal::Parameter)?;
        self.rest = rest;
        hex::decode(field).map_err(|_| Refusal::Parameter)
    }
}

fn number(digits: &[u8]) -> Result<u64, Refusal> {
    if digits.len() > 16 {
        return Err(Refusal::Parameter);
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or(Refusal::Parameter)?;
        Ok(number << 4 | u64::from(digit))
    })
}
