//! The task that attends a device while it has power.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use airlink::tether::{Decoder, FromDevice, TetherError};
use board::{BoardError, Exited, Garbage, Power, PowerChanged, RestartCause, Restarted};
use clock::{Clock, LabTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use trace::{Level, LogLine, Spinning, Trace, Witness, WitnessReport};

use super::NativeSettings;
use super::child::{Exit, Process};
use super::effort::{Effort, Finding};
use super::files::Files;
use super::inbox::Inbox;
use super::resources;
use super::wires::{Wires, read};
use crate::air::RadioLink;

/// What a chip takes from its reset to its firmware; it also bounds how often one can restart.
const BOOT: Duration = Duration::from_millis(50);
/// A process that has closed its tether ends within this, or is ended.
const EXIT_LIMIT: Duration = Duration::from_secs(1);
/// Bytes taken from the tether at once.
const CHUNK: usize = 64 * 1024;
/// From one look at what the process holds to the next, at the least.
const COUNTED_EVERY: Duration = Duration::from_secs(10);
/// Bytes of garbage that are shown.
const SHOWN: usize = 64;

/// Carries frames, serial lines, log and time between a device's process and the lab.
pub(super) struct Attendant {
    settings: NativeSettings,
    files: Files,
    trace: Trace,
    link: RadioLink,
    wires: Wires,
    process: Process,
    stream: UnixStream,
    decoder: Decoder,
    inbox: Inbox,
    dark: Arc<AtomicBool>,
    /// When its resources were told last.
    counted_at: Option<LabTime>,
    /// When its storage was changed last by then, as its file tells.
    storage_changed: Option<SystemTime>,
}

/// Why a device needs no attendance any more.
#[derive(Debug)]
enum End {
    /// The power is to be switched off.
    Stopped,
    /// The firmware restarts itself.
    Restarts,
    /// The tether is closed.
    Closed,
    /// Something came over the tether that no device sends.
    Garbage,
}

impl Attendant {
    /// Starts a device and switches its radio and wires on. `dark` becomes true before a cut in a
    /// write is told.
    pub(super) fn start(
        settings: NativeSettings,
        files: Files,
        trace: Trace,
        link: RadioLink,
        wires: Wires,
        dark: Arc<AtomicBool>,
    ) -> Result<Self, BoardError> {
        let inbox = Inbox::new(trace.clock().clone());
        let storage_changed = resources::changed(files.flash());
        let (process, stream) = Process::start(&settings, &files)?;
        link.power_on();
        wires.set_power(true);
        Ok(Self {
            settings,
            files,
            trace,
            link,
            wires,
            process,
            stream,
            decoder: Decoder::default(),
            inbox,
            dark,
            counted_at: None,
            storage_changed,
        })
    }

    /// Attends it until it is dark or `stop` comes.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            let end = self.attend(&mut stop).await;
            self.link.power_off();
            self.wires.set_power(false);
            match end {
                End::Stopped => {
                    self.process.kill().await;
                    self.hear_last_words().await;
                    return;
                }
                End::Garbage => {
                    self.process.kill().await;
                    self.exited("killed, because of garbage on its tether", None);
                    return;
                }
                End::Closed => return self.bury().await,
                End::Restarts => {
                    self.process.kill().await;
                    if !self.start_again(&mut stop).await {
                        return;
                    }
                }
            }
        }
    }

    async fn attend(&mut self, stop: &mut oneshot::Receiver<()>) -> End {
        let clock = self.trace.clock().clone();
        let mut chunk = vec![0; CHUNK];
        loop {
            let (mut reader, mut writer) = self.stream.split();
            let deadline = self.inbox.deadline();
            let check = self.inbox.effort().map(|effort| effort.check_at());
            tokio::select! {
                biased;
                _ = &mut *stop => return End::Stopped,
                read = reader.read(&mut chunk) => {
                    clock.touch();
                    let Ok(length @ 1..) = read else { return End::Closed };
                    self.decoder.push(&chunk[..length]);
                    match self.take() {
                        Ok(None) => {}
                        Ok(Some(end)) => return end,
                        Err(error) => {
                            self.garbage(error, &chunk[..length]);
                            return End::Garbage;
                        }
                    }
                }
                written = writer.write(self.inbox.outgoing()), if !self.inbox.outgoing().is_empty() => {
                    // A broken tether shows in reading too, behind what is left to read.
                    if let Ok(length) = written {
                        self.inbox.written(length);
                    }
                }
                packet = self.link.to_device(), if self.inbox.has_room() => {
                    self.inbox.send_packet(packet);
                }
                bytes = read(&mut self.wires.console), if self.inbox.has_room() => {
                    self.inbox.send_console(bytes);
                }
                bytes = read(&mut self.wires.hci), if self.inbox.has_room() => {
                    self.inbox.send_hci(bytes);
                }
                () = until(&clock, deadline) => self.inbox.send_wake(),
                () = until(&clock, check) => self.look_at_effort(),
                () = self.process.listen() => {}
            }
        }
    }

    /// Takes the messages that are whole.
    fn take(&mut self) -> Result<Option<End>, TetherError> {
        let _together = self.trace.gather();
        while let Some(message) = self.decoder.pop()? {
            match message {
                FromDevice::Packet(packet) => self.link.from_device(&packet),
                FromDevice::Log {
                    level,
                    tag,
                    text,
                    device_ms,
                } => self.log(level, tag, text, device_ms),
                FromDevice::Idle { until_us, consumed } => {
                    let since_start = !self.inbox.was_idle();
                    let effort = self.inbox.idle(until_us, consumed);
                    if effort.as_ref().is_some_and(Effort::is_starved) {
                        self.report_host(true, "idle again".to_owned());
                    }
                    if let Some(effort) = effort.filter(Effort::spins) {
                        let busy = self.trace.clock().now().since(effort.since());
                        self.spinning(false, busy, since_start);
                    }
                }
                FromDevice::Restart => return Ok(Some(End::Restarts)),
                FromDevice::Console(bytes) => self.wires.say(&bytes),
                FromDevice::Hci(bytes) => self.wires.say_hci(&bytes),
            }
        }
        self.count_resources();
        Ok(None)
    }

    /// Tells what the process holds, if that was not told for a while.
    fn count_resources(&mut self) {
        let now = self.trace.clock().now();
        if self
            .counted_at
            .is_some_and(|at| now.since(at) < COUNTED_EVERY)
        {
            return;
        }
        self.counted_at = Some(now);
        let changed = resources::changed(self.files.flash());
        if let Some(mut resources) = self.process.id().and_then(resources::of) {
            resources.storage_written = changed != self.storage_changed;
            self.trace.emit(Some(&self.settings.device), &resources);
        }
        self.storage_changed = changed;
    }

    /// Records what the device logged before it was ended; its radio is off already.
    async fn hear_last_words(&mut self) {
        let mut chunk = vec![0; CHUNK];
        // Ends, because the process that held the other end is gone.
        while let Ok(length @ 1..) = self.stream.read(&mut chunk).await {
            self.decoder.push(&chunk[..length]);
        }
        while let Ok(Some(message)) = self.decoder.pop() {
            if let FromDevice::Log {
                level,
                tag,
                text,
                device_ms,
            } = message
            {
                self.log(level, tag, text, device_ms);
            }
        }
    }

    /// Says how the process ended.
    async fn bury(mut self) {
        let clock = self.trace.clock().clone();
        let _busy = clock.busy();
        match clock.timeout(EXIT_LIMIT, self.process.exit()).await {
            Ok(Exit::Dark) => {
                self.dark.store(true, Ordering::Release);
                self.power_changed(Power::Off, "cut in a write");
            }
            Ok(Exit::Panicked(message)) => self.exited("panic", Some(message)),
            Ok(Exit::Other(how)) => self.exited(&how, None),
            Err(_) => {
                self.process.kill().await;
                self.exited("killed, because it closed its tether", None);
            }
        }
    }

    /// Starts the firmware anew after it asked for that. False if there is none any more.
    async fn start_again(&mut self, stop: &mut oneshot::Receiver<()>) -> bool {
        let clock = self.trace.clock().clone();
        tokio::select! {
            biased;
            _ = stop => return false,
            () = clock.sleep(BOOT) => {}
        }
        self.inbox = Inbox::new(clock);
        match Process::start(&self.settings, &self.files) {
            Ok((process, stream)) => {
                self.process = process;
                self.stream = stream;
                self.decoder = Decoder::default();
                self.link.power_on();
                self.wires.set_power(true);
                self.restarted();
                true
            }
            Err(error) => {
                self.exited(&format!("not started again: {error}"), None);
                false
            }
        }
    }

    fn look_at_effort(&mut self) {
        let now = self.trace.clock().now();
        let process = self.process.id();
        let found = self
            .inbox
            .effort()
            .and_then(|effort| effort.look(now, process));
        match found {
            Some(Finding::Starved(how)) => self.report_host(false, how),
            Some(Finding::Fed) => self.report_host(true, "given processor time again".to_owned()),
            Some(Finding::Spins(busy)) => self.spinning(true, busy, !self.inbox.was_idle()),
            None => {}
        }
    }

    fn spinning(&self, spins: bool, busy: Duration, since_start: bool) {
        let told = Spinning {
            spins,
            for_ms: u64::try_from(busy.as_millis()).unwrap_or(u64::MAX),
            since_start,
        };
        self.trace.emit(Some(&self.settings.device), &told);
    }

    fn report_host(&self, sound: bool, how: String) {
        let device = &self.settings.device;
        self.trace.emit(
            Some(device),
            &WitnessReport {
                witness: Witness::Host,
                sound,
                detail: format!("the process of {device}: {how}"),
            },
        );
    }

    fn log(&self, level: u8, tag: String, text: String, device_ms: u64) {
        let level = match level {
            0 | 1 => Level::Error,
            2 => Level::Warn,
            3 => Level::Info,
            4 => Level::Debug,
            _ => Level::Trace,
        };
        self.trace.log(
            &self.settings.device,
            LogLine {
                level,
                tag,
                text,
                device_ms: Some(device_ms),
                place: None,
            },
        );
    }

    fn garbage(&self, error: TetherError, bytes: &[u8]) {
        self.trace.emit(
            Some(&self.settings.device),
            &Garbage {
                link: "tether".to_owned(),
                problem: error.to_string(),
                bytes: hex::encode(&bytes[..bytes.len().min(SHOWN)]),
            },
        );
    }

    fn exited(&self, how: &str, panic: Option<String>) {
        let how = how.to_owned();
        self.trace
            .emit(Some(&self.settings.device), &Exited { how, panic });
    }

    fn restarted(&self) {
        let restarted = Restarted {
            cause: RestartCause::Software,
            said: "the firmware asked for it".to_owned(),
        };
        self.trace.emit(Some(&self.settings.device), &restarted);
    }

    fn power_changed(&self, power: Power, how: &str) {
        let how = how.to_owned();
        self.trace
            .emit(Some(&self.settings.device), &PowerChanged { power, how });
    }
}

/// Ends at `moment`; never, if there is none.
async fn until(clock: &Clock, moment: Option<clock::LabTime>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
