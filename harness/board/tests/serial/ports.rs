//! Ports that are not there, not free, or not there any more.

use std::io::Write;
use std::os::unix::net::UnixListener;

use board::{Board, BoardError};
use clock::Clock;
use trace::{Trace, WitnessReport};

use crate::bench::{events, on, pty, run, said, serial_board, texts, trace, until};

pub fn a_port_that_goes_away_is_a_witness_and_its_return_too() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("uart");
        let server = UnixListener::bind(&path).expect("a socket");
        // Waiting costs nothing.
        let trace = Trace::in_memory(Clock::start(1000.0));
        let keys = format!("port = \"socket:{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        let (mut device, _) = server.accept().expect("the board");
        device.write_all(b"here\n").expect("open");
        until("the line", || texts(&trace) == ["here"]).await;
        drop((device, server));
        std::fs::remove_file(&path).expect("ours");
        until("the witness", || {
            !events::<WitnessReport>(&trace).is_empty()
        })
        .await;
        let server = UnixListener::bind(&path).expect("a socket");
        until("its return", || events::<WitnessReport>(&trace).len() == 2).await;
        let (mut device, _) = server.accept().expect("the board");
        device.write_all(b"again\n").expect("open");
        until("the next line", || texts(&trace) == ["here", "again"]).await;
        let witnesses: Vec<WitnessReport> = events(&trace);
        assert!(!witnesses[0].sound && witnesses[1].sound);
        let detail = &witnesses[0].detail;
        assert!(
            detail.ends_with("uart went away while the board was on"),
            "{detail}"
        );
    });
}

pub fn a_port_that_comes_back_at_once_is_no_event() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("uart");
        let server = UnixListener::bind(&path).expect("a socket");
        let trace = trace();
        let keys = format!("port = \"socket:{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        drop(server.accept().expect("the board"));
        server.set_nonblocking(true).expect("ours");
        let mut device = None;
        until("the board to come back", || {
            device = server.accept().ok();
            device.is_some()
        })
        .await;
        let (mut device, _) = device.expect("it came");
        device.write_all(b"restarted\n").expect("open");
        until("the line", || texts(&trace) == ["restarted"]).await;
        assert_eq!(events::<WitnessReport>(&trace), []);
    });
}

pub fn every_unusable_port_says_why_and_what_to_do() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("file"), "").expect("ours");
        let trace = Trace::in_memory(Clock::start(1000.0));
        for (port, expected) in [
            (
                "/dev/ttyNEVER9",
                "there is no port /dev/ttyNEVER9: is the board plugged in?",
            ),
            (
                "file",
                "is no serial port; `proving boards` lists what is attached",
            ),
            ("/dev/null", "/dev/null"),
            (
                "socket:none",
                "none; start its server, or name another port in rig.toml",
            ),
            (
                "tcp:127.0.0.1:1",
                "nothing listens at tcp:127.0.0.1:1; start its server",
            ),
        ] {
            let keys = format!("port = \"{port}\"\n");
            let mut board = serial_board(folder.path(), &keys, &trace);
            let error = board.power_on().await.expect_err(port);
            assert!(said(&error).contains(expected), "{port}: {}", said(&error));
        }
    });
}

pub fn a_port_in_use_says_by_whom() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (_device, path) = pty();
        let mut user = std::process::Command::new("sh")
            .args([
                "-c",
                "exec 3<>\"$0\"; flock 3; echo ready; exec sleep 600",
                &path.display().to_string(),
            ])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut ready = [0; 5];
        let out = user.stdout.as_mut().expect("piped");
        std::io::Read::read_exact(out, &mut ready).expect("it is ready");
        let keys = format!("port = \"{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace());
        let error = board.power_on().await.expect_err("busy");
        user.kill().expect("ours");
        user.wait().expect("ours");
        let process = format!("(process {}); end that and try again", user.id());
        let used = format!("{} is used by s", path.display());
        assert!(
            said(&error).contains(&used) && said(&error).ends_with(&process),
            "{}",
            said(&error)
        );
        board.power_on().await.expect("free again");
    });
}

pub fn a_pty_cannot_reset_anything_and_says_so() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (_device, path) = pty();
        let keys = format!("port = \"{}\"\nreset = \"rts\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace());
        let error = board.power_on().await.expect_err("no lines");
        let expected = "has no control lines; leave `reset` and `boot` out of rig.toml";
        assert!(said(&error).contains(expected), "{}", said(&error));
        assert!(matches!(error, BoardError::Port(_)));
    });
}
