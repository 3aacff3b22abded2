//! Which HTTP requests belong to one protocomm session (ESP-IDF 5.5 `protocomm_httpd.c`).
//!
//! The transport holds one session, known by a random number, which the client shows as a cookie,
//! and by the socket it was opened on, for clients without cookies. A client that has shown its
//! cookie once is known by it alone from then on.

use super::super::profile::Profile;
use crate::bugs::{self, Bug};

/// A cookie is read into a buffer of this many bytes, the last of which ends the string. A longer
/// header is as good as none.
const COOKIE_BUFFER: usize = 20;

pub(super) const TAG: &str = "protocomm_httpd";

/// The transport's one session.
#[derive(Debug)]
pub(crate) struct HttpSessions {
    profile: Profile,
    current: Option<HttpSession>,
}

#[derive(Debug)]
struct HttpSession {
    id: u32,
    /// None once that socket was closed, or the cookie was shown.
    socket: Option<u32>,
}

/// What a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// To the session that is open.
    Same,
    /// To a new one: keys of the last one are void, and the client is told the cookie.
    New,
}

impl HttpSessions {
    pub(crate) fn new(profile: Profile) -> Self {
        Self {
            profile,
            current: None,
        }
    }

    /// Finds the session of a request from `socket`, with the value of its Cookie header, and opens
    /// one with the number that `fresh` makes if there is none.
    pub(crate) fn identify(
        &mut self,
        socket: u32,
        cookie: Option<&[u8]>,
        fresh: impl FnOnce() -> u32,
    ) -> Belongs {
        if self.current.as_mut().is_some_and(|session| {
            session.continues(socket, cookie) || bugs::is(Bug::SessionSurvivesSecondClient)
        }) {
            return Belongs::Same;
        }
        if let Some(old) = &self.current {
            log::warn!(target: TAG, "Closing session with ID: {}", old.id);
        }
        self.current = Some(HttpSession {
            id: fresh(),
            socket: Some(socket),
        });
        Belongs::New
    }

    /// Number of the session that is open.
    pub(crate) fn number(&self) -> Option<u32> {
        self.current.as_ref().map(|session| session.id)
    }

    /// A socket was closed. The session lives on for a client that shows its cookie.
    pub(crate) fn socket_closed(&mut self, socket: u32) {
        let Some(session) = &mut self.current else {
            return;
        };
        if session.socket == Some(socket) {
            // Not all versions have the space.
            let space = self.profile.space_behind_socket();
            log::warn!(
                target: TAG,
                "Resetting socket session id as socket {socket}{space}was closed"
            );
            session.socket = None;
        }
    }
}

impl HttpSession {
    /// Whether a request belongs to this session.
    fn continues(&mut self, socket: u32, cookie: Option<&[u8]>) -> bool {
        match cookie.filter(|cookie| cookie.len() < COOKIE_BUFFER) {
            Some(shown) if shown == alloc::format!("session={}", self.id).as_bytes() => {
                self.socket = None;
                true
            }
            // A cookie that can be read and is another's says that the client is another.
            Some(_) => false,
            None => self.socket == Some(socket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Belongs::{New, Same};

    fn none() -> HttpSessions {
        HttpSessions::new(Profile(factory::Version::Idf55))
    }

    fn opened_on(socket: u32) -> HttpSessions {
        let mut sessions = none();
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
    fn a_cookie_that_does_not_fit_the_buffer_is_as_good_as_none() {
        for cookie in [
            &b"session=4711; a=bcde"[..],
            b"theme=dark; session=4711",
            b"session=99999999999999",
        ] {
            let mut sessions = opened_on(1);
            assert_eq!(sessions.identify(1, Some(cookie), never), Same);
            assert_eq!(sessions.identify(2, Some(cookie), || 2), New);
        }
    }

    #[test]
    fn a_short_cookie_of_another_service_begins_a_new_session_each_time() {
        for cookie in [
            &b"a=b"[..],
            b"",
            b"session=",
            b"session=+4711",
            b"session=04711",
            b"session=4711;",
            b"session=99999999999",
        ] {
            let mut sessions = opened_on(1);
            for id in [1, 2] {
                assert_eq!(sessions.identify(1, Some(cookie), || id), New);
                assert_eq!(sessions.number(), Some(id));
            }
        }
    }

    #[test]
    fn a_cookie_that_matched_makes_the_session_forget_its_socket() {
        let mut sessions = opened_on(1);
        let cookie = Some(&b"session=4711"[..]);
        assert_eq!(sessions.identify(1, cookie, never), Same);
        assert_eq!(sessions.current.as_ref().unwrap().socket, None);
        assert_eq!(sessions.identify(1, None, || 4712), New);
    }

    #[test]
    fn the_longest_number_fits_the_buffer() {
        let mut sessions = none();
        sessions.identify(1, None, || u32::MAX);
        let shown = Some(&b"session=4294967295"[..]);
        assert_eq!(sessions.identify(2, shown, never), Same);
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
