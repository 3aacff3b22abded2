//! `proving log`: what a board logs, as it does.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use regex::Regex;
use report::{ExitStatus, Paint};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use trace::{Level, LogLine};

use super::super::{CommandError, paint};
use super::HardwareError;
use super::arguments::Log;
use super::line::human;
use super::open::{Keep, Open, QEMU};
use engine::attempt::BoardAccess;

/// How often to look whether it is time to end.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn log(arguments: &Log) -> Result<ExitStatus, CommandError> {
    let image = arguments.image.as_deref();
    let open = Open::new(&arguments.board, image, "proving log", Keep::Flash)?;
    let mut shown = Shown {
        out: io::stdout(),
        paint: paint(),
        level: arguments.level,
        tags: arguments.tags.clone(),
        grep: arguments.grep.clone(),
        json: arguments.json,
    };
    let mut end = End::new(arguments.duration)?;
    // An emulated board begins with this command.
    let reset = arguments.reset || open.name == QEMU;
    let ended = match &open.access {
        BoardAccess::Probe(settings) => by_probe(&open, settings, reset, &mut shown, &mut end),
        BoardAccess::Serial(link) => by_uart(&open, link, reset, &mut shown, &mut end),
        BoardAccess::Process(_) => Err(Ended::Hardware(HardwareError::Unable {
            name: open.name.clone(),
            what: "be listened to: it is a program, which runs while a case does",
            help: "start it by hand, or look at the case with `proving trace show`".into(),
        })),
    };
    match ended {
        // A reader that has gone away has seen enough.
        Err(Ended::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitStatus::Passed)
        }
        Err(Ended::Output(error)) => Err(CommandError::Output(error)),
        Err(Ended::Hardware(error)) => Err(error.into()),
        Ok(()) if end.interrupted.load(Ordering::Acquire) => Ok(ExitStatus::Interrupted),
        Ok(()) => Ok(ExitStatus::Passed),
    }
}

/// Why it ended before it should.
enum Ended {
    Hardware(HardwareError),
    Output(io::Error),
}

impl<E: Into<HardwareError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Hardware(error.into())
    }
}

/// When to end.
struct End {
    interrupted: Arc<AtomicBool>,
    after: Option<Duration>,
    at: Option<Instant>,
}

impl End {
    fn new(after: Option<Duration>) -> Result<Self, HardwareError> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(|source| {
                HardwareError::Io {
                    what: "listen for signals".to_owned(),
                    source,
                }
            })?;
        }
        Ok(Self {
            interrupted,
            after,
            at: None,
        })
    }

    /// The board is listened to from now on.
    fn listens(&mut self) {
        self.at = self
            .after
            .and_then(|after| Instant::now().checked_add(after));
    }

    fn has_come(&self) -> bool {
        self.interrupted.load(Ordering::Acquire) || self.at.is_some_and(|at| Instant::now() >= at)
    }
}

/// Where lines are shown, and which.
struct Shown<W> {
    out: W,
    paint: Paint,
    level: Option<Level>,
    tags: Vec<String>,
    grep: Option<Regex>,
    json: bool,
}

impl<W: Write> Shown<W> {
    fn line(&mut self, line: &LogLine) -> Result<(), Ended> {
        if !self.wants(line) {
            return Ok(());
        }
        let text = if self.json {
            format!("{}\n", json!(line))
        } else {
            human(line, self.paint)
        };
        self.write(&text)
    }

    /// Something that is no line of the log.
    fn notice(&mut self, kind: &str, text: &str) -> Result<(), Ended> {
        let text = if self.json {
            format!("{}\n", json!({ "notice": kind, "text": text }))
        } else {
            let text = super::line::printable(text);
            format!("{}\n", self.paint.odd(format!("-- {text}")))
        };
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Result<(), Ended> {
        let written = self.out.write_all(text.as_bytes());
        written
            .and_then(|()| self.out.flush())
            .map_err(Ended::Output)
    }

    fn wants(&self, line: &LogLine) -> bool {
        self.level.is_none_or(|level| line.level <= level)
            && (self.tags.is_empty() || self.tags.contains(&line.tag))
            && self
                .grep
                .as_ref()
                .is_none_or(|grep| grep.is_match(&line.text))
    }
}

fn by_probe<W: Write>(
    open: &Open,
    settings: &board::probe::ProbeSettings,
    reset: bool,
    shown: &mut Shown<W>,
    end: &mut End,
) -> Result<(), Ended> {
    if settings.image.as_os_str().is_empty() {
        return Err(Ended::Hardware(HardwareError::NoImage {
            name: open.name.clone(),
            help: format!("`proving log --board {} --image ELF`", open.name),
        }));
    }
    open.power_on()?;
    let mut stream = board::probe::log(settings.clone(), reset)?;
    end.listens();
    while !end.has_come() {
        for heard in stream.next(LOOK) {
            if let Some(gone) = show(heard, shown)? {
                return Err(Ended::Hardware(HardwareError::Io {
                    what: format!("read the log of {}", open.name),
                    source: io::Error::other(gone),
                }));
            }
        }
    }
    stream.leave()?;
    Ok(())
}

/// Shows something that was heard through a probe; why it was the last, if it was.
fn show<W: Write>(
    heard: board::probe::ProbeEvent,
    shown: &mut Shown<W>,
) -> Result<Option<String>, Ended> {
    use board::probe::ProbeEvent;
    match heard {
        ProbeEvent::Line(line) => shown.line(&line)?,
        ProbeEvent::Lost { channel, lost } => {
            let text = format!("{} bytes of {channel} lost: {}", lost.bytes, lost.problem);
            shown.notice("lost", &text)?;
        }
        ProbeEvent::Restarted(restarted) => {
            let text = format!("the device started anew: {}", restarted.said);
            shown.notice("restarted", &text)?;
        }
        ProbeEvent::WentDark => shown.notice("dark", "the board went dark in a write")?,
        ProbeEvent::Exited { exited, crash } => {
            let what = exited.panic.as_ref().unwrap_or(&exited.how);
            shown.notice("exited", &format!("the firmware ended: {what}"))?;
            for frame in crash.iter().flat_map(|crash| &crash.backtrace) {
                let place = match (&frame.file, frame.line) {
                    (Some(file), Some(line)) => format!(" ({file}:{line})"),
                    _ => String::new(),
                };
                shown.notice("frame", &format!("  {}{place}", frame.function))?;
            }
        }
        ProbeEvent::Gone(why) => return Ok(Some(why)),
    }
    Ok(None)
}

fn by_uart<W: Write>(
    open: &Open,
    link: &board::rig::SerialLink,
    reset: bool,
    shown: &mut Shown<W>,
    end: &mut End,
) -> Result<(), Ended> {
    use board::serial::{Follow, PortEvent};
    if reset && link.reset.is_none() && link.reset_command.is_none() {
        return Err(Ended::Hardware(HardwareError::Unable {
            name: open.name.clone(),
            what: "be reset",
            help: "write `reset` or `reset_command` for it in the rig file".to_owned(),
        }));
    }
    super::runtime()?.block_on(async {
        let clock = clock::Clock::start(1.0);
        let mut follow = Follow::open(link, reset, &clock).await?;
        end.listens();
        while !end.has_come() {
            match clock.timeout(LOOK, follow.next()).await {
                Ok(Some(PortEvent::Record(record))) => shown.line(&record.line)?,
                Ok(Some(PortEvent::Gone)) => {
                    shown.notice("gone", "the port went away; waiting for it")?
                }
                Ok(Some(PortEvent::Back)) => shown.notice("back", "the port is back")?,
                Ok(None) => break,
                Err(_) => {}
            }
        }
        Ok::<(), Ended>(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chosen_by_level_tag_and_text() {
        let line = |level, tag: &str, text: &str| LogLine {
            level,
            tag: tag.into(),
            text: text.into(),
            device_ms: None,
            place: None,
        };
        let mut shown = Shown {
            out: Vec::new(),
            paint: Paint::new(false),
            level: Some(Level::Warn),
            tags: vec!["wifi".into(), "app".into()],
            grep: Some(Regex::new("lost|found").expect("well formed")),
            json: false,
        };
        for wanted in [
            line(Level::Warn, "wifi", "lost"),
            line(Level::Error, "app", "found it"),
            line(Level::Info, "wifi", "lost"),
            line(Level::Warn, "tls", "lost"),
            line(Level::Warn, "wifi", "kept"),
        ] {
            assert!(shown.line(&wanted).is_ok());
        }
        let text = String::from_utf8(shown.out).expect("text");
        assert_eq!(text, "W wifi: lost\nE app: found it\n");
    }
}
