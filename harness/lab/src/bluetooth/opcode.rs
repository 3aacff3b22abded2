//! The commands that a virtual controller knows (Core 5.4 Vol 4 Part E §7).

/// A command: its opcode, where it stands in the mask of supported ones (octet, bit; §6.27), how
/// many bytes of parameters it has, and how it is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Command {
    pub(super) opcode: u16,
    pub(super) bit: Option<(u8, u8)>,
    pub(super) length: usize,
    pub(super) answer: Answered,
}

/// How a command is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// When it has been done.
    Complete,
    /// Like that, with the connection's handle behind the status, also if it fails.
    OfConnection,
    /// At once; another event tells how it ended.
    Status,
    /// Not at all.
    Silent,
}

use Answered::{Complete, OfConnection, Silent, Status};

const fn command(opcode: u16, octet: u8, bit: u8, length: usize, answer: Answered) -> Command {
    Command {
        opcode,
        bit: Some((octet, bit)),
        length,
        answer,
    }
}

macro_rules! commands {
    ($($name:ident = $opcode:literal, $octet:literal, $bit:literal, $length:literal, $answer:ident;)*) => {
        $(pub(super) const $name: u16 = $opcode;)*
        /// All but the one that asks for the others.
        pub(super) const COMMANDS: &[Command] = &[
            $(command($name, $octet, $bit, $length, $answer),)*
            Command {
                opcode: READ_LOCAL_SUPPORTED_COMMANDS,
                bit: Some((14, 4)),
                length: 0,
                answer: Complete,
            },
        ];
    };
}

pub(super) const READ_LOCAL_SUPPORTED_COMMANDS: u16 = 0x1002;

commands! {
    DISCONNECT = 0x0406, 0, 5, 3, Status;
    READ_REMOTE_VERSION = 0x041D, 2, 7, 2, Status;
    SET_EVENT_MASK = 0x0C01, 5, 6, 8, Complete;
    RESET = 0x0C03, 5, 7, 0, Complete;
    SET_FLOW_CONTROL = 0x0C31, 10, 5, 1, Complete;
    HOST_BUFFER_SIZE = 0x0C33, 10, 6, 7, Complete;
    HOST_COMPLETED_PACKETS = 0x0C35, 10, 7, 0, Silent;
    SET_EVENT_MASK_2 = 0x0C63, 22, 2, 8, Complete;
    READ_LE_HOST_SUPPORT = 0x0C6C, 24, 5, 0, Complete;
    WRITE_LE_HOST_SUPPORT = 0x0C6D, 24, 6, 2, Complete;
    READ_LOCAL_VERSION = 0x1001, 14, 3, 0, Complete;
    READ_LOCAL_FEATURES = 0x1003, 14, 5, 0, Complete;
    READ_BUFFER_SIZE = 0x1005, 14, 7, 0, Complete;
    READ_BD_ADDR = 0x1009, 15, 1, 0, Complete;
    READ_RSSI = 0x1405, 15, 5, 2, OfConnection;
    LE_SET_EVENT_MASK = 0x2001, 25, 0, 8, Complete;
    LE_READ_BUFFER_SIZE = 0x2002, 25, 1, 0, Complete;
    LE_READ_LOCAL_FEATURES = 0x2003, 25, 2, 0, Complete;
    LE_SET_RANDOM_ADDRESS = 0x2005, 25, 4, 6, Complete;
    LE_SET_ADVERTISING_PARAMETERS = 0x2006, 25, 5, 15, Complete;
    LE_READ_ADVERTISING_POWER = 0x2007, 25, 6, 0, Complete;
    LE_SET_ADVERTISING_DATA = 0x2008, 25, 7, 32, Complete;
    LE_SET_SCAN_RESPONSE = 0x2009, 26, 0, 32, Complete;
    LE_SET_ADVERTISING_ENABLE = 0x200A, 26, 1, 1, Complete;
    LE_SET_SCAN_PARAMETERS = 0x200B, 26, 2, 7, Complete;
    LE_SET_SCAN_ENABLE = 0x200C, 26, 3, 2, Complete;
    LE_CREATE_CONNECTION = 0x200D, 26, 4, 25, Status;
    LE_CREATE_CONNECTION_CANCEL = 0x200E, 26, 5, 0, Complete;
    LE_READ_ACCEPT_LIST_SIZE = 0x200F, 26, 6, 0, Complete;
    LE_CLEAR_ACCEPT_LIST = 0x2010, 26, 7, 0, Complete;
    LE_ADD_TO_ACCEPT_LIST = 0x2011, 27, 0, 7, Complete;
    LE_REMOVE_FROM_ACCEPT_LIST = 0x2012, 27, 1, 7, Complete;
    LE_CONNECTION_UPDATE = 0x2013, 27, 2, 14, Status;
    LE_READ_REMOTE_FEATURES = 0x2016, 27, 5, 2, Status;
    LE_RAND = 0x2018, 27, 7, 0, Complete;
    LE_READ_SUPPORTED_STATES = 0x201C, 28, 3, 0, Complete;
    LE_SET_DATA_LENGTH = 0x2022, 33, 6, 6, OfConnection;
    LE_READ_DEFAULT_DATA_LENGTH = 0x2023, 33, 7, 0, Complete;
    LE_WRITE_DEFAULT_DATA_LENGTH = 0x2024, 34, 0, 4, Complete;
    LE_READ_MAXIMUM_DATA_LENGTH = 0x202F, 35, 3, 0, Complete;
}

/// The command of that opcode, if it is known.
pub(super) fn find(opcode: u16) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.opcode == opcode)
}

/// The mask of supported commands.
pub(super) fn mask() -> [u8; 64] {
    let mut mask = [0; 64];
    for (octet, bit) in COMMANDS.iter().filter_map(|command| command.bit) {
        mask[usize::from(octet)] |= 1 << bit;
    }
    mask
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_command_stands_there_twice() {
        let opcodes: BTreeSet<_> = COMMANDS.iter().map(|command| command.opcode).collect();
        let bits: BTreeSet<_> = COMMANDS.iter().map(|command| command.bit).collect();
        assert_eq!(
            (opcodes.len(), bits.len()),
            (COMMANDS.len(), COMMANDS.len())
        );
    }
}
