//! `proving boards`: what is attached, what it is, and whether it answers.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use board::lease::Leases;
use board::rig::{BoardLink, DEFAULT_FILE, Rig, RigBoard};
use clock::Clock;
use report::{ExitStatus, Paint};

use super::super::{CommandError, paint, print};
use super::arguments::{Boards, BoardsCommand};
use super::line::printable;
use super::{HardwareError, runtime};

/// One line of the list.
struct Row {
    name: String,
    what: String,
    state: State,
}

/// Whether a board could be used.
enum State {
    Good(String),
    Bad(String),
}

pub(super) fn boards(arguments: &Boards) -> Result<ExitStatus, CommandError> {
    let path = &arguments.rig.path;
    if let Some(BoardsCommand::Init) = arguments.command {
        Rig::init(path).map_err(HardwareError::from)?;
        return print(&format!(
            "wrote {}; remove the first character of the lines that you need\n",
            path.display()
        ));
    }
    let rig = match path.exists() || path != Path::new(DEFAULT_FILE) {
        true => Some(Rig::read(path).map_err(HardwareError::from)?),
        false => None,
    };
    let mut rows = vec![native(), qemu()];
    let mut good = true;
    for board in rig.iter().flat_map(|rig| rig.boards.values()) {
        let row = real(board, !arguments.no_ask)?;
        good &= matches!(row.state, State::Good(_));
        rows.push(row);
    }
    let mut text = table(&rows, paint());
    let strangers = strangers(rig.as_ref());
    if !strangers.is_empty() {
        text.push_str("\nAttached, but in no rig file:\n");
        strangers.iter().for_each(|line| text.push_str(line));
    }
    if rig.is_none() {
        text.push_str("\nThere is no rig.toml here; `proving boards init` writes one.\n");
    }
    print(&text)?;
    Ok(if good {
        ExitStatus::Passed
    } else {
        ExitStatus::Broken
    })
}

fn table(rows: &[Row], paint: Paint) -> String {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max();
    let names = width(|row| &row.name).unwrap_or(0);
    let whats = width(|row| &row.what).unwrap_or(0);
    let mut text = String::new();
    for Row { name, what, state } in rows {
        let state = match state {
            State::Good(state) => paint.good(printable(state)),
            State::Bad(state) => paint.bad(printable(state)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<names$}  {what:<whats$}  {state}");
    }
    text
}

fn native() -> Row {
    Row {
        name: "native".to_owned(),
        what: "the reference device as a process of this host".to_owned(),
        state: State::Good("ready".to_owned()),
    }
}

fn qemu() -> Row {
    Row {
        name: "qemu".to_owned(),
        what: format!("{} in QEMU, behind a debug probe", lab::qemu::CHIP),
        state: match super::emulated::emulator() {
            Ok(_) => State::Good("ready".to_owned()),
            Err(error) => State::Bad(format!("{error}: `sudo apt install qemu-system-arm`")),
        },
    }
}

/// A board of the rig. A process that holds it is not disturbed.
fn real(board: &RigBoard, ask: bool) -> Result<Row, HardwareError> {
    let what = match &board.link {
        BoardLink::Probe(probe) => {
            let chip = probe.chip.as_deref().unwrap_or("its target's chip");
            format!("{chip} behind the probe {}", probe.selector)
        }
        BoardLink::Serial(serial) => format!("{} at {} baud", serial.port, serial.baud),
        BoardLink::Process(process) => {
            format!("the program {} of this host", process.program().display())
        }
    };
    let holder = Leases::open()?.holder(&board.identity());
    let state = match holder {
        Some(holder) => State::Good(format!(
            "in use by process {} ({})",
            holder.pid, holder.purpose
        )),
        None => match asked(board, ask) {
            Ok(answer) => State::Good(answer),
            Err(error) => State::Bad(trace::in_full(&error)),
        },
    };
    Ok(Row {
        name: board.name.clone(),
        what,
        state,
    })
}

/// What the board answers.
fn asked(board: &RigBoard, ask: bool) -> Result<String, HardwareError> {
    let mut answer = match &board.link {
        BoardLink::Probe(_) => probe_answer(board, ask)?,
        BoardLink::Serial(link) => serial_answer(link, ask)?,
        BoardLink::Process(link) => program_answer(board, link)?,
    };
    if ask && let Some(health) = board.health_check() {
        runtime()?
            .block_on(async {
                let clock = Clock::start(1.0);
                health.run(&clock, &mut |_| {}).await
            })
            .map_err(board::BoardError::from)?;
        answer.push_str(", and is well");
    }
    Ok(answer)
}

fn probe_answer(board: &RigBoard, ask: bool) -> Result<String, HardwareError> {
    use engine::attempt::{BoardAccess, board_access};
    let BoardAccess::Probe(settings) = board_access(board, None)? else {
        return Ok(String::new());
    };
    if !ask {
        return Ok("not asked".to_owned());
    }
    let answer = board::probe::ask(*settings)?;
    Ok(format!(
        "answers within {} ms: {}, {}",
        answer.took.as_millis(),
        answer.core,
        answer.state
    ))
}

fn program_answer(
    board: &RigBoard,
    link: &board::process::ProcessLink,
) -> Result<String, HardwareError> {
    if board::process::ProcessBoard::is_there(link) {
        return Ok("ready".to_owned());
    }
    Err(HardwareError::Unable {
        name: board.name.clone(),
        what: "be started: there is no such program",
        help: "build or install what its `command` in the rig file names".to_owned(),
    })
}

fn serial_answer(link: &board::rig::SerialLink, ask: bool) -> Result<String, HardwareError> {
    use board::serial::{Dial, HostPort};
    if !ask {
        return Ok("not asked".to_owned());
    }
    let port = HostPort::new(link.port.clone(), link.baud);
    runtime()?.block_on(async {
        let clock = Clock::start(1.0);
        port.dial(&clock)
            .await
            .map(drop)
            .map_err(board::BoardError::from)
    })?;
    Ok("its port can be opened".to_owned())
}

/// What is attached and stands in no rig, with what to write there.
fn strangers(rig: Option<&Rig>) -> Vec<String> {
    let known: BTreeSet<String> = rig
        .iter()
        .flat_map(|rig| rig.boards.values())
        .map(RigBoard::identity)
        .collect();
    let mut lines = Vec::new();
    for probe in board::probe::list() {
        if known.contains(&format!("probe {}", probe.selector.to_lowercase())) {
            continue;
        }
        let may = if probe.allowed {
            ""
        } else {
            ", which this user may not open"
        };
        lines.push(format!(
            "  {} ({}){may}: kind = \"probe\", selector = \"{}\"\n",
            printable(&probe.name),
            printable(&probe.kind),
            printable(&probe.selector)
        ));
    }
    for port in board::serial::attached() {
        if known.contains(&format!("serial {}", port.path.display())) {
            continue;
        }
        let name = match &port.usb {
            Some(usb) => usb
                .name
                .clone()
                .unwrap_or_else(|| format!("{}:{}", usb.vendor, usb.product)),
            None => "a serial port".to_owned(),
        };
        let path = port.stable.as_ref().unwrap_or(&port.path);
        lines.push(format!(
            "  {}: kind = \"serial\", port = \"{}\"\n",
            printable(&name),
            path.display()
        ));
    }
    lines
}
