//! curl at the device's provisioning service, which answers as ESP-IDF's does.

use std::process::Command;

use serde_json::Value;

use crate::peer::{Said, is_there, run};
use crate::up::Up;

/// curl's "the server returned nothing".
const EMPTY_REPLY: i32 = 52;

/// A device that waits for its credentials, if curl is there.
fn up() -> Option<Up> {
    let forward = ["127.0.0.1:0=softap:80"];
    is_there("curl", "curl").then(|| Up::start("provisioning.yaml", "security=v1]", &forward))
}

/// Head and body of what curl gets.
fn curl(up: &Up, path: &str, arguments: &[&str]) -> Said {
    run(Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--max-time", "20"])
        .args(arguments)
        .arg(format!("http://{}/{path}", up.forward("tcp", "softap", 80))))
}

/// Status and body; the head has to be as HTTP/1.1 has it.
fn response(said: Said) -> (u16, String) {
    let said = said.well();
    let (head, body) = said.text().split_once("\r\n\r\n").unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .unwrap();
    assert_eq!(length, body.len().to_string(), "{head}");
    let status = head.strip_prefix("HTTP/1.1 ").unwrap();
    (status[..3].parse().unwrap(), body.to_owned())
}

fn file_of(up: &Up, length: usize) -> String {
    let path = up.out().join(format!("{length}.bin"));
    std::fs::write(&path, vec![b'-'; length]).unwrap();
    format!("@{}", path.display())
}

#[test]
fn the_version_is_told_as_json() {
    let Some(up) = up() else { return };
    let (status, body) = response(curl(&up, "proto-ver", &["--data", "---"]));
    assert_eq!(status, 200);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["prov"]["ver"], "v1.1");
    assert_eq!(body["prov"]["sec_ver"], 1);
    up.end();
}

#[test]
fn another_method_or_path_is_an_error_of_http() {
    let Some(up) = up() else { return };
    // With the numbers that Node's `http_parser` gives them.
    for (method, number) in [("GET", 1), ("PUT", 4), ("DELETE", 0)] {
        let (status, body) = response(curl(&up, "proto-ver", &["--request", method]));
        assert_eq!(status, 405, "{method}");
        assert_eq!(body, "Specified method is invalid for this resource");
        up.see_line(
            "httpd_uri",
            &format!("httpd_uri: Method '{number}' not allowed for URI '/proto-ver'"),
        );
    }
    let (status, body) = response(curl(&up, "nothing", &["--data", "---"]));
    assert_eq!(
        (status, body.as_str()),
        (404, "Nothing matches the given URI")
    );
    up.see_line("httpd_uri", "httpd_uri: URI '/nothing' not found");
    up.end();
}

#[test]
fn a_body_that_is_too_long_or_missing_closes_the_connection() {
    let Some(up) = up() else { return };
    let longest = file_of(&up, 4096);
    let (status, _) = response(curl(&up, "proto-ver", &["--data-binary", &longest]));
    assert_eq!(status, 200);
    assert!(!up.has_line("uri handler execution failed"));

    let too_long = file_of(&up, 4097);
    for arguments in [
        &["--data-binary", too_long.as_str()][..],
        // Of length 0, of no length, and of a length that is told piece by piece.
        &["--data", ""],
        &["--request", "POST"],
        &["--header", "Transfer-Encoding: chunked", "--data", "---"],
    ] {
        let said = curl(&up, "proto-ver", arguments);
        assert_eq!(
            said.status.code(),
            Some(EMPTY_REPLY),
            "{arguments:?}: {said:?}"
        );
        assert!(said.stdout.is_empty());
    }
    up.see_line("httpd_uri", "httpd_uri: uri handler execution failed");

    // And the service goes on.
    let (status, _) = response(curl(&up, "proto-ver", &["--data", "---"]));
    assert_eq!(status, 200);
    up.end();
}

#[test]
fn one_connection_serves_several_requests_of_one_session() {
    let Some(up) = up() else { return };
    let url = format!("http://{}/proto-ver", up.forward("tcp", "softap", 80));
    let said = curl(&up, "proto-ver", &["--verbose", "--data", "---", &url]).well();
    assert!(said.stderr.contains("Re-using existing connection"));
    let statuses = said.text().matches("HTTP/1.1 200 OK").count();
    let cookies = said.text().matches("Set-Cookie: session=").count();
    assert_eq!((statuses, cookies), (2, 1), "{said:?}");
    up.end();
}
