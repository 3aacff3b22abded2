//! What can go wrong with a UART.

use std::io;

/// A UART cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// It is not there.
    #[error(
        "there is no port {port}: is the board plugged in? {}",
        there_are(there)
    )]
    Missing {
        /// As rig.toml has it.
        port: String,
        /// The ports that are there.
        there: Vec<String>,
    },
    /// Another program has it.
    #[error("{port} is used by {by}; end that and try again")]
    Busy {
        /// As rig.toml has it.
        port: String,
        /// Who, as far as can be seen.
        by: String,
    },
    /// This user may not.
    #[error(
        "{port} may not be opened by this user; `sudo usermod -aG {group} $USER`, then log in again"
    )]
    Denied {
        /// As rig.toml has it.
        port: String,
        /// The group that may.
        group: String,
    },
    /// It is something else.
    #[error("{port} is no serial port; `proving boards` lists what is attached")]
    NoPort {
        /// As rig.toml has it.
        port: String,
    },
    /// A server does not answer.
    #[error("nothing listens at {port}; start its server, or name another port in rig.toml")]
    NotServed {
        /// As rig.toml has it.
        port: String,
        /// Why.
        source: io::Error,
    },
    /// It went away.
    #[error(
        "{port} went away while it was used; look at cable and power of the board, then try again"
    )]
    Gone {
        /// As rig.toml has it.
        port: String,
    },
    /// It cannot do what the rig wants of it.
    #[error(
        "{port} has no control lines; leave `reset` and `boot` out of rig.toml, or name a `reset_command`"
    )]
    NoLines {
        /// As rig.toml has it.
        port: String,
    },
    /// The host refused.
    #[error("failed to open {port}: {why}")]
    Refused {
        /// As rig.toml has it.
        port: String,
        /// Why.
        why: String,
    },
}

fn there_are(ports: &[String]) -> String {
    match ports {
        [] => "No other port is there either".to_owned(),
        ports => format!("There are: {}", ports.join(", ")),
    }
}
