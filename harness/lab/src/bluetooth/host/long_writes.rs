//! Queued writes for a host whose GATT client has none.
//!
//! trouble-host's client puts a value of any length into one Write Request. What does not fit the
//! connection's ATT_MTU is turned into Prepare Write Requests and an Execute Write Request here
//! (Core 5.4 Vol 3 Part F §3.4.6, Part G §4.9.4), between host and controller; the host sees one
//! Write Response, or one Error Response.

use std::collections::BTreeMap;

use super::pdu::{
    HEADER, NUMBER_OF_COMPLETED_PACKETS, att, confirmation, confirmed, ended, fragments,
    pdu_length, whole,
};
use crate::bluetooth::h4::{Acl, Packet};

/// What an ATT_MTU is before anybody has asked for more.
const MTU: usize = 23;

const ERROR_RESPONSE: u8 = 0x01;
const EXCHANGE_MTU_REQUEST: u8 = 0x02;
const EXCHANGE_MTU_RESPONSE: u8 = 0x03;
const WRITE_REQUEST: u8 = 0x12;
const WRITE_RESPONSE: u8 = 0x13;
const PREPARE_WRITE_REQUEST: u8 = 0x16;
const PREPARE_WRITE_RESPONSE: u8 = 0x17;
const EXECUTE_WRITE_REQUEST: u8 = 0x18;
const EXECUTE_WRITE_RESPONSE: u8 = 0x19;
const EXECUTE: u8 = 1;
const CANCEL: u8 = 0;

/// Where a packet goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    ToHost(Packet),
    ToController(Packet),
}

/// What is known of each connection.
#[derive(Debug, Default)]
pub(super) struct LongWrites {
    connections: BTreeMap<u16, Connection>,
}

#[derive(Debug)]
struct Connection {
    asked: usize,
    mtu: usize,
    /// A request of the host that is too long, as far as it has come.
    taking: Option<Vec<u8>>,
    /// An answer that the host must not see, as far as it has come.
    hearing: Option<Vec<u8>>,
    writing: Option<Writing>,
    /// Packets of ours that the controller has not confirmed.
    unconfirmed: u16,
}

/// A value on its way.
#[derive(Debug)]
struct Writing {
    handle: [u8; 2],
    value: Vec<u8>,
    sent: usize,
    /// The error that the host will be told, once the queue is empty.
    failed: Option<u8>,
}

impl LongWrites {
    /// Takes a packet of the host.
    pub(super) fn host_sends(&mut self, packet: Packet) -> Vec<Step> {
        let Packet::Acl(acl) = packet else {
            return vec![Step::ToController(packet)];
        };
        let connection = self.connections.entry(acl.handle).or_default();
        if !acl.continues {
            connection.taking = None;
            match att(&acl.data) {
                Some([EXCHANGE_MTU_REQUEST, low, high, ..]) => {
                    connection.asked = usize::from(u16::from_le_bytes([*low, *high]));
                }
                Some([WRITE_REQUEST, ..]) if pdu_length(&acl.data) > connection.mtu => {
                    connection.taking = Some(Vec::new());
                }
                _ => {}
            }
        }
        let Some(taking) = &mut connection.taking else {
            return vec![Step::ToController(Packet::Acl(acl))];
        };
        taking.extend(&acl.data);
        // The host may send as many packets as the controller confirms; this one never gets there.
        let mut steps = vec![Step::ToHost(confirmation(acl.handle, 1))];
        if taking.len() >= HEADER + pdu_length(taking) {
            let pdu = taking.split_off(HEADER);
            connection.taking = None;
            connection.writing = Some(Writing {
                handle: [pdu[1], pdu[2]],
                value: pdu[3..].to_vec(),
                sent: 0,
                failed: None,
            });
            steps.extend(connection.go_on(acl.handle));
        }
        steps
    }

    /// Takes a packet of the controller.
    pub(super) fn controller_sends(&mut self, packet: Packet) -> Vec<Step> {
        match packet {
            Packet::Acl(acl) => self.data(acl),
            Packet::Event {
                code: NUMBER_OF_COMPLETED_PACKETS,
                parameters,
            } => self.completed(&parameters),
            other => {
                if let Some(handle) = ended(&other) {
                    self.connections.remove(&handle);
                }
                vec![Step::ToHost(other)]
            }
        }
    }

    fn data(&mut self, acl: Acl) -> Vec<Step> {
        let connection = self.connections.entry(acl.handle).or_default();
        if !acl.continues {
            connection.hearing = None;
            match att(&acl.data) {
                Some([EXCHANGE_MTU_RESPONSE, low, high, ..]) => {
                    let offered = usize::from(u16::from_le_bytes([*low, *high]));
                    connection.mtu = connection.asked.min(offered).max(MTU);
                }
                Some([opcode, ..]) if connection.writing.is_some() => {
                    let ours = [
                        PREPARE_WRITE_RESPONSE,
                        EXECUTE_WRITE_RESPONSE,
                        ERROR_RESPONSE,
                    ];
                    connection.hearing = ours.contains(opcode).then(Vec::new);
                }
                _ => {}
            }
        }
        let Some(hearing) = &mut connection.hearing else {
            return vec![Step::ToHost(Packet::Acl(acl))];
        };
        hearing.extend(&acl.data);
        if hearing.len() < HEADER + pdu_length(hearing) {
            return Vec::new();
        }
        let pdu = hearing.split_off(HEADER);
        connection.hearing = None;
        connection.answered(acl.handle, &pdu)
    }

    /// Confirmations of packets that are ours are not for the host.
    fn completed(&mut self, parameters: &[u8]) -> Vec<Step> {
        let mut steps = Vec::new();
        for (handle, mut count) in confirmed(parameters) {
            if let Some(connection) = self.connections.get_mut(&(handle & 0x0FFF)) {
                let ours = count.min(connection.unconfirmed);
                connection.unconfirmed -= ours;
                count -= ours;
            }
            if count > 0 {
                steps.push(Step::ToHost(confirmation(handle, count)));
            }
        }
        steps
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            asked: MTU,
            mtu: MTU,
            taking: None,
            hearing: None,
            writing: None,
            unconfirmed: 0,
        }
    }
}

impl Connection {
    /// Sends the next part, or the order to write all.
    fn go_on(&mut self, handle: u16) -> Vec<Step> {
        let Some(writing) = &mut self.writing else {
            return Vec::new();
        };
        let rest = &writing.value[writing.sent..];
        let part = &rest[..rest.len().min(self.mtu - 5)];
        let pdu = if writing.failed.is_some() {
            vec![EXECUTE_WRITE_REQUEST, CANCEL]
        } else if part.is_empty() {
            vec![EXECUTE_WRITE_REQUEST, EXECUTE]
        } else {
            let mut pdu = vec![PREPARE_WRITE_REQUEST];
            pdu.extend(writing.handle);
            pdu.extend((writing.sent as u16).to_le_bytes());
            pdu.extend(part);
            writing.sent += part.len();
            pdu
        };
        let packets: Vec<Step> = fragments(handle, &pdu)
            .into_iter()
            .map(Step::ToController)
            .collect();
        self.unconfirmed += packets.len() as u16;
        packets
    }

    fn answered(&mut self, handle: u16, pdu: &[u8]) -> Vec<Step> {
        let Some(writing) = &mut self.writing else {
            return Vec::new();
        };
        match *pdu {
            [PREPARE_WRITE_RESPONSE, ..] => self.go_on(handle),
            [EXECUTE_WRITE_RESPONSE, ..] => {
                let failed = writing.failed;
                let [low, high] = writing.handle;
                self.writing = None;
                let told = match failed {
                    None => vec![WRITE_RESPONSE],
                    Some(code) => vec![ERROR_RESPONSE, WRITE_REQUEST, low, high, code],
                };
                vec![Step::ToHost(whole(handle, &told))]
            }
            [ERROR_RESPONSE, PREPARE_WRITE_REQUEST, .., code] => {
                writing.failed = Some(code);
                self.go_on(handle)
            }
            [ERROR_RESPONSE, .., code] => {
                let code = writing.failed.unwrap_or(code);
                let [low, high] = writing.handle;
                self.writing = None;
                let told = [ERROR_RESPONSE, WRITE_REQUEST, low, high, code];
                vec![Step::ToHost(whole(handle, &told))]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HANDLE: u16 = 0x40;

    /// A host's packets with this PDU.
    fn request(pdu: &[u8]) -> Vec<Packet> {
        let Packet::Acl(acl) = whole(HANDLE, pdu) else {
            unreachable!("it is data");
        };
        let fragments = acl.data.chunks(100).enumerate();
        fragments
            .map(|(index, data)| {
                Packet::Acl(Acl {
                    handle: HANDLE,
                    continues: index > 0,
                    data: data.to_vec(),
                })
            })
            .collect()
    }

    /// A server that takes queued writes, or refuses them.
    #[derive(Default)]
    struct Server {
        refuses: bool,
        partial: Vec<u8>,
        queue: Vec<u8>,
        value: Vec<u8>,
    }

    impl Server {
        fn hear(&mut self, packet: Packet) -> Vec<Packet> {
            let Packet::Acl(acl) = packet else {
                return Vec::new();
            };
            self.partial.extend(&acl.data);
            let mut sent = vec![confirmation(HANDLE, 1)];
            if self.partial.len() < HEADER + pdu_length(&self.partial) {
                return sent;
            }
            let pdu = self.partial.split_off(HEADER);
            self.partial.clear();
            let answer = match pdu[0] {
                PREPARE_WRITE_REQUEST if self.refuses => {
                    vec![ERROR_RESPONSE, PREPARE_WRITE_REQUEST, 9, 0, 0x09]
                }
                PREPARE_WRITE_REQUEST => {
                    assert_eq!(
                        usize::from(u16::from_le_bytes([pdu[3], pdu[4]])),
                        self.queue.len()
                    );
                    self.queue.extend(&pdu[5..]);
                    [&[PREPARE_WRITE_RESPONSE], &pdu[1..]].concat()
                }
                EXECUTE_WRITE_REQUEST => {
                    if pdu[1] == EXECUTE {
                        self.value = std::mem::take(&mut self.queue);
                    }
                    vec![EXECUTE_WRITE_RESPONSE]
                }
                _ => vec![WRITE_RESPONSE],
            };
            sent.push(whole(HANDLE, &answer));
            sent
        }
    }

    /// What the host hears in the end: data, and how many packets were confirmed.
    fn exchange(server: &mut Server, pdu: &[u8]) -> (Vec<Packet>, usize, usize) {
        let mut long_writes = LongWrites::default();
        let packets = request(pdu);
        let sent = packets.len();
        let mut steps: Vec<Step> = Vec::new();
        for packet in packets {
            steps.extend(long_writes.host_sends(packet));
        }
        let (mut heard, mut confirmed) = (Vec::new(), 0);
        while !steps.is_empty() {
            match steps.remove(0) {
                Step::ToHost(Packet::Event { parameters, .. }) => {
                    confirmed += usize::from(u16::from_le_bytes([parameters[3], parameters[4]]));
                }
                Step::ToHost(packet) => heard.push(packet),
                Step::ToController(packet) => {
                    for answer in server.hear(packet) {
                        steps.extend(long_writes.controller_sends(answer));
                    }
                }
            }
        }
        (heard, sent, confirmed)
    }

    proptest! {
        #[test]
        fn a_value_of_any_length_arrives_whole(length in 0usize..=512) {
            let value: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut server = Server::default();
            let pdu = [&[WRITE_REQUEST, 9, 0], &value[..]].concat();
            let (heard, sent, confirmed) = exchange(&mut server, &pdu);
            prop_assert_eq!(heard, vec![whole(HANDLE, &[WRITE_RESPONSE])]);
            prop_assert_eq!(sent, confirmed);
            if length > MTU - 3 {
                prop_assert_eq!(server.value, value);
            }
        }

        #[test]
        fn any_packets_are_taken(
            packets in proptest::collection::vec(
                (any::<bool>(), any::<bool>(), 0u16..3, proptest::collection::vec(any::<u8>(), 0..40)),
                0..40,
            ),
        ) {
            let mut long_writes = LongWrites::default();
            for (ours, continues, handle, mut data) in packets {
                // Mostly ATT.
                if let [_, high, channel, zero, ..] = &mut data[..] {
                    (*high, *channel, *zero) = (0, 4, 0);
                }
                let packet = Packet::Acl(Acl { handle, continues, data });
                if ours {
                    long_writes.host_sends(packet);
                } else {
                    long_writes.controller_sends(packet);
                }
            }
        }
    }

    #[test]
    fn a_refused_part_empties_the_queue_and_is_told_as_a_refused_write() {
        let mut server = Server {
            refuses: true,
            ..Server::default()
        };
        let pdu = [&[WRITE_REQUEST, 9, 0], &[1; 60][..]].concat();
        let (heard, sent, confirmed) = exchange(&mut server, &pdu);
        let told = [ERROR_RESPONSE, WRITE_REQUEST, 9, 0, 0x09];
        assert_eq!(heard, vec![whole(HANDLE, &told)]);
        assert_eq!(sent, confirmed);
    }
}
