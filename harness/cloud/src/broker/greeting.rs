//! From an accepted socket to a session: handshake, CONNECT, CONNACK.

use std::sync::Arc;
use std::time::Duration;

use super::core::{Attachment, Core, expiry};
use super::late::Late;
use super::line::Line;
use super::session::Again;
use super::transport::Transport;
use super::{BadPacket, Client, ConnectRefused, Decision, End, Reply, SessionOpened};
use crate::packet::{
    ALIASES, Connect, Frame, FrameError, Level, Packet, Properties, Property, Value, Violation,
};
use crate::tls::{self, Accepted, Peer, PresentedCertificate, Tap};

/// How long a broker keeps silent that stops in the middle of a handshake.
const STOPPED: Duration = Duration::from_secs(3_600);

/// A client that was let in.
pub(super) struct Guest {
    pub(super) line: Line,
    pub(super) client: Client,
    pub(super) attachment: Attachment,
    /// s; 0 for none.
    pub(super) keep_alive: u16,
    /// s that CONNECT wanted the session to last beyond its connection.
    pub(super) expiry: u32,
    /// Bytes of the largest packet that it takes.
    pub(super) largest: usize,
    /// Answers that a fault holds back, by when they are due.
    pub(super) late: Late,
    /// The bad packet that it was sent last.
    pub(super) bad_packet: Option<BadPacket>,
}

/// How a connection ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) detail: Option<String>,
    /// Reason code of MQTT 5, of a DISCONNECT that came or of one that is to be sent.
    pub(super) code: Option<u8>,
    /// s that the session lasts from now on, if DISCONNECT says so.
    pub(super) expiry: Option<u32>,
}

impl Ended {
    pub(super) fn new(end: End) -> Self {
        Self {
            end,
            detail: None,
            code: None,
            expiry: None,
        }
    }

    pub(super) fn because(end: End, detail: impl ToString) -> Self {
        Self {
            detail: Some(detail.to_string()),
            ..Self::new(end)
        }
    }

    pub(super) fn coded(end: End, code: u8, detail: impl ToString) -> Self {
        Self {
            code: Some(code),
            ..Self::because(end, detail)
        }
    }

    /// The client broke the standard.
    pub(super) fn violated(violation: &Violation) -> Self {
        Self::coded(End::Violation, violation.code(), violation)
    }

    /// Its bytes are no packets.
    pub(super) fn framed(error: &FrameError) -> Self {
        let code = match error {
            FrameError::EndlessLength => 0x81,
            FrameError::TooLarge { .. } => 0x95,
        };
        Self::coded(End::Violation, code, error)
    }
}

/// A socket that was accepted.
pub(super) struct Arrival {
    pub(super) tap: Tap,
    pub(super) peer: Peer,
    pub(super) tls: Option<ShownTls>,
    /// A probe of the broker's own: in the clear, untouched by faults, not in the trace.
    pub(super) probe: bool,
}

/// The certificates that a client has shown.
#[derive(Default)]
struct ShownByClient {
    certificate: Option<PresentedCertificate>,
    chain: Arc<[Vec<u8>]>,
}

/// What a listener shows at this moment.
pub(super) struct ShownTls {
    pub(super) acceptor: tls::Acceptor,
    pub(super) faults: tls::HandshakeFaults,
    pub(super) profile: String,
}

impl Core {
    /// Brings a new connection to a session, or to its end.
    pub(super) async fn greet(self: &Arc<Self>, arrival: Arrival) -> Result<Guest, Ended> {
        let trace = (!arrival.probe).then(|| self.trace.clone());
        let number = arrival.peer.connection;
        let encrypted = arrival.tls.is_some();
        let (transport, shown) = self.secure(arrival).await?;
        let mut line = Line::new(transport, number, trace, self.packets);
        match self.await_connect(&mut line).await {
            Ok(connect) => self.admit(line, *connect, shown, encrypted).await,
            Err(ended) => self.end(line, ended).await,
        }
    }

    async fn secure(&self, arrival: Arrival) -> Result<(Transport, ShownByClient), Ended> {
        let Arrival {
            mut tap, peer, tls, ..
        } = arrival;
        let Some(tls) = tls else {
            return Ok((Transport::Plain(tap), ShownByClient::default()));
        };
        if self.faults().stall_handshake {
            tls::report_stalled(&self.trace, &peer, &tls.profile);
            Transport::Plain(tap).swallow().await;
            return Err(Ended::because(
                End::Fault,
                "the handshake was never answered",
            ));
        }
        tap.break_with(tls.faults);
        // One that has said what it says waits for the client to leave.
        let limit = match tls.faults.stops_after {
            None => self.limits.handshake,
            Some(_) => STOPPED,
        };
        let (accepted, report) =
            tls::accept(tap, tls.acceptor, limit, &self.clock, &peer, &tls.profile).await;
        let device = report
            .client_certificate
            .as_ref()
            .and_then(|shown| self.devices.find(shown.subject.common_name.as_deref()));
        self.trace.emit(device.as_deref(), &report);
        match accepted {
            Accepted::Stream(stream, certificate) => {
                let chain: Arc<[Vec<u8>]> = stream.peer_chain().into();
                for hook in self.hooks() {
                    hook.secured(peer.connection, &chain);
                }
                Ok((Transport::Tls(stream), ShownByClient { certificate, chain }))
            }
            Accepted::Refused(socket) if tls.faults.alert_lost => {
                socket.reset();
                Err(Ended::new(End::Handshake))
            }
            Accepted::Refused(socket) => {
                Transport::Tls(socket)
                    .close(&self.clock, &self.limits)
                    .await;
                Err(Ended::new(End::Handshake))
            }
            Accepted::Gone => Err(Ended::new(End::Handshake)),
        }
    }

    async fn await_connect(&self, line: &mut Line) -> Result<Box<Connect>, Ended> {
        let peer = line.transport.peer();
        let waiting = async {
            loop {
                match line.next(&self.limits) {
                    Ok(Some(frame)) => return Ok(frame),
                    Ok(None) => {}
                    Err(error) => return Err(Ended::because(End::Violation, error)),
                }
                match line.read().await {
                    Ok(0) => return Err(Ended::because(End::Lost, "closed before CONNECT")),
                    Ok(_) => {}
                    Err(error) => return Err(Ended::because(End::Lost, error)),
                }
            }
        };
        let limit = self.limits.connect;
        let frame = match self.clock.timeout_for(peer, limit, waiting).await {
            Ok(frame) => frame?,
            Err(elapsed) => {
                return Err(Ended::because(
                    End::TimedOut,
                    format!("no CONNECT: {elapsed}"),
                ));
            }
        };
        line.show_received(&frame, &self.hooks_for(line));
        match self.faults_for(line).connect {
            Reply::Never | Reply::WrongId => {
                line.transport.swallow().await;
                return Err(Ended::because(End::Fault, "CONNECT was never answered"));
            }
            Reply::After(delay) => self.clock.sleep(delay).await,
            Reply::AtOnce | Reply::Reset => {}
        }
        match line.codec.decode(&frame) {
            Ok(Packet::Connect(connect)) => {
                line.codec.speak(&connect);
                Ok(connect)
            }
            Ok(_) => Err(Ended::because(
                End::Violation,
                "the first packet is not CONNECT",
            )),
            Err(violation) => {
                let code = match violation {
                    Violation::Level(_) => Some(1),
                    _ => is_of_5(&frame).then(|| {
                        line.codec.out.speak(Level::V5, 0);
                        violation.code()
                    }),
                };
                if let Some(code) = code {
                    line.send(|out| out.connack(false, code, &Properties::default()));
                }
                Err(Ended {
                    code: code.filter(|code| *code >= 0x80),
                    ..Ended::violated(&violation)
                })
            }
        }
    }

    async fn admit(
        self: &Arc<Self>,
        mut line: Line,
        connect: Connect,
        shown: ShownByClient,
        encrypted: bool,
    ) -> Result<Guest, Ended> {
        let ShownByClient { certificate, chain } = shown;
        let faults = self.faults_for(&line);
        let mut client = Client {
            connection: line.number,
            level: connect.level,
            id: connect.client_id.clone(),
            username: connect.username.clone(),
            device: self.device(certificate.as_ref(), &connect),
            certificate,
            chain,
            encrypted,
        };
        line.device = client.device.clone();
        if faults.connect == Reply::Reset {
            line.transport.reset();
            return Err(Ended::because(
                End::Fault,
                "CONNECT was answered by a reset",
            ));
        }
        let refused = |code, reason: &str| Decision::Refuse {
            code,
            reason: reason.to_owned(),
        };
        let hooks = self.hooks_for(&line);
        if connect.has_nul() && !hooks.iter().any(|hook| hook.tolerates_nul()) {
            let ended = Ended::because(End::Violation, "U+0000 in a name");
            return self.end(line, ended).await;
        }
        let may_be_empty = match connect.level {
            // §3.1.3.1; MQTT 3.1 wants a client id in any case.
            Level::V31 => false,
            Level::V311 => connect.clean_session,
            Level::V5 => true,
        };
        let decision = if let Some(code) = faults.connack {
            refused(code, "the scenario wants it so")
        } else if client.id.is_empty() && !may_be_empty {
            refused(2, "an empty client id")
        } else if connect
            .properties
            .get(Property::AuthenticationMethod)
            .is_some()
        {
            refused(0x8c, "there is no enhanced authentication here")
        } else {
            self.judge(&line, &connect, &client)
        };
        match decision {
            Decision::Refuse { code, reason } => {
                let code = connect.level.refusal(code);
                let present = self.session_present(&line, &connect);
                return self.refuse(line, &client, code, reason, present).await;
            }
            Decision::Accept { device } => client.device = device.or(client.device),
            Decision::Pass => {}
        }
        line.device = client.device.clone();
        if client.id.is_empty() {
            client.id = format!("proving-{}", client.connection);
        }
        line.client = Some(client.id.clone());
        let attachment = match self.attach(&connect, &client).await {
            Ok(attachment) => attachment,
            Err(error) => {
                let present = self.session_present(&line, &connect);
                let reason = error.to_string();
                let code = connect.level.refusal(3);
                return self.refuse(line, &client, code, reason, present).await;
            }
        };
        self.welcome(&mut line, &connect, &client, &attachment);
        let largest = connect.properties.number(Property::MaximumPacketSize);
        Ok(Guest {
            line,
            client,
            attachment,
            keep_alive: self.keep_alive(&connect).unwrap_or(connect.keep_alive),
            expiry: expiry(&connect),
            largest: largest.map_or(usize::MAX, |largest| largest as usize),
            late: Late::default(),
            bad_packet: None,
        })
    }

    fn welcome(&self, line: &mut Line, connect: &Connect, client: &Client, held: &Attachment) {
        let present = self.session_present(line, connect);
        // MQTT 3.1 has no such flag (§3.2: reserved).
        let present = present.unwrap_or(held.session_present && connect.level != Level::V31);
        let offers = self.offers(connect, client);
        let now = self.clock.now();
        line.send(|out| out.connack(present, 0, &offers));
        for again in &held.again {
            match again {
                Again::Publish(publish) => line.send(|out| out.publish(publish, now)),
                Again::PubRel(id) => line.send(|out| out.pubrel(*id, 0)),
            }
        }
        let certificate = client.certificate.as_ref();
        line.emit(&SessionOpened {
            connection: client.connection,
            client: client.id.clone(),
            username: client.username.clone(),
            protocol: connect.level.name().to_owned(),
            clean_session: connect.clean_session,
            session_present: present,
            session_expiry_s: (connect.level == Level::V5).then(|| expiry(connect)),
            keep_alive_s: connect.keep_alive,
            common_name: certificate.and_then(|shown| shown.subject.common_name.clone()),
        });
        for hook in self.hooks_for(line) {
            for filter in hook.subscribes(client) {
                self.with_session(client, |session| session.begin_with(filter));
            }
            hook.connected(client);
        }
    }

    /// What a client of MQTT 5 is told that it may do (§3.2.2.3).
    fn offers(&self, connect: &Connect, client: &Client) -> Properties {
        let largest = u32::try_from(self.limits.packet).unwrap_or(u32::MAX);
        let mut offers = Properties::default()
            .with_number(Property::ReceiveMaximum, self.limits.receive.max(1).into())
            .with_number(Property::MaximumPacketSize, largest)
            .with_number(Property::TopicAliasMaximum, ALIASES.into());
        if connect.client_id.is_empty() {
            let id = Value::Text(client.id.clone());
            offers.push(Property::AssignedClientId, id);
        }
        if let Some(keep_alive) = self.keep_alive(connect) {
            offers.push(Property::ServerKeepAlive, Value::Number(keep_alive.into()));
        }
        offers
    }

    /// The keep-alive that a client of MQTT 5 gets instead of its own.
    fn keep_alive(&self, connect: &Connect) -> Option<u16> {
        let longest = self.limits.keep_alive?;
        let fits = (1..=longest).contains(&connect.keep_alive);
        (connect.level == Level::V5 && !fits).then_some(longest)
    }

    async fn refuse(
        &self,
        mut line: Line,
        client: &Client,
        code: u8,
        reason: String,
        session_present: Option<bool>,
    ) -> Result<Guest, Ended> {
        let present = session_present.unwrap_or(false);
        let mut properties = Properties::default();
        properties.push(Property::ReasonString, Value::Text(reason.clone()));
        line.send(|out| out.connack(present, code, &properties));
        line.emit(&ConnectRefused {
            connection: client.connection,
            client: client.id.clone(),
            code,
            reason: reason.clone(),
        });
        self.end(line, Ended::because(End::Refused, reason)).await
    }

    /// What a hook has the CONNACK say of the session.
    fn session_present(&self, line: &Line, connect: &Connect) -> Option<bool> {
        let hooks = self.hooks_for(line);
        hooks.iter().find_map(|hook| hook.session_present(connect))
    }

    /// Sends what is in line and closes in order, so that the reason arrives.
    async fn end<T>(&self, mut line: Line, ended: Ended) -> Result<T, Ended> {
        // The client may be gone by now; there is nothing more to say to it then.
        let _ = line.flush(&self.clock, &self.limits).await;
        line.transport.close(&self.clock, &self.limits).await;
        Err(ended)
    }

    fn device(
        &self,
        certificate: Option<&PresentedCertificate>,
        connect: &Connect,
    ) -> Option<String> {
        // Linkkit puts parameters behind its id.
        let short = connect.client_id.split('|').next();
        let marks = [
            certificate.and_then(|shown| shown.subject.common_name.as_deref()),
            Some(connect.client_id.as_str()),
            short,
            connect.username.as_deref(),
        ];
        self.devices.find(marks.into_iter().flatten())
    }
}

/// Whether a CONNECT that cannot be read is one of MQTT 5.
fn is_of_5(frame: &Frame) -> bool {
    frame.head == 0x10 && frame.body.starts_with(b"\x00\x04MQTT\x05")
}
