//! PDUs of ATT that go past a host.
//!
//! A host's GATT client sends sound requests alone, and hides what comes back. What is asked here goes out on
//! one of its connections as it is, and the answer is not the host's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::pdu::{
    HEADER, NUMBER_OF_COMPLETED_PACKETS, att, confirmation, confirmed, ended, fragments, pdu_length,
};
use crate::bluetooth::h4::Packet;

/// Opcodes of what a server sends unasked (Core 5.4 Vol 3 Part F §3.4.8).
const NOTIFICATION: u8 = 0x1B;
const INDICATION: u8 = 0x1D;
const SEVERAL_NOTIFICATIONS: u8 = 0x23;
/// Opcode by which a client acknowledges an indication.
const CONFIRMATION: u8 = 0x1E;
/// Bit of an opcode: a command, which is not answered.
const COMMAND: u8 = 0x40;

/// The way past the host of one controller; cheap to clone, all clones lead past the same one.
#[derive(Clone, Default)]
pub(crate) struct PastHost(Arc<Way>);

#[derive(Default)]
struct Way {
    state: Mutex<State>,
    bell: Notify,
}

#[derive(Default)]
struct State {
    outgoing: VecDeque<Packet>,
    connections: BTreeMap<u16, Asked>,
}

/// What was asked last on a connection.
#[derive(Default)]
struct Asked {
    /// Who waits for the answer. Also one who has ceased to wait: a late answer is not the host's either.
    reply: Option<oneshot::Sender<Vec<u8>>>,
    /// The answer, as far as it has come.
    hearing: Option<Vec<u8>>,
    /// Packets that the controller has not confirmed.
    unconfirmed: u16,
}

impl PastHost {
    /// Sends a PDU on a connection. What comes is the first answer; an error, if the connection has ended or the
    /// next is asked before.
    pub(crate) fn ask(&self, handle: u16, pdu: &[u8]) -> oneshot::Receiver<Vec<u8>> {
        let (reply, answer) = oneshot::channel();
        let packets = fragments(handle, pdu);
        {
            let mut state = self.state();
            let asked = state.connections.entry(handle).or_default();
            asked.reply = Some(reply);
            asked.unconfirmed += packets.len() as u16;
            state.outgoing.extend(packets);
        }
        self.0.bell.notify_one();
        answer
    }

    /// What is to be sent.
    pub(super) fn take_outgoing(&self) -> VecDeque<Packet> {
        std::mem::take(&mut self.state().outgoing)
    }

    /// Ends when there is more to be sent. Cancel safe.
    pub(super) async fn rung(&self) {
        self.0.bell.notified().await;
    }

    /// Sees a packet of the host: what is answered after a request of its own is its own.
    pub(super) fn host_sends(&self, packet: &Packet) {
        if let Packet::Acl(acl) = packet
            && !acl.continues
            && let Some([opcode, ..]) = att(&acl.data)
            && *opcode != CONFIRMATION
            && let Some(asked) = self.state().connections.get_mut(&acl.handle)
        {
            asked.reply = None;
        }
    }

    /// Takes a packet of the controller, and gives back what of it is the host's.
    pub(super) fn controller_sends(&self, packet: Packet) -> Vec<Packet> {
        let mut state = self.state();
        match packet {
            Packet::Acl(acl) => {
                let Some(asked) = state.connections.get_mut(&acl.handle) else {
                    return vec![Packet::Acl(acl)];
                };
                if !acl.continues {
                    let answers =
                        matches!(att(&acl.data), Some([opcode, ..]) if is_answer(*opcode));
                    asked.hearing = (answers && asked.reply.is_some()).then(Vec::new);
                }
                let Some(hearing) = &mut asked.hearing else {
                    return vec![Packet::Acl(acl)];
                };
                hearing.extend(&acl.data);
                if hearing.len() >= HEADER + pdu_length(hearing) {
                    let pdu = hearing.split_off(HEADER);
                    asked.hearing = None;
                    if let Some(reply) = asked.reply.take() {
                        // It may not be waited for any more.
                        let _ = reply.send(pdu);
                    }
                }
                Vec::new()
            }
            Packet::Event {
                code: NUMBER_OF_COMPLETED_PACKETS,
                parameters,
            } => confirmed(&parameters)
                .filter_map(|(handle, count)| {
                    let ours = match state.connections.get_mut(&(handle & 0x0FFF)) {
                        Some(asked) => {
                            let ours = count.min(asked.unconfirmed);
                            asked.unconfirmed -= ours;
                            ours
                        }
                        None => 0,
                    };
                    (count > ours).then(|| confirmation(handle, count - ours))
                })
                .collect(),
            other => {
                if let Some(handle) = ended(&other) {
                    state.connections.remove(&handle);
                }
                vec![other]
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server sends such a PDU because it was asked. Those of a client have even opcodes.
fn is_answer(opcode: u8) -> bool {
    opcode & COMMAND == 0
        && opcode % 2 == 1
        && !matches!(opcode, NOTIFICATION | INDICATION | SEVERAL_NOTIFICATIONS)
}

#[cfg(test)]
mod tests {
    use super::super::pdu::{DISCONNECTION_COMPLETE, whole};
    use super::*;

    const HANDLE: u16 = 0x40;

    fn disconnected() -> Packet {
        Packet::Event {
            code: DISCONNECTION_COMPLETE,
            parameters: vec![0, HANDLE as u8, 0, 0x13],
        }
    }

    #[test]
    fn an_answer_is_the_askers_and_what_comes_unasked_is_the_hosts() {
        let past = PastHost::default();
        let mut answer = past.ask(HANDLE, &[0x0A, 3]);
        let sent = past.take_outgoing();
        assert_eq!(sent, fragments(HANDLE, &[0x0A, 3]));
        for unasked in [
            &[NOTIFICATION, 3, 0][..],
            &[INDICATION, 3, 0],
            &[0x02, 0, 1],
        ] {
            let packet = whole(HANDLE, unasked);
            assert_eq!(past.controller_sends(packet.clone()), [packet]);
        }
        let error = [1, 0x0A, 3, 0, 4];
        assert_eq!(past.controller_sends(whole(HANDLE, &error)), []);
        assert_eq!(answer.try_recv(), Ok(error.to_vec()));
        let next = whole(HANDLE, &[0x0B, 9]);
        assert_eq!(past.controller_sends(next.clone()), [next]);
    }

    #[test]
    fn an_answer_in_pieces_is_heard_whole() {
        let past = PastHost::default();
        let mut answer = past.ask(HANDLE, &[0x0A, 3, 0]);
        let pdu = [&[0x0B][..], &[7; 300]].concat();
        for packet in fragments(HANDLE, &pdu) {
            assert_eq!(past.controller_sends(packet), []);
        }
        assert_eq!(answer.try_recv(), Ok(pdu));
    }

    #[test]
    fn an_answer_that_comes_late_is_nobodys_until_the_host_asks_again() {
        let past = PastHost::default();
        let response = || whole(HANDLE, &[0x0B, 9]);
        drop(past.ask(HANDLE, &[0x0A]));
        assert_eq!(past.controller_sends(response()), []);
        drop(past.ask(HANDLE, &[0x0A]));
        past.host_sends(&whole(HANDLE, &[0x0A, 3, 0]));
        assert_eq!(past.controller_sends(response()), [response()]);
    }

    #[test]
    fn confirmations_of_packets_that_are_not_the_hosts_do_not_reach_it() {
        let past = PastHost::default();
        let _answer = past.ask(HANDLE, &[0; 600]);
        assert_eq!(past.controller_sends(confirmation(HANDLE, 2)), []);
        let rest = past.controller_sends(confirmation(HANDLE, 3));
        assert_eq!(rest, [confirmation(HANDLE, 2)]);
        let other = confirmation(HANDLE + 1, 1);
        assert_eq!(past.controller_sends(other.clone()), [other]);
    }

    #[test]
    fn the_end_of_the_connection_is_the_end_of_waiting() {
        let past = PastHost::default();
        let mut answer = past.ask(HANDLE, &[]);
        assert_eq!(past.controller_sends(disconnected()), [disconnected()]);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
