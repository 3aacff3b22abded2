//! What is served: URIs and their handlers.

use factory::WebApplication;

use crate::http::Method;

/// An application of the server, and whether it has an error handler of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Application(pub(super) WebApplication, pub(super) bool);

/// A handler that a URI is registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) uri: &'static str,
    pub(super) method: Method,
    pub(super) handler: Handler,
}

/// A handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handler {
    /// One page (`simple`).
    Page,
    /// An echo over WebSocket.
    WebSocket(WebSocketHandler),
    /// A response in chunks.
    Chunks,
    /// What stands behind the wildcard.
    Tail,
    /// The request's body, up to [`Handler::LONGEST_ECHO`] bytes.
    Echo,
    /// An answer that leaves the body unread.
    Unread,
    /// Nothing: it fails.
    Failing,
}

impl Handler {
    /// Longest body that [`Handler::Echo`] takes.
    pub(super) const LONGEST_ECHO: usize = 1024;
}

/// A handler of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WebSocketHandler {
    /// That of `wss_server`: control frames are its own business, texts are sent back whole.
    Wss,
    /// Data frames go back as they came, fragments too; the server deals with control frames.
    Mirror,
}

impl WebSocketHandler {
    /// Whether control frames go to the handler (`handle_ws_control_frames`).
    pub(super) fn handles_control_frames(self) -> bool {
        self == Self::Wss
    }

    /// The subprotocol that it speaks, if any.
    pub(super) fn subprotocol(self) -> Option<&'static str> {
        (self == Self::Mirror).then_some("mirror")
    }
}

/// Why there is no handler for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    NotFound,
    MethodNotAllowed,
}

const SIMPLE: &[Route] = &[get("/", Handler::Page)];
const WSS: &[Route] = &[get("/ws", Handler::WebSocket(WebSocketHandler::Wss))];
const CATALOGUE: &[Route] = &[
    get("/", Handler::Page),
    get("/ws", Handler::WebSocket(WebSocketHandler::Mirror)),
    get("/chunks", Handler::Chunks),
    get("/files/*", Handler::Tail),
    get("/folder/?", Handler::Page),
    get("/failing", Handler::Failing),
    post("/echo", Handler::Echo),
    post("/unread", Handler::Unread),
];

const fn get(uri: &'static str, handler: Handler) -> Route {
    Route {
        uri,
        method: Method::GET,
        handler,
    }
}

const fn post(uri: &'static str, handler: Handler) -> Route {
    Route {
        uri,
        method: Method::POST,
        handler,
    }
}

impl Application {
    /// Tag of its log lines.
    pub(super) fn tag(self) -> &'static str {
        match self.0 {
            WebApplication::Simple | WebApplication::Catalogue => "example",
            WebApplication::WssServer => "wss_echo_server",
        }
    }

    /// Whether it looks after its clients, and says hello to them.
    pub(super) fn keeps_alive(self) -> bool {
        self.0 == WebApplication::WssServer
    }

    /// What the application's own error handler for 404 (`httpd_register_err_handler`) tells a client that asks
    /// for `path`, and whether the connection goes on then, as it does where such a handler returns `ESP_OK`;
    /// none if it has no handler.
    pub(super) fn not_found(self, path: &str) -> Option<(&'static str, bool)> {
        self.1.then(|| match path {
            _ if path.starts_with("/gone/") => ("It was here, and is gone", true),
            _ => ("There is nothing of that name", false),
        })
    }

    /// The handler of a request.
    pub(super) fn route(self, path: &str, method: Method) -> Result<&'static Route, NoRoute> {
        let routes = match self.0 {
            WebApplication::Simple => SIMPLE,
            WebApplication::WssServer => WSS,
            WebApplication::Catalogue => CATALOGUE,
        };
        let matches: fn(&str, &str) -> bool = match self.0 {
            WebApplication::Catalogue => matches_wildcard,
            _ => |template, path| template == path,
        };
        let mut there = routes
            .iter()
            .filter(|route| matches(route.uri, path))
            .peekable();
        if there.peek().is_none() {
            return Err(NoRoute::NotFound);
        }
        there
            .find(|route| route.method == method)
            .ok_or(NoRoute::MethodNotAllowed)
    }
}

/// `httpd_uri_match_wildcard`: a `*` at the end is any tail, a `?` at the end or before that makes the
/// character before it optional.
fn matches_wildcard(template: &str, path: &str) -> bool {
    let (template, is_open) = match template.strip_suffix('*') {
        Some(template) => (template, true),
        None => (template, false),
    };
    let (fixed, optional) = match template.strip_suffix('?') {
        Some(template) => {
            let mut characters = template.chars();
            let last = characters.next_back();
            (characters.as_str(), last)
        }
        None => (template, None),
    };
    let Some(rest) = path.strip_prefix(fixed) else {
        return false;
    };
    let (rest, is_first_right) = match (optional, rest.chars().next()) {
        (None, _) | (_, None) => (rest, true),
        (Some(wanted), Some(there)) => (&rest[there.len_utf8()..], there == wanted),
    };
    is_first_right && (is_open || rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_those_of_esp_idf() {
        for (template, path, expected) in [
            ("/path", "/path", true),
            ("/path", "/path/", false),
            ("/path/?", "/path", true),
            ("/path/?", "/path/", true),
            ("/path/?", "/path/x", false),
            ("/path/?", "/pathx", false),
            ("/path/*", "/path/", true),
            ("/path/*", "/path/to/it", true),
            ("/path/*", "/path", false),
            ("*", "/anything", true),
            ("/path/?*", "/path", true),
            ("/path/?*", "/path/x", true),
            ("/path/?*", "/pathx", false),
            ("/pa\u{e9}?", "/pa", true),
        ] {
            assert_eq!(
                matches_wildcard(template, path),
                expected,
                "{template} {path}"
            );
        }
    }

    #[test]
    fn a_known_path_with_another_method_is_told_apart() {
        let application = Application(WebApplication::Catalogue, false);
        let handler = |path, method| application.route(path, method).map(|route| route.handler);
        assert_eq!(handler("/files/a/b", Method::GET), Ok(Handler::Tail));
        assert_eq!(
            handler("/echo", Method::GET),
            Err(NoRoute::MethodNotAllowed)
        );
        assert_eq!(handler("/nothing", Method::GET), Err(NoRoute::NotFound));
        let simple = Application(WebApplication::Simple, false);
        assert_eq!(simple.route("/folder", Method::GET), Err(NoRoute::NotFound));
    }
}
