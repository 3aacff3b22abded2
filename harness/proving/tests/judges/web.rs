//! curl, OpenSSL and `websockets` at the device's own web server.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::peer::{Said, is_there, python, run, run_within};
use crate::up::{Up, fixture};

/// curl's "the server returned nothing".
const EMPTY_REPLY: i32 = 52;
/// curl's "the connection was reset, or TLS failed, while receiving".
const RECEIVING_FAILED: i32 = 56;
/// curl's "the server's certificate is no good".
const DISTRUSTED: i32 = 60;

/// A device of this application, if `judge` is there. Its server listens once this is done.
fn up(judge: &str, application: &str, secure: bool, client: &str) -> Option<Up> {
    if !is_there(judge, judge) {
        return None;
    }
    Some(bring_up(application, secure, client))
}

/// A device of this application. Its server listens once this is done.
pub fn bring_up(application: &str, secure: bool, client: &str) -> Up {
    bring_up_case(application, secure, client, false)
}

fn bring_up_case(application: &str, secure: bool, client: &str, tickets: bool) -> Up {
    let case =
        format!("application={application},secure={secure},client={client},tickets={tickets}");
    let port = port(secure);
    let forward = format!("127.0.0.1:0=sta:{port}");
    let listening = format!("Server listening on port {port}");
    Up::start_until(
        "web.yaml",
        &case,
        &["--forward", &forward],
        ("esp_https_server", &listening),
    )
}

fn port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

fn certificate(up: &Up, name: &str) -> PathBuf {
    up.out().join("certs").join(name)
}

/// What curl gets of these paths, on one connection.
fn curl(up: &Up, secure: bool, paths: &[&str], arguments: &[&str]) -> Said {
    let port = up.forward("tcp", "sta", port(secure)).port();
    let scheme = if secure { "https" } else { "http" };
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--include", "--max-time", "20"])
        .args(["--noproxy", "*", "--http1.1", "--cacert"])
        .arg(certificate(up, "ca.pem"))
        .args(arguments);
    for path in paths {
        command.arg(format!("{scheme}://localhost:{port}{path}"));
    }
    run(&mut command)
}

/// Status and body; the head has to be as HTTP/1.1 has it.
fn response(said: Said) -> (u16, String) {
    let said = said.well();
    let (head, body) = said.text().split_once("\r\n\r\n").unwrap();
    let status = head.strip_prefix("HTTP/1.1 ").unwrap();
    (status[..3].parse().unwrap(), body.to_owned())
}

#[test]
fn curl_gets_the_page_twice_on_one_connection() {
    for secure in [true, false] {
        let Some(up) = up("curl", "simple", secure, "none") else {
            return;
        };
        let said = curl(&up, secure, &["/", "/"], &["--verbose"]).well();
        assert!(
            said.stderr.contains("Re-using existing connection"),
            "{said:?}"
        );
        let pages = said.text().matches("<h1>Hello Secure World!</h1>").count();
        assert_eq!(pages, 2, "{said:?}");
        up.end();
    }
}

#[test]
fn curl_reads_chunks_and_sends_bodies() {
    let Some(up) = up("curl", "catalogue", true, "none") else {
        return;
    };
    let get = |paths: &[&str], arguments: &[&str]| curl(&up, true, paths, arguments);
    assert_eq!(
        response(get(&["/chunks"], &[])),
        (200, "Hello in chunks".into())
    );
    assert_eq!(response(get(&["/files/a/b?c=d"], &[])), (200, "a/b".into()));
    let body = "b".repeat(1024);
    let echoed = response(get(&["/echo"], &["--data-binary", &body]));
    assert_eq!(echoed, (200, body.clone()));
    // Unread, and the next request on the same connection is read all the same.
    let said = get(&["/unread", "/unread"], &["--data-binary", &body.repeat(5)]).well();
    assert_eq!(said.text().matches("not read").count(), 2, "{said:?}");
    let (status, body) = response(get(&["/echo"], &["--data-binary", &"b".repeat(1025)]));
    assert_eq!((status, &*body), (413, "Content is too large"));
    let (status, _) = response(get(&["/nothing"], &[]));
    assert_eq!(status, 404);
    let (status, _) = response(get(&["/"], &["--request", "PUT"]));
    assert_eq!(status, 405);
    let said = get(&["/failing"], &[]);
    let empty = [Some(EMPTY_REPLY), Some(RECEIVING_FAILED)];
    assert!(empty.contains(&said.status.code()), "{said:?}");
    up.end();
}

#[test]
fn curl_shows_its_certificate_or_is_refused() {
    let Some(up) = up("curl", "simple", true, "required") else {
        return;
    };
    // Its clock has to be set before it can judge dates.
    up.see_line("app", "MQTT_EVENT_CONNECTED");
    let file = |name: &str| certificate(&up, name).display().to_string();
    let shows = |name: &str, arguments: &[&str]| {
        let (chain, key) = (
            file(&format!("{name}.pem")),
            file(&format!("{name}.key.pem")),
        );
        let mut all = vec!["--cert", chain.as_str(), "--key", key.as_str()];
        all.extend(arguments);
        curl(&up, true, &["/"], &all)
    };
    for versions in [&[][..], &["--tls-max", "1.2"]] {
        let (status, _) = response(shows("client", versions));
        assert_eq!(status, 200);
        let said = curl(&up, true, &["/"], versions);
        assert!(!said.status.success(), "{said:?}");
        up.see_line("esp-tls-mbedtls", "mbedtls_ssl_handshake returned -0x7480");
        assert!(!shows("client-other-ca", versions).status.success());
        up.see_line("example", "tls_flag = 8");
    }
    up.end();
}

#[test]
fn curl_does_not_trust_another_authority() {
    let Some(up) = up("curl", "simple", true, "none") else {
        return;
    };
    let other = certificate(&up, "other-ca.pem").display().to_string();
    let said = curl(&up, true, &["/"], &["--cacert", &other]);
    assert_eq!(said.status.code(), Some(DISTRUSTED), "{said:?}");
    // OpenSSL's alert: 48, unknown CA.
    up.see_line("mbedtls", "is a fatal alert message (msg 48)");
    up.see_line(
        "esp_https_server",
        "esp_tls_create_server_session failed, 0x7780",
    );
    up.end();
}

#[test]
fn openssl_sees_the_certificate_of_the_name_that_it_asks_for() {
    let Some(up) = up("openssl", "simple", true, "none") else {
        return;
    };
    let to = up.forward("tcp", "sta", 443).to_string();
    let authority = certificate(&up, "ca.pem");
    for (name, shown) in [
        ("one.example", "CN = one.example"),
        ("localhost", "CN = localhost"),
        ("another.example", "CN = device.proving.example"),
    ] {
        for version in ["-tls1_2", "-tls1_3"] {
            let said = run(Command::new("openssl")
                .args(["s_client", "-connect", &to, "-servername", name, version])
                .args(["-alpn", "h2,http/1.1", "-CAfile"])
                .arg(&authority)
                .stdin(Stdio::null()))
            .well();
            let text = said.text();
            for wanted in [
                shown,
                "ALPN protocol: http/1.1",
                "Verify return code: 0 (ok)",
            ] {
                assert!(
                    text.contains(wanted),
                    "no `{wanted}` for {name} {version}: {said:?}"
                );
            }
        }
    }
    up.end();
}

#[test]
fn openssl_resumes_a_session_by_its_ticket_where_the_server_gives_tickets() {
    if !is_there("openssl", "openssl") {
        return;
    }
    for is_reused in [false, true] {
        let up = bring_up_case("simple", true, "none", is_reused);
        let to = up.forward("tcp", "sta", 443).to_string();
        for version in ["-tls1_2", "-tls1_3"] {
            let session = up.out().join(format!("session{version}"));
            let ask = |how: &str| {
                let (path, said) = (session.display(), up.out().join("said"));
                let said = said.display();
                // It stays until the answer is there, before which the tickets of TLS 1.3 have come.
                let is_answered = format!("grep -aq '^HTTP/1.1 ' '{said}'");
                let script = format!(
                    "printf 'GET / HTTP/1.1\\r\\n\\r\\n'; \
                     for turn in $(seq 400); do {is_answered} && break; sleep 0.05; done"
                );
                let openssl = format!(
                    ": >'{said}'; ({script}) | openssl s_client -connect {to} {version} \
                     {how} '{path}' >'{said}' 2>&1; cat '{said}'; {is_answered}"
                );
                run(Command::new("sh").args(["-c", &openssl]))
            };
            let first = ask("-sess_out").well().text().to_owned();
            assert!(first.contains("New, TLSv1."), "{version}: {first}");
            if !session.is_file() {
                // Without a ticket TLS 1.3 has nothing to keep.
                assert!(!is_reused, "no session was kept: {first}");
                continue;
            }
            let second = ask("-sess_in");
            let reused = second.text().contains("Reused, TLSv1.");
            assert_eq!(reused, is_reused, "{version}: {second:?}");
        }
        up.end();
    }
}

#[test]
fn websockets_talks_over_ws_and_wss() {
    let Some(python) = python("websockets", "websockets") else {
        return;
    };
    for secure in [true, false] {
        let up = bring_up("catalogue", secure, "none");
        let port = up.forward("tcp", "sta", port(secure)).port();
        let scheme = if secure { "wss" } else { "ws" };
        let said = run(Command::new(&python)
            .arg(fixture("websocket_client.py"))
            .arg(format!("{scheme}://localhost:{port}/ws"))
            .arg(certificate(&up, "ca.pem")))
        .well();
        assert_eq!(said.text().trim(), "all well");
        up.end();
    }
}

/// For some 250 cases, of which those that fail wait for what does not come.
const MINUTES: Duration = Duration::from_secs(300);

#[test]
fn the_cases_of_autobahn_fail_where_esp_idf_differs_and_nowhere_else() {
    let Some(python) = python("kosoku", "kosoku") else {
        return;
    };
    let up = bring_up("catalogue", false, "none");
    let report = up.out().join("kosoku");
    // Not: large messages, which a device has no memory for, and compression, which it does not speak.
    let said = run_within(
        MINUTES,
        Command::new(python)
            .args(["-c", "from kosoku._cli import main; main()"])
            .arg(format!("ws://{}/ws", up.forward("tcp", "sta", 80)))
            .args([
                "--exclude",
                "9.*",
                "--exclude",
                "12.*",
                "--exclude",
                "13.*",
                "--outdir",
            ])
            .arg(&report),
    );
    let index = std::fs::read(report.join("index.json"));
    let index = index.unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let agents = index.as_object().unwrap().values();
    let cases = agents.flat_map(|cases| cases.as_object().unwrap());
    let (mut failed, mut count) = (BTreeSet::new(), 0);
    for (case, result) in cases {
        count += 1;
        if result["behavior"] == "FAILED" {
            failed.insert(case.clone());
        }
    }
    let known = std::fs::read_to_string(fixture("websocket_differences.txt")).unwrap();
    let known: BTreeSet<String> = known
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    assert!(count > 200, "{said:?}");
    assert_eq!(failed, known);
    up.end();
}
