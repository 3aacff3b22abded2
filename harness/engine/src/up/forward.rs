//! Ports of a device that are ports of the host.

use std::net::SocketAddr;
use std::str::FromStr;

use lab::air::Protocol;

/// A port of the host that leads to one of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Which of the two ports of that number.
    pub protocol: Protocol,
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// On which of the device's networks.
    pub to: ForwardTo,
    /// The device's port.
    pub port: u16,
}

/// One of a device's networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardTo {
    /// Its SoftAP.
    SoftAp,
    /// The access point that it joined.
    Station,
}

impl FromStr for Forward {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = || "expected something like 127.0.0.1:8080=softap:80".to_owned();
        let (protocol, text) = match text.strip_prefix("udp:") {
            Some(rest) => (Protocol::Udp, rest),
            None => (Protocol::Tcp, text),
        };
        let (listen, target) = text.split_once('=').ok_or_else(shape)?;
        let (side, port) = target.split_once(':').ok_or_else(shape)?;
        Ok(Self {
            protocol,
            listen: listen
                .parse()
                .map_err(|_| format!("`{listen}` is no address and port of this host"))?,
            to: match side {
                "softap" => ForwardTo::SoftAp,
                "sta" => ForwardTo::Station,
                other => return Err(format!("`{other}` is neither `softap` nor `sta`")),
            },
            port: match port.parse() {
                Ok(0) | Err(_) => return Err(format!("`{port}` is no port of the device")),
                Ok(port) => port,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_says_where_from_and_where_to() {
        let forward: Forward = "127.0.0.1:8080=softap:80".parse().expect("well formed");
        assert_eq!(
            forward.listen,
            "127.0.0.1:8080".parse().expect("an address")
        );
        assert_eq!((forward.to, forward.port), (ForwardTo::SoftAp, 80));
        assert_eq!(forward.protocol, Protocol::Tcp);
        let forward: Forward = "udp:[::1]:0=sta:5683".parse().expect("well formed");
        assert_eq!(forward.listen, "[::1]:0".parse().expect("an address"));
        assert_eq!((forward.to, forward.port), (ForwardTo::Station, 5683));
        assert_eq!(forward.protocol, Protocol::Udp);
    }

    #[test]
    fn a_bad_forward_says_what_is_bad() {
        for (text, problem) in [
            ("8080", "expected something like"),
            ("127.0.0.1:8080=softap", "expected something like"),
            ("localhost=softap:80", "`localhost` is no address"),
            ("udp:8080=sta:5683", "`8080` is no address"),
            (
                "tcp:127.0.0.1:80=sta:80",
                "`tcp:127.0.0.1:80` is no address",
            ),
            ("127.0.0.1:8080=ap:80", "`ap` is neither"),
            ("127.0.0.1:8080=sta:0", "`0` is no port"),
            ("127.0.0.1:8080=sta:70000", "`70000` is no port"),
        ] {
            let error = text.parse::<Forward>().expect_err(text);
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
