//! What of this host a board of a rig needs, looked at before a run. Nothing is changed and no board is
//! touched: no port is opened, no command is run.

mod authority;
mod bluetooth;
mod broker;
mod clock;
mod external_broker;
mod lan;
mod lease;
mod port;
mod probe;
mod programs;
mod secrets;
mod wifi;

use board::rig::{BoardLink, ConsoleAt, PortAddress, Rig, RigBoard};

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word or two, such as `port`.
    pub check: &'static str,
    /// How that is.
    pub answer: Answer,
    /// What was found.
    pub said: String,
    /// What mends it: a command between back quotes, or what to do by hand.
    pub mend: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As it has to be.
    Ok,
    /// Not so; cases end broken by it.
    NotOk,
    /// Nothing here can tell.
    Unknown,
}

impl Finding {
    fn ok(check: &'static str, said: impl Into<String>) -> Self {
        Self {
            check,
            answer: Answer::Ok,
            said: said.into(),
            mend: None,
        }
    }

    fn not_ok(check: &'static str, said: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            check,
            answer: Answer::NotOk,
            said: said.into(),
            mend: Some(mend.into()),
        }
    }

    fn unknown(check: &'static str, said: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            answer: Answer::Unknown,
            ..Self::not_ok(check, said, mend)
        }
    }
}

/// Everything that `rig` names for `board`, in the order in which a case needs it.
pub async fn examine(rig: &Rig, board: &RigBoard) -> Vec<Finding> {
    let mut findings = lease::check(board);
    match &board.link {
        BoardLink::Serial(serial) => findings.extend(at("port", &serial.port)),
        BoardLink::Probe(link) => findings.extend(probe::check(link)),
        BoardLink::Process(_) => {}
    }
    if let Some(ConsoleAt::Port(console)) = &board.console {
        findings.extend(at("console", &console.port));
    }
    findings.extend(programs::check(rig, board));
    findings.extend(secrets::check(rig, board));
    if let Some(name) = &board.phone.bluetooth {
        findings.extend(bluetooth::check(name).await);
    }
    if let Some(name) = &board.phone.wifi {
        findings.extend(wifi::check(name).await);
    }
    if let Some(name) = &board.phone.lan {
        findings.extend(lan::check(name));
    }
    findings.extend(authority::check(rig));
    findings.extend(broker::check(rig, board).await);
    findings.push(clock::check());
    findings
}

fn at(check: &'static str, port: &PortAddress) -> Vec<Finding> {
    match port {
        PortAddress::Tty(path) => port::check(check, path),
        PortAddress::Socket(path) => vec![port::socket(check, path)],
        PortAddress::Tcp(address) => vec![Finding::unknown(
            check,
            format!(
                "tcp:{address} is not connected to before a run: that could take it from others"
            ),
            format!(
                "`nc -z {} {}` shows whether a server is there",
                address.ip(),
                address.port()
            ),
        )],
    }
}
