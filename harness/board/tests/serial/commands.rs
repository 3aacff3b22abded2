//! What is done to boards by commands.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use board::command::CommandTemplate;
use board::power::{CommandSwitch, SwitchCommands};
use board::serial::{SerialBoard, flash};
use board::{Board, BoardError, ImageFlashed, Power, PowerChanged};
use clock::Clock;

use crate::bench::{events, link, on, pty, run, said, script, serial_board, trace};

/// Refuses a port that another program holds, notes its arguments, and keeps the images.
const FLASHER: &str = "\
port=$1; shift
flock -n \"$port\" true || { echo 'port is busy' >&2; exit 3; }
echo \"$@\" >> flashed
echo \"Wrote 100 %\"";

fn flashed(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("flashed")).unwrap_or_default();
    text.lines()
        .map(|line| line.replace(&format!("{}/", folder.display()), ""))
        .collect()
}

fn keys(port: &Path, more: &str) -> String {
    format!(
        "port = \"{}\"\n[boards.dut.flash]\ncommand = [\"./flasher\", \"{{port}}\", \"{{offset}}\", \"{{file}}\"]\nimages = [{{ offset = 0, file = \"boot.bin\" }}, {{ offset = 0x10000, file = \"app.bin\" }}]\n{more}",
        port.display()
    )
}

fn images(folder: &Path) {
    fs::write(folder.join("boot.bin"), "boot").expect("ours");
    fs::write(folder.join("app.bin"), "application").expect("ours");
}

pub fn images_are_flashed_once_until_they_change() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (_device, path) = pty();
        script(folder.path(), "flasher", FLASHER);
        images(folder.path());
        let trace = trace();
        let mut board = serial_board(folder.path(), &keys(&path, ""), &trace);
        on(&mut board).await;
        assert_eq!(flashed(folder.path()), ["0x0 boot.bin 0x10000 app.bin"]);
        let mut again = serial_board(folder.path(), &keys(&path, ""), &trace);
        board.power_off().await.expect("on");
        drop(board);
        tokio::task::yield_now().await;
        on(&mut again).await;
        assert_eq!(flashed(folder.path()).len(), 1);
        let told: Vec<ImageFlashed> = events(&trace);
        assert_eq!(
            told.iter().map(|told| told.skipped).collect::<Vec<_>>(),
            [false, true]
        );
        assert_eq!(told[1].bytes, 15);
        drop(again);
        tokio::task::yield_now().await;

        let link = link(folder.path(), &keys(&path, ""));
        let clock = trace.clock();
        let mut heard = Vec::new();
        let anew = flash(&link, true, clock, &mut |line| heard.push(line.to_owned())).await;
        assert!(!anew.expect("it works").skipped);
        assert_eq!(heard, ["Wrote 100 %"]);
        assert!(
            flash(&link, false, clock, &mut |_| {})
                .await
                .expect("it works")
                .skipped
        );
        fs::write(folder.path().join("app.bin"), "another").expect("ours");
        assert!(
            !flash(&link, false, clock, &mut |_| {})
                .await
                .expect("it works")
                .skipped
        );
        assert_eq!(flashed(folder.path()).len(), 3);

        let one_by_one = keys(&path, "per_image = true\n");
        let link = crate::bench::link(folder.path(), &one_by_one);
        flash(&link, true, clock, &mut |_| {})
            .await
            .expect("it works");
        assert_eq!(
            flashed(folder.path())[3..],
            ["0x0 boot.bin", "0x10000 app.bin"]
        );
    });
}

pub fn a_flasher_that_failed_is_not_believed() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (_device, path) = pty();
        images(folder.path());
        script(folder.path(), "flasher", FLASHER);
        let link = link(folder.path(), &keys(&path, ""));
        let clock = Clock::start(1.0);
        flash(&link, false, &clock, &mut |_| {})
            .await
            .expect("it works");
        script(
            folder.path(),
            "flasher",
            "echo 'A fatal error occurred: no sync' >&2; exit 2",
        );
        let error = flash(&link, true, &clock, &mut |_| {})
            .await
            .expect_err("exit code 2");
        let expected =
            "ended with exit code 2, having said: A fatal error occurred: no sync; run it by hand";
        assert!(said(&error).contains(expected), "{}", said(&error));
        script(folder.path(), "flasher", FLASHER);
        let flashed = flash(&link, false, &clock, &mut |_| {})
            .await
            .expect("it works");
        assert!(!flashed.skipped, "what is on the board is unknown");
    });
}

pub fn a_flasher_that_hangs_is_killed_in_time() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (_device, path) = pty();
        images(folder.path());
        script(folder.path(), "flasher", "echo Connecting...; sleep 600");
        let link = link(folder.path(), &keys(&path, "limit_s = 1\n"));
        let began = Instant::now();
        let error = flash(&link, true, &Clock::start(1.0), &mut |_| {})
            .await
            .expect_err("it hangs");
        assert!(began.elapsed() < Duration::from_secs(3));
        let expected = "had not ended after 1 s and was killed, having said: Connecting...; raise its `limit_s`";
        assert!(said(&error).contains(expected), "{}", said(&error));
    });
}

pub fn images_that_cannot_be_flashed_say_why() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        images(folder.path());
        let clock = Clock::start(1.0);
        fs::write(folder.path().join("big.bin"), [0; 0x2000]).expect("ours");
        fs::write(folder.path().join("empty.bin"), "").expect("ours");
        for (images, expected) in [
            ("", "there is nothing to flash"),
            (
                "{ offset = 0, file = \"none.bin\" }",
                "none.bin; build it, or correct",
            ),
            ("{ offset = 0, file = \"empty.bin\" }", "it is empty"),
            (
                "{ offset = 0x1000, file = \"app.bin\" }, { offset = 0, file = \"big.bin\" }",
                "big.bin ends at 0x2000, but",
            ),
        ] {
            let keys = format!(
                "port = \"/dev/none\"\nflash = {{ command = [\"f\", \"{{file}}\"], images = [{images}] }}\n"
            );
            let link = link(folder.path(), &keys);
            let error = flash(&link, false, &clock, &mut |_| {})
                .await
                .expect_err(expected);
            assert!(said(&error).contains(expected), "{}", said(&error));
        }
        let link = link(folder.path(), "port = \"/dev/none\"\n");
        let error = flash(&link, false, &clock, &mut |_| {})
            .await
            .expect_err("no command");
        assert!(
            said(&error).contains("write `flash.command` and `flash.images`"),
            "{}",
            said(&error)
        );
        let keys = "port = \"/dev/none\"\nflash = { command = [\"no-such-flasher\", \"{file}\"], images = [{ offset = 0, file = \"app.bin\" }] }\n";
        let link = crate::bench::link(folder.path(), keys);
        let error = flash(&link, true, &clock, &mut |_| {})
            .await
            .expect_err("no program");
        assert!(
            said(&error).contains("there is no program `no-such-flasher`; install it"),
            "{}",
            said(&error)
        );
    });
}

pub fn factory_data_and_storage_go_through_commands() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (_device, path) = pty();
        script(
            folder.path(),
            "factory",
            "flock -n \"$1\" true; cp \"$2\" factory.bin",
        );
        script(folder.path(), "read", "cp storage.bin \"$1\"");
        script(folder.path(), "erase", ": > storage.bin");
        fs::write(folder.path().join("storage.bin"), "stored").expect("ours");
        let keys = format!(
            "port = \"{}\"\nfactory = {{ command = [\"./factory\", \"{{port}}\", \"{{file}}\"] }}\nstorage = {{ read = [\"./read\", \"{{file}}\"], erase = [\"./erase\"] }}\n",
            path.display()
        );
        let mut board = serial_board(folder.path(), &keys, &trace());
        board
            .write_factory(b"born with this")
            .await
            .expect("it works");
        assert_eq!(
            fs::read(folder.path().join("factory.bin")).expect("there"),
            b"born with this"
        );
        assert_eq!(board.read_storage().await.expect("it works"), b"stored");
        board.erase_storage().await.expect("it works");
        assert_eq!(board.read_storage().await.expect("it works"), b"");
        on(&mut board).await;
        let error = board.read_storage().await.expect_err("it is on");
        assert_eq!(error.to_string(), "cannot read storage: the board is on");
    });
}

pub fn a_switch_gives_and_takes_power() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (_device, path) = pty();
        let trace = trace();
        let command = |word: &str| {
            let script = format!("echo {word} >> switched");
            let words = ["sh".to_owned(), "-c".to_owned(), script].to_vec();
            CommandTemplate::new(words, &[], Duration::from_secs(5), folder.path()).expect("sound")
        };
        let commands = SwitchCommands {
            on: command("on"),
            off: command("off"),
            discharge: Duration::from_millis(20),
        };
        let switch = CommandSwitch::new(commands, trace.clock().clone());
        let keys = format!("port = \"{}\"\n", path.display());
        let link = link(folder.path(), &keys);
        let mut board = SerialBoard::new("dut", link, Some(Box::new(switch)), trace.clone());
        assert!(board.abilities().power);
        on(&mut board).await;
        board.power_off().await.expect("on");
        board.power_off().await.expect("off already");
        let switched = fs::read_to_string(folder.path().join("switched")).expect("there");
        assert_eq!(switched, "on\noff\n");
        let power: Vec<_> = events::<PowerChanged>(&trace)
            .into_iter()
            .map(|event| event.power)
            .collect();
        assert_eq!(power, [Power::On, Power::Off]);
    });
}

pub fn a_flasher_that_failed_is_told_of_even_if_the_board_does_not_come_back() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (_device, path) = pty();
        script(folder.path(), "flasher", "echo 'no loader' >&2; exit 3");
        images(folder.path());
        let trace = trace();
        let command = |word: &str| {
            let words = [word.to_owned()].to_vec();
            CommandTemplate::new(words, &[], Duration::from_secs(5), folder.path()).expect("sound")
        };
        let commands = SwitchCommands {
            on: command("true"),
            off: command("false"),
            discharge: Duration::ZERO,
        };
        let switch = CommandSwitch::new(commands, trace.clock().clone());
        let link = link(folder.path(), &keys(&path, ""));
        let mut board = SerialBoard::new("dut", link, Some(Box::new(switch)), trace.clone());
        let error = board.flash(true, &mut |_| {}).await.expect_err("both fail");
        assert!(error.to_string().contains("flasher"), "{error}");
    });
}

pub fn what_the_rig_has_no_command_for_cannot_be_done() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (_device, path) = pty();
        let keys = format!("port = \"{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace());
        let unable = |error: BoardError| matches!(error, BoardError::Unable { .. });
        assert!(unable(
            board.write_factory(b"").await.expect_err("no command")
        ));
        assert!(unable(board.erase_storage().await.expect_err("no command")));
        on(&mut board).await;
        assert!(unable(board.reset().await.expect_err("no line")));
        assert!(unable(
            board.cut_power_in_write(1).await.expect_err("no probe")
        ));
    });
}
