//! Chromium at the device's own web server: a page that talks over WSS, as a user's browser would.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::peer::{is_there, run};
use crate::up::{Up, eventually, fixture};
use crate::web::bring_up;

/// Closed without a CLOSE, as a WebSocket is of which the handshake failed (RFC 6455 §7.1.5).
const ABNORMAL: u64 = 1006;
/// A CLOSE without a status, as ESP-IDF's example answers every one.
const NO_STATUS: u64 = 1005;

#[test]
fn a_page_in_chromium_talks_over_wss_and_is_kept_alive() {
    if !is_there("chromium", "chromium") {
        return;
    }
    let up = bring_up("wss-server", true, "none");
    let distrusted = Page::open(&up, &[]).outcome();
    assert_eq!(distrusted["code"], ABNORMAL, "{distrusted}");

    // That of its authority would not do: the device shows its own certificate alone.
    let key = key_shown(&up);
    let outcome = Page::open(&up, &[key]).outcome();
    let said = json!([
        "Hello from a page",
        "Hello client",
        "Hello client",
        "Still here"
    ]);
    assert_eq!(
        outcome,
        json!({"said": said, "code": NO_STATUS, "wasClean": true})
    );
    up.see_line("wss_echo_server", "Handshake done");
    // Its PINGs were answered, by Chromium itself.
    up.see_line("wss_echo_server", "Received PONG message");
    up.end();
}

/// Chromium with a page. Ended when dropped.
struct Page {
    browser: Child,
    server: TcpListener,
    _profile: tempfile::TempDir,
}

impl Page {
    /// Opens the page in a browser that takes certificates with these keys, whoever has signed them.
    fn open(up: &Up, keys: &[String]) -> Self {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let own = server.local_addr().unwrap();
        let device = up.forward("tcp", "sta", 443);
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromium");
        command
            // Containers have no user namespaces for its sandbox; the page is ours.
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--no-proxy-server",
                "--disable-background-networking",
            ])
            .args([
                "--disable-component-update",
                "--disable-sync",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()));
        if !keys.is_empty() {
            command.arg(format!(
                "--ignore-certificate-errors-spki-list={}",
                keys.join(",")
            ));
        }
        let browser = command
            .arg(format!("http://{own}/?to=wss://{device}/ws"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            browser,
            server,
            _profile: profile,
        }
    }

    /// What the page tells in the end.
    fn outcome(self) -> Value {
        let page = std::fs::read(fixture("websocket_page.html")).unwrap();
        eventually("the page's outcome", || match self.server.accept() {
            Ok((client, _)) => answer(client, &page),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let group = i32::try_from(self.browser.id()).unwrap_or_default();
        // SAFETY: a plain system call; the browser has not been waited for, so its group is its own.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        let _ = self.browser.wait();
    }
}

/// Serves one request of the browser's; what the page tells, if it was that.
fn answer(client: TcpStream, page: &[u8]) -> Option<Value> {
    client.set_nonblocking(false).unwrap();
    let from: SocketAddr = client.peer_addr().unwrap();
    let mut reader = BufReader::new(client);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        // A browser opens connections ahead of need, and closes them unused.
        if reader.read_line(&mut line).unwrap_or_default() == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.to_ascii_lowercase());
    }
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let is_page = head[0].starts_with("get /?to=");
    let (status, content) = match is_page {
        true => ("200 OK", page),
        false => ("404 Not Found", &b""[..]),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    let mut client = reader.into_inner();
    client.write_all(answer.as_bytes()).unwrap();
    client.write_all(content).unwrap();
    let told = head[0].starts_with("post /said");
    told.then(|| serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{from}: {error}")))
}

/// Base64 of SHA-256 over the public key of the certificate that the device shows, by which Chromium is told
/// to take it.
fn key_shown(up: &Up) -> String {
    let to = up.forward("tcp", "sta", 443).to_string();
    let script = "openssl s_client -connect \"$0\" -servername another.example </dev/null \
                  | openssl x509 -noout -pubkey | openssl pkey -pubin -outform der \
                  | openssl dgst -sha256 -binary | openssl base64";
    let said = run(Command::new("sh").arg("-c").arg(script).arg(to)).well();
    said.text().trim().to_owned()
}
