//! What becomes of a device's bytes.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use board::{Board, Exited, Garbage, PowerChanged, RestartCause, Restarted};
use trace::board::Crash;
use trace::{Level, LogLine, UnreadLines};

use crate::bench::{events, on, pty, recorded, run, serial_board, texts, trace, until};

pub fn a_recorded_esp_idf_device_over_a_pty_gives_its_records() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut device, path) = pty();
        let trace = trace();
        let keys = format!("port = \"{}\"\nlog = \"esp-idf\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        let bytes = recorded("esp_idf.log");
        let player = std::thread::spawn(move || {
            // As a UART delivers it: in pieces that respect nothing.
            for piece in bytes.chunks(61) {
                device.write_all(piece).expect("the port is open");
            }
            device
        });
        until("the last record", || texts(&trace).len() >= 100).await;
        let _device = player.join().expect("it played");
        let lines: Vec<LogLine> = events(&trace);
        assert_eq!(lines.len(), 100, "98 records behind two lines of the ROM");
        assert_eq!((lines[0].tag.as_str(), lines[0].device_ms), ("uart", None));
        let received = lines
            .iter()
            .find(|line| line.text.starts_with("Received Wi-Fi credentials"))
            .expect("it was provisioned");
        assert_eq!(
            received.text,
            "Received Wi-Fi credentials\n\tSSID     : home-drA2vL\n\tPassword : <passphrase home>"
        );
        assert_eq!(
            (received.level, received.tag.as_str()),
            (Level::Info, "app")
        );
        assert_eq!(received.device_ms, Some(206));
        assert!(lines.iter().any(|line| line.level == Level::Debug));
        let garbage: Vec<Garbage> = events(&trace);
        assert_eq!(garbage, []);
    });
}

pub fn a_recorded_linkkit_device_over_tcp_gives_its_records() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("bound");
        let (power, powered) = std::sync::mpsc::channel();
        let player = std::thread::spawn(move || {
            let (mut device, _) = server.accept().expect("a board");
            // What it says before is of an earlier life.
            powered.recv().expect("it is turned on");
            device
                .write_all(&recorded("linkkit.log"))
                .expect("the port is open");
            device
        });
        let trace = trace();
        let keys = format!("port = \"tcp:{address}\"\n");
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        power.send(()).expect("it waits");
        until("the last record", || texts(&trace).len() >= 62).await;
        let _device = player.join().expect("it played");
        let lines: Vec<LogLine> = events(&trace);
        assert!(
            lines
                .iter()
                .all(|line| line.tag == "linkkit" && line.device_ms.is_some())
        );
        assert_eq!(lines.last().expect("some").text, "awss_report_token_reply");
        assert_eq!(lines.last().expect("some").device_ms, Some(2820));
    });
}

pub fn a_panic_is_the_end_of_the_firmware() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut device, path) = pty();
        let trace = trace();
        let keys = format!("port = \"{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        device
            .write_all(
                b"I (1) app: on\r\nGuru Meditation Error: Core  0 panic'ed (LoadProhibited).\r\n",
            )
            .expect("open");
        until("the panic", || !events::<Exited>(&trace).is_empty()).await;
        let exited: Vec<Exited> = events(&trace);
        let panic = exited[0].panic.as_deref().expect("it says why");
        assert!(panic.contains("LoadProhibited"), "{panic}");
        let lines: Vec<LogLine> = events(&trace);
        assert_eq!(lines.last().expect("some").level, Level::Error);
    });
}

pub fn after_a_crash_the_rest_of_the_log_is_waited_for() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut device, path) = pty();
        let trace = trace();
        let keys = format!("port = \"{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        let panic = b"Guru Meditation Error: Core  0 panic'ed (LoadProhibited).\r\n";
        device.write_all(panic).expect("open");
        until("the panic", || !events::<Exited>(&trace).is_empty()).await;
        let dump = std::thread::spawn(move || {
            for line in [
                "Core  0 register dump:",
                "PC      : 0x400d1234",
                "Backtrace: 0x400d1234:0x3ffb1230",
            ] {
                std::thread::sleep(Duration::from_millis(120));
                device
                    .write_all(format!("{line}\r\n").as_bytes())
                    .expect("open");
            }
            device
        });
        board.power_off().await.expect("on");
        let last = texts(&trace).pop().expect("some");
        assert_eq!(last, "Backtrace: 0x400d1234:0x3ffb1230");
        let mut device = dump.join().expect("ours");
        // One that never falls silent is not waited for without end.
        on(&mut board).await;
        device.write_all(panic).expect("open");
        until("the panic", || events::<Exited>(&trace).len() == 2).await;
        let flood = std::thread::spawn(move || {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(5) {
                device.write_all(b"more\n").expect("open");
                std::thread::sleep(Duration::from_millis(50));
            }
            device
        });
        let began = Instant::now();
        board.power_off().await.expect("on");
        assert!(
            began.elapsed() < Duration::from_millis(4500),
            "{:?}",
            began.elapsed()
        );
        flood.join().expect("ours");
    });
}

pub fn a_crash_has_the_names_of_its_functions_before_the_end_of_power() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut device, path) = pty();
        let trace = trace();
        let elf = std::env::current_exe().expect("a test");
        let keys = format!(
            "port = \"{}\"\nelf = \"{}\"\n",
            path.display(),
            elf.display()
        );
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        let panic = b"Guru Meditation Error: Core  0 panic'ed (LoadProhibited).\r\nPC      : 0x400d1234  PS      : 0x00060030\r\nBacktrace: 0xfffffff0:0x3ffb1230\r\n";
        device.write_all(panic).expect("open");
        until("the panic", || !events::<Exited>(&trace).is_empty()).await;
        board.power_off().await.expect("on");
        let crashes: Vec<Crash> = events(&trace);
        assert_eq!(crashes.len(), 1, "one for one panic: {crashes:?}");
        assert!(crashes[0].what.contains("LoadProhibited"));
        assert_eq!(crashes[0].registers["PC"], "0x400d1234");
        assert_eq!(crashes[0].backtrace[0].function, "0xfffffff0");
        let last = trace.since(0).pop().expect("some");
        assert!(last.payload::<PowerChanged>().is_some(), "{last:?}");
        let keys = format!("port = \"{}\"\nelf = \"none.elf\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        let error = board.power_on().await.expect_err("there is no such file");
        assert!(error.to_string().contains("none.elf"), "{error}");
    });
}

pub fn a_crash_of_zephyr_is_one_and_has_its_registers() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut device, path) = pty();
        let trace = trace();
        let elf = std::env::current_exe().expect("a test");
        let keys = format!(
            "port = \"{}\"\nelf = \"{}\"\n",
            path.display(),
            elf.display()
        );
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        for text in [
            "***** USAGE FAULT *****",
            "  Illegal use of the EPSR",
            "r0/a1:  0x00000003  r1/a2:  0x20000000  r2/a3:  0x00000000",
            "r3/a4:  0x00000000 r12/ip:  0x00000000 r14/lr:  0xfffffffd",
            " xpsr:  0x41000000",
            "Faulting instruction address (r15/pc): 0xfffffff0",
            ">>> ZEPHYR FATAL ERROR 3: Kernel oops on CPU 0",
            "Current thread: 0x20000458 (main)",
            "Halting system",
        ] {
            let line = format!("[00:00:10.262,359] \x1b[1;31m<err> os: {text}\x1b[0m\r\n");
            device.write_all(line.as_bytes()).expect("open");
        }
        until("the last line", || {
            texts(&trace).contains(&"Halting system".to_owned())
        })
        .await;
        board.power_off().await.expect("on");
        let ends: Vec<Exited> = events(&trace);
        assert_eq!(ends.len(), 1, "{ends:?}");
        let crashes: Vec<Crash> = events(&trace);
        assert_eq!(crashes.len(), 1, "{crashes:?}");
        assert_eq!(crashes[0].registers["r1/a2"], "0x20000000");
        assert_eq!(crashes[0].backtrace[0].function, "0xfffffff0");
    });
}

pub fn lines_in_no_known_form_are_counted_for_each_start() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut device, path) = pty();
        let trace = trace();
        let keys = format!("port = \"{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        for (bytes, lines) in [
            (&b"I (1) app: on\nstate: 2 -> 3\nip:1.2.3.4\nrst:0x1 (POWERON_RESET),boot:0x13 (X)\n"[..], 4),
            (b"I (1) app: on\n", 5),
            (b"free text\n", 6),
        ] {
            on(&mut board).await;
            device.write_all(bytes).expect("open");
            until("the lines", || texts(&trace).len() == lines).await;
            board.power_off().await.expect("on");
        }
        let told: Vec<_> = events::<UnreadLines>(&trace)
            .into_iter()
            .map(|told| (told.unknown, told.of))
            .collect();
        assert_eq!(told, [(2, 4), (1, 1)]);
    });
}

pub fn a_board_that_restarts_unasked_says_why() {
    let banner: &[u8] = b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n";
    for (bytes, wanted) in [
        (banner, vec![]),
        (
            &b"I (9) app: up\r\n\r\nBrownout detector was triggered\r\n\r\nets Jul 29 2019 12:21:46\r\n\r\nrst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"[..],
            vec![RestartCause::Brownout],
        ),
        (
            b"\r\n ets Jan  8 2013,rst cause:4, boot mode:(3,6)\r\n\r\nwdt reset\r\n",
            vec![RestartCause::Watchdog],
        ),
        (&[banner, banner].concat(), vec![RestartCause::PowerOn]),
        (
            b"I (100) app: up\r\n\r\nBrownout detector was triggered\r\n\r\nets Jul 29 2019 12:21:46\r\n\r\nrst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nI (27) boot: again\r\nI (100) app: up\r\n",
            vec![RestartCause::Brownout],
        ),
        (
            b"I (100) app: up\r\n\r\n ets Jan  8 2013,rst cause:4, boot mode:(3,6)\r\n\r\nwdt reset\r\nload 0x4010f000, len 3424, room 16\r\n",
            vec![RestartCause::Watchdog],
        ),
        // Of a power glitch, even the first banner is not what was asked for.
        (
            b"ESP-ROM:esp32s3-20210327\r\nrst:0x17 (A_NEW_NAME),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n",
            vec![RestartCause::Glitch],
        ),
        // No banner that could be read, but the clock has fallen.
        (
            b"I (100) app: up\r\nI (9000) app: on\r\nI (110) app: up\r\n",
            vec![RestartCause::Unknown],
        ),
        (b"[000100]<I> up\r\n[999990]<I> on\r\n[000110]<I> up\r\n", vec![]),
    ] {
        run(async {
            let folder = tempfile::tempdir().expect("a folder");
            let (mut device, path) = pty();
            let trace = trace();
            let keys = format!("port = \"{}\"\n", path.display());
            let mut board = serial_board(folder.path(), &keys, &trace);
            on(&mut board).await;
            device.write_all(bytes).expect("open");
            device.write_all(b"last\n").expect("open");
            until("the last line", || texts(&trace).contains(&"last".to_owned())).await;
            let causes: Vec<_> = events::<Restarted>(&trace)
                .into_iter()
                .map(|event| event.cause)
                .collect();
            assert_eq!(causes, wanted, "{}", String::from_utf8_lossy(bytes));
        });
    }
}

pub fn bytes_that_are_no_text_are_kept_and_told_of() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut device, path) = pty();
        let trace = trace();
        let keys = format!("port = \"{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        device.write_all(b"I (1) app: a\xffb\n").expect("open");
        until("the line", || texts(&trace).contains(&"a\\xffb".to_owned())).await;
        for _ in 0..40 {
            device.write_all(b"\xfe\xfd\x80\n").expect("open");
        }
        until("the rest", || texts(&trace).len() == 41).await;
        let garbage: Vec<Garbage> = events(&trace);
        assert_eq!(garbage[0].bytes, "4920283129206170703a2061ff62");
        assert!(garbage.len() < 8, "told ever more rarely: {garbage:?}");
        let last = garbage.last().expect("some");
        assert!(
            last.problem.contains("is `baud` in rig.toml the board's?"),
            "{}",
            last.problem
        );
    });
}

pub fn a_device_that_never_ends_a_line_stops_nothing() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut device, path) = pty();
        let trace = trace();
        let keys = format!("port = \"{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        let flood = std::thread::spawn(move || {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(500) {
                device.write_all(&[b'x'; 512]).expect("open");
            }
            device
        });
        until("pieces of the line", || texts(&trace).len() > 2).await;
        let began = Instant::now();
        board.power_off().await.expect("in the middle of it");
        assert!(began.elapsed() < Duration::from_secs(1));
        assert!(texts(&trace).iter().all(|text| text.len() <= 64 * 1024));
        until("the end of the flood", || flood.is_finished()).await;
        flood.join().expect("ours");
    });
}

pub fn what_is_said_while_the_board_is_off_is_not_heard() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut device, path) = pty();
        let trace = trace();
        let keys = format!("port = \"{}\"\n", path.display());
        let mut board = serial_board(folder.path(), &keys, &trace);
        on(&mut board).await;
        device.write_all(b"first\nhalf of a li").expect("open");
        until("the first", || texts(&trace) == ["first"]).await;
        board.power_off().await.expect("on");
        device.write_all(b"ne\nsaid while off\n").expect("open");
        trace.clock().sleep(Duration::from_millis(300)).await;
        on(&mut board).await;
        device.write_all(b"last\n").expect("open");
        until("the last", || {
            texts(&trace).last().is_some_and(|text| text == "last")
        })
        .await;
        assert_eq!(texts(&trace), ["first", "half of a li", "last"]);
        let how: Vec<_> = events::<PowerChanged>(&trace)
            .into_iter()
            .map(|event| event.how)
            .collect();
        assert!(
            how[0].contains("nothing in the rig switches or resets it"),
            "{how:?}"
        );
        assert_eq!(how.len(), 3);
    });
}
