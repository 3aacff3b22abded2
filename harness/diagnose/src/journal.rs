//! Which programs speak in the journal of a Linux system: a gateway's has lines of a broker beside those of
//! its own programs.

/// Bytes of a line in which its program is named.
const HEAD: usize = 96;
/// Brokers.
const BROKERS: [&str; 7] = [
    "mosquitto",
    "emqx",
    "vernemq",
    "hivemq",
    "rabbitmq",
    "nanomq",
    "activemq",
];
/// Programs that any system has, a broker's as well.
const ANY: [&str; 21] = [
    "systemd",
    "kernel",
    "sshd",
    "sudo",
    "su",
    "cron",
    "CRON",
    "docker",
    "dockerd",
    "containerd",
    "podman",
    "nginx",
    "haproxy",
    "stunnel",
    "postgres",
    "influxd",
    "grafana",
    "rsyslogd",
    "dbus",
    "certbot",
    "logger",
];

/// The programs of a journal, as far as they tell whose it is.
#[derive(Debug, Default)]
pub struct Journal {
    has_broker: bool,
    has_own: bool,
}

impl Journal {
    /// Takes a line, and returns whether it is the first one by which the journal is a gateway's.
    pub fn take(&mut self, line: &str) -> bool {
        if self.has_broker && self.has_own {
            return false;
        }
        let Some(program) = program(line) else {
            return false;
        };
        if BROKERS.contains(&program) {
            self.has_broker = true;
        } else if !is_any(program) {
            self.has_own = true;
        }
        self.has_broker && self.has_own
    }
}

/// Whether a broker has written a line of a journal.
pub fn is_by_broker(line: &str) -> bool {
    program(line).is_some_and(|program| BROKERS.contains(&program))
}

/// Whether a program is one of the system's.
fn is_any(program: &str) -> bool {
    ANY.contains(&program) || program.starts_with("systemd-") || program.starts_with("dbus-")
}

/// The program that has written a line of a journal: behind time and host, with its number in brackets or
/// without.
fn program(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    let is_dated = match bytes {
        [b'A'..=b'Z', b'a'..=b'z', b'a'..=b'z', b' ', day, ..] => matches!(day, b' ' | b'0'..=b'9'),
        [b'2', b'0', b'0'..=b'9', b'0'..=b'9', b'-', ..] => true,
        _ => false,
    };
    if !is_dated {
        return None;
    }
    let head = &line[..line.floor_char_boundary(HEAD)];
    let named = head.split_once(": ")?.0;
    let (before, word) = named.rsplit_once(' ')?;
    // A component of a firmware, in brackets, is no host.
    let is_component = before.ends_with(']');
    let (program, rest) = word.split_once('[').unwrap_or((word, "]"));
    // A time and a host stand before it.
    let has_host = before.split(' ').filter(|word| !word.is_empty()).count() >= 2;
    (has_host && !is_component && rest.ends_with(']') && !program.is_empty()).then_some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_of_a_broker_and_another_program_is_a_gateway_s() {
        let broker =
            "May 04 02:00:01 kelder mosquitto[911]: 1714780801: mosquitto version 2.0.18 starting";
        let system = "May 04 02:00:01 kelder systemd[1]: Started Mosquitto.";
        let own = "2023-08-19T22:55:00 silogw3 silo-agent[612]: I|fill|silo2 61.3%";
        let first = |lines: &[&str]| {
            let mut journal = Journal::default();
            lines.iter().position(|line| journal.take(line))
        };
        assert_eq!(first(&[broker, system, broker]), None);
        assert_eq!(first(&[own, system, own]), None);
        assert_eq!(first(&[broker, system, own, broker]), Some(2));
    }

    #[test]
    fn the_program_of_a_line_stands_behind_time_and_host() {
        assert_eq!(
            program("May 04 02:00:01 kelder kernel: [  140.1] up"),
            Some("kernel")
        );
        assert_eq!(program("I (5) app: up"), None);
        assert_eq!(
            program("2024-02-11 03:40:02 [ph-edge] opcua: 118 tags"),
            None
        );
    }
}
