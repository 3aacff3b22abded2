//! Control lines, on a UART that notes what is done with them.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use board::rig::Wire;
use board::serial::{Channel, ControlLines, Dial, PortError, SerialBoard};
use board::{Board, PowerChanged};
use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use trace::Trace;

use crate::bench::{events, link, on, run, script, trace};

/// What was done, such as `rts on`.
pub type Notes = Arc<Mutex<Vec<String>>>;

struct NotedUart {
    notes: Notes,
    bytes: DuplexStream,
    device: DuplexStream,
    /// What the device says when RTS lets it go.
    says: &'static [u8],
    is_held: bool,
}

impl ControlLines for NotedUart {
    fn set(&mut self, wire: Wire, asserted: bool) -> io::Result<()> {
        let wire = match wire {
            Wire::Dtr => "dtr",
            Wire::Rts => "rts",
        };
        let state = if asserted { "on" } else { "off" };
        if wire == "rts" && std::mem::replace(&mut self.is_held, asserted) && !asserted {
            let said = self.device.write_all(self.says).now_or_never();
            said.expect("room for what it says")?;
        }
        self.notes
            .lock()
            .expect("sound")
            .push(format!("{wire} {state}"));
        Ok(())
    }
}

impl Channel for NotedUart {
    fn control_lines(&mut self) -> Option<&mut dyn ControlLines> {
        Some(self)
    }
}

impl AsyncRead for NotedUart {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_read(context, buffer)
    }
}

impl AsyncWrite for NotedUart {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(context)
    }
}

impl Drop for NotedUart {
    fn drop(&mut self) {
        self.notes.lock().expect("sound").push("closed".to_owned());
    }
}

struct NotedDial {
    notes: Notes,
    says: &'static [u8],
}

impl Dial for NotedDial {
    fn port(&self) -> String {
        "noted".to_owned()
    }

    fn dial<'d>(&'d self, _clock: &'d Clock) -> BoxFuture<'d, Result<Box<dyn Channel>, PortError>> {
        Box::pin(async {
            self.notes.lock().expect("sound").push("opened".to_owned());
            let (bytes, device) = tokio::io::duplex(1024);
            Ok(Box::new(NotedUart {
                notes: Arc::clone(&self.notes),
                bytes,
                device,
                says: self.says,
                is_held: false,
            }) as Box<dyn Channel>)
        })
    }
}

fn noted(folder: &Path, keys: &str, trace: &Trace) -> (SerialBoard, Notes) {
    talking(folder, keys, b"", trace)
}

/// A board whose device says this whenever RTS lets it go.
pub fn talking(
    folder: &Path,
    keys: &str,
    says: &'static [u8],
    trace: &Trace,
) -> (SerialBoard, Notes) {
    let notes = Notes::default();
    let keys = format!("port = \"/dev/noted\"\n{keys}");
    let dial = Arc::new(NotedDial {
        notes: Arc::clone(&notes),
        says,
    });
    let board = SerialBoard::with_dial("dut", link(folder, &keys), None, dial, trace.clone());
    (board, notes)
}

fn take(notes: &Notes) -> Vec<String> {
    std::mem::take(&mut *notes.lock().expect("sound"))
}

pub fn the_board_is_held_in_reset_while_it_is_off() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = trace();
        let (mut board, notes) = noted(folder.path(), "reset = \"rts\"\nboot = \"dtr\"\n", &trace);
        let began = trace.clock().now();
        on(&mut board).await;
        assert_eq!(
            take(&notes),
            [
                "opened", "rts off", "dtr off", "dtr off", "rts on", "rts off", "dtr off"
            ]
        );
        let held = trace.clock().now().since_start() - began.since_start();
        assert!(held.as_millis() >= 100, "{held:?}");
        board.power_off().await.expect("on");
        assert_eq!(take(&notes), ["dtr off", "rts on"]);
        let how: Vec<_> = events::<PowerChanged>(&trace)
            .into_iter()
            .map(|event| event.how)
            .collect();
        assert_eq!(how, ["let go from reset", "held in reset"]);
        assert!(!board.abilities().power, "its supply cannot be switched");
    });
}

pub fn a_reset_is_a_pulse() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = trace();
        let (mut board, notes) = noted(folder.path(), "reset = \"!dtr\"\n", &trace);
        on(&mut board).await;
        take(&notes);
        board.reset().await.expect("on");
        assert_eq!(take(&notes), ["dtr off", "rts off", "dtr on", "rts off"]);
    });
}

pub fn the_loader_is_started_before_flashing_where_the_rig_says_so() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("app.bin"), "app").expect("ours");
        script(folder.path(), "flash", "true");
        let trace = trace();
        let keys = "reset = \"rts\"\nboot = \"dtr\"\nflash = { command = [\"./flash\", \"{file}\"], boot_mode = true, images = [{ offset = 0, file = \"app.bin\" }] }\n";
        let (mut board, notes) = noted(folder.path(), keys, &trace);
        on(&mut board).await;
        let notes = take(&notes).join(", ");
        let loader = "dtr on, rts on, rts off, dtr on, rts off, dtr off, closed, opened";
        assert!(notes.contains(loader), "{notes}");
    });
}
