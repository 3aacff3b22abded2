//! Which HTTP requests belong to one protocomm session (ESP-IDF 5.5 `protocomm_httpd.c`).
//!
//! The transport holds one session, known by a random number, which the client shows as a cookie,
//! and by the socket it was opened on, for clients without cookies.

use crate::bugs::{self, Bug};

/// A cookie is read into a buffer of this many bytes, the last of which ends the string. A longer
/// header is as good as none.
const COOKIE_BUFFER: usize = 20;

const TAG: &str = "protocomm_httpd";

/// The transport's one session.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    current: Option<Session>,
}

#[derive(Debug)]
struct Session {
    id: u32,
    /// None once that socket was closed.
    socket: Option<u32>,
    /// Whether the client was told the cookie.
    told: bool,
}

/// What a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// To the session that is open.
    Same,
    /// To a new one: keys of the last one are void.
    New,
}

impl Sessions {
    /// Finds the session of a request from `socket`, with the value of its Cookie header, and opens
    /// one with the number that `fresh` makes if there is none.
    pub(crate) fn identify(
        &mut self,
        socket: u32,
        cookie: Option<&[u8]>,
        fresh: impl FnOnce() -> u32,
    ) -> Belongs {
        if self.current.as_ref().is_some_and(|session| {
            bugs::is(Bug::SessionSurvivesSecondClient) || session.owns(socket, cookie)
        }) {
            return Belongs::Same;
        }
        if let Some(old) = &self.current {
            log::warn!(target: TAG, "Closing session with ID: {}", old.id);
        }
        self.current = Some(Session {
            id: fresh(),
            socket: Some(socket),
            told: false,
        });
        Belongs::New
    }

    /// Number of the session that is open.
    pub(crate) fn number(&self) -> Option<u32> {
        self.current.as_ref().map(|session| session.id)
    }

    /// The cookie that a successful reply must set: once in a session's life.
    pub(crate) fn cookie_to_set(&mut self) -> Option<u32> {
        let session = self.current.as_mut()?;
        let first = !session.told;
        session.told = true;
        first.then_some(session.id)
    }

    /// A socket was closed. The session lives on for a client that shows its cookie.
    pub(crate) fn socket_closed(&mut self, socket: u32) {
        let Some(session) = &mut self.current else {
            return;
        };
        if session.socket == Some(socket) {
            log::warn!(
                target: TAG,
                "Resetting socket session id as socket {socket} was closed"
            );
            session.socket = None;
        }
    }
}

impl Session {
    fn owns(&self, socket: u32, cookie: Option<&[u8]>) -> bool {
        match cookie.and_then(session_number) {
            Some(shown) => shown == self.id,
            None => self.socket == Some(socket),
        }
    }
}

/// The number in `session=<decimal>`; none for anything else.
fn session_number(cookie: &[u8]) -> Option<u32> {
    if cookie.len() >= COOKIE_BUFFER {
        return None;
    }
    let digits = cookie.strip_prefix(b"session=")?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Belongs::{New, Same};

    fn opened_on(socket: u32) -> Sessions {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.identify(socket, None, || 4711), New);
        sessions
    }

    fn never() -> u32 {
        panic!("no session is to be opened")
    }

    #[test]
    fn the_same_socket_without_a_cookie_is_the_same_session() {
        let mut sessions = opened_on(1);
        assert_eq!(sessions.identify(1, None, never), Same);
    }

    #[test]
    fn another_socket_without_a_cookie_is_a_new_session() {
        let mut sessions = opened_on(1);
        assert_eq!(sessions.identify(2, None, || 4712), New);
        assert_eq!(sessions.identify(1, None, || 4713), New);
    }

    #[test]
    fn the_cookie_follows_a_client_to_another_socket() {
        let mut sessions = opened_on(1);
        assert_eq!(sessions.identify(2, Some(b"session=4711"), never), Same);
    }

    #[test]
    fn another_cookie_is_a_new_session_even_on_the_same_socket() {
        let mut sessions = opened_on(1);
        assert_eq!(sessions.identify(1, Some(b"session=4710"), || 1), New);
    }

    #[test]
    fn what_is_no_session_cookie_is_judged_by_the_socket() {
        for cookie in [
            &b"session=4711; a=b"[..],
            b"theme=dark; session=4711",
            b"session=",
            b"session=+4711",
            b"session=99999999999",
            b"",
        ] {
            let mut sessions = opened_on(1);
            assert_eq!(sessions.identify(1, Some(cookie), never), Same);
            assert_eq!(sessions.identify(2, Some(cookie), || 2), New);
        }
    }

    #[test]
    fn the_longest_number_fits_the_buffer() {
        let mut sessions = Sessions::default();
        sessions.identify(1, None, || u32::MAX);
        let shown = Some(&b"session=4294967295"[..]);
        assert_eq!(sessions.identify(2, shown, never), Same);
    }

    #[test]
    fn a_cookie_is_set_once_in_a_session() {
        let mut sessions = opened_on(1);
        assert_eq!(sessions.cookie_to_set(), Some(4711));
        assert_eq!(sessions.cookie_to_set(), None);
        sessions.identify(2, None, || 4712);
        assert_eq!(sessions.cookie_to_set(), Some(4712));
    }

    #[test]
    fn a_socket_number_used_again_is_another_client() {
        let mut sessions = opened_on(1);
        sessions.socket_closed(1);
        assert_eq!(sessions.identify(1, Some(b"session=4711"), never), Same);
        assert_eq!(sessions.identify(1, None, || 4712), New);
    }

    #[test]
    fn closing_another_socket_changes_nothing() {
        let mut sessions = opened_on(1);
        sessions.socket_closed(2);
        assert_eq!(sessions.identify(1, None, never), Same);
    }
}
