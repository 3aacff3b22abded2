//! What phones do with a device's own web server.

use std::net::SocketAddrV4;
use std::time::Duration;

use language::{
    self, Browse, BrowseOutcome, BrowseStage, Case, ClientTls, WebSocketOutcome, WebSocketStep,
    duration,
};
use phone::web::{
    Misbehaviour, Opcode, Opening, Seen, WebConnection, WebError, WebRequest, WebSocket, WebTls,
};
use trace::web::WebResponse;

use super::factory_data::{WEB_HOST, web_port};
use super::problem::{LabError, Missed, Problem};
use super::world::World;

/// Takes the step.
pub async fn browse(case: &Case, step: &Browse, world: &mut World) -> Result<(), Problem> {
    let clock = world.trace().clock().clone();
    let began = clock.now();
    let kept = match step.kept {
        true => world.phone(&step.phone)?.web_connection(),
        false => None,
    };
    if step.kept && kept.is_none() {
        let what = format!("{} has kept no connection", step.phone);
        return Err(LabError::Scenario(what).into());
    }
    let visitor = Visitor::new(case, &step.phone, step.device.as_ref(), &step.tls, world)?;
    let Some(mut visitor) = visitor else {
        // Without an address nothing is reached.
        return judge(step, Err(Ended::NoAddress));
    };
    let request = request(step);
    if kept.is_none() {
        visitor.be_there(world).await?;
    }
    let done = clock
        .timeout(step.within, visit(step, &visitor, kept, &request))
        .await;
    let took = clock.now().since(began);
    let (ended, connection) = match done {
        Ok(Ok((answer, connection))) => (Ok(answer), connection),
        Ok(Err(error)) => (Err(Ended::By(error)), None),
        Err(_) => (Err(Ended::TimeOver), None),
    };
    if step.keep || step.stop_after.is_some() {
        world.phone(&step.phone)?.keep_web_connection(connection);
    }
    judge(step, ended)?;
    match step.at_least {
        Some(limit) if took < limit => Err(Missed::saying(format!(
            "it took {}; at least {} were expected",
            duration::display(took),
            duration::display(limit)
        ))),
        _ => Ok(()),
    }
}

/// What came of a request.
enum Answer {
    /// An answer, and whether the server has closed behind it.
    Whole(WebResponse, bool),
    /// The stage that was to be reached was reached.
    Stopped,
}

/// Why nothing came of it.
enum Ended {
    By(WebError),
    TimeOver,
    NoAddress,
}

async fn visit(
    step: &Browse,
    visitor: &Visitor,
    kept: Option<WebConnection>,
    request: &WebRequest,
) -> Result<(Answer, Option<WebConnection>), WebError> {
    let is_bare = step.stop_after == Some(BrowseStage::Connect);
    let mut connection = match kept {
        Some(connection) => connection,
        None => visitor.open(is_bare).await?,
    };
    match step.stop_after {
        Some(BrowseStage::Connect | BrowseStage::Handshake) => {
            return Ok((Answer::Stopped, Some(connection)));
        }
        Some(BrowseStage::RequestLine) => {
            let line = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
            connection.send(line.as_bytes()).await?;
            return Ok((Answer::Stopped, Some(connection)));
        }
        None => {}
    }
    let waits_for_end = step.kept && step.outcome != BrowseOutcome::Answered;
    if waits_for_end && step.outcome != BrowseOutcome::Silent {
        // Nothing more is sent: what becomes of the connection by itself is the question.
        return match connection.closed().await? {
            Some(answer) => {
                let is_closed = connection.closed().await?.is_none();
                Ok((Answer::Whole(answer, is_closed), None))
            }
            None => Err(WebError::Closed),
        };
    }
    let answer = connection.request(request).await?;
    let is_closed = match step.outcome {
        BrowseOutcome::AnsweredAndClosed => connection.closed().await?.is_none(),
        _ => false,
    };
    Ok((Answer::Whole(answer, is_closed), Some(connection)))
}

fn request(step: &Browse) -> WebRequest {
    let mut path = step.path.clone();
    fill(&mut path, step.path_length.map(usize::from));
    let mut body = step.body.clone();
    if step.body_length.is_some() {
        let length = step.body_length.map(|length| length as usize);
        fill(body.get_or_insert_default(), length);
    }
    let fields = step.fields.iter();
    WebRequest {
        method: step.method.clone(),
        path,
        fields: fields
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect(),
        fields_length: step.fields_length.map(usize::from),
        body: body.map(String::into_bytes),
    }
}

fn fill(text: &mut String, length: Option<usize>) {
    let missing = length.unwrap_or_default().saturating_sub(text.len());
    text.push_str(&"x".repeat(missing));
}

/// Whether what came is what was wanted.
fn judge(step: &Browse, ended: Result<Answer, Ended>) -> Result<(), Problem> {
    use BrowseOutcome as Outcome;
    let wanted = step.outcome;
    let is_wanted = match &ended {
        Ok(Answer::Stopped) => return Ok(()),
        Ok(Answer::Whole(answer, is_closed)) => {
            let is_wanted = match wanted {
                Outcome::Answered => true,
                Outcome::AnsweredAndClosed => *is_closed,
                _ => false,
            };
            if is_wanted {
                return compare(step, answer);
            }
            false
        }
        Err(Ended::NoAddress) => wanted == Outcome::Unreachable,
        Err(Ended::TimeOver) => wanted == Outcome::Silent,
        Err(Ended::By(WebError::SetUp(why))) => {
            return Err(LabError::Scenario(why.clone()).into());
        }
        Err(Ended::By(WebError::Refused { .. } | WebError::Closed | WebError::Tls { .. }))
            if wanted == Outcome::TurnedAway =>
        {
            true
        }
        Err(Ended::By(error)) => Some(wanted) == outcome_of(error),
    };
    if is_wanted {
        return Ok(());
    }
    let what = match ended {
        Ok(Answer::Whole(answer, _)) => {
            format!(
                "the server answered with {} {}",
                answer.status, answer.reason
            )
        }
        Ok(Answer::Stopped) => "nothing".into(),
        Err(Ended::By(error)) => trace::in_full(&error),
        Err(Ended::TimeOver) => format!("nothing in {}", duration::display(step.within)),
        Err(Ended::NoAddress) => "the device has no address".into(),
    };
    Err(Missed::saying(format!(
        "{} asked for {}: {what}; expected was {wanted:?}",
        step.phone, step.path
    )))
}

fn outcome_of(error: &WebError) -> Option<BrowseOutcome> {
    match error {
        WebError::Connect { .. } => Some(BrowseOutcome::Unreachable),
        WebError::Refused { .. } => Some(BrowseOutcome::Refused),
        WebError::Distrusted { .. } => Some(BrowseOutcome::Distrusted),
        WebError::Closed => Some(BrowseOutcome::Closed),
        WebError::Tls { .. } | WebError::Malformed(_) | WebError::SetUp(_) => None,
    }
}

fn compare(step: &Browse, answer: &WebResponse) -> Result<(), Problem> {
    let wanted = step.status.unwrap_or(200);
    if answer.status != wanted {
        return Err(Missed::saying(format!(
            "the server answered with {} {}; expected was {wanted}",
            answer.status, answer.reason
        )));
    }
    match &step.shows {
        Some(text) if !answer.body.contains(text.as_str()) => Err(Missed::saying(format!(
            "the body is {:?}; {text:?} was expected in it",
            answer.body
        ))),
        _ => Ok(()),
    }
}

/// Takes the step.
pub async fn websocket(
    case: &Case,
    step: &WebSocketStep,
    world: &mut World,
) -> Result<(), Problem> {
    let clock = world.trace().clock().clone();
    let mut socket = match &step.open {
        Some(path) => {
            let visitor = Visitor::new(case, &step.phone, step.device.as_ref(), &step.tls, world)?;
            let mut visitor = visitor.ok_or_else(|| Missed::saying("the device has no address"))?;
            visitor.be_there(world).await?;
            let opening = opening(step, path);
            let opened = clock.timeout(step.within, async {
                visitor.open(false).await?.into_websocket(&opening).await
            });
            match (opened.await, step.outcome) {
                (Ok(Ok(socket)), WebSocketOutcome::Done) => {
                    world.phone(&step.phone)?.keep_websocket(socket);
                    return Ok(());
                }
                (Ok(Err(WebError::Closed)), WebSocketOutcome::Closed) => return Ok(()),
                (Ok(Err(WebError::SetUp(why))), _) => return Err(LabError::Scenario(why).into()),
                (Ok(Err(error)), _) => return Err(Missed::saying(trace::in_full(&error))),
                (Ok(Ok(_)), _) => return Err(Missed::saying("the WebSocket is open")),
                (Err(_), _) => return Err(over(step.within)),
            }
        }
        None => {
            let socket = world.phone(&step.phone)?.websocket();
            socket.ok_or_else(|| {
                LabError::Scenario(format!("{} has no WebSocket open", step.phone))
            })?
        }
    };
    let done = clock.timeout(step.within, act(step, &mut socket)).await;
    let is_ended = matches!(done, Ok(Ok(Done::Closed)));
    if !is_ended {
        world.phone(&step.phone)?.keep_websocket(socket);
    }
    let wants_end = step.outcome == WebSocketOutcome::Closed || step.ends || step.close.is_some();
    match done {
        Ok(Ok(Done::Closed)) if wants_end => Ok(()),
        Ok(Ok(Done::Done)) if !wants_end => Ok(()),
        Ok(Ok(Done::Closed)) => Err(Missed::saying("the server has closed the WebSocket")),
        Ok(Ok(Done::Done)) => Err(Missed::saying("the server has not closed the WebSocket")),
        Ok(Err(what)) => Err(Missed::saying(what)),
        Err(_) => Err(over(step.within)),
    }
}

fn over(limit: Duration) -> Problem {
    let limit = duration::display(limit);
    Missed::saying(format!("nothing of the kind came within {limit}"))
}

fn opening(step: &WebSocketStep, path: &str) -> Opening {
    Opening {
        path: path.to_owned(),
        version: step.version.clone().unwrap_or_else(|| "13".into()),
        key: step.key.clone(),
        protocols: step.protocols.clone(),
        chosen: step.chosen.clone(),
        answers_pings: step.answers_pings,
    }
}

/// What became of the connection.
enum Done {
    Done,
    Closed,
}

async fn act(step: &WebSocketStep, socket: &mut WebSocket) -> Result<Done, String> {
    let mut sent = Ok(());
    let mut awaited = Awaited::Nothing;
    if let Some(text) = &step.send {
        let message = message(text, step.length);
        sent = send(socket, &message, step).await;
        if step.echoed {
            awaited = Awaited::Echo(message);
        }
    } else if let Some(text) = &step.receive {
        awaited = Awaited::Message(text.clone());
    } else if let Some(payload) = &step.ping {
        let payload = message(payload, step.length);
        sent = socket.send(Opcode::PING, true, &payload).await;
        awaited = Awaited::Pong(payload);
    } else if let Some(status) = step.close {
        sent = socket
            .send(Opcode::CLOSE, true, &status.to_be_bytes())
            .await;
        awaited = Awaited::Close;
    } else if let Some(how) = step.misbehave {
        sent = socket.misbehave(misbehaviour(how)).await;
    }
    if step.outcome == WebSocketOutcome::Closed || step.ends {
        awaited = Awaited::End;
    } else {
        sent.map_err(|error| trace::in_full(&error))?;
    }
    await_it(awaited, socket).await
}

async fn send(socket: &WebSocket, message: &[u8], step: &WebSocketStep) -> Result<(), WebError> {
    let count = usize::from(step.fragments.unwrap_or(1)).max(1);
    let size = message.len().div_ceil(count).max(1);
    let mut opcode = match step.binary {
        true => Opcode::BINARY,
        false => Opcode::TEXT,
    };
    if message.is_empty() {
        return socket.send(opcode, true, message).await;
    }
    let mut parts = message.chunks(size).peekable();
    while let Some(part) = parts.next() {
        socket.send(opcode, parts.peek().is_none(), part).await?;
        opcode = Opcode::CONTINUATION;
    }
    Ok(())
}

/// `text` again and again, up to `length` bytes.
fn message(text: &str, length: Option<u32>) -> Vec<u8> {
    match length {
        Some(length) if !text.is_empty() => text.bytes().cycle().take(length as usize).collect(),
        _ => text.as_bytes().to_vec(),
    }
}

fn misbehaviour(how: language::Misbehaviour) -> Misbehaviour {
    match how {
        language::Misbehaviour::Unmasked => Misbehaviour::Unmasked,
        language::Misbehaviour::LongPing => Misbehaviour::LongPing,
        language::Misbehaviour::Endless => Misbehaviour::Endless,
        language::Misbehaviour::HalfHeader => Misbehaviour::HalfHeader,
    }
}

/// What must come.
enum Awaited {
    Nothing,
    /// This, in any number of frames.
    Echo(Vec<u8>),
    /// A text with this in it.
    Message(String),
    Pong(Vec<u8>),
    /// CLOSE, and then the end.
    Close,
    End,
}

async fn await_it(awaited: Awaited, socket: &mut WebSocket) -> Result<Done, String> {
    let mut echoed = 0;
    let mut is_closing = false;
    loop {
        if matches!(awaited, Awaited::Nothing) {
            return Ok(Done::Done);
        }
        let (opcode, payload) = match socket.next().await {
            Seen::Frame {
                opcode, payload, ..
            } => (opcode, payload),
            Seen::Ended(_) if matches!(awaited, Awaited::Close) && !is_closing => {
                return Err("the server has closed without CLOSE".into());
            }
            Seen::Ended(_) => return Ok(Done::Closed),
        };
        match (&awaited, opcode) {
            (Awaited::Pong(wanted), Opcode::PONG) if *wanted == payload => return Ok(Done::Done),
            (Awaited::Close, Opcode::CLOSE) => is_closing = true,
            (Awaited::Message(wanted), Opcode::TEXT)
                if String::from_utf8_lossy(&payload).contains(wanted) =>
            {
                return Ok(Done::Done);
            }
            (Awaited::Echo(wanted), opcode)
                if opcode.0 < Opcode::CLOSE.0 && wanted[echoed..].starts_with(&payload) =>
            {
                echoed += payload.len();
                if echoed == wanted.len() {
                    return Ok(Done::Done);
                }
            }
            _ => {}
        }
    }
}

/// A phone on its way to a server.
struct Visitor {
    seat: std::sync::Arc<dyn phone::Dial>,
    to: SocketAddrV4,
    tls: Option<WebTls>,
    phone: String,
    trace: trace::Trace,
}

impl Visitor {
    /// None if the device has no address.
    fn new(
        case: &Case,
        phone: &str,
        device: Option<&language::Placed<String>>,
        tls: &ClientTls,
        world: &mut World,
    ) -> Result<Option<Self>, Problem> {
        let device = case.device(device);
        let server = case.scenario.world.devices.named(device);
        let server = server.and_then(|device| device.server.as_ref());
        let server =
            server.ok_or_else(|| LabError::Scenario(format!("{device} has no web server")))?;
        let Ok(address) = world.station_address(device) else {
            return Ok(None);
        };
        let tls = match server.secure {
            true => Some(client_tls(tls, phone, world)?),
            false => None,
        };
        Ok(Some(Self {
            seat: world.phone(phone)?.seat()?,
            to: SocketAddrV4::new(address, web_port(server)),
            tls,
            phone: phone.to_owned(),
            trace: world.trace().clone(),
        }))
    }

    /// Comes back to the LAN, if its access point was away meanwhile.
    async fn be_there(&mut self, world: &mut World) -> Result<(), Problem> {
        world.come_back(&self.phone).await?;
        self.seat = world.phone(&self.phone)?.seat()?;
        Ok(())
    }

    async fn open(&self, is_bare: bool) -> Result<WebConnection, WebError> {
        let tls = self.tls.as_ref().filter(|_| !is_bare);
        WebConnection::open(&self.seat, self.to, tls, &self.phone, &self.trace).await
    }
}

fn client_tls(settings: &ClientTls, phone: &str, world: &mut World) -> Result<WebTls, LabError> {
    let sessions = match settings.resumes {
        true => Some(world.phone(phone)?.tls_sessions()),
        false => None,
    };
    let pki = world.pki();
    let credentials = match &settings.certificate {
        Some(certificate) => {
            let identity = certificate.mint(pki, &[], phone)?;
            Some((identity.chain_der().to_vec(), identity.key_der().to_vec()))
        }
        None => None,
    };
    let trusted = settings.trusts.as_ref().map_or("ca", |name| name.as_str());
    Ok(WebTls {
        server_name: settings
            .server_name
            .clone()
            .unwrap_or_else(|| WEB_HOST.into()),
        authority: pki.authority(trusted)?.der().to_vec(),
        credentials,
        protocols: settings.alpn.clone(),
        is_old: settings.is_old,
        sessions,
    })
}
