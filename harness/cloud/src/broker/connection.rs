//! One connection from accept to end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use clock::Patience;

use super::core::{Core, Leave};
use super::delivery::Routed;
use super::greeting::{Arrival, Ended, Guest};
use super::{ConnectionClosed, ConnectionOpened, Dropped, End, Reception, Reply};
use crate::packet::{Encoder, Level, Packet, Publish, QoS};

/// Messages delivered before the connection is looked at again.
const BATCH: usize = 64;
/// Packets of one client that are kept while a message before them waits for room. More are not
/// read, which TCP tells the client.
const BACKLOG: usize = 1000;
/// Bytes of these packets; the last of them may go beyond.
const BACKLOG_BYTES: usize = 1 << 20;
/// MQTT 5: nobody has subscribed to the topic of a message.
const NO_SUBSCRIBERS: u8 = 0x10;
/// MQTT 5: there is no message with this packet identifier.
const NO_IDENTIFIER: u8 = 0x92;
/// MQTT 5: the client may not do this.
const NOT_AUTHORIZED: u8 = 0x87;
/// Clients that take packets of so many bytes are told reasons in words.
const ROOMY: usize = 512;
/// DISCONNECT of a client that wants its will published all the same (MQTT 5 §3.14.2.1).
const WITH_WILL: u8 = 0x04;
/// How long a connection is waited for that keeps no time of its own.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Waits until a message is in line at every subscriber.
type Finish = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Packets that have come and not been dealt with, because a message before them waits for room.
#[derive(Default)]
struct Intake {
    backlog: VecDeque<(Packet, usize)>,
    /// Bytes of what is in `backlog`.
    bytes: usize,
    /// The message that waits for room with its subscribers.
    waiting: Option<(Finish, Publish)>,
    /// A message that waited, and has been passed on.
    routed: Option<Publish>,
    /// Nothing comes any more, for this reason.
    end: Option<Ended>,
    /// There may be whole packets that were not taken in, because there was no room for them or
    /// for the answers.
    more: bool,
}

impl Intake {
    fn push(&mut self, packet: Packet, size: usize) {
        self.bytes += size;
        self.backlog.push_back((packet, size));
    }

    fn is_full(&self) -> bool {
        self.backlog.len() >= BACKLOG || self.bytes >= BACKLOG_BYTES
    }

    /// Whether more is read from the client.
    fn reads(&self) -> bool {
        self.end.is_none() && !self.is_full()
    }

    /// The first reason counts.
    fn end(&mut self, ended: Ended) {
        self.end.get_or_insert(ended);
    }

    /// Waits until the message that waits has been passed on. Cancel safe.
    async fn routed(&mut self) {
        let Some((finished, _)) = &mut self.waiting else {
            return;
        };
        finished.await;
        self.routed = self.waiting.take().map(|(_, publish)| publish);
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(core: Arc<Core>, arrival: Arrival) {
    let peer = arrival.peer.clone();
    let probe = arrival.probe;
    let opened = ConnectionOpened {
        connection: peer.connection,
        peer: peer.address.to_string(),
        tls: arrival.tls.is_some(),
    };
    if !probe {
        core.trace.emit(None, &opened);
    }
    let greeted = tokio::select! {
        biased;
        greeted = core.greet(arrival) => greeted,
        () = core.goes_down(), if !probe => {
            Err(Ended::because(End::Fault, "the broker went down"))
        }
    };
    let (client, ended) = match greeted {
        Ok(guest) => {
            let client = guest.client.clone();
            (Some(client), core.attend(guest).await)
        }
        Err(ended) => (None, ended),
    };
    if probe {
        return;
    }
    let device = client.as_ref().and_then(|client| client.device.as_deref());
    let closed = ConnectionClosed {
        connection: peer.connection,
        client: client.as_ref().map(|client| client.id.clone()),
        end: ended.end,
        detail: ended.detail,
        code: ended.code,
    };
    core.trace.emit(device, &closed);
}

impl Core {
    /// Serves a session on its connection, and cleans up behind it.
    async fn attend(self: &Arc<Self>, mut guest: Guest) -> Ended {
        let mut ended = self.talk(&mut guest).await;
        self.say_why(&mut guest, &mut ended).await;
        let Guest { line, client, .. } = guest;
        let leave = Leave {
            farewell: ended.end == End::Disconnected && ended.code != Some(WITH_WILL),
            expiry: ended.expiry,
        };
        self.detach(&client, leave).await;
        for hook in self.hooks_for(&line) {
            hook.disconnected(&client);
        }
        match ended.end {
            End::Fault => line.transport.reset(),
            End::Lost | End::TimedOut => {}
            _ => line.transport.close(&self.clock, &self.limits).await,
        }
        ended
    }

    /// Tells a client of MQTT 5 why its connection ends (§3.14).
    async fn say_why(&self, guest: &mut Guest, ended: &mut Ended) {
        if guest.line.codec.level() != Level::V5 {
            ended.code = None;
            return;
        }
        let code = match ended.end {
            End::TakenOver => 0x8e,
            End::KeepAlive => 0x8d,
            End::Violation | End::Closed => ended.code.unwrap_or(0x83),
            _ => return,
        };
        ended.code = Some(code);
        let reason = ended.detail.as_deref().filter(|_| guest.largest >= ROOMY);
        guest.line.send(|out| out.disconnect(code, reason));
        // The client may be gone by now; there is nothing more to say to it then.
        let _ = guest.line.flush(&self.clock, &self.limits).await;
    }

    async fn talk(self: &Arc<Self>, guest: &mut Guest) -> Ended {
        let kick = guest.attachment.kick.clone();
        let wake = guest.attachment.wake.clone();
        // §3.1.2.10: one and a half times the keep-alive.
        let silence = Duration::from_millis(u64::from(guest.keep_alive) * 1500);
        let peer = guest.line.transport.peer();
        let mut patience = self.patience(silence);
        let mut intake = Intake::default();
        loop {
            self.misbehave(guest);
            if self.receive(guest, &mut intake) || !intake.reads() {
                patience = self.patience(silence);
            }
            let ended = self.work_off(guest, &mut intake);
            // What is left after the last packet of a client waits for the next connection.
            let more = ended.is_none() && self.deliver(guest);
            let more = more || intake.more && !intake.is_full();
            let flushed = tokio::select! {
                biased;
                flushed = guest.line.flush(&self.clock, &self.limits) => flushed,
                ended = kick.kicked() => return ended,
            };
            if let Some(ended) = ended {
                return ended;
            }
            if let Err(error) = flushed {
                let end = match error.kind() {
                    std::io::ErrorKind::TimedOut => End::TimedOut,
                    _ => End::Lost,
                };
                return Ended::because(end, error);
            }
            if more {
                wake.notify_one();
            }
            let waits = intake.waiting.is_some();
            tokio::select! {
                ended = kick.kicked() => return ended,
                read = guest.line.read(), if intake.reads() => match read {
                    Ok(0) => intake.end(Ended::because(End::Lost, "closed without DISCONNECT")),
                    Ok(_) => {}
                    Err(error) => intake.end(Ended::because(End::Lost, error)),
                },
                () = intake.routed(), if waits => {}
                () = wake.notified() => {}
                () = guest.late.wait(&self.clock), if !guest.late.is_empty() => {}
                _ = self.clock.lost_patience(patience, peer), if !silence.is_zero() => {
                    return Ended::because(End::KeepAlive, format!("silent for {silence:?}"));
                }
            }
        }
    }

    /// Does what faults want of a connection, besides answering otherwise.
    fn misbehave(&self, guest: &mut Guest) {
        let faults = self.faults_for(&guest.line);
        guest.line.in_single_bytes = faults.single_bytes;
        if faults.bad_packet != guest.bad_packet {
            guest.bad_packet = faults.bad_packet;
            if let Some(packet) = faults.bad_packet {
                let bytes = packet.bytes(guest.line.codec.level());
                guest.line.send(|out| out.raw(&bytes));
            }
        }
        while let Some(write) = guest.late.due(self.clock.now()) {
            guest.line.send(write);
        }
    }

    /// Answers a request with packet identifier `id` in this way; `write` is given the identifier to
    /// use.
    pub(super) fn answer(
        &self,
        guest: &mut Guest,
        reply: Reply,
        id: u16,
        write: impl FnOnce(&mut Encoder, u16) + Send + Sync + 'static,
    ) {
        match reply {
            Reply::AtOnce => guest.line.send(|out| write(out, id)),
            Reply::After(delay) => {
                let due = self.clock.now() + delay;
                guest.late.hold(due, move |out| write(out, id));
            }
            Reply::Never => {}
            Reply::Reset => guest.attachment.kick.kick(
                End::Fault,
                Some("a request was answered by a reset".to_owned()),
            ),
            Reply::WrongId => {
                // As far away as can be, and never 0.
                let wrong = (id ^ 0x8000).max(1);
                guest.line.send(|out| write(out, wrong));
            }
        }
    }

    fn patience(&self, silence: Duration) -> Patience {
        self.clock
            .patience(if silence.is_zero() { FOREVER } else { silence })
    }

    /// Takes in every packet that has come whole. Acknowledgements and pings are dealt with at
    /// once, so that a client which publishes while others are waited for still makes room in its
    /// own line; everything else keeps its order. Whether there was a packet.
    fn receive(self: &Arc<Self>, guest: &mut Guest, intake: &mut Intake) -> bool {
        let _together = self.trace.gather();
        let mut any = false;
        intake.more = false;
        while intake.end.is_none() && !intake.is_full() {
            if guest.line.is_full() {
                break;
            }
            let frame = match guest.line.next(&self.limits) {
                Ok(Some(frame)) => frame,
                Ok(None) => return any,
                Err(error) => {
                    intake.end(Ended::framed(&error));
                    return any;
                }
            };
            any = true;
            guest
                .line
                .show_received(&frame, &self.hooks_for(&guest.line));
            match guest.line.codec.decode(&frame) {
                Ok(packet) => {
                    if let Some(packet) = self.take_acknowledgement(guest, packet) {
                        intake.push(packet, frame.body.len());
                    }
                }
                Err(violation) => intake.end(Ended::violated(&violation)),
            }
            // Without a message that waits, packets are dealt with one by one.
            if intake.waiting.is_none()
                && let Some(ended) = self.work_off(guest, intake)
            {
                intake.end(ended);
            }
        }
        intake.more = intake.end.is_none();
        any
    }

    /// Deals with packets in the order in which they came, up to a message for which there is no
    /// room yet. Gives the end of the connection once all that came before it has been dealt with.
    fn work_off(self: &Arc<Self>, guest: &mut Guest, intake: &mut Intake) -> Option<Ended> {
        while intake.waiting.is_none() {
            if let Some(publish) = intake.routed.take() {
                self.acknowledge(guest, &publish);
            }
            let Some((packet, size)) = intake.backlog.pop_front() else {
                return intake.end.take();
            };
            intake.bytes -= size;
            let dealt = match packet {
                Packet::Publish(publish) => self.take(guest, intake, publish),
                packet => self.deal_with(guest, packet),
            };
            if let Err(ended) = dealt {
                intake.backlog.clear();
                return Some(ended);
            }
        }
        None
    }

    /// Deals with `packet` if it is an acknowledgement or a ping; gives it back if not.
    fn take_acknowledgement(&self, guest: &mut Guest, packet: Packet) -> Option<Packet> {
        let client = &guest.client;
        match packet {
            Packet::PubAck(ack) => {
                self.with_progress(client, |session| session.acknowledged(ack.id));
            }
            Packet::PubRec(ack) if ack.refuses() => {
                self.with_progress(client, |session| session.refused(ack.id));
            }
            Packet::PubRec(ack) => {
                let known = self.with_progress(client, |session| session.received(ack.id));
                let code = if known == Some(true) {
                    0
                } else {
                    NO_IDENTIFIER
                };
                guest.line.send(|out| out.pubrel(ack.id, code));
            }
            Packet::PubComp(ack) => {
                self.with_progress(client, |session| session.completed(ack.id));
            }
            Packet::PingReq => match self.faults_for(&guest.line).ping {
                Reply::WrongId => {}
                reply => self.answer(guest, reply, 0, |out, _| out.pingresp()),
            },
            other => return Some(other),
        }
        None
    }

    fn deal_with(&self, guest: &mut Guest, packet: Packet) -> Result<(), Ended> {
        let client = &guest.client;
        match packet {
            Packet::Connect(_) => {
                return Err(Ended::coded(End::Violation, 0x82, "a second CONNECT"));
            }
            Packet::Auth => {
                let how = "AUTH without an authentication method";
                return Err(Ended::coded(End::Violation, 0x82, how));
            }
            Packet::Disconnect { code, expiry } => {
                if guest.expiry == 0 && expiry > Some(0) {
                    let how = "DISCONNECT keeps a session that was to end";
                    return Err(Ended::coded(End::Violation, 0x82, how));
                }
                return Err(Ended {
                    code: Some(code),
                    expiry,
                    ..Ended::new(End::Disconnected)
                });
            }
            Packet::PubRel(ack) => {
                let known = self.with_session(client, |session| session.released(ack.id));
                let code = if known == Some(true) {
                    0
                } else {
                    NO_IDENTIFIER
                };
                guest.line.send(|out| out.pubcomp(ack.id, code));
            }
            Packet::Subscribe { id, wanted } => self.subscribe(guest, id, wanted),
            Packet::Unsubscribe { id, filters } => self.unsubscribe(guest, id, &filters),
            // Dealt with when they came.
            Packet::Publish(_)
            | Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubComp(_)
            | Packet::PingReq => {}
        }
        Ok(())
    }

    /// Passes a message on. It is acknowledged once there was room for it with every subscriber.
    fn take(
        self: &Arc<Self>,
        guest: &mut Guest,
        intake: &mut Intake,
        mut publish: Publish,
    ) -> Result<(), Ended> {
        let client = &guest.client;
        publish.arrived(self.clock.now());
        // §4.3.3: one of QoS 2 that is here already is only acknowledged again.
        let (first, unreleased) = match (publish.qos, publish.id) {
            (QoS::ExactlyOnce, Some(id)) => self
                .with_session(client, |session| {
                    (session.first_of(id), session.unreleased())
                })
                .unwrap_or_default(),
            _ => (true, 0),
        };
        if guest.line.codec.level() == Level::V5 && unreleased > self.limits.receive.into() {
            // It was not taken: sent again, it is the first.
            if let Some(id) = publish.id {
                self.with_session(client, |session| session.released(id));
            }
            let how = "more messages than the receive maximum";
            return Err(Ended::coded(End::Violation, 0x93, how));
        }
        let hooks = self.hooks_for(&guest.line);
        if !hooks
            .iter()
            .all(|hook| hook.may_publish(client, &publish.topic))
        {
            self.deny(guest, "publish", &publish.topic);
            self.acknowledge_only(guest, &publish, NOT_AUTHORIZED);
            return Ok(());
        }
        if !first {
            self.acknowledge_only(guest, &publish, 0);
            return Ok(());
        }
        let received = hooks.iter().map(|hook| hook.receive(client, &publish));
        let mut received = received.filter(|received| *received != Reception::Route);
        match received.next().unwrap_or_default() {
            Reception::Route => {}
            Reception::Keep => {
                self.acknowledge_only(guest, &publish, 0);
                return Ok(());
            }
            Reception::Refuse { code } => {
                self.acknowledge_only(guest, &publish, code);
                return Ok(());
            }
            Reception::Close { code, reason } => {
                return Err(Ended::coded(End::Closed, code, reason));
            }
        }
        match self.route(client, &publish) {
            Routed::Waits(routing) => {
                let core = self.clone();
                let finished = Box::pin(async move { core.finish(routing).await });
                intake.waiting = Some((finished, publish));
            }
            // A cloud behind the broker has taken it.
            Routed::Unwanted if hooks.is_empty() => {
                self.acknowledge_only(guest, &publish, NO_SUBSCRIBERS);
            }
            _ => self.acknowledge(guest, &publish),
        }
        Ok(())
    }

    /// A message has been passed on to every subscriber.
    fn acknowledge(&self, guest: &mut Guest, publish: &Publish) {
        for hook in self.hooks_for(&guest.line) {
            hook.published(&guest.client, publish);
        }
        self.acknowledge_only(guest, publish, 0);
    }

    /// `code` is left out before MQTT 5.
    fn acknowledge_only(&self, guest: &mut Guest, publish: &Publish, code: u8) {
        let Some(id) = publish.id else { return };
        let qos = publish.qos;
        if qos == QoS::ExactlyOnce && code >= 0x80 && guest.line.codec.level() == Level::V5 {
            // PUBREC with an error is the end of it (MQTT 5 §4.3.3).
            self.with_session(&guest.client, |session| session.released(id));
        }
        let reply = self.faults_for(&guest.line).publish;
        self.answer(guest, reply, id, move |out, id| match qos {
            QoS::ExactlyOnce => out.pubrec(id, code),
            _ => out.puback(id, code),
        });
    }

    /// Puts messages that wait for the client in line. Whether there are more.
    fn deliver(&self, guest: &mut Guest) -> bool {
        if self.faults_for(&guest.line).withhold_messages {
            return false;
        }
        let due = self.with_session(&guest.client, |session| session.waiting() > 0);
        if due != Some(true) {
            return false;
        }
        let now = self.clock.now();
        let due = self.with_progress(&guest.client, |session| {
            std::iter::from_fn(|| session.next(now))
                .take(BATCH)
                .collect::<Vec<_>>()
        });
        let due = due.unwrap_or_default();
        let _together = self.trace.gather();
        for publish in &due {
            if guest.line.codec.out.size(publish) > guest.largest {
                self.leave_out(guest, publish);
            } else {
                guest.line.send(|out| out.publish(publish, now));
            }
        }
        due.len() == BATCH
    }

    /// A message is too large for its client, which takes it as dealt with (MQTT 5 §3.1.2.11.4).
    fn leave_out(&self, guest: &Guest, publish: &Publish) {
        if let Some(id) = publish.id {
            self.with_progress(&guest.client, |session| session.refused(id));
        }
        let event = Dropped {
            client: Some(guest.client.id.clone()),
            topic: publish.topic.clone(),
            reason: format!("its client takes packets of {} bytes", guest.largest),
        };
        guest.line.emit(&event);
    }
}
