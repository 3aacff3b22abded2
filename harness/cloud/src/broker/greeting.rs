//! From an accepted socket to a session: handshake, CONNECT, CONNACK.

use std::sync::Arc;
use std::time::Duration;

use super::core::{Attachment, Core};
use super::late::Late;
use super::line::Line;
use super::session::Again;
use super::transport::Transport;
use super::{BadPacket, Client, ConnectRefused, Decision, End, Reply, SessionOpened};
use crate::packet::{Connect, Level, Packet, Violation, decode};
use crate::tls::{self, Accepted, Peer, PresentedCertificate, Tap};

/// How long a broker keeps silent that stops in the middle of a handshake.
const STOPPED: Duration = Duration::from_secs(3_600);

/// A client that was let in.
pub(super) struct Guest {
    pub(super) line: Line,
    pub(super) client: Client,
    pub(super) attachment: Attachment,
    pub(super) level: Level,
    /// s; 0 for none.
    pub(super) keep_alive: u16,
    /// Answers that a fault holds back, by when they are due.
    pub(super) late: Late,
    /// The bad packet that it was sent last.
    pub(super) bad_packet: Option<BadPacket>,
}

/// How a connection ended that never became a session.
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) detail: Option<String>,
}

impl Ended {
    pub(super) fn new(end: End) -> Self {
        Self { end, detail: None }
    }

    pub(super) fn because(end: End, detail: impl ToString) -> Self {
        Self {
            end,
            detail: Some(detail.to_string()),
        }
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
        match decode(&frame, Level::V311) {
            Ok(Packet::Connect(connect)) => Ok(connect),
            Ok(_) => Err(Ended::because(
                End::Violation,
                "the first packet is not CONNECT",
            )),
            Err(violation) => {
                if matches!(violation, Violation::Level(_)) {
                    line.send(|out| out.connack(false, 1));
                }
                Err(Ended::because(End::Violation, violation))
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
        let decision = if let Some(code) = faults.connack {
            refused(code, "the scenario wants it so")
        } else if client.id.is_empty() && !(connect.clean_session && connect.level == Level::V311) {
            // §3.1.3.1; MQTT 3.1 wants a client id in any case.
            refused(2, "an empty client id")
        } else {
            self.judge(&line, &connect, &client)
        };
        match decision {
            Decision::Refuse { code, reason } => {
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
                return self.refuse(line, &client, 3, reason, present).await;
            }
        };
        self.welcome(&mut line, &connect, &client, &attachment);
        Ok(Guest {
            line,
            client,
            attachment,
            level: connect.level,
            keep_alive: connect.keep_alive,
            late: Late::default(),
            bad_packet: None,
        })
    }

    fn welcome(&self, line: &mut Line, connect: &Connect, client: &Client, held: &Attachment) {
        let present = self.session_present(line, connect);
        let present = present.unwrap_or(held.session_present);
        line.send(|out| out.connack(present, 0));
        for again in &held.again {
            match again {
                Again::Publish(publish) => line.send(|out| out.publish(publish)),
                Again::PubRel(id) => line.send(|out| out.pubrel(*id)),
            }
        }
        let certificate = client.certificate.as_ref();
        line.emit(&SessionOpened {
            connection: client.connection,
            client: client.id.clone(),
            username: client.username.clone(),
            protocol: match connect.level {
                Level::V31 => "3.1",
                Level::V311 => "3.1.1",
            }
            .to_owned(),
            clean_session: connect.clean_session,
            session_present: present,
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

    async fn refuse(
        &self,
        mut line: Line,
        client: &Client,
        code: u8,
        reason: String,
        session_present: Option<bool>,
    ) -> Result<Guest, Ended> {
        line.send(|out| out.connack(session_present.unwrap_or(false), code));
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
