//! Moves a session's bytes over a connection.

use alloc::vec;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, TimeoutError, Timer, with_timeout};
use embedded_io_async::{Error, Read, Write};

use super::error::MqttSessionError;
use super::event::Event;
use super::session::MqttSession;
use crate::board::TlsFailure;
use crate::transport::ReadFailure;

/// Bytes read at once.
const READ_LEN: usize = 1_024;

/// Who uses a session.
pub(crate) trait Application {
    /// What it wants done.
    type Request;

    /// The next request. Cancel safe.
    async fn request(&mut self) -> Self::Request;

    /// Does what was wanted.
    fn on_request(&mut self, session: &mut MqttSession<'_>, request: Self::Request, now: Instant);

    /// Something has happened.
    fn on_event(&mut self, session: &mut MqttSession<'_>, event: Event, now: Instant);
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ended {
    /// By what the broker sent, or did not send.
    Session(MqttSessionError),
    /// By the connection below.
    Connection(ReadFailure),
    /// The broker takes no bytes.
    WriteTimedOut,
    /// We have said goodbye.
    Left,
}

/// Runs `session` until it ends. `failure_of` knows why TLS failed, if it was TLS.
pub(crate) async fn exchange<C, F, A>(
    connection: &mut C,
    failure_of: F,
    limit: Duration,
    session: &mut MqttSession<'_>,
    application: &mut A,
) -> Ended
where
    C: Read + Write,
    F: Fn(&C::Error) -> Option<TlsFailure>,
    A: Application,
{
    let failure =
        |error: C::Error| Ended::Connection(ReadFailure::of(error.kind(), failure_of(&error)));
    let mut buffer = vec![0; READ_LEN];
    loop {
        loop {
            let bytes = session.take_outgoing(Instant::now());
            if bytes.is_empty() {
                break;
            }
            let write = async {
                connection.write_all(&bytes).await?;
                connection.flush().await
            };
            match with_timeout(limit, write).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return failure(error),
                Err(TimeoutError) => return Ended::WriteTimedOut,
            }
        }
        if session.is_leaving() {
            return Ended::Left;
        }
        let next = select3(
            connection.read(&mut buffer),
            Timer::at(session.deadline()),
            application.request(),
        )
        .await;
        let now = Instant::now();
        match next {
            Either3::First(Ok(0)) => return Ended::Connection(ReadFailure::Closed),
            Either3::First(Ok(len)) => {
                session.receive(&buffer[..len]);
                loop {
                    match session.next_event(now) {
                        Ok(Some(event)) => application.on_event(session, event, now),
                        Ok(None) => break,
                        Err(error) => return Ended::Session(error),
                    }
                }
            }
            Either3::First(Err(error)) => return failure(error),
            Either3::Second(()) => match session.tick(now) {
                Ok(Some(event)) => application.on_event(session, event, now),
                Ok(None) => {}
                Err(error) => return Ended::Session(error),
            },
            Either3::Third(request) => application.on_request(session, request, now),
        }
    }
}
