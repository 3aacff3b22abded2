//! What the pinned probe-rs sends, so that a change of its driver is noticed when it is upgraded.
//!
//! `cargo xtask transcript` writes it anew.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use probe_rs::MemoryInterface;

use crate::world::{LOOP, World, attach, open};

const TRANSCRIPT: &str = "../../fixtures/probe/attach.txt";
const ADVICE: &str = "if the driver changed on purpose, `cargo xtask transcript` writes it anew";

/// Passes a connection through, and returns what went to the probe, a command per line.
fn record(listener: TcpListener, port: u16) -> String {
    let (client, _) = listener.accept().expect("a debugger");
    let probe = TcpStream::connect(("127.0.0.1", port)).expect("a probe");
    let (mut answers, mut answered) = (
        probe.try_clone().expect("a socket"),
        client.try_clone().expect("a socket"),
    );
    let back = thread::spawn(move || std::io::copy(&mut answers, &mut answered));
    let mut heard = Vec::new();
    let mut chunk = [0; 4096];
    let (mut client, mut probe) = (client, probe);
    while let Ok(length @ 1..) = client.read(&mut chunk) {
        heard.extend_from_slice(&chunk[..length]);
        probe.write_all(&chunk[..length]).expect("sent");
    }
    probe.shutdown(std::net::Shutdown::Both).expect("open");
    let _ = back.join().expect("no panic");
    String::from_utf8(heard).expect("text").replace('#', "#\n")
}

#[test]
fn the_pinned_debugger_sends_what_it_sent_before() {
    let world = World::new(&LOOP);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let port = world.port();
    let recorder = thread::spawn(move || record(listener, port));
    let mut session =
        attach(open(&format!("1d50:6018:{address}")).expect("a probe")).expect("a target");
    let mut core = session.core(0).expect("a core");
    core.status().expect("a status");
    core.status().expect("a status");
    core.read_word_32(0x2000_0000).expect("read");
    drop(core);
    drop(session);
    let heard = recorder.join().expect("a transcript");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TRANSCRIPT);
    if std::env::var_os("PROVING_RENEW").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, &heard).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let different = heard
        .lines()
        .zip(expected.lines())
        .position(|(now, then)| now != then);
    assert_eq!(
        heard.lines().count(),
        expected.lines().count(),
        "{ADVICE}; first difference: {different:?}"
    );
    assert_eq!(different, None, "{ADVICE}");
}
