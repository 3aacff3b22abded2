//! One connection from accept to end.

use std::sync::Arc;
use std::time::Duration;

use clock::LabTime;

use super::core::Core;
use super::greeting::{Arrival, Ended, Guest};
use super::{Client, ConnectionClosed, ConnectionOpened, Denied, End};
use crate::packet::{Packet, Publish, QoS, Subscription, decode, is_filter};

/// Messages delivered before the connection is looked at again.
const BATCH: usize = 64;
/// How long a connection is waited for that keeps no time of its own.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

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
    let (client, ended) = match core.greet(arrival).await {
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
    };
    core.trace.emit(device, &closed);
}

impl Core {
    /// Serves a session on its connection, and cleans up behind it.
    async fn attend(self: &Arc<Self>, mut guest: Guest) -> Ended {
        let ended = self.talk(&mut guest).await;
        let Guest { line, client, .. } = guest;
        self.detach(&client, ended.end == End::Disconnected).await;
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

    async fn talk(self: &Arc<Self>, guest: &mut Guest) -> Ended {
        let kick = guest.attachment.kick.clone();
        let wake = guest.attachment.wake.clone();
        // §3.1.2.10: one and a half times the keep-alive.
        let patience = Duration::from_millis(u64::from(guest.keep_alive) * 1500);
        let mut deadline = self.deadline(patience);
        loop {
            match self.deal_with_packets(guest).await {
                Ok(true) => deadline = self.deadline(patience),
                Ok(false) => {}
                Err(ended) => {
                    let _ = guest.line.flush(&self.clock, &self.limits).await;
                    return ended;
                }
            }
            let more = self.deliver(guest);
            if let Err(error) = guest.line.flush(&self.clock, &self.limits).await {
                let end = match error.kind() {
                    std::io::ErrorKind::TimedOut => End::TimedOut,
                    _ => End::Lost,
                };
                return Ended::because(end, error);
            }
            if more {
                wake.notify_one();
            }
            tokio::select! {
                end = kick.kicked() => return Ended::new(end),
                read = guest.line.read() => match read {
                    Ok(0) => return Ended::because(End::Lost, "closed without DISCONNECT"),
                    Ok(_) => {}
                    Err(error) => return Ended::because(End::Lost, error),
                },
                () = wake.notified() => {}
                () = self.clock.sleep_until(deadline), if !patience.is_zero() => {
                    return Ended::because(End::KeepAlive, format!("silent for {patience:?}"));
                }
            }
        }
    }

    fn deadline(&self, patience: Duration) -> LabTime {
        let patience = if patience.is_zero() {
            FOREVER
        } else {
            patience
        };
        self.clock.now() + patience
    }

    /// Deals with every packet that has come whole. Whether there was one.
    async fn deal_with_packets(self: &Arc<Self>, guest: &mut Guest) -> Result<bool, Ended> {
        let mut any = false;
        loop {
            let frame = match guest.line.next(&self.limits) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(any),
                Err(error) => return Err(Ended::because(End::Violation, error)),
            };
            any = true;
            guest
                .line
                .show_received(&frame, &self.hooks_for(&guest.line));
            match decode(&frame, guest.level) {
                Ok(packet) => self.deal_with(guest, packet).await?,
                Err(violation) => return Err(Ended::because(End::Violation, violation)),
            }
            if guest.line.is_full()
                && let Err(error) = guest.line.flush(&self.clock, &self.limits).await
            {
                return Err(Ended::because(End::Lost, error));
            }
        }
    }

    async fn deal_with(self: &Arc<Self>, guest: &mut Guest, packet: Packet) -> Result<(), Ended> {
        let client = &guest.client;
        match packet {
            Packet::Connect(_) => {
                return Err(Ended::because(End::Violation, "a second CONNECT"));
            }
            Packet::Disconnect => return Err(Ended::new(End::Disconnected)),
            Packet::Publish(publish) => self.take(guest, publish).await,
            Packet::PubAck(id) => {
                self.with_session(client, |session| session.acknowledged(id));
            }
            Packet::PubRec(id) => {
                self.with_session(client, |session| session.received(id));
                guest.line.send(|out| out.pubrel(id));
            }
            Packet::PubComp(id) => {
                self.with_session(client, |session| session.completed(id));
            }
            Packet::PubRel(id) => {
                self.with_session(client, |session| session.released(id));
                guest.line.send(|out| out.pubcomp(id));
            }
            Packet::Subscribe { id, wanted } => self.subscribe(guest, id, wanted),
            Packet::Unsubscribe { id, filters } => {
                self.with_session(client, |session| {
                    filters
                        .iter()
                        .for_each(|filter| session.unsubscribe(filter));
                });
                guest.line.send(|out| out.unsuback(id));
            }
            Packet::PingReq => {
                if !self.faults_for(&guest.line).ignore_ping {
                    guest.line.send(|out| out.pingresp());
                }
            }
        }
        Ok(())
    }

    async fn take(self: &Arc<Self>, guest: &mut Guest, publish: Publish) {
        let client = &guest.client;
        // §4.3.3: one of QoS 2 that is here already is only acknowledged again.
        let first = match (publish.qos, publish.id) {
            (QoS::ExactlyOnce, Some(id)) => self
                .with_session(client, |session| session.first_of(id))
                .unwrap_or(false),
            _ => true,
        };
        let hooks = self.hooks_for(&guest.line);
        if !hooks
            .iter()
            .all(|hook| hook.may_publish(client, &publish.topic))
        {
            self.deny(guest, "publish", &publish.topic);
        } else if first {
            self.route(&guest.attachment.mailbox, publish.clone()).await;
            for hook in &hooks {
                hook.published(client, &publish);
            }
        }
        let Some(id) = publish
            .id
            .filter(|_| !self.faults_for(&guest.line).drop_puback)
        else {
            return;
        };
        guest.line.send(|out| match publish.qos {
            QoS::ExactlyOnce => out.pubrec(id),
            _ => out.puback(id),
        });
    }

    fn subscribe(&self, guest: &mut Guest, id: u16, wanted: Vec<Subscription>) {
        let faults = self.faults_for(&guest.line);
        if faults.ignore_subscribe {
            return;
        }
        let hooks = self.hooks_for(&guest.line);
        let mut codes = Vec::with_capacity(wanted.len());
        let mut granted = Vec::new();
        for Subscription { filter, qos } in wanted {
            let client = &guest.client;
            if !is_filter(&filter) || faults.refuses(&filter) {
                codes.push(0x80);
            } else if !hooks.iter().all(|hook| hook.may_subscribe(client, &filter)) {
                self.deny(guest, "subscribe", &filter);
                codes.push(0x80);
            } else {
                self.with_session(client, |session| session.subscribe(filter.clone(), qos));
                codes.push(qos.number());
                granted.push((filter, qos));
            }
        }
        guest.line.send(|out| out.suback(id, &codes));
        for (filter, qos) in granted {
            self.send_retained(&guest.client, &filter, qos);
        }
    }

    fn deny(&self, guest: &Guest, action: &str, topic: &str) {
        let Client { connection, id, .. } = &guest.client;
        guest.line.emit(&Denied {
            connection: *connection,
            client: id.clone(),
            action: action.to_owned(),
            topic: topic.to_owned(),
        });
    }

    /// Puts messages that wait for the client in line. Whether there are more.
    fn deliver(&self, guest: &mut Guest) -> bool {
        if self.faults_for(&guest.line).withhold_messages {
            return false;
        }
        let due = self.with_session(&guest.client, |session| {
            std::iter::from_fn(|| session.next())
                .take(BATCH)
                .collect::<Vec<_>>()
        });
        let due = due.unwrap_or_default();
        let _together = self.trace.gather();
        for publish in &due {
            guest.line.send(|out| out.publish(publish));
        }
        due.len() == BATCH
    }
}
