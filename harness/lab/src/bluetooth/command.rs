//! What a controller does on a host's command (Core 5.4 Vol 4 Part E §7).

use std::time::Duration;

use clock::LabTime;

use super::link::{self, BUFFERS, LONGEST, SHORTEST, airtime, completed};
use super::medium::Medium;
use super::opcode::{self, Answered};
use super::radio::{Address, Advertising, Initiating, Radio, RadioId, Scanning, Timing};

const COMMAND_COMPLETE: u8 = 0x0E;
const COMMAND_STATUS: u8 = 0x0F;
const READ_REMOTE_VERSION_COMPLETE: u8 = 0x0C;
const LE_READ_REMOTE_FEATURES_COMPLETE: u8 = 0x04;

/// Core 5.3, and a company that is none (Assigned Numbers §7).
const VERSION: [u8; 5] = [0x0C, 0xFF, 0xFF, 0x01, 0x00];
/// BR/EDR not supported, LE supported (Core 5.4 Vol 2 Part C §3.3: bits 37 and 38).
const FEATURES: [u8; 8] = [0, 0, 0, 0, 0x60, 0, 0, 0];
/// LE data packet length extension (Core 5.4 Vol 6 Part B §4.6: bit 5).
const LE_FEATURES: [u8; 8] = [0x20, 0, 0, 0, 0, 0, 0, 0];
/// Every combination of states that was there before 4.1 (Core 5.4 Vol 4 Part E §7.8.27).
const LE_STATES: [u8; 8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x03, 0, 0];
const ACCEPT_LIST: usize = 16;
/// Bytes of advertising data.
const ADVERTISING_DATA: usize = 31;

/// An HCI error code (Core 5.4 Vol 1 Part F).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal(u8);

impl Refusal {
    const UNKNOWN_COMMAND: Self = Self(0x01);
    const UNKNOWN_CONNECTION: Self = Self(0x02);
    const MEMORY: Self = Self(0x07);
    const DISALLOWED: Self = Self(0x0C);
    const PARAMETERS: Self = Self(0x12);
}

/// What a command returns behind its status.
type Answer = Result<Vec<u8>, Refusal>;

impl Medium {
    /// A command of a host.
    pub(super) fn command(&mut self, from: RadioId, opcode: u16, parameters: &[u8], now: LabTime) {
        let Some(command) = opcode::find(opcode) else {
            return self.answer(from, opcode, &[Refusal::UNKNOWN_COMMAND.0]);
        };
        if command.answer == Answered::Silent {
            return;
        }
        let is_whole = parameters.len() == command.length;
        let handle = parameters.get(..2).unwrap_or(&[0, 0]).to_vec();
        if command.answer == Answered::Status {
            let started = if is_whole {
                self.start(from, opcode, parameters)
            } else {
                Err(Refusal::PARAMETERS)
            };
            let status = started.err().map_or(0, |refusal| refusal.0);
            let [low, high] = opcode.to_le_bytes();
            if let Some(radio) = self.radio(from) {
                radio.event(COMMAND_STATUS, vec![status, 1, low, high]);
            }
            if status == 0 {
                self.go_on(from, opcode, parameters, now);
            }
            return;
        }
        let done = if is_whole {
            self.carry_out(from, opcode, parameters, now)
        } else {
            Err(Refusal::PARAMETERS)
        };
        let answer = match (done, command.answer) {
            (Ok(returned), _) => [vec![0], returned].concat(),
            (Err(refusal), Answered::OfConnection) => [vec![refusal.0], handle].concat(),
            (Err(refusal), _) => vec![refusal.0],
        };
        self.answer(from, opcode, &answer);
        self.after(from, opcode, parameters, answer[0] == 0);
    }

    fn answer(&mut self, to: RadioId, opcode: u16, returned: &[u8]) {
        let [low, high] = opcode.to_le_bytes();
        if let Some(radio) = self.radio(to) {
            radio.event(COMMAND_COMPLETE, [&[1, low, high], returned].concat());
        }
    }

    /// Commands that are done when they are answered. Parameters have the right length.
    fn carry_out(&mut self, from: RadioId, opcode: u16, p: &[u8], now: LabTime) -> Answer {
        match opcode {
            opcode::RESET => self.reset(from, now),
            opcode::READ_RSSI => return self.rssi(from, word(p, 0)),
            opcode::LE_SET_DATA_LENGTH => {
                self.link_of(from, word(p, 0))
                    .ok_or(Refusal::UNKNOWN_CONNECTION)?;
                let octets = word(p, 2);
                if !(SHORTEST..=LONGEST).contains(&octets) {
                    return Err(Refusal::PARAMETERS);
                }
                return Ok(p[..2].to_vec());
            }
            _ => {
                return self
                    .radio(from)
                    .map_or(Ok(Vec::new()), |radio| alone(radio, opcode, p, now));
            }
        }
        Ok(Vec::new())
    }

    /// Events that follow an answer.
    fn after(&mut self, from: RadioId, opcode: u16, p: &[u8], succeeded: bool) {
        match opcode {
            opcode::LE_SET_DATA_LENGTH if succeeded => {
                if let Some((id, side)) = self.link_of(from, word(p, 0)) {
                    self.lengthen(id, side, Some(word(p, 2)));
                }
            }
            opcode::LE_CREATE_CONNECTION_CANCEL if succeeded => {
                let nobody = Address {
                    kind: 0,
                    bytes: [0; 6],
                };
                let none = Timing {
                    interval: 0,
                    latency: 0,
                    supervision: 0,
                };
                let cancelled = completed(Refusal::UNKNOWN_CONNECTION.0, 0, 0, nobody, none);
                self.connection_complete(Some(from), cancelled);
            }
            _ => {}
        }
    }

    /// Whether a command that takes its time can be begun. Parameters have the right length.
    fn start(&mut self, from: RadioId, opcode: u16, p: &[u8]) -> Result<(), Refusal> {
        if opcode == opcode::LE_CREATE_CONNECTION {
            return self.initiate(from, p);
        }
        let (id, side) = self
            .link_of(from, word(p, 0))
            .ok_or(Refusal::UNKNOWN_CONNECTION)?;
        if opcode == opcode::LE_CONNECTION_UPDATE {
            if side != 0 {
                // A peripheral asks its central over L2CAP instead.
                return Err(Refusal::DISALLOWED);
            }
            let timing = update(p);
            if !timing.is_valid() || !self.links.contains_key(&id) {
                return Err(Refusal::PARAMETERS);
            }
        }
        Ok(())
    }

    /// Does what a command has begun.
    fn go_on(&mut self, from: RadioId, opcode: u16, p: &[u8], now: LabTime) {
        if opcode == opcode::LE_CREATE_CONNECTION {
            return;
        }
        let Some((id, _)) = self.link_of(from, word(p, 0)) else {
            return;
        };
        let mut told = vec![0];
        told.extend(&p[..2]);
        match opcode {
            opcode::DISCONNECT => self.hang_up(id, from, p[2], now),
            opcode::LE_CONNECTION_UPDATE => self.retime(id, update(p)),
            opcode::READ_REMOTE_VERSION => {
                told.extend(VERSION);
                if let Some(radio) = self.radio(from) {
                    radio.event(READ_REMOTE_VERSION_COMPLETE, told);
                }
            }
            opcode::LE_READ_REMOTE_FEATURES => {
                told.extend(LE_FEATURES);
                if let Some(radio) = self.radio(from) {
                    radio.le_event(LE_READ_REMOTE_FEATURES_COMPLETE, &told);
                }
            }
            _ => {}
        }
    }

    fn initiate(&mut self, from: RadioId, p: &[u8]) -> Result<(), Refusal> {
        let parameters = Timing {
            interval: word(p, 15),
            latency: word(p, 17),
            supervision: word(p, 19),
        };
        let Some(radio) = self.radio(from) else {
            return Err(Refusal::DISALLOWED);
        };
        if radio.initiating.is_some() {
            return Err(Refusal::DISALLOWED);
        }
        if p[4] > 1 || p[5] > 3 || p[12] > 3 || !parameters.is_valid() || word(p, 13) > word(p, 15)
        {
            return Err(Refusal::PARAMETERS);
        }
        if radio.own_address(p[12]).is_none() {
            return Err(Refusal::PARAMETERS);
        }
        radio.initiating = Some(Initiating {
            peer: (p[4] == 0).then(|| address(&p[5..12])),
            own: p[12],
            parameters,
        });
        Ok(())
    }

    fn reset(&mut self, from: RadioId, now: LabTime) {
        self.abandon(from, now);
        if let Some(radio) = self.radio(from) {
            radio.reset();
        }
    }

    fn rssi(&mut self, from: RadioId, handle: u16) -> Answer {
        let (id, side) = self
            .link_of(from, handle)
            .ok_or(Refusal::UNKNOWN_CONNECTION)?;
        let peer = self.links[&id].ends[1 - side].radio;
        let name = peer
            .and_then(|peer| self.radio(peer))
            .map(|radio| radio.name.clone());
        let rssi = name.map_or(i8::MIN, |name| self.faults_of(&name).rssi);
        let [low, high] = handle.to_le_bytes();
        Ok(vec![low, high, rssi as u8])
    }

    /// The connection of that handle, and the radio's side of it.
    fn link_of(&mut self, radio: RadioId, handle: u16) -> Option<(link::LinkId, usize)> {
        let id = *self.radio(radio)?.handles.get(&handle)?;
        Some((id, self.links.get(&id)?.side(radio)?))
    }
}

/// Commands that concern only the controller. Parameters have the right length.
fn alone(radio: &mut Radio, opcode: u16, p: &[u8], now: LabTime) -> Answer {
    let mut returned = Vec::new();
    match opcode {
        opcode::SET_EVENT_MASK => radio.event_mask = long(p),
        opcode::LE_SET_EVENT_MASK => radio.le_event_mask = long(p),
        opcode::SET_EVENT_MASK_2
        | opcode::SET_FLOW_CONTROL
        | opcode::HOST_BUFFER_SIZE
        | opcode::WRITE_LE_HOST_SUPPORT => {}
        opcode::READ_LE_HOST_SUPPORT => returned.extend([1, 0]),
        opcode::READ_LOCAL_VERSION => {
            let [version, low, high, sub_low, sub_high] = VERSION;
            returned.extend([version, 0, 0, version, low, high, sub_low, sub_high]);
        }
        opcode::READ_LOCAL_SUPPORTED_COMMANDS => returned.extend(opcode::mask()),
        opcode::READ_LOCAL_FEATURES => returned.extend(FEATURES),
        opcode::READ_BUFFER_SIZE => {
            returned.extend(LONGEST.to_le_bytes());
            returned.extend([0, BUFFERS as u8, 0, 0, 0]);
        }
        opcode::READ_BD_ADDR => returned.extend(radio.public),
        opcode::LE_READ_BUFFER_SIZE => {
            returned.extend(LONGEST.to_le_bytes());
            returned.push(BUFFERS as u8);
        }
        opcode::LE_READ_LOCAL_FEATURES => returned.extend(LE_FEATURES),
        opcode::LE_READ_SUPPORTED_STATES => returned.extend(LE_STATES),
        opcode::LE_READ_ADVERTISING_POWER => returned.push(0),
        opcode::LE_RAND => returned.extend(rand(&mut radio.noise)),
        opcode::LE_READ_DEFAULT_DATA_LENGTH => {
            returned.extend(radio.default_octets.to_le_bytes());
            returned.extend(airtime(radio.default_octets).to_le_bytes());
        }
        opcode::LE_WRITE_DEFAULT_DATA_LENGTH => {
            let octets = word(p, 0);
            if !(SHORTEST..=LONGEST).contains(&octets) {
                return Err(Refusal::PARAMETERS);
            }
            radio.default_octets = octets;
        }
        opcode::LE_READ_MAXIMUM_DATA_LENGTH => {
            for word in [LONGEST, airtime(LONGEST), LONGEST, airtime(LONGEST)] {
                returned.extend(word.to_le_bytes());
            }
        }
        opcode::LE_CREATE_CONNECTION_CANCEL => {
            radio.initiating.take().ok_or(Refusal::DISALLOWED)?;
        }
        opcode::LE_READ_ACCEPT_LIST_SIZE => returned.push(ACCEPT_LIST as u8),
        opcode::LE_CLEAR_ACCEPT_LIST => radio.accept_list.clear(),
        opcode::LE_ADD_TO_ACCEPT_LIST => {
            if radio.accept_list.len() >= ACCEPT_LIST {
                return Err(Refusal::MEMORY);
            }
            radio.accept_list.insert(address(p));
        }
        opcode::LE_REMOVE_FROM_ACCEPT_LIST => {
            radio.accept_list.remove(&address(p));
        }
        opcode::LE_SET_RANDOM_ADDRESS => {
            if radio.advertising.since.is_some() || radio.listens() {
                return Err(Refusal::DISALLOWED);
            }
            radio.random = Some(six(p));
        }
        _ => advertise_or_scan(radio, opcode, p, now)?,
    }
    Ok(returned)
}

fn advertise_or_scan(
    radio: &mut Radio,
    opcode: u16,
    p: &[u8],
    now: LabTime,
) -> Result<(), Refusal> {
    match opcode {
        opcode::LE_SET_ADVERTISING_PARAMETERS => {
            if radio.advertising.since.is_some() {
                return Err(Refusal::DISALLOWED);
            }
            let (shortest, longest) = (word(p, 0), word(p, 2));
            // Directed advertising of high duty cycle has no interval.
            let has_interval = (0x20..=0x4000).contains(&shortest) && shortest <= longest;
            if p[4] > 4 || p[5] > 3 || p[14] > 3 || !(has_interval || p[4] == 1) {
                return Err(Refusal::PARAMETERS);
            }
            let units = if p[4] == 1 { 6 } else { shortest };
            radio.advertising = Advertising {
                interval: Duration::from_micros(u64::from(units) * 625),
                kind: p[4],
                own: p[5],
                peer: address(&p[6..13]),
                filter: p[14],
                ..std::mem::take(&mut radio.advertising)
            };
        }
        opcode::LE_SET_ADVERTISING_DATA => radio.advertising.data = data(p)?,
        opcode::LE_SET_SCAN_RESPONSE => radio.advertising.response = data(p)?,
        opcode::LE_SET_ADVERTISING_ENABLE => {
            if radio.own_address(radio.advertising.own).is_none() && p[0] == 1 {
                return Err(Refusal::PARAMETERS);
            }
            radio.advertising.since = switch(p[0])?.then_some(now);
            radio.advertising.last = None;
        }
        opcode::LE_SET_SCAN_PARAMETERS => {
            if radio.scanning.on {
                return Err(Refusal::DISALLOWED);
            }
            let (interval, window) = (word(p, 1), word(p, 3));
            let in_range = |units: u16| (4..=0x4000).contains(&units);
            if p[0] > 1 || !in_range(interval) || !in_range(window) || window > interval {
                return Err(Refusal::PARAMETERS);
            }
            radio.scanning = Scanning {
                active: p[0] == 1,
                own: p[5],
                filtered: p[6] & 1 == 1,
                ..Scanning::default()
            };
        }
        opcode::LE_SET_SCAN_ENABLE => {
            let on = switch(p[0])?;
            radio.scanning.without_duplicates = switch(p[1])?;
            if on && !radio.scanning.on {
                radio.scanning.reported.clear();
            }
            radio.scanning.on = on;
        }
        _ => return Err(Refusal::UNKNOWN_COMMAND),
    }
    Ok(())
}

/// The timing that a Connection Update asks for; the shorter of its intervals.
fn update(p: &[u8]) -> Timing {
    Timing {
        interval: word(p, 2),
        latency: word(p, 6),
        supervision: word(p, 8),
    }
}

/// Advertising data behind its length.
fn data(p: &[u8]) -> Result<Vec<u8>, Refusal> {
    let length = usize::from(p[0]);
    if length > ADVERTISING_DATA {
        return Err(Refusal::PARAMETERS);
    }
    Ok(p[1..=length].to_vec())
}

fn switch(byte: u8) -> Result<bool, Refusal> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Refusal::PARAMETERS),
    }
}

/// SplitMix64: the lab's runs are to be alike.
fn rand(noise: &mut u64) -> [u8; 8] {
    *noise = noise.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *noise;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ mixed >> 31).to_le_bytes()
}

fn word(p: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([p[at], p[at + 1]])
}

fn long(p: &[u8]) -> u64 {
    p.iter()
        .rev()
        .fold(0, |long, byte| long << 8 | u64::from(*byte))
}

fn six(p: &[u8]) -> [u8; 6] {
    std::array::from_fn(|index| p[index])
}

/// Type and address.
fn address(p: &[u8]) -> Address {
    Address {
        kind: p[0] & 1,
        bytes: six(&p[1..]),
    }
}
